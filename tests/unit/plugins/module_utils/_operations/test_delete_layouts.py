# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion from OCI layouts that other tools wrote."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image.referrers import cosign_tags, list_tag
from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import (
    Deleted,
    DeleteOptions,
    delete,
)
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import layouts, runs
from ansible_collections.drayage.registry.tests.unit.support.images import encode, entry, image, index

A, B, C = (image("linux/amd64", b"base", text) for text in (b"a", b"b", b"c"))
SBOM = image("unknown/unknown", b"sbom", subject=entry(A))
REFERRERS = index(entry(SBOM))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "layout"


@pytest.fixture
def run(stores, path):
    """Return a function that deletes an image of the layout by its name."""

    def deleted(name="", scope="tag", dry_run=False, **more):
        stores.run = runs.run(dry_run=dry_run)
        return delete(DeleteOptions("oci:%s%s" % (path, name and ":" + name), scope, **more), stores)

    return deleted


def add_entry(path, added):
    document = json.loads((path / "index.json").read_bytes())
    document["manifests"].append(added)
    (path / "index.json").write_bytes(encode(document))


class TestReferrersWithoutTheirImage:
    def test_they_are_deleted_by_the_digest_of_the_image(self, run, path):
        layouts.foreign_layout(path, (list_tag(A.digest), REFERRERS), ("", SBOM))
        deleted = run(A.digest, "manifest", referrers=True)
        assert (deleted.digest, [one.digest for one in deleted.attached]) == (A.digest, [SBOM.digest])
        assert (layouts.names(path), layouts.stored(path)) == ([], set())
        assert run(A.digest, "manifest", referrers=True) == Deleted()

    def test_a_name_does_not_find_them(self, run, path):
        layouts.foreign_layout(path, (list_tag(A.digest), REFERRERS), ("", SBOM))
        assert run("1", "manifest", referrers=True) == Deleted()


def test_a_referrer_with_a_cosign_tag_of_the_same_image_is_deleted(run, path):
    layouts.foreign_layout(path, ("a", A), (list_tag(A.digest), REFERRERS), (cosign_tags(A.digest)[0], SBOM))
    deleted = run("a", "manifest", referrers=True)
    assert {one.digest for one in deleted.attached} == {SBOM.digest}
    assert (layouts.names(path), layouts.stored(path)) == ([], set())


def test_all_referrers_are_deleted_by_one_change(run, path, monkeypatch):
    """They are attached to the image and to each other. For an archive, each change would write all images again."""
    signature = image("unknown/unknown", b"signature", subject=entry(SBOM))
    lists = [(list_tag(A.digest), REFERRERS), (list_tag(SBOM.digest), index(entry(signature)))]
    layouts.foreign_layout(path, ("a", A), ("b", B), *lists, ("", SBOM), ("", signature))
    changes = []
    rewrite = OciLayout._rewrite

    def counted(layout, document, entries):
        changes.append(len(entries))
        rewrite(layout, document, entries)

    monkeypatch.setattr(OciLayout, "_rewrite", counted)
    deleted = run("a", "manifest", referrers=True)
    assert [one.digest for one in deleted.attached] == [SBOM.digest, signature.digest]
    assert (layouts.names(path), layouts.stored(path)) == ([("b", B.digest)], layouts.needed(B))
    assert changes == [5, 1]


def test_a_referrer_with_the_cosign_tag_of_another_image_is_kept(run, path):
    layouts.foreign_layout(path, ("a", A), ("b", B), (list_tag(A.digest), REFERRERS), (cosign_tags(B.digest)[0], SBOM))
    assert run("a", "manifest", referrers=True).attached == []
    assert SBOM.digest in layouts.stored(path)


class TestOtherEntries:
    @pytest.mark.parametrize("scope", ["tag", "manifest"])
    def test_images_that_share_another_name_do_not_matter(self, run, path, scope):
        layouts.foreign_layout(path, ("v1", A), ("v1", B), ("c", C))
        deleted = run("c", scope)
        assert (deleted.digest, deleted.removed, deleted.kept) == (C.digest, ["c"], [])
        assert layouts.names(path) == [("v1", A.digest), ("v1", B.digest)]

    @pytest.mark.parametrize("first", [A, B])
    def test_a_name_of_several_images_points_to_each_of_them(self, run, path, first):
        layouts.foreign_layout(path, ("v1", first), ("v1", {A: B, B: A}[first]), ("a", A))
        assert run("a", dry_run=True).kept == ["v1"]
        assert run("a", "manifest").removed == ["a", "v1"]
        assert layouts.names(path) == [("v1", B.digest)]

    def test_an_image_that_shares_its_name_is_deleted_by_its_digest(self, run, path):
        layouts.foreign_layout(path, ("v1", A), ("v1", B))
        assert run(A.digest, "manifest").removed == ["v1"]
        assert layouts.names(path) == [("v1", B.digest)]

    @pytest.mark.parametrize("scope", ["tag", "manifest"])
    def test_a_malformed_entry_does_not_matter(self, run, stores, path, scope):
        layouts.foreign_layout(path, ("a", A), ("b", A))
        bad = [{"digest": "sha256:zz"}, {**entry(B), "size": None}]
        for added in bad:
            add_entry(path, {**added, "annotations": {layouts.REF_NAME: "bad"}})
        deleted = run("a", scope)
        assert (deleted.removed, deleted.kept) == ((["a"], ["b"]) if scope == "tag" else (["a", "b"], []))
        assert stores.run.statistics.warnings == []


class TestImagesOfDockerSave:
    NAMES = ("docker.io/library/app:1", "app:1", "1")

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("scope", ["tag", "manifest"])
    def test_an_image_is_deleted_by_any_of_its_names(self, run, stores, path, name, scope):
        layouts.docker_layout(path, ("docker.io/library/app:1", A), ("docker.io/library/db:2", B))
        deleted = run(name, scope)
        assert (deleted.digest, deleted.removed, deleted.kept) == (A.digest, [name], [])
        assert set(deleted.after.values()) == {None}
        assert (layouts.names(path), stores.run.statistics.warnings) == ([("2", B.digest)], [])

    def test_other_names_of_the_image_are_kept_with_scope_tag(self, run, path):
        layouts.docker_layout(path, ("docker.io/library/app:1", A), ("docker.io/library/app:2", A))
        deleted = run("app:1")
        assert (deleted.removed, deleted.kept) == (["app:1"], ["2"])
        assert layouts.names(path) == [("2", A.digest)]

    def test_an_image_of_another_repository_may_have_the_same_tag(self, run, path):
        layouts.docker_layout(path, ("docker.io/library/app:1", A), ("docker.io/library/db:1", A))
        deleted = run("app:1")
        assert (deleted.removed, deleted.kept) == (["app:1"], ["1"])
        assert layouts.names(path) == [("1", A.digest)]
