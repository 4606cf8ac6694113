# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""signed_by and policy: what is not verified is not written, and what was verified is what is written."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image.signing_key import load_public
from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import CopyOptions, copy
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.gate import Gate
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.reading import SignatureReader
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.rules import KeyRule
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from devtools import images
from devtools.observe import digest_at
from devtools.signing import Key

INDEX = images.index(seed="gate")
OTHER = images.index(seed="gate, other")
KEY = Key()
SIGNED_BY = {"public_keys": [KEY.public]}


@pytest.fixture
def run(run_module):
    return lambda module, **options: run_module(module, **options).raw


@pytest.fixture
def sides(registry, second_registry, repository):
    """Push an image, and return its reference and that of a destination in another registry."""
    images.push(INDEX, registry.host, repository, "1")
    return f"{registry.host}/{repository}:1", f"{second_registry.host}/{repository}:1"


def _writes(server):
    return [request for request in server.requests() if request.method not in ("GET", "HEAD")]


def _gets(server):
    return len([request for request in server.requests() if request.method == "GET"])


def _policy(path, **requirement):
    path.write_text(json.dumps({"default": [requirement]}))
    return str(path)


@pytest.mark.parametrize("formats", [["tag"], ["bundle"]])
def test_only_signed_images_are_copied(run, sides, second_registry, repository, formats):
    source, destination = sides
    options = {"src": source, "dest": destination, "signed_by": SIGNED_BY}
    for check_mode in (True, False):
        failed = run("image_copy", **options, check_mode=check_mode)
        assert (
            failed["msg"] == f"{source}: {INDEX.digest} has no signature. Sign the image, for example with image_sign."
        )
    assert not _writes(second_registry)
    run("image_sign", image=source, key_content=KEY.private, formats=formats, children=False)
    failed = run("image_copy", **{**options, "signed_by": {"public_keys": [Key().public]}})
    assert "none of its signatures (1 found) was made with" in failed["msg"]
    assert not _writes(second_registry)
    assert run("image_copy", **options)["changed"]
    assert digest_at(second_registry.host, repository, "1") == INDEX.digest
    assert run("image_copy", **options)["changed"] is False


# GET requests beyond those of the copy, for a signature of image_sign in this format alone. A signature under a tag is one; a
# bundle is one for its list, after one for the tag that is not there; without the API, one more finds that out.
COSTS = {"registry": (1, 3), "oci_registry": (1, 2), "ggcr_registry": (1, 2)}


@pytest.mark.parametrize("server", COSTS)
def test_requests_of_a_verification(request, run, second_registry, repository, server):
    """Annotations and another name: no payload can be foreseen, so that it must come with the tag."""
    source = request.getfixturevalue(server)
    signed = {"key_content": KEY.private, "children": False, "annotations": {"env": "prod"}}
    for number, (format_, expected) in enumerate(zip(("tag", "bundle"), COSTS[server])):
        image = f"{source.host}/{repository}-{format_}:1"
        images.push(INDEX, source.host, f"{repository}-{format_}", "1")
        name = {"identity": "registry.example.com/prod/app"} if format_ == "tag" else {}
        assert run("image_sign", image=image, formats=[format_], **signed, **name)["changed"]
        counts = []
        for gate in ({}, {"signed_by": SIGNED_BY}):
            source.forget()
            options = {"src": image, "dest": f"{second_registry.host}/{repository}-{number}-{len(gate)}:1", **gate}
            assert run("image_copy", **options)["changed"]
            counts.append(_gets(source))
        assert counts[1] - counts[0] == expected, [each.path for each in source.requests()]
        # Both read the image, and look for both formats.
        source.forget()
        assert not run("image_verify", image=image, public_keys=[KEY.public]).get("failed")
        assert _gets(source) == 1 + COSTS[server][1]
        source.forget()
        assert run("image_sign", image=image, formats=[format_], **signed, **name)["changed"] is False
        assert _gets(source) == 1 + COSTS[server][1]


@pytest.mark.parametrize(("server", "once"), [("registry", 1), ("oci_registry", 0), ("ggcr_registry", 0)])
def test_a_set_costs_one_request_for_each_format_and_image(request, run, second_registry, repository, server, once):
    """Without the API, one request for the whole set finds that out."""
    source, tags = request.getfixturevalue(server), ["1", "2", "3"]
    for tag in tags:
        images.push(images.single(seed=f"gate, {tag}"), source.host, repository, tag)
        image = f"{source.host}/{repository}:{tag}"
        assert run("image_sign", image=image, key_content=KEY.private, formats=["bundle"])["changed"]
    counts = []
    for gate in ({}, {"signed_by": SIGNED_BY}):
        source.forget()
        dest = f"{second_registry.host}/{repository}-{len(gate)}"
        declared = {"images": [{"name": f"{source.host}/{repository}", "tags": tags, "dest": dest}]}
        assert run("image_sync", **declared, **gate)["summary"]["created"] == len(tags)
        counts.append(_gets(source))
    formats = 2  # the tag, which does not exist, and the bundle
    assert counts[1] - counts[0] == formats * len(tags) + once, [each.path for each in source.requests()]


def test_an_image_that_is_there_already_must_be_signed_too(run, sides, registry):
    source, destination = sides
    assert run("image_copy", src=source, dest=destination)["changed"]
    assert "has no signature" in run("image_copy", src=source, dest=destination, signed_by=SIGNED_BY)["msg"]
    declared = {"images": [{"name": source.rpartition(":")[0], "tags": ["1"], "dest": destination.rpartition(":")[0]}]}
    failed = run("image_sync", **declared, signed_by=SIGNED_BY)
    assert failed["failed"]
    assert [image["action"] for image in failed["images"]] == ["failed"]
    run("image_sign", image=source, key_content=KEY.private)
    registry.forget()
    assert run("image_copy", src=source, dest=destination, signed_by=SIGNED_BY)["changed"] is False
    assert [request.method for request in registry.requests()] == ["HEAD", "GET"]
    assert run("image_sync", **declared, signed_by=SIGNED_BY)["changed"] is False


