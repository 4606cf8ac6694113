# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_sync with referrers: sets of images with what is attached to them, bundles, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from devtools import attached, images
from devtools.images.value import OCI
from devtools.observe import tags_at, tally

FAMILIES = [attached.Family(f"sync-referrers-{number}") for number in range(3)]


@pytest.fixture
def sync(run_module):
    def run(src, dest, name="app", **options):
        entry = {"name": name, **options.pop("entry", {})}
        return run_module("image_sync", src=src, dest=dest, images=[entry], **{"referrers": True, **options})

    return run


@pytest.fixture
def inspect(run_module):
    def look(image):
        return {one["digest"] for one in run_module("image_inspect", image=image, referrers=True).referrers}

    return look


def push(server, repository, families=FAMILIES, *, lists):
    for number, family in enumerate(families):
        family.push(server.host, f"{repository}/src/app", str(number), lists=lists)


def actions(result):
    return [image["action"] for image in result.images]


def test_set_from_a_registry_without_the_api_to_one_with_it(sync, inspect, registry, oci_registry, repository):
    push(registry, repository, lists=True)
    src, dest = f"{registry.host}/{repository}/src", f"{oci_registry.host}/{repository}/dst"
    foreseen = sync(src, dest, check_mode=True)
    result = sync(src, dest)
    assert not result.failed, result.msg
    # Tags that belong to digests are no images of their own.
    assert [image["dest"].rpartition(":")[2] for image in result.images] == ["0", "1", "2"]
    assert actions(result) == ["created"] * 3
    assert [image["referrers"] for image in foreseen.images] == [image["referrers"] for image in result.images]
    for image, family in zip(result.images, FAMILIES):
        assert inspect(image["dest"]) == set(family.digests)
    assert actions(sync(src, dest)) == ["unchanged"] * 3


def test_set_from_a_registry_with_the_api_to_one_without_it(sync, inspect, registry, oci_registry, repository):
    push(oci_registry, repository, lists=False)
    src, dest = f"{oci_registry.host}/{repository}/src", f"{registry.host}/{repository}/dst"
    result = sync(src, dest)
    assert actions(result) == ["created"] * 3, result.msg
    for image, family in zip(result.images, FAMILIES):
        assert inspect(image["dest"]) == set(family.digests)
    assert actions(sync(src, dest)) == ["unchanged"] * 3


def test_unchanged_set_without_the_api(sync, registry, second_registry, repository):
    """One list of tags shows for all images of a repository what has anything attached; asking for the API costs one."""
    for number in range(3):
        images.push(images.single(seed=f"plain {number}"), registry.host, f"{repository}/src/app", str(number))
    src, dest = f"{registry.host}/{repository}/src", f"{second_registry.host}/{repository}/dst"
    sync(src, dest)
    registry.forget()
    second_registry.forget()
    assert actions(sync(src, dest)) == ["unchanged"] * 3
    assert tally(registry.requests()) == {"GET tags": 1, "HEAD manifest": 3, "GET referrers": 1}
    assert tally(second_registry.requests()) == {"GET tags": 1, "HEAD manifest": 3}


def test_unchanged_set_with_the_api(sync, oci_registry, ggcr_registry, repository):
    """One request more for each image on each side."""
    for number, family in enumerate(FAMILIES):
        images.push(family.image, oci_registry.host, f"{repository}/src/app", str(number))
        attached.attach(family.referrers, oci_registry.host, f"{repository}/src/app", lists=False)
    src, dest = f"{oci_registry.host}/{repository}/src", f"{ggcr_registry.host}/{repository}/dst"
    sync(src, dest)
    oci_registry.forget()
    ggcr_registry.forget()
    assert actions(sync(src, dest)) == ["unchanged"] * 3
    assert tally(oci_registry.requests()) == {"GET tags": 1, "HEAD manifest": 3, "GET referrers": 3}
    assert tally(ggcr_registry.requests()) == {"GET tags": 1, "HEAD manifest": 3, "GET referrers": 3}


def test_new_signature_makes_the_image_updated(sync, inspect, oci_registry, registry, repository):
    push(oci_registry, repository, lists=False)
    src, dest = f"{oci_registry.host}/{repository}/src", f"{registry.host}/{repository}/dst"
    sync(src, dest)
    later = images.artifact("application/later", subject=FAMILIES[1].image)
    images.push(later, oci_registry.host, f"{repository}/src/app", later.digest)
    result = sync(src, dest, diff=True)
    assert actions(result) == ["unchanged", "updated", "unchanged"]
    before, after = (next(iter(result.raw["diff"][side].values())) for side in ("before", "after"))
    assert set(after.pop("1 (referrers)")) - set(before.pop("1 (referrers)")) == {later.digest}
    assert before == after == {"1": FAMILIES[1].image.digest}
    assert later.digest in inspect(result.images[1]["dest"])


def test_bundle_there_and_back(sync, inspect, oci_registry, registry, repository, tmp_path):
    push(oci_registry, repository, lists=False)
    bundle, dest = f"oci:{tmp_path}/bundle", f"{registry.host}/{repository}/dst"
    out = sync(f"{oci_registry.host}/{repository}/src", bundle)
    assert actions(out) == ["created"] * 3, out.msg
    assert actions(sync(f"{oci_registry.host}/{repository}/src", bundle)) == ["unchanged"] * 3
    back = sync(bundle, dest, name="*")
    assert actions(back) == ["created"] * 3, back.msg
    found = sorted(image["dest"] for image in back.images)
    for image, family in zip(found, FAMILIES):
        assert inspect(image) == set(family.digests)


