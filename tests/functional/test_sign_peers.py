# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cosign accepts what image_sign signs, and image_verify what cosign signs; skipped where cosign is not built."""

from __future__ import annotations

import pytest

from devtools import images, peers
from devtools.signing import KINDS, Cosign, Key

INDEX = images.index(seed="sign peers")
SINGLE = images.single(seed="sign peers")


def _push(server, repository, image):
    images.push(image, server.host, repository, "1")
    return f"{server.host}/{repository}:1"


@pytest.fixture
def cosign(tmp_path):
    path = peers.find("cosign")
    if not path:
        pytest.skip("cosign is not built: set DRAYAGE_BUILD_PEERS, which takes minutes")
    return Cosign(path, tmp_path / "cosign")


@pytest.fixture
def run(run_module):
    return lambda module, **options: run_module(module, **options).raw


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format_", ["tag", "bundle"])
def test_cosign_accepts_every_kind_of_key_in_both_formats(run, cosign, registry, repository, kind, format_):
    key = Key(kind)
    image = _push(registry, repository, SINGLE)
    run("image_sign", image=image, key_content=key.private, formats=[format_], annotations={"env": "prod"})
    assert cosign.verify(key.public, image)
    assert cosign.verify(key.public, image, "-a", "env=prod")
    with pytest.raises(AssertionError):
        cosign.verify(key.public, image, "-a", "env=test")
    with pytest.raises(AssertionError):
        cosign.verify(Key().public, image)


@pytest.mark.parametrize("format_", ["tag", "bundle"])
def test_cosign_accepts_our_attestations(run, cosign, registry, repository, format_):
    key = Key()
    image = _push(registry, repository, SINGLE)
    claim = {"bomFormat": "CycloneDX", "specVersion": "1.6"}
    run(
        "image_sign",
        image=image,
        key_content=key.private,
        formats=[format_],
        predicate_type="cyclonedx",
        predicate=claim,
    )
    found = cosign.verify_attestation(key.public, image, "cyclonedx")
    assert "application/vnd.in-toto+json" in found
    with pytest.raises(AssertionError):
        cosign.verify_attestation(key.public, image, "spdxjson")


@pytest.mark.parametrize("bundle", [False, True], ids=["tag", "bundle"])
def test_what_cosign_signs_is_verified_and_not_signed_again(run, cosign, registry, repository, bundle):
    private, public = cosign.generate("own")
    image = _push(registry, repository, INDEX)
    pinned = f"{registry.host}/{repository}@{INDEX.digest}"
    cosign.sign("own.key", pinned, bundle, "-r", "-a", "env=prod")
    found = run("image_verify", image=image, public_keys=[public], annotations={"env": "prod"})
    expected = "bundle" if bundle else "tag"
    assert [signature["format"] for signature in found["signatures"]] == [expected]
    # The image, the tag, whether there is the API, the list; and the payload, which has annotations, or the referrer and its bundle.
    assert found["requests"] == (6 if bundle else 5)
    again = run("image_sign", image=image, key_content=private, formats=[expected])
    assert again.get("changed") is False, again
    other = run("image_verify", image=image, public_keys=[Key().public])
    assert "none of its signatures" in other["msg"]


def test_what_cosign_attests_is_verified(run, cosign, registry, repository):
    private, public = cosign.generate("own")
    image = _push(registry, repository, SINGLE)
    cosign.attest("own.key", f"{registry.host}/{repository}@{SINGLE.digest}", "cyclonedx", {"bomFormat": "CycloneDX"})
    run("image_sign", image=image, key_content=private)
    found = run("image_verify", image=image, public_keys=[public], attestations=["cyclonedx"])
    attested = [signature for signature in found["signatures"] if signature["predicate_type"]]
    assert [signature["predicate"] for signature in attested] == [{"bomFormat": "CycloneDX"}]
