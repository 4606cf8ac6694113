# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures and attestations that are added, kept and removed, and what image_verify finds of them."""

from __future__ import annotations

import base64
import json
import re

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidReference, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._image.statement import SIGN
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign import SignedDigest, SignOptions, sign
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing import writing
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.evidence import NotVerified
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.rules import KeyRule
from ansible_collections.drayage.registry.plugins.module_utils._operations.verify import (
    VerifyOptions,
    check_requirements,
    verify,
)
from ansible_collections.drayage.registry.tests.unit.support import layouts, runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api
from ansible_collections.drayage.registry.tests.unit.support.signing_keys import new_key

KEY, OTHER = new_key("mine"), new_key("theirs")
AMD64, ARM64 = image("linux/amd64", b"amd64"), image("linux/arm64", b"arm64")
INNER = index(entry(ARM64, "linux/arm64"))
INDEX = index(entry(AMD64, "linux/amd64"), entry(INNER))
APP, REPOSITORY = "r.example/app:1", "r.example/app"
SIGNATURE_TAG = AMD64.digest.replace(":", "-") + ".sig"
ATTESTATION_TAG = AMD64.digest.replace(":", "-") + ".att"
BOTH = ["tag", "bundle"]
SBOM = "https://cyclonedx.org/bom"


@pytest.fixture(autouse=True)
def nobody_else_signs(monkeypatch):
    monkeypatch.setattr(writing, "wait_for_others", lambda _start: None)


@pytest.fixture
def place(place):
    place.referrers = Api(place)
    return place.add(AMD64, ARM64, INNER, INDEX, tag="all").add(AMD64, tag="1")


@pytest.fixture
def run(stores, place):
    def signed(name=APP, key=KEY, dry_run=False, **more):
        stores.run = runs.run(dry_run=dry_run)
        return sign(SignOptions(name, key, **more), stores)

    return signed


@pytest.fixture
def check(stores, place):
    """Verify an image with keys, and return the formats of its signatures."""

    def verified(name=APP, *keys, attestations=(), annotations=None):
        rule = KeyRule(tuple(key.public for key in keys or [KEY]), None, tuple(attestations))
        found = verify(VerifyOptions(name, rule, annotations=annotations or {}), stores)
        return [each.format for each in found.signatures]

    return verified


def layers(place, tag):
    """The layers under a cosign tag, with their content."""
    documents = place.manifests[place.tags[tag]].document["layers"]
    return [(layer, json.loads(place.content[layer["digest"]])) for layer in documents]


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_image_is_signed_once_in_both_formats(run, check, stores, place, dry_run):
    before = dict(place.manifests), dict(place.tags)
    signed = run(dry_run=dry_run)
    assert (signed.digest, signed.identity) == (AMD64.digest, REPOSITORY)
    assert signed.manifests == [SignedDigest(AMD64.digest, [], BOTH)]
    assert (signed.manifests[0].added, signed.manifests[0].removed) == (BOTH, [])
    assert stores.opened == [(APP, True, "", False)]
    if dry_run:
        assert (place.manifests, place.tags) == before
        return
    assert check() == BOTH
    after = dict(place.manifests), dict(place.tags)
    again = run().manifests
    assert (again, again[0].added) == ([SignedDigest(AMD64.digest, BOTH, BOTH)], [])
    assert (place.manifests, place.tags) == after
    with pytest.raises(NotVerified, match="was made with theirs"):
        check(APP, OTHER)


def test_the_layer_is_that_of_cosign(run, place):
    run(annotations={"b": "2", "a": "1"}, formats=["tag"])
    [(layer, payload)] = layers(place, SIGNATURE_TAG)
    assert payload == {
        "critical": {
            "identity": {"docker-reference": REPOSITORY},
            "image": {"docker-manifest-digest": AMD64.digest},
            "type": "cosign container image signature",
        },
        "optional": {"a": "1", "b": "2"},
    }
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert list(layer["annotations"]) == ["dev.cosignproject.cosign/signature"]
    signature = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    assert KEY.public.verify(place.content[layer["digest"]], signature)
    run("r.example/app:all", formats=["tag"], children=False)
    [(_layer, payload)] = layers(place, INDEX.digest.replace(":", "-") + ".sig")
    assert payload["optional"] is None


@pytest.mark.parametrize(
    ("children", "digests"),
    [(True, [INDEX.digest, AMD64.digest, INNER.digest, ARM64.digest]), (False, [INDEX.digest])],
)
def test_an_index_is_signed_with_its_descendants(run, check, place, children, digests):
    signed = run("r.example/app:all", children=children)
    assert signed.digest == signed.manifests[0].digest == INDEX.digest
    assert sorted(each.digest for each in signed.manifests) == sorted(digests)
    for digest in digests:
        assert check("%s@%s" % (REPOSITORY, digest)) == BOTH


