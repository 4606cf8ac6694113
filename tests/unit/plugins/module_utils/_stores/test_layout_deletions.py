# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many names and images of a layout or archive are deleted by one change."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._image import referrers
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.plugins.module_utils._stores.repository import Removal
from ansible_collections.drayage.registry.tests.unit.support import images, layouts
from ansible_collections.drayage.registry.tests.unit.support.layouts import fill, publish

ONE, TWO, OTHER = (images.image("linux/amd64", text) for text in (b"one", b"two", b"other"))
SBOMS = [images.image("", b"sbom %d" % number, subject=images.entry(ONE)) for number in range(3)]


@pytest.fixture(params=[OciLayout, OciArchive])
def store(request, tmp_path):
    store = request.param(str(tmp_path / "images"), lambda _text: None)
    publish(store, ONE, "a:1", "a:2", "b:1")
    publish(store, TWO, "b:2")
    publish(store, OTHER, "plain")
    yield store
    if isinstance(store, OciArchive):
        store.close()


@pytest.fixture
def changes(store, monkeypatch):
    """The number of entries that each change of the index leaves."""
    found = []
    rewrite = type(store)._rewrite

    def counted(changed, document, entries):
        found.append(len(entries))
        rewrite(changed, document, entries)

    monkeypatch.setattr(type(store), "_rewrite", counted)
    return found


def removals(*names):
    digests = {"a:1": ONE.digest, "a:2": ONE.digest, "b:1": ONE.digest, "b:2": TWO.digest, ":plain": OTHER.digest}
    return [Removal(*name.split(":"), digests[name]) for name in names]


def test_names_of_several_repositories(store, changes):
    assert store.repository("a").delete_tags(removals("a:1", "a:2", "b:2", ":plain")) == {}
    assert (store.tags(), changes) == (["b:1"], [1])
    assert store.has_manifest(ONE.digest)
    assert not store.has_manifest(TWO.digest)
    assert not store.has_manifest(OTHER.digest)


def test_names_that_are_absent_are_no_errors(store, changes):
    assert store.delete_tags([Removal("c", "1", ONE.digest), Removal("", "x", ONE.digest)]) == {}
    assert changes == []


def test_names_that_have_moved_stay(store, changes):
    moved = Removal("b", "2", ONE.digest)
    errors = store.delete_tags([*removals("a:1"), moved])
    assert list(errors) == [moved]
    assert "the tag moved to %s during this run" % TWO.digest in str(errors[moved])
    assert (sorted(store.tags()), changes) == (["a:2", "b:1", "b:2", "plain"], [4])


def test_nothing_is_deleted_if_the_change_fails(store, monkeypatch):
    def refuse(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(store), "_rewrite", refuse)
    with pytest.raises(LocalFailure, match="no space left"):
        store.delete_tags(removals("a:1", "b:2"))
    assert len(store.tags()) == 5


def test_referrers_and_their_lists(store, changes):
    """One of the referrers has a name, too, as oras gives it."""
    fill(store, *SBOMS)
    store.referrers.attach(ONE.digest, [sbom.manifest for sbom in SBOMS])
    publish(store, SBOMS[0], "sbom")
    changes.clear()
    gone = [sbom.digest for sbom in SBOMS[:2]]
    store.delete_all(gone, {ONE.digest: gone})
    assert [entry.digest for entry in store.referrers.entries(ONE.digest)] == [SBOMS[2].digest]
    assert "sbom" not in store.tags()
    assert [store.has_manifest(sbom.digest) for sbom in SBOMS] == [False, False, True]
    assert len(changes) == 1


def test_referrers_without_a_name_although_the_list_is_something_else(tmp_path):
    path = tmp_path / "foreign"
    layouts.foreign_layout(path, ("a", ONE), (referrers.list_tag(ONE.digest), OTHER), ("", SBOMS[0]))
    layout = OciLayout(str(path), print)
    layout.delete_all([SBOMS[0].digest], {ONE.digest: [SBOMS[0].digest]})
    assert layouts.names(path) == [("a", ONE.digest), (referrers.list_tag(ONE.digest), OTHER.digest)]
    assert layouts.stored(path) == layouts.needed(ONE, OTHER)
