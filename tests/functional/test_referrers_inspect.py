# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_inspect and image_delete with referrers: the tree of what is attached to an image, in every place."""

from __future__ import annotations

import pytest
import requests

from devtools import attached, images
from devtools.observe import tally

FAMILY = attached.Family("inspect-referrers")
SERVERS = ["oci_registry", "ggcr_registry", "registry", "modern_registry"]


@pytest.fixture(params=SERVERS)
def server(request):
    return request.getfixturevalue(request.param)


def has_api(server):
    return server.scheme == "http" and hasattr(server, "source")


@pytest.fixture
def inspect(run_module):
    return lambda image, **options: run_module("image_inspect", image=image, referrers=True, **options)


def tree(result):
    return [(one["depth"], one["digest"], one["subject"], one["scheme"]) for one in result.referrers]


def expected(family):
    """What is attached, each followed by what is attached to it, in the order of the digests of siblings."""
    subjects = [family.image.digest, *(entry["digest"] for entry in family.image.document()["manifests"])]
    rows = []
    for subject in subjects:
        for one, of in family.referrers:
            if of.digest == subject:
                rows.append((1, one.digest, subject, "referrers"))
                rows += [(2, x.digest, one.digest, "referrers") for x, y in family.referrers if y.digest == one.digest]
        tag = subject.replace(":", "-") + ".sig"
        if tag in family.tags:
            rows.append((1, family.tags[tag].digest, subject, "tag"))
    return rows


class TestInspect:
    def test_tree_of_what_is_attached(self, inspect, server, repository):
        FAMILY.push(server.host, repository, "1", lists=not has_api(server))
        result = inspect(f"{server.host}/{repository}:1")
        assert sorted(tree(result)) == sorted(expected(FAMILY))
        found = {one["digest"]: one for one in result.referrers}
        parts = found[FAMILY.index.digest]
        assert parts == {
            "digest": FAMILY.index.digest,
            "subject": FAMILY.image.digest,
            "artifact_type": "application/vnd.example.parts",
            "media_type": FAMILY.index.media_type,
            "size": len(FAMILY.index.manifests[FAMILY.index.digest][1]),
            "annotations": {"org.example.kind": "parts"},
            "scheme": "referrers",
            "tag": None,
            "depth": 1,
        }
        position = [one["digest"] for one in result.referrers].index
        assert position(FAMILY.of_sbom.digest) == position(FAMILY.sbom.digest) + 1

    def test_of_one_platform(self, inspect, oci_registry, repository):
        FAMILY.push(oci_registry.host, repository, "1", lists=False)
        result = inspect(f"{oci_registry.host}/{repository}:1", platform="linux/amd64")
        assert FAMILY.of_child.digest not in {one["digest"] for one in result.referrers}
        assert FAMILY.sbom.digest in {one["digest"] for one in result.referrers}

    def test_an_image_without_anything_attached(self, inspect, server, repository):
        images.push(images.single(), server.host, repository, "1")
        server.forget()
        assert inspect(f"{server.host}/{repository}:1").referrers == []
        wanted = {"GET manifest": 1, "GET blob": 1, "GET referrers": 1, "GET tags": 1}
        assert tally(server.requests()) == wanted

    def test_without_the_api_children_cost_nothing(self, inspect, registry, repository):
        """One list of tags shows that there are no lists."""
        images.push(images.index(["linux/amd64", "linux/arm64", "linux/s390x"]), registry.host, repository, "1")
        registry.forget()
        inspect(f"{registry.host}/{repository}:1")
        assert tally(registry.requests()) == {"GET manifest": 1, "GET referrers": 1, "GET tags": 1}

    def test_is_null_unless_asked_for(self, run_module, registry, repository):
        images.push(images.single(), registry.host, repository, "1")
        assert run_module("image_inspect", image=f"{registry.host}/{repository}:1").referrers is None

    def test_places_that_cannot(self, inspect, tmp_path):
        result = inspect(f"docker-archive:{tmp_path}/image")
        assert result.failed
        assert result.msg == (
            f"docker-archive:{tmp_path}/image: engines and Docker archives cannot store referrers. "
            "Remove the referrers option, or use a registry, an OCI layout, an OCI archive or a directory."
        )


class TestWhatIsNoReferrer:
    """Entries of a list count only if their manifests say so."""

    def test_platforms_and_other_images_in_a_list(self, inspect, registry, repository):
        """As some clients write it: the children of an index, a manifest of another subject, and one that is gone."""
        image = FAMILY.image
        FAMILY.push(registry.host, repository, "1", lists=False)
        other = images.artifact(content=b"of another", subject=FAMILY.child)
        images.push(other, registry.host, repository, "other")
        gone = images.artifact(content=b"gone", subject=image)
        images.push(gone, registry.host, repository, gone.digest)
        entries = [*image.document()["manifests"], other.descriptor(), gone.descriptor(), FAMILY.sbom.descriptor()]
        images.push(attached.index_of(entries), registry.host, repository, attached.list_tag(image.digest))
        requests.delete(f"{registry.url}/v2/{repository}/manifests/{gone.digest}").raise_for_status()
        found = [one["digest"] for one in inspect(f"{registry.host}/{repository}:1").referrers if not one["tag"]]
        assert found == [FAMILY.sbom.digest]

    def test_the_image_itself_under_the_tag_of_the_list(self, inspect, registry, repository):
        """cosign copy puts it there, and GitLab resolves the tag to it."""
        images.push(FAMILY.image, registry.host, repository, "1")
        images.push(FAMILY.image, registry.host, repository, attached.list_tag(FAMILY.image.digest))
        assert inspect(f"{registry.host}/{repository}:1").referrers == []

    def test_a_list_that_lies_about_sizes(self, inspect, registry, repository):
        images.push(FAMILY.image, registry.host, repository, "1")
        images.push(FAMILY.sbom, registry.host, repository, "sbom")
        entry = {**FAMILY.sbom.descriptor(), "size": 7}
        images.push(attached.index_of([entry]), registry.host, repository, attached.list_tag(FAMILY.image.digest))
        result = inspect(f"{registry.host}/{repository}:1")
        assert result.failed
        assert (
            f"{FAMILY.sbom.digest} is {FAMILY.sbom.descriptor()['size']} bytes long, but the list of referrers specifies 7 bytes"
            in result.msg
        )

    def test_null_list(self, inspect, registry, repository):
        images.push(FAMILY.image, registry.host, repository, "1")
        empty = attached.index_of(None)
        images.push(empty, registry.host, repository, attached.list_tag(FAMILY.image.digest))
        assert inspect(f"{registry.host}/{repository}:1").referrers == []
