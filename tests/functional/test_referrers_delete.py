# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_delete with referrers: what is attached to an image goes with it, never before it, and nothing else does."""

from __future__ import annotations

import pytest
import requests

from devtools import attached, images
from devtools.images.value import OCI

FAMILY = attached.Family("delete-referrers")
# What goes with the index. What is attached to its child stays, as the child does.
GOING = {
    *(one.digest for one in (FAMILY.sbom, FAMILY.signature, FAMILY.index, FAMILY.of_sbom)),
    FAMILY.tags[attached.cosign_tag(FAMILY.image)].digest,
}
SERVERS = ["oci_registry", "ggcr_registry", "registry", "modern_registry"]


@pytest.fixture
def delete(run_module):
    def run(image, **options):
        return run_module("image_delete", image=image, **{"scope": "manifest", "referrers": True, **options})

    return run


def status(server, repository, name):
    url = f"{server.url}/v2/{repository}/manifests/{name}"
    return requests.get(url, headers={"Accept": f"{OCI.manifest}, {OCI.index}"}).status_code


@pytest.mark.parametrize("name", SERVERS)
def test_what_is_attached_goes_with_its_image(delete, request, repository, name):
    server = request.getfixturevalue(name)
    FAMILY.push(server.host, repository, "1", lists=not hasattr(server, "source"))
    image = f"{server.host}/{repository}:1"
    foreseen = delete(image, check_mode=True, diff=True)
    assert status(server, repository, "1") == 200
    server.forget()
    result = delete(image, diff=True)
    assert not result.failed, result.msg
    assert {one["digest"] for one in result.referrers} == GOING
    for value in ("referrers", "diff", "removed_tags", "changed"):
        assert foreseen.raw[value] == result.raw[value], value
    assert {status(server, repository, gone) for gone in ("1", FAMILY.image.digest, *GOING)} == {404}
    kept = (FAMILY.child.digest, FAMILY.of_child.digest, attached.cosign_tag(FAMILY.child))
    assert [status(server, repository, digest) for digest in kept] == [200] * 3
    assert status(server, repository, attached.list_tag(FAMILY.image.digest)) == 404
    deleted = [one.path.rpartition("/")[2] for one in server.requests() if one.method == "DELETE"]
    assert deleted[0] == FAMILY.image.digest
    assert delete(image).changed is False


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_in_a_layout(delete, run_module, registry, repository, tmp_path, kind):
    FAMILY.push(registry.host, repository, "1", lists=True)
    images.push(images.single(seed="another"), registry.host, repository, "2")
    disk = f"{kind}:{tmp_path}/images"
    for tag in ("1", "2"):
        run_module("image_copy", src=f"{registry.host}/{repository}:{tag}", dest=f"{disk}:{tag}", referrers=True)
    result = delete(f"{disk}:1")
    assert not result.failed, result.msg
    assert {one["digest"] for one in result.referrers} == GOING
    tags = run_module("image_tags", repository=disk).tags
    assert sorted(tags) == sorted(["2", attached.list_tag(FAMILY.child.digest), attached.cosign_tag(FAMILY.child)])


def test_in_a_bundle(delete, run_module, oci_registry, repository, tmp_path):
    """There cosign's tags have full names."""
    FAMILY.push(oci_registry.host, f"{repository}/app", "1", lists=False)
    bundle = f"oci:{tmp_path}/bundle"
    images_ = [{"name": "app", "dest": "app"}]
    run_module("image_sync", src=f"{oci_registry.host}/{repository}", dest=bundle, images=images_, referrers=True)
    result = delete(f"{bundle}:app:1")
    assert not result.failed, result.msg
    assert {one["digest"] for one in result.referrers} == GOING
    tags = run_module("image_tags", repository=bundle).tags
    assert tags == [f"app:{attached.cosign_tag(FAMILY.child)}", attached.list_tag(FAMILY.child.digest)]


def test_what_has_a_tag_of_its_own_stays(delete, oci_registry, repository):
    FAMILY.push(oci_registry.host, repository, "1", lists=False)
    images.push(FAMILY.sbom, oci_registry.host, repository, "sbom")
    result = delete(f"{oci_registry.host}/{repository}:1")
    assert {one["digest"] for one in result.referrers} == GOING - {FAMILY.sbom.digest, FAMILY.of_sbom.digest}
    assert status(oci_registry, repository, "sbom") == 200
    assert status(oci_registry, repository, FAMILY.of_sbom.digest) == 200


def test_what_is_left_of_an_image_that_is_gone(delete, oci_registry, repository):
    FAMILY.push(oci_registry.host, repository, "1", lists=False)
    requests.delete(f"{oci_registry.url}/v2/{repository}/manifests/1").raise_for_status()
    requests.delete(f"{oci_registry.url}/v2/{repository}/manifests/{FAMILY.image.digest}").raise_for_status()
    result = delete(f"{oci_registry.host}/{repository}@{FAMILY.image.digest}")
    assert not result.failed, result.msg
    assert {one["digest"] for one in result.referrers} == GOING
    assert {status(oci_registry, repository, digest) for digest in GOING} == {404}


def test_it_needs_the_whole_image(delete, registry, repository):
    result = delete(f"{registry.host}/{repository}:1", scope="tag")
    assert result.failed
    assert result.msg == (
        f"{registry.host}/{repository}:1: referrers cannot be deleted with scope: tag, because other tags "
        "may point to the same image. Set scope: manifest, or remove the referrers option."
    )


def test_without_the_option_it_stays(delete, oci_registry, repository):
    FAMILY.push(oci_registry.host, repository, "1", lists=False)
    result = delete(f"{oci_registry.host}/{repository}:1", referrers=False)
    assert result.referrers == []
    assert {status(oci_registry, repository, digest) for digest in GOING} == {200}