def test_the_digest_that_was_verified_is_the_one_that_is_copied(
    run, sides, registry, second_registry, repository, monkeypatch
):
    source, destination = sides
    run("image_sign", image=source, key_content=KEY.private, children=False, formats=["tag"])
    images.push(OTHER, registry.host, repository, "other")
    read = SignatureReader.of_tag

    def read_while_the_tag_moves(reader, digest, suffix):
        images.push(OTHER, registry.host, repository, "1")
        return read(reader, digest, suffix)

    monkeypatch.setattr(SignatureReader, "of_tag", read_while_the_tag_moves)
    gate = Gate((KeyRule((load_public(KEY.public, "key"),)),))
    run_here = Run(lambda *_arguments: (1, "", ""), 4)
    with Stores([], None, Policy(60, 0, 4, 0), run_here, LocalImages) as stores:
        copy(CopyOptions(source, destination), stores, gate)
    assert digest_at(registry.host, repository, "1") == OTHER.digest
    assert digest_at(second_registry.host, repository, "1") == INDEX.digest


def test_in_a_set_an_unsigned_image_fails_alone(run, registry, second_registry, repository):
    images.push(INDEX, registry.host, repository, "signed")
    images.push(OTHER, registry.host, repository, "unsigned")
    run("image_sign", image=f"{registry.host}/{repository}:signed", key_content=KEY.private, children=False)
    options = {
        "images": [
            {
                "name": f"{registry.host}/{repository}",
                "tags": ["signed", "unsigned"],
                "dest": f"{second_registry.host}/{repository}",
            }
        ],
        "signed_by": {
            **SIGNED_BY,
            "identity": {"type": "exactRepository", "dockerRepository": f"{registry.host}/{repository}"},
        },
    }
    failed = run("image_sync", **options)
    assert not _writes(second_registry)
    assert "has no signature" in failed["msg"]
    failed = run("image_sync", **options, keep_going=True)
    assert [image["action"] for image in failed["images"]] == ["created", "failed"]
    assert digest_at(second_registry.host, repository, "signed") == INDEX.digest
    assert digest_at(second_registry.host, repository, "unsigned") is None


def test_a_policy_judges_each_platform_that_is_copied(run, sides, registry, second_registry, repository, tmp_path):
    source, destination = sides
    (tmp_path / "key.pub").write_text(KEY.public)
    identity = {"type": "matchRepository"}
    requirement = {"type": "sigstoreSigned", "keyPath": str(tmp_path / "key.pub"), "signedIdentity": identity}
    policy = _policy(tmp_path / "policy.json", **requirement)
    options = {"src": source, "dest": destination, "policy": policy}
    run("image_sign", image=source, key_content=KEY.private, children=False)
    failed = run("image_copy", **options)
    children = [digest for digest in INDEX.manifests if digest != INDEX.digest]
    assert any(f"{source}: {child} has no signature." in failed["msg"] for child in children), failed
    assert not _writes(second_registry)
    run("image_sign", image=source, key_content=KEY.private)
    assert run("image_copy", **options)["changed"]
    one = run(
        "image_copy", **{**options, "dest": destination + "-amd64"}, platforms=["linux/amd64"], platform_mode="image"
    )
    assert one["changed"]
    rejecting = _policy(tmp_path / "reject.json", type="reject")
    failed = run("image_copy", **{**options, "policy": rejecting})
    assert (
        failed["msg"]
        == f"{source}: the policy {rejecting} rejects this image. Change the policy if you trust the image."
    )
    keyless = _policy(tmp_path / "fulcio.json", type="sigstoreSigned", fulcio={})
    failed = run("image_copy", **{**options, "policy": keyless})
    assert failed["msg"] == f"{keyless} for {source}: keyless signatures (fulcio) are not supported yet."
    absent = str(tmp_path / "absent.json")
    failed = run("image_copy", **{**options, "policy": absent})
    assert failed["msg"] == f"{absent}: cannot read the policy {absent}: no such file or directory."


@pytest.mark.parametrize("formats", [["tag"], ["bundle"]])
def test_signatures_that_travel_in_a_layout_are_verified_at_the_far_side(
    run, registry, second_registry, repository, tmp_path, formats
):
    images.push(INDEX, registry.host, repository, "1")
    run("image_sign", image=f"{registry.host}/{repository}:1", key_content=KEY.private, formats=formats, children=False)
    layout = f"oci:{tmp_path}/layout"
    declared = {"src": registry.host, "dest": layout, "images": [{"name": repository, "tags": ["1"]}]}
    without = run("image_sync", **{**declared, "dest": f"oci:{tmp_path}/without"})
    assert not without.get("failed"), without
    carried = run("image_sync", **declared, referrers=True)
    assert not carried.get("failed"), carried
    brought = {"dest": second_registry.host, "images": [{"name": "*"}], "signed_by": SIGNED_BY}
    failed = run("image_sync", **brought, src=f"oci:{tmp_path}/without")
    assert f"{INDEX.digest} has no signature" in failed["msg"]
    if formats == ["tag"]:
        failed = run("image_sync", **brought, src=layout)
        assert (
            "This tag contains signatures or other data that belong to another image. Set referrers: true, or exclude the tag."
            in failed["msg"]
        )
    verified = run("image_sync", **brought, src=layout, referrers=True)
    assert not verified.get("failed"), json.dumps(verified)
    assert digest_at(second_registry.host, repository, "1") == INDEX.digest
