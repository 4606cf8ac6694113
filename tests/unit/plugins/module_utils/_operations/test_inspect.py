# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ImageError,
    InvalidContent,
    InvalidReference,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import deletion_marker, schema1
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._operations.inspect import (
    Inspected,
    InspectOptions,
    inspect,
)
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.plugins.modules.image_inspect import describe_image
from ansible_collections.drayage.registry.tests.unit.support.images import (
    LAYER,
    Image,
    described,
    encode,
    entry,
    image,
    index,
)
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Api, attach

AMD64, ARM = image("linux/amd64", b"one", b"two", b"one"), image("linux/arm/v7", b"three")
INDEX = index(entry(AMD64, "linux/amd64"), entry(ARM, "linux/arm/v7"))
APP = "r.example/app:1"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"


def with_config(content: bytes, media_type: str = OCI_CONFIG) -> Image:
    """An image with this config."""
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described(content, media_type),
        "layers": [described(b"layer")],
    }
    return Image(Manifest.parse(encode(document)), (content, b"layer"))


@pytest.fixture
def run(stores):
    def inspected(image=APP, **more):
        return inspect(InspectOptions(image, **more), stores)

    return inspected


def test_a_single_image_is_described(run, stores, place):
    config = {
        "os": "linux",
        "architecture": "arm",
        "variant": "v7",
        "config": {"Labels": {"a": "1"}},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    found = with_config(json.dumps(config).encode())
    place.add(found, tag="1")
    result = run()
    assert (result.top, result.image, result.digest) == (found.manifest, found.manifest, found.digest)
    assert (result.config, result.labels, result.platforms) == (config, {"a": "1"}, ["linux/arm/v7"])
    assert (result.tags, result.missing, result.referrers) == (None, None, None)
    assert stores.opened == [(APP, False, "", False)]


def test_layers_are_listed_as_often_as_they_are_used_and_counted_once(run, place):
    place.add(AMD64, tag="1")
    result = run()
    assert result.layers == [
        {"digest": digests.of(content), "media_type": LAYER, "size": 3} for content in (b"one", b"two", b"one")
    ]
    assert result.size == len(AMD64.blobs[0]) + 6


def test_an_index_has_platforms_and_no_config(run, place):
    place.add(AMD64, ARM, INDEX, tag="1")
    result = run()
    assert (result.top, result.image, result.config) == (INDEX, None, None)
    assert result.platforms == ["linux/amd64", "linux/arm/v7"]
    assert (result.layers, result.size, result.labels) == ([], None, {})


def test_the_image_for_a_platform_is_described(run, place):
    place.add(AMD64, ARM, INDEX, tag="1")
    result = run(platform="linux/arm/v7")
    assert (result.top, result.image, result.digest) == (INDEX, ARM.manifest, INDEX.digest)
    assert result.config["architecture"] == "arm"
    assert result.platforms == ["linux/amd64", "linux/arm/v7"]
    with pytest.raises(ImageError, match=APP + ": .*linux/s390x"):
        run(platform="linux/s390x")


def test_a_single_image_must_be_for_the_platform(run, place):
    place.add(AMD64, tag="1")
    assert run(platform="linux/amd64").image == AMD64.manifest
    with pytest.raises(ImageError, match="linux/arm/v7"):
        run(platform="linux/arm/v7")


def test_what_does_not_exist_is_no_error(run, place):
    assert run(verify=True) == Inspected()
    assert run(tags=True) == Inspected(tags=[])
    place.add(AMD64, tag="2")
    assert run(tags=True) == Inspected(tags=["2"])


def test_tags_are_ordered_by_version(run, place):
    for tag in ("1.10", "1.9", "edge", "1"):
        place.add(AMD64, tag=tag)
    assert run(tags=True).tags == ["edge", "1", "1.9", "1.10"]


def test_the_image_in_a_directory_has_no_tags(run, stores):
    with pytest.raises(InvalidReference) as caught:
        run("dir:/x", tags=True)
    assert str(caught.value) == "dir:/x: images in directories have no tags. Remove the tags option."
    assert stores.opened == []


def test_a_repository_stands_for_its_latest_tag(run, place):
    place.add(AMD64, tag="latest")
    assert run("r.example/app").top == AMD64.manifest


def test_missing_content_is_found_on_request(run, place):
    place.add(AMD64, ARM, INDEX, tag="1")
    assert run(verify=True).missing == []
    del place.content[digests.of(b"two")], place.manifests[ARM.digest]
    assert sorted(run(verify=True).missing) == sorted([digests.of(b"two"), ARM.digest])
    assert run().missing is None


@pytest.mark.parametrize("name", [":1", ":" + AMD64.digest])
@pytest.mark.parametrize("verify", [False, True])
def test_an_image_without_its_manifest_is_not_absent(run, tmp_path, name, verify):
    layout = OciLayout(str(tmp_path), print)
    fill(layout, AMD64)
    layout.publish(AMD64.manifest, ["1"], None)
    (tmp_path / "blobs" / AMD64.digest.replace(":", "/")).unlink()
    with pytest.raises(NotFound, match="manifest %s is missing from the layout" % AMD64.digest):
        run("oci:%s%s" % (tmp_path, name), verify=verify)
    assert run("oci:%s:2" % tmp_path, verify=verify) == Inspected()


def test_an_absent_image_costs_a_registry_one_request(run, place):
    run(verify=True)
    assert place.counted() == {"manifest": 1}


def test_the_missing_manifest_for_a_platform_is_found_on_request(run, place):
    place.referrers = Api(place)
    place.add(AMD64, ARM, INDEX, tag="1")
    attached = [attach(place, one, b"attached").digest for one in (INDEX, AMD64)]
    del place.manifests[ARM.digest]
    found = run(verify=True, platform="linux/arm/v7", referrers=True)
    assert (found.top, found.image, found.missing, found.config) == (INDEX, None, [ARM.digest], None)
    assert [one.digest for one in found.referrers] == attached[:1]
    assert run(verify=True, platform="linux/amd64").image == AMD64.manifest
    with pytest.raises(NotFound):
        run(platform="linux/arm/v7")
    nested = index(entry(INDEX))
    place.add(nested, tag="1")
    del place.manifests[INDEX.digest]
    found = run(verify=True, platform="linux/arm/v7")
    assert (found.top, found.image, found.missing) == (nested, None, [INDEX.digest])


def test_the_rest_of_an_interrupted_deletion_is_no_complete_image(run, place):
    config, marker = deletion_marker.make(AMD64.digest, docker=False)
    place.add(Image(marker, (config,)), tag="1")
    assert run().top == marker
    with pytest.raises(ImageError, match="an empty image that an interrupted deletion left behind"):
        run(verify=True)


def test_an_image_without_its_config_is_a_warning(run, stores, place):
    place.add(AMD64, tag="1")
    del place.content[AMD64.manifest.config.digest]
    result = run()
    assert (result.config, result.platforms, result.labels) == (None, [], {})
    assert stores.run.statistics.warnings == [
        "The image config %s is missing, so the result has no config. Push the image again."
        % AMD64.manifest.config.digest
    ]


@pytest.mark.parametrize(
    ("content", "media_type", "config"),
    [
        (b'{"a": 1}', "application/vnd.cncf.helm.config.v1+json", {"a": 1}),
        (b"[1]", "application/vnd.cncf.helm.config.v1+json", None),
        (b"no JSON", "application/vnd.cncf.helm.config.v1+json", None),
        (b'{"a": 1}', "application/vnd.example.config", None),
        (b"{}", "application/vnd.oci.empty.v1+json", None),
    ],
)
def test_the_config_of_an_artifact_may_be_anything(run, stores, place, content, media_type, config):
    place.add(with_config(content, media_type), tag="1")
    result = run()
    assert (result.config, result.platforms, result.labels) == (config, [], {})
    assert result.size == len(content) + len(b"layer")
    assert stores.run.statistics.warnings == []


def test_an_empty_config_is_not_even_read(run, place):
    place.add(with_config(b"{}", "application/vnd.oci.empty.v1+json"), tag="1")
    run()
    assert place.names("open_blob") == []


def test_the_config_of_an_image_must_be_one(run, place):
    place.add(with_config(b"no JSON"), tag="1")
    with pytest.raises(InvalidContent, match=APP):
        run()


def test_values_of_other_types_are_only_in_the_config(run, place):
    config = {"created": 5, "os": ["linux"], "architecture": {"a": "amd64"}, "rootfs": {"diff_ids": []}}
    place.add(with_config(json.dumps(config).encode()), tag="1")
    described = describe_image(run())
    assert described["config"] == config
    assert (described["created"], described["os"], described["architecture"]) == (None, None, None)


@pytest.mark.parametrize("run_config", [{}, {"config": None}, {"config": []}, {"config": {"Labels": ["a"]}}])
def test_an_image_may_have_no_labels(run_config):
    assert Inspected(config=run_config).labels == {}


def test_an_image_in_docker_schema_1_is_described_as_far_as_possible(run, stores, place):
    document = {
        "schemaVersion": 1,
        "name": "app",
        "tag": "1",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": digests.of(b"top")}, {"blobSum": digests.of(b"base")}],
        "history": [{"v1Compatibility": json.dumps({"os": "linux", "architecture": "amd64"})}],
    }
    old = schema1.parse(encode(document))
    place.add(old, tag="1")
    result = run(platform="linux/amd64")
    assert (result.top, result.image, result.size) == (old, old, None)
    assert result.layers == [
        {"digest": digests.of(content), "media_type": None, "size": None} for content in (b"base", b"top")
    ]
    assert (result.config, result.platforms) == ({"os": "linux", "architecture": "amd64"}, ["linux/amd64"])
    assert stores.run.statistics.warnings == [
        "%s is a Docker schema 1 image, which can be inspected but not copied. Push the image again with an up-to-date tool."
        % old.digest
    ]


class TestReferrers:
    @pytest.fixture(autouse=True)
    def attached(self, place):
        """Have something attached to the index, each of its images, and one artifact."""
        place.referrers = Api(place)
        place.add(AMD64, ARM, INDEX, tag="1")
        found = {name: attach(place, one, name.encode()) for name, one in self.subjects.items()}
        found["signature"] = attach(place, found["index"], b"signature")
        return {one.digest: name for name, one in found.items()}

    subjects = {"arm": ARM, "amd64": AMD64, "index": INDEX}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("name", "platform", "names"),
        [
            (APP, None, ["index", "signature", "amd64", "arm"]),
            (APP, "linux/arm/v7", ["index", "signature", "arm"]),
            ("r.example/app@" + AMD64.digest, None, ["amd64"]),
            ("r.example/app@" + AMD64.digest, "linux/amd64", ["amd64"]),
        ],
    )
    def test_what_is_attached_to_an_image_and_its_children_is_listed(self, run, attached, name, platform, names):
        result = run(name, platform=platform, referrers=True)
        assert [attached[one.digest] for one in result.referrers] == names

    def test_a_store_without_referrers_is_an_error(self, run, place):
        del place.referrers
        with pytest.raises(ImageError, match="cannot store referrers"):
            run(referrers=True)