@pytest.mark.parametrize("formats", [["tag"], ["bundle"], ["bundle", "tag"]])
def test_only_the_requested_formats_are_added(run, check, formats):
    added = sorted(formats, reverse=True)
    assert run(formats=formats).manifests == [SignedDigest(AMD64.digest, [], added)]
    assert check() == added
    rest = [name for name in BOTH if name not in formats]
    assert run().manifests[0].added == rest


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("formats", [["tag"], ["bundle"], ["tag", "bundle"]])
def test_only_signatures_of_this_key_and_these_formats_are_removed(run, check, stores, place, formats, dry_run):
    run()
    run(key=OTHER)
    removed = run(formats=formats, is_present=False, dry_run=dry_run)
    rest = [name for name in BOTH if name not in formats]
    assert removed.manifests == [SignedDigest(AMD64.digest, BOTH, rest)]
    assert removed.manifests[0].removed == formats
    assert stores.opened[-1] == (APP, True, "", True)
    assert check(APP, OTHER) == BOTH
    if dry_run:
        assert check() == BOTH
    else:
        if rest:
            assert check() == rest
        assert run(formats=formats, is_present=False).manifests == [SignedDigest(AMD64.digest, rest, rest)]


def test_the_last_signature_is_removed_with_its_tag(run, place):
    before = set(place.manifests)
    run()
    run(is_present=False)
    assert SIGNATURE_TAG not in place.tags
    assert {digest for digest, manifest in place.manifests.items() if "subject" in manifest.document} == set()
    assert before <= set(place.manifests)


def test_a_signature_with_other_annotations_is_not_enough(run, check):
    run()
    assert run(annotations={"a": "1"}).manifests[0].added == BOTH
    assert check(annotations={"a": "1"}) == BOTH
    assert sorted(check()) == sorted(BOTH * 2)
    assert run(is_present=False, annotations={"a": "2"}).manifests[0].removed == BOTH


def test_a_signature_for_another_name_is_not_enough(run):
    run()
    signed = run(identity="busybox:1")
    assert (signed.identity, signed.manifests[0].added) == ("docker.io/library/busybox:1", ["tag"])


def test_a_listed_bundle_that_no_longer_exists_is_added_again(run, place, monkeypatch):
    run(formats=["bundle"])
    [bundle] = [digest for digest, manifest in place.manifests.items() if "subject" in manifest.document]
    listed = place.referrers.entries(AMD64.digest)
    monkeypatch.setattr(place.referrers, "entries", lambda subject, **more: listed)
    del place.manifests[bundle]
    assert run(formats=["bundle"]).manifests[0].added == ["bundle"]


class TestAttestations:
    @pytest.fixture
    def attest(self, run):
        def attested(name=APP, predicate=None, predicate_type=SBOM, **more):
            return run(name, predicate_type=predicate_type, predicate=predicate or {"a": 1}, **more)

        return attested

    def test_a_claim_is_attested_once_and_a_changed_claim_again(self, attest, run, check):
        assert attest().manifests == [SignedDigest(AMD64.digest, [], BOTH)]
        assert attest().manifests == [SignedDigest(AMD64.digest, BOTH, BOTH)]
        assert attest(predicate={"a": 2}).manifests[0].added == BOTH
        with pytest.raises(NotVerified, match="has no signature"):
            check()
        run()
        assert sorted(check(attestations=[SBOM])) == sorted(BOTH * 3)
        with pytest.raises(NotVerified, match="has no attestation of type https://slsa.dev/provenance/v1"):
            check(attestations=["https://slsa.dev/provenance/v1"])

    def test_the_layer_is_that_of_cosign(self, attest, place):
        attest(formats=["tag"])
        [(layer, envelope)] = layers(place, ATTESTATION_TAG)
        assert layer["mediaType"] == "application/vnd.dsse.envelope.v1+json"
        assert layer["annotations"] == {"dev.cosignproject.cosign/signature": "", "predicateType": SBOM}
        assert envelope["payloadType"] == "application/vnd.in-toto+json"
        assert json.loads(base64.b64decode(envelope["payload"])) == {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": SBOM,
            "subject": [{"name": REPOSITORY, "digest": {"sha256": AMD64.digest[7:]}}],
            "predicate": {"a": 1},
        }

    def test_only_the_index_is_attested(self, attest, place):
        assert attest("r.example/app:all").manifests == [SignedDigest(INDEX.digest, [], BOTH)]

    def test_any_claim_of_the_type_is_removed(self, attest, place):
        attest()
        attest(predicate_type="https://example.com/other")
        assert attest(predicate={"a": 3}, annotations={"a": "1"}, is_present=False).manifests[0].removed == BOTH
        assert attest(predicate_type="https://example.com/other").manifests[0].before == BOTH
        assert len(layers(place, ATTESTATION_TAG)) == 1

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_an_attestation_requires_a_predicate(self, run, place, dry_run):
        with pytest.raises(ImageError) as caught:
            run(predicate_type=SBOM, dry_run=dry_run)
        assert str(caught.value) == (
            APP + ": predicate_type is set, but predicate is not. Set predicate to the content of the attestation."
        )
        assert ATTESTATION_TAG not in place.tags
        assert run(predicate_type=SBOM, predicate={}).manifests[0].added == BOTH
        assert run(predicate_type=SBOM, is_present=False).manifests[0].removed == BOTH

    def test_a_store_may_keep_only_signatures(self, attest, place):
        place.referrers.keeps = lambda tag: not tag.endswith(".att")
        with pytest.raises(ImageError) as caught:
            attest()
        assert str(caught.value) == (
            APP + ": this destination cannot store attestations. Use a registry or an OCI layout."
        )
        assert attest(formats=["bundle"]).manifests[0].added == ["bundle"]


