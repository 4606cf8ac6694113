# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures in referrers, as cosign 2 stored them with ``--registry-referrers-mode=oci-1-1``."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign import SignedDigest, SignOptions, sign
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing import writing
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.evidence import NotVerified
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.rules import KeyRule
from ansible_collections.drayage.registry.plugins.module_utils._operations.verify import VerifyOptions, verify
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api
from ansible_collections.drayage.registry.tests.unit.support.signing_keys import new_key

KEY, OTHER = new_key("mine"), new_key("theirs")
IMAGE = image()
APP = "r.example/app:1"
TAG = IMAGE.digest.replace(":", "-") + ".sig"
TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"


@pytest.fixture(autouse=True)
def nobody_else_signs(monkeypatch):
    monkeypatch.setattr(writing, "wait_for_others", lambda _start: None)


@pytest.fixture
def place(place):
    place.referrers = Api(place)
    return place.add(IMAGE, tag="1")


@pytest.fixture
def run(stores, place):
    def signed(key=KEY, dry_run=False, **more):
        stores.run = runs.run(dry_run=dry_run)
        (settled,) = sign(SignOptions(APP, key, **more), stores).manifests
        return settled

    return signed


@pytest.fixture
def formats(stores):
    """Verify the image, and return the formats of its signatures."""

    def verified(key=KEY):
        found = verify(VerifyOptions(APP, KeyRule((key.public,))), stores)
        return [each.format for each in found.signatures]

    return verified


@pytest.fixture
def move(place):
    """Return a function that moves the signatures from the tag to a referrer, and returns its digest."""

    def moved():
        document = json.loads(place.manifests[place.tags.pop(TAG)].raw)
        descriptor = IMAGE.manifest.descriptor
        document["subject"] = {
            "mediaType": descriptor.media_type,
            "digest": descriptor.digest,
            "size": descriptor.size,
        }
        document["config"]["mediaType"] = document["artifactType"] = TYPE
        manifest = Manifest.parse(json.dumps(document).encode())
        place.put_manifest(manifest)
        return manifest.digest

    return moved


def test_a_signature_in_a_referrer_does_not_replace_one_in_a_tag(run, formats, move):
    run(formats=["tag"])
    move()
    assert formats() == ["referrer"]
    assert run(formats=["tag"]) == SignedDigest(IMAGE.digest, [], ["tag"])
    assert formats() == ["tag", "referrer"]
    assert run(formats=["tag"]).added == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_signature_in_a_referrer_is_removed_with_the_bundles(run, formats, move, place, dry_run):
    run(formats=["tag"])
    referrer = move()
    assert run(formats=["tag"], is_present=False) == SignedDigest(IMAGE.digest, ["referrer"], ["referrer"])
    assert run(OTHER, is_present=False) == SignedDigest(IMAGE.digest, [], [])
    assert run(is_present=False, dry_run=dry_run) == SignedDigest(IMAGE.digest, ["referrer"], [])
    assert (referrer in place.manifests) is dry_run
    if dry_run:
        return
    assert run(is_present=False) == SignedDigest(IMAGE.digest, [], [])
    with pytest.raises(NotVerified):
        formats()


@pytest.mark.parametrize("dry_run", [True, False])
def test_signatures_of_other_keys_in_the_same_referrer_are_kept(run, formats, move, dry_run):
    run(formats=["tag"])
    run(OTHER, formats=["tag"])
    referrer = move()
    with pytest.raises(ImageError) as caught:
        run(is_present=False, dry_run=dry_run)
    assert str(caught.value) == (
        "%s: the referrer %s also contains signatures made with other keys. Remove bundle from formats to keep the referrer."
        % (APP, referrer)
    )
    assert formats() == formats(OTHER) == ["referrer"]


def test_several_signatures_of_one_key_in_a_referrer_are_removed(run, move, place):
    run(formats=["tag"])
    run(formats=["tag"], annotations={"a": "1"})
    referrer = move()
    assert run(is_present=False).removed == ["referrer"]
    assert referrer not in place.manifests
