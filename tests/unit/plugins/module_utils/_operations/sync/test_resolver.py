# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidReference
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import Entry, SyncOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.resolver import (
    RepositoryResolver,
    SyncRoot,
)
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore


class FakeStores:
    """Opens nothing: a store is what it was asked for."""

    def __init__(self, *repositories):
        self._repositories = list(repositories)

    def open(self, reference, writable=False, deletes=False):
        return MemoryStore(reference.host, reference.repository)

    def open_named(self, reference, elsewhere=frozenset()):
        return MemoryStore(str(reference).rpartition(":")[0], reference.tag)

    def repositories(self, reference):
        return self._repositories


def pairs(entry, repositories=(), **options):
    found = RepositoryResolver(SyncOptions(**options), FakeStores(*repositories)).pairs(Entry(**entry))
    return [(pair.source.reference(""), pair.destination.reference("")) for pair in found]


@pytest.mark.parametrize(
    ("entry", "options", "expected"),
    [
        ({"name": "alpine"}, {"src": "docker.io", "dest": "r.example"}, ("docker.io/library/alpine", "r.example/library/alpine")),
        ({"name": "app"}, {"src": "s.example/team", "dest": "r.example/x"}, ("s.example/team/app", "r.example/x/team/app")),
        ({"name": "s.example/a", "dest": "b"}, {"dest": "r.example"}, ("s.example/a", "r.example/b")),
        ({"name": "a", "dest": "r.example/b"}, {"src": "s.example"}, ("s.example/a", "r.example/b")),
        ({"name": "s.example/a/b"}, {"dest": "r.example", "scoped": False}, ("s.example/a/b", "r.example/b")),
        ({"name": "s.example/a/b"}, {"dest": "r.example", "scoped": True}, ("s.example/a/b", "r.example/s.example/a/b")),
        ({"name": "s.example/a"}, {"dest": "oci:/l"}, ("s.example/a", "oci:/l/s.example/a")),
        ({"name": "s.example/a"}, {"src": "oci:/l", "dest": "r.example"}, ("oci:/l/s.example/a", "r.example/a")),
        ({"name": "team/a"}, {"src": "oci:/l", "dest": "r.example"}, ("oci:/l/team/a", "r.example/team/a")),
        # A source file's entries have full names, and go where skopeo puts them.
        ({"name": "q.example/t/a", "is_of_file": True}, {"src": "s.example", "dest": "r.example"}, ("q.example/t/a", "r.example/a")),
        ({"name": "q.example/t/a", "is_of_file": True}, {"dest": "r.example/m"}, ("q.example/t/a", "r.example/m/a")),
        ({"name": "q.example/t/a", "is_of_file": True}, {"dest": "dir:/l"}, ("q.example/t/a", "dir/a")),
        ({"name": "q.example/t/a", "is_of_file": True}, {"dest": "oci:/l"}, ("q.example/t/a", "oci:/l/q.example/t/a")),
        ({"name": "q.example/t/a", "is_of_file": True}, {"dest": "r.example", "scoped": True}, ("q.example/t/a", "r.example/q.example/t/a")),
    ],
)  # fmt: skip
def test_what_goes_where(entry, options, expected):
    assert pairs(entry, **options) == [expected]


@pytest.mark.parametrize(
    ("entry", "src"),
    [
        ({"name": "s.example:5000/a/b"}, None),
        ({"name": "a/b"}, "s.example:5000"),
        ({"name": "s.example:5000/a/b"}, "oci:/l"),
        ({"name": "s.example:5000/a/b", "is_of_file": True}, None),
    ],
)
@pytest.mark.parametrize("dest", ["r.example/m", "oci:/m", "dir:/m"])
def test_a_port_cannot_be_in_the_name_of_a_repository(entry, src, dest):
    options = {"src": src, "dest": dest, "scoped": True}
    if dest != "r.example/m":
        assert pairs(entry, **options)
        return
    with pytest.raises(InvalidReference) as error:
        pairs(entry, **options)
    assert str(error.value) == (
        "%s: a host with a port cannot be part of a repository name. "
        "Set scoped: false, or use an OCI layout as the destination."
        % ("oci:/l:" * (src == "oci:/l") + "s.example:5000/a/b")
    )