def test_an_image_in_a_layout_is_signed_for_a_name(run, check, tmp_path):
    name = "oci:%s:1" % (tmp_path / "l")
    layouts.foreign_layout(tmp_path / "l", ("1", AMD64))
    with pytest.raises(ImageError) as caught:
        run(name)
    assert str(caught.value) == (
        name
        + ": the signature needs an image name, but local images have none. Set the identity option to the image name."
    )
    assert run(name, identity=REPOSITORY).manifests[0].added == BOTH
    assert check(name) == BOTH


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "docker-daemon:app:1",
            {},
            "engines and Docker archives cannot store signatures. Push the image, and sign it in the registry.",
        ),
        (APP, {"formats": []}, APP + ": formats is empty. Set formats to tag, bundle or both."),
        (
            APP,
            {"predicate_type": SBOM, "predicate": {}, "annotations": {"a": "1"}},
            APP + ": an attestation has no annotations. Remove annotations, or add the values to predicate.",
        ),
        (
            APP,
            {"predicate_type": SIGN, "predicate": {}},
            APP
            + ": %s is the type of signatures, not of attestations. Remove predicate_type and predicate to sign the image."
            % SIGN,
        ),
        (APP, {"predicate_type": SIGN, "is_present": False}, "Remove predicate_type and predicate to sign the image."),
    ],
)
def test_options_are_checked_before_anything_is_opened(run, stores, name, options, message):
    with pytest.raises(ImageError) as caught:
        run(name, **options)
    assert str(caught.value).endswith(message)
    assert stores.opened == []
    assert isinstance(caught.value, InvalidReference) is not bool(options)


def test_a_store_without_referrers_keeps_only_tags(run, place):
    del place.referrers
    with pytest.raises(ImageError) as caught:
        run()
    assert str(caught.value) == (APP + ": this destination cannot store sigstore bundles. Remove bundle from formats.")
    assert run(formats=["tag"]).manifests[0].added == ["tag"]


def test_other_digests_than_sha256_have_no_tag(run, place):
    digest = "sha512:" + "a" * 128
    place.manifests[digest] = Manifest(AMD64.manifest.raw, AMD64.manifest.media_type, digest, AMD64.manifest.document)
    with pytest.raises(ImageError) as caught:
        run("%s@%s" % (REPOSITORY, digest))
    assert str(caught.value) == "%s@%s: cosign defines no signature tag for the digest %s. Remove tag from formats." % (
        REPOSITORY,
        digest,
        digest,
    )


@pytest.mark.parametrize(("operation", "what"), [("run", "sign"), ("check", "verify")])
class TestImage:
    def test_an_image_that_does_not_exist_is_an_error(self, request, operation, what):
        with pytest.raises(NotFound) as caught:
            request.getfixturevalue(operation)("r.example/app:none")
        assert str(caught.value).startswith("r.example/app:none: cannot %s the image: it is not there" % what)
        assert caught.value.hint == ("Push the image first" if what == "sign" else "")

    def test_a_store_must_have_the_digest_in_the_reference(self, request, place, operation, what):
        name = "%s@sha256:%s" % (REPOSITORY, "0" * 64)
        place.manifests[name.partition("@")[2]] = AMD64.manifest
        with pytest.raises(ImageError) as caught:
            request.getfixturevalue(operation)(name)
        assert str(caught.value) == (
            "%s: the image has the digest %s, but the reference specifies sha256:%s. Correct or remove the digest in the "
            "reference." % (name, AMD64.digest, "0" * 64)
        )


def test_an_image_is_verified_by_keys_or_by_a_policy(stores, place):
    with pytest.raises(ImageError) as caught:
        verify(VerifyOptions(APP), stores)
    assert str(caught.value) == APP + ": neither public_keys nor policy is set. Set public_keys or policy."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"policy": "default", "attestations": [SBOM], "annotations": {"env": "prod"}},
            "annotations, attestations cannot be verified with a policy. Set public_keys instead of policy, or remove these options.",
        ),
        (
            {"bundle": "/b", "identity": {"type": "matchRepository"}, "attestations": [SBOM]},
            "identity, attestations cannot be verified for a bundle. Remove these options.",
        ),
        ({"bundle": "/b", "annotations": {"env": "prod"}}, "annotations cannot be verified for a bundle. Remove these"),
    ],
)
def test_requirements_that_would_have_no_effect_are_errors(options, message):
    with pytest.raises(ImageError, match=re.escape(message)):
        check_requirements(options)


@pytest.mark.parametrize("options", [{"policy": "default", "annotations": {}, "attestations": []}, {"bundle": "/b"}])
def test_empty_requirements_are_ignored(options):
    check_requirements(options)


def test_keys_verify_every_requirement():
    check_requirements({"image": APP, "annotations": {"a": "b"}, "attestations": [SBOM], "identity": {"type": "x"}})
