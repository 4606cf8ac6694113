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
from devtools.observe import tally

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
    result = sync(src, dest)
    assert actions(result) == ["unchanged", "updated", "unchanged"]
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


def test_stale_images_go_and_what_is_attached_to_others_stays(sync, inspect, registry, modern_registry, repository):
    push(registry, repository, FAMILIES[:2], lists=True)
    src, dest = f"{registry.host}/{repository}/src", f"{modern_registry.host}/{repository}/dst"
    sync(src, dest)
    result = sync(src, dest, entry={"tags": ["0"]}, prune=True)
    assert not result.failed, result.msg
    place = result.images[0]["dest"].rpartition(":")[0]
    tags = requests.get(f"http://{place.replace('/', '/v2/', 1)}/tags/list").json()["tags"]
    assert "1" not in tags
    assert inspect(f"{place}:0") == set(FAMILIES[0].digests)