@pytest.mark.parametrize(
    ("entry", "options", "expected"),
    [
        ({"name": "*"}, {"src": "s.example"}, ["team/a", "team/b/c", "teams", "x"]),
        ({"name": "team/*"}, {"src": "s.example"}, ["team/a", "team/b/c"]),
        ({"name": "b/*"}, {"src": "s.example/team"}, ["team/b/c"]),
        ({"name": "*"}, {"src": "s.example/team"}, ["team/a", "team/b/c"]),
        ({"name": "s.example/team/*"}, {}, ["team/a", "team/b/c"]),
        ({"name": "team/*", "dest": "copy"}, {"src": "s.example"}, ["copy/a", "copy/b/c"]),
    ],
)
def test_all_below_a_path(entry, options, expected):
    found = pairs(entry, ["team/a", "team/b/c", "teams", "x"], dest="r.example", **options)
    assert [dest for _src, dest in found] == ["r.example/%s" % path for path in expected]


@pytest.mark.parametrize(
    ("entry", "options", "expected"),
    [
        ({"name": "*"}, {"src": "r.example", "dest": "r.example/copy"}, ["copy/team/a"]),
        ({"name": "*", "dest": "copy"}, {"src": "r.example", "dest": "r.example"}, ["copy/team/a"]),
        ({"name": "r.example/*", "dest": "docker://r.example/copy"}, {}, ["copy/team/a"]),
        ({"name": "*"}, {"src": "r.example/copy", "dest": "r.example/copy"}, ["copy/copy/team/a"]),
        ({"name": "*"}, {"src": "r.example", "dest": "r.example"}, ["team/a", "copy/team/a"]),
        ({"name": "copy/*"}, {"src": "r.example", "dest": "r.example/copy"}, ["copy/copy/team/a"]),
    ],
)
def test_what_is_written_is_not_found_by_the_same_pattern(entry, options, expected):
    """Or each run would copy what the last one made, ever deeper."""
    found = pairs(entry, ["team/a", "copy/team/a"], **options)
    assert [dest for _src, dest in found] == ["r.example/%s" % path for path in expected]


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, ["team/team/a"]), ({"scoped": True}, ["team/r.example/team/a", "team/r.example/team/team/a"])],
)
def test_what_is_written_below_its_own_source_is_not_found_again(options, expected):
    repositories = ["team/a", "team/team/a"] + (["team/r.example/team/a"] if options else [])
    found = pairs({"name": "*"}, repositories, src="r.example/team", dest="r.example/team", **options)
    assert [dest for _src, dest in found] == ["r.example/%s" % path for path in expected]


def test_a_catalog_is_read_once():
    stores = FakeStores("team/a", "x/b")
    asked = []
    names = RepositoryResolver(SyncOptions(src="s.example", dest="r.example"), stores)
    stores.repositories = lambda reference: asked.append(reference) or ["team/a", "x/b"]
    assert [len(names.pairs(Entry(name=name))) for name in ("team/*", "x/*", "*")] == [1, 1, 2]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("entry", "options", "message"),
    [
        ({"name": "a"}, {"dest": "r.example", "src": "s.example/a:1"}, "s.example/a:1"),
        (
            {"name": "a:1"},
            {"dest": "r.example", "src": "s.example"},
            "a repository is required, but the reference has a tag or digest",
        ),
        ({"name": "a"}, {"src": "s.example"}, "has no dest"),
        ({"name": "oci:/l"}, {"dest": "r.example"}, "only repositories in a registry are supported here"),
        ({"name": "te*"}, {"src": "s.example", "dest": "r.example"}, "is not a valid name"),
        ({"name": "*"}, {"dest": "r.example"}, "images: * does not include a registry. Write host/*"),
        ({"name": "team/*"}, {"dest": "r.example"}, "images: team/* does not include a registry"),
        ({"name": "no/*"}, {"src": "s.example", "dest": "r.example"}, "no repository matches the entry"),
    ],
)
def test_names_that_make_no_sense(entry, options, message):
    with pytest.raises(ImageError) as caught:
        pairs(entry, ["team/a"], **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("url", ["https://bob:s3cret@r.example/x", "http://bob:s3cret@r.example", "ftp://bob:s3cret@r"])
def test_a_password_in_a_url_is_not_told(url):
    with pytest.raises(ImageError, match="expected an image reference, but found a URL") as caught:
        SyncRoot.parse("dest", url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["team", "team/a", "", "docker-daemon:x"])
def test_what_is_no_place_for_a_set(text):
    with pytest.raises(ImageError):
        SyncRoot.parse("dest", text)


@pytest.mark.parametrize("dest", ["app", "docker://app"])
def test_an_entry_is_not_copied_to_an_official_image_on_docker_hub(dest):
    with pytest.raises(
        InvalidReference, match="^%s: dest has no registry, so it would refer to an official image" % dest
    ):
        pairs({"name": "s.example/app", "dest": dest})
    assert pairs({"name": "s.example/app", "dest": "user/app"}) == [("s.example/app", "docker.io/user/app")]
