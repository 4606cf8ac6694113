# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of indexes that contain other indexes and do not have all their images at the destination."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.jobs import executed

AMD64, ARM64 = image("linux/amd64", b"amd64", b"shared"), image("linux/arm64", b"arm64", b"shared")
S390X = image("linux/s390x", b"s390x")
INNER = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
OUTER = index(entry(INNER), entry(S390X, "linux/s390x"))


def digests_of(items):
    return sorted(item.digest for item in items)


@pytest.fixture(autouse=True)
def nested_image(source):
    source.add(AMD64, ARM64, S390X, INNER, OUTER, tag="latest")


class TestRegistry:
    """A registry has a nested index, but only one of its images."""

    @pytest.fixture
    def elsewhere(self, elsewhere):
        return elsewhere.add(AMD64, INNER, OUTER, tag="1")

    def test_another_platform_of_the_nested_index_is_copied(self, plan, elsewhere):
        result = plan(elsewhere, "1", platforms=["linux/arm64"], sparse=True)
        assert (digests_of(result.manifests), result.outdated_tags) == ([ARM64.digest], [])

    def test_the_same_platform_is_up_to_date(self, plan, elsewhere):
        assert not plan(elsewhere, "1", platforms=["linux/amd64"], sparse=True).changed
        assert sorted(elsewhere.names("has_manifest")) == sorted([INNER.digest, AMD64.digest])

    def test_a_full_copy_under_another_tag_adds_the_rest(self, plan, source, elsewhere):
        assert digests_of(plan(elsewhere, "2").manifests) == digests_of([ARM64, S390X])
        assert AMD64.digest not in source.names("manifest")


@pytest.fixture(params=[(OciLayout, "1"), (OciArchive, "1"), (Directory, "")], ids=["oci", "oci-archive", "dir"])
def on_disk(request, tmp_path):
    """An empty destination on disk, and the name for its image."""
    kind, tag = request.param
    return kind(str(tmp_path / "images"), print), tag


def test_a_sparse_copy_to_a_disk_is_up_to_date_afterwards(plan, on_disk):
    destination, tag = on_disk
    chosen = {"platforms": ["linux/arm64"], "sparse": True}
    executed(plan(destination, tag, **chosen))
    assert not plan(destination, tag, **chosen).changed
    assert not plan(destination, tag, thorough=True, **chosen).changed


def test_another_sparse_copy_to_a_disk_adds_its_platform(plan, on_disk):
    destination, tag = on_disk
    executed(plan(destination, tag, platforms=["linux/arm64"], sparse=True))
    executed(plan(destination, tag, platforms=["linux/amd64"], sparse=True))
    assert not plan(destination, tag, platforms=["linux/amd64", "linux/arm64"], sparse=True).changed
    assert plan(destination, tag).changed
