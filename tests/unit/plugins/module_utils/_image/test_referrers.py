# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types, referrers
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.digest import of
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest

SUBJECT = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def referrer(subject=SUBJECT, **members):
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": of(b"{}"), "size": 2},
        "layers": [],
        "subject": subject and {"mediaType": media_types.OCI_INDEX, "digest": subject, "size": 10},
        **members,
    }
    return Manifest.parse(json.dumps({name: value for name, value in document.items() if value is not None}).encode())


def entry(digest=OTHER, **members):
    return {"mediaType": media_types.OCI_MANIFEST, "digest": digest, "size": 7, **members}


@pytest.mark.parametrize(
    ("digest", "tag"),
    [
        (SUBJECT, "sha256-" + "a" * 64),
        ("sha512:" + "0123456789abcdef" * 8, "sha512-" + "0123456789abcdef" * 4),
    ],
)
def test_tag_of_a_list(digest, tag):
    assert referrers.list_tag(digest) == tag
    assert referrers.is_digest_tag(tag)


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
def test_subject_of_a_tag(suffix):
    tag = "sha256-%s%s" % ("a" * 64, suffix)
    assert referrers.subject_of_tag(tag) == SUBJECT
    assert referrers.is_digest_tag(tag)


@pytest.mark.parametrize("tag", ["1.0", "sha256-abc", "sha256-%s.other" % ("a" * 64), "sha256-" + "A" * 64, ""])
def test_other_tags_belong_to_nothing(tag):
    assert referrers.subject_of_tag(tag) == ""
    assert not referrers.is_digest_tag(tag)


def test_cosign_has_tags_for_sha256_only():
    assert referrers.cosign_tags(SUBJECT) == ["sha256-%s%s" % ("a" * 64, end) for end in (".sig", ".att", ".sbom")]
    assert referrers.cosign_tags("sha512:" + "a" * 128) == []


def test_an_entry_is_no_referrer_unless_its_subject_says_so():
    assert referrers.is_referrer(referrer(), SUBJECT)
    assert not referrers.is_referrer(referrer(), OTHER)
    assert not referrers.is_referrer(referrer(None), SUBJECT)
    assert not referrers.is_referrer(referrer("sha256:1"), SUBJECT)


def test_without_types_every_referrer_matches():
    one = referrer(artifactType="application/x")
    assert referrers.matches(one, [])
    assert referrers.matches(one, ["application/y", "application/x"])
    assert not referrers.matches(one, ["application/y"])


@pytest.mark.parametrize(
    ("name", "limit"), [("dev.sigstore.bundle.predicateType", 256), ("drayage.registry/bundle", 4096)]
)
def test_annotations_of_entries_are_kept_up_to_a_limit(name, limit):
    for length in (0, 1, limit, limit + 1):
        body = {"manifests": [entry(annotations={name: "x" * length, "other": "x"})]}
        (found,) = referrers.read_entries(json.dumps(body).encode())
        assert found.annotations == ({name: "x" * length} if length <= limit else {})


def test_artifact_type():
    assert referrer(artifactType="application/x").artifact_type == "application/x"
    assert referrer().artifact_type == "application/vnd.oci.empty.v1+json"
    index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
    assert Manifest.parse(json.dumps(index).encode()).artifact_type == ""
    assert Manifest.parse(json.dumps({**index, "artifactType": "a/b"}).encode()).artifact_type == "a/b"


@pytest.mark.parametrize("manifests", [None, [], "absent"])
def test_empty_lists(manifests):
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": manifests}
    if manifests == "absent":
        del document["manifests"]
    assert referrers.read_entries(json.dumps(document).encode()) == []


def test_entries_of_a_list():
    """Each once, with the artifact type; what is no manifest, and all but two annotations, are left out."""
    kept = {referrers.PREDICATE_TYPE: "https://example.com/a", referrers.BUNDLE: "{}"}
    long = {referrers.PREDICATE_TYPE: "x" * 257, referrers.BUNDLE: "x" * 4097, "x": "y"}
    found = referrers.hints([Descriptor.from_document(entry(annotations={**kept, "x": "y"}))])
    assert [dict(one.annotations) for one in found] == [kept]
    for dropped in (long, {referrers.BUNDLE: 7}):
        found = referrers.hints([Descriptor.from_document(entry(annotations=dropped))])
        assert [dict(one.annotations) for one in found] == [{}]
    entries = [
        entry(artifactType="a/b", annotations={"x": "y" * 1000}),
        entry(),
        entry(SUBJECT, mediaType="application/octet-stream"),
    ]
    found = referrers.read_entries(json.dumps({"schemaVersion": 2, "manifests": entries}).encode())
    assert [(one.digest, one.size, dict(one.annotations)) for one in found] == [(OTHER, 7, {})]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b'{"manifests": {}}',
        b'{"manifests": "x"}',
        b'{"manifests": [1]}',
        b'{"manifests": [{"digest": "x"}]}',
        b'{"mediaType": "application/vnd.docker.distribution.manifest.list.v2+json", "manifests": []}',
        b'{"manifests": [], "layers": []}',
    ],
)
def test_what_is_no_list(body):
    with pytest.raises(InvalidContent):
        referrers.read_entries(body)


def test_a_list_keeps_what_it_has():
    first, second = referrer(artifactType="a/b", annotations={"k": "v"}), referrer()
    made = referrers.with_entries(None, [first])
    assert made.document == {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [
            {
                "mediaType": media_types.OCI_MANIFEST,
                "digest": first.digest,
                "size": first.size,
                "artifactType": "a/b",
                "annotations": {"k": "v"},
            }
        ],
    }
    odd = Manifest.parse(json.dumps({**made.document, "annotations": {"mine": "1"}, "x": 1}).encode())
    both = referrers.with_entries(odd, [first, second])
    assert [child.digest for child in both.children] == [first.digest, second.digest]
    assert (both.document["x"], both.annotations) == (1, {"mine": "1"})
    less = referrers.without_entries(both, {first.digest})
    assert [child.digest for child in less.children] == [second.digest]
    assert less.document["x"] == 1


def test_null_list_can_be_added_to():
    null = Manifest.parse(
        json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": None}).encode()
    )
    assert len(referrers.with_entries(null, [referrer()]).children) == 1


def test_a_list_that_no_registry_accepts():
    big = referrer(annotations={"x": "y" * 3_000_000})
    current = referrers.with_entries(None, [big])
    with pytest.raises(InvalidContent, match="the list of referrers would be larger than 4194304 bytes"):
        referrers.with_entries(current, [referrer(annotations={"x": "z" * 3_000_000})])


def test_the_subject_is_never_its_own_list():
    image = Manifest.parse(
        json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}).encode()
    )
    assert not referrers.is_list(image, image.digest)
    assert referrers.is_list(image, SUBJECT)
    assert not referrers.is_list(referrer(), SUBJECT)