def test_delta_carries_new_signatures_of_old_images(sync, inspect, oci_registry, registry, repository, tmp_path):
    """The far side has the image. Only what is attached travels, and no layer of the image."""
    family = FAMILIES[0]
    push(oci_registry, repository, [family], lists=False)
    src, dest = f"{oci_registry.host}/{repository}/src", registry.host
    full, far = f"oci:{tmp_path}/full", f"{tmp_path}/far.json"
    sync(src, full)
    sync(full, dest, name="*", inventory=far)
    known = json.loads(Path(far).read_text())["images"]
    assert sorted(known[0]["referrers"]) == sorted(family.digests)

    unchanged = sync(src, f"oci:{tmp_path}/empty", base=far)
    assert actions(unchanged) == ["unchanged"]
    later = images.artifact("application/later", content=b"later", subject=family.image)
    images.push(later, oci_registry.host, f"{repository}/src/app", later.digest)
    delta = sync(src, f"oci:{tmp_path}/delta", base=far)
    assert actions(delta) == ["created"], delta.msg
    files = {f"sha256:{path.name}" for path in (tmp_path / "delta" / "blobs" / "sha256").iterdir()}
    assert later.digest in files
    assert not files.intersection(digest for digest in family.image.blobs)
    back = sync(f"oci:{tmp_path}/delta", dest, name="*", base=far)
    assert actions(back) == ["updated"], back.msg
    assert inspect(back.images[0]["dest"]) == {later.digest, *family.digests}


@pytest.mark.parametrize("to", ["oci_registry", "ggcr_registry", "second_registry", "modern_registry"])
def test_what_is_attached_goes_with_pruned_images_only(sync, inspect, request, registry, repository, to):
    """It goes after the tag. What is attached to images and children that stay, stays."""
    server = request.getfixturevalue(to)
    push(registry, repository, FAMILIES[:2], lists=True)
    src, dest = f"{registry.host}/{repository}/src", f"{server.host}/{repository}/dst"
    sync(src, dest)
    server.forget()
    options = {"entry": {"tags": ["0"]}, "prune": True, "diff": True}
    foreseen = sync(src, dest, check_mode=True, **options)
    assert {one.method for one in server.requests()} <= {"GET", "HEAD"}
    result = sync(src, dest, **options)
    assert not result.failed, result.msg
    assert (result.images, result.raw["diff"]) == (foreseen.images, foreseen.raw["diff"])
    stays, goes = FAMILIES[0], FAMILIES[1]
    gone = {one.digest for one, subject in goes.referrers if subject.digest != goes.child.digest}
    [deleted] = [image for image in result.images if image["dest"].endswith(":1")]
    assert {row["digest"] for row in deleted["referrers"]} == gone
    place = result.images[0]["dest"].rpartition(":")[0]
    assert tags_at(server.host, place.partition("/")[2]) == sorted(
        {"0", attached.cosign_tag(goes.child), *(() if has_api(server) else lists_of(stays, goes.child))}
        | set(stays.tags)
    )
    assert inspect(f"{place}:0") == set(stays.digests)
    assert {digest for digest in gone if exists(server, place, digest)} == set()
    assert exists(server, place, goes.of_child.digest)
    changes = [one.path.rpartition("/")[2] for one in server.requests() if one.method in ("PUT", "DELETE")]
    assert min(map(changes.index, gone)) > changes.index("1")
    assert sync(src, dest, **options).changed is False


def has_api(server):
    return hasattr(server, "source")


def lists_of(family, *more):
    """The tags of all lists of referrers that belong to a family, and to more images."""
    subjects = {subject.digest for _one, subject in family.referrers}.union(one.digest for one in more)
    return set(map(attached.list_tag, subjects))


def exists(server, place, digest):
    url = f"{server.url}/v2/{place.partition('/')[2]}/manifests/{digest}"
    return requests.get(url, headers={"Accept": f"{OCI.manifest}, {OCI.index}"}).status_code == 200


def test_what_is_attached_goes_when_no_repository_of_a_layout_has_the_image(
    sync, inspect, registry, repository, tmp_path
):
    """Lists of referrers are those of the whole layout."""
    push(registry, repository, FAMILIES[:2], lists=True)
    src, bundle = f"{registry.host}/{repository}/src", f"oci:{tmp_path}/bundle"
    for name in ("one", "two"):
        sync(src, bundle, entry={"dest": name})
    first = sync(src, bundle, entry={"dest": "one", "tags": ["0"]}, prune=True)
    # The image and cosign's tags of it and of its child.
    assert [image["action"] for image in first.images] == ["unchanged", "deleted", "deleted", "deleted"], first.msg
    assert [image["referrers"] for image in first.images[1:]] == [[], [], []]
    assert inspect(f"{bundle}:two:1") == set(FAMILIES[1].digests)
    sync(src, bundle, entry={"dest": "two", "tags": ["0"]}, prune=True)
    files = {f"sha256:{path.name}" for path in (tmp_path / "bundle" / "blobs" / "sha256").iterdir()}
    assert not files.intersection({FAMILIES[1].sbom.digest, FAMILIES[1].of_sbom.digest, FAMILIES[1].image.digest})
    assert inspect(f"{bundle}:two:0") == set(FAMILIES[0].digests)
