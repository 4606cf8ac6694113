# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every method of the contract (_stores/repository.py) on every transport, in this process."""

from __future__ import annotations

import concurrent.futures
import inspect
import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ContentMissing,
    ImageError,
    InvalidReference,
    NotFound,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._image.digest import collect
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import LocalReference
from ansible_collections.drayage.registry.plugins.module_utils._operations.roots import ROOTS
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import (
    BACKENDS,
    STORES,
    LocalImages,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from ansible_collections.drayage.registry.plugins.module_utils._stores import repository as contract
from ansible_collections.drayage.registry.tests.functional.support.store_places import (
    ENGINES,
    FILES,
    REGISTRIES,
    SETS,
    Place,
    bring,
    manifest_of,
    put_content,
)
from devtools import images


@pytest.fixture(params=[*REGISTRIES, *FILES, *SETS, *ENGINES])
def place(request, tmp_path, repository, monkeypatch):
    """Return a place of each kind."""
    kind = request.param
    authfile = tmp_path / "auth.json"
    authfile.write_text("{}")
    opened = []

    def open_in_new_task(name="r.example/app"):
        stores = Stores([], str(authfile), Policy(30.0, 0, 4), Run(no_program, jobs=4), LocalImages)
        opened.append(stores)
        if kind in SETS:
            return stores.open_named(LocalReference(SETS[kind], str(tmp_path / "place"), name))
        return stores.open(references.parse(text), writable=True, deletes=True)

    text = f"{kind}:{tmp_path}/place"
    if kind in REGISTRIES:
        text = f"{request.getfixturevalue(REGISTRIES[kind]).host}/{repository}"
    elif kind in ENGINES:
        engine = request.getfixturevalue(ENGINES[kind])
        for name, value in engine.environment().items():
            monkeypatch.setenv(name, value)
        text = f"{kind}:example.com/{repository}"
    elif kind == "docker-archive":
        text += ":example.com/app"
    yield Place(kind, open_in_new_task, () if kind == "dir" else ("1", "2"))
    for stores in opened:
        stores.__exit__(None, None, None)


def no_program(argv, stdin, seconds=None, limit=None):
    raise AssertionError(f"no program is needed here: {argv}")


@pytest.fixture
def image(repository):
    """Return an image that no other test has: engines share theirs among all repositories."""
    return images.single(layers=[3000, 70_000], seed=repository)


@pytest.fixture
def other(repository):
    """Return one more such image, with a layer in common."""
    return images.single(layers=[3000, b"other"], seed=repository)


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        yield executor


def unread():
    raise AssertionError("the config need not be read")


def test_every_transport_is_here():
    assert {*FILES, *ENGINES} == {*STORES, *BACKENDS}
    assert set(SETS.values()) == set(ROOTS)


def test_every_method_is_called_in_this_file():
    methods = {
        name
        for kind in (
            *(contract.Repository, contract.Store, contract.StoreRoot),
            *(contract.Lockable, contract.Committing, contract.Batching, contract.Paging),
        )
        for name, value in vars(kind).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    }
    with open(__file__, encoding="utf-8") as stream:
        text = stream.read()
    assert sorted(name for name in methods if f".{name}" not in text) == []


def test_nothing_is_there(place):
    repository = place.reopen()
    store = repository.open(place.tag)
    assert repository.resolve(place.tag) is None
    assert repository.find(place.tag) is None
    with pytest.raises(NotFound):
        repository.tags()
    with pytest.raises(NotFound):
        store.manifest(place.tag)
    blob = manifest_of(images.single(seed=place.kind)).layers[0]
    assert store.has_blob(blob) is False
    assert store.has_manifest("sha256:" + "0" * 64) is False
    assert set(store.missing_blobs([blob])) <= {blob.digest}
    assert repository.delete_tag(place.tag, "sha256:" + "0" * 64) == ""
    assert store.delete("sha256:" + "0" * 64) is False


def test_location_says_where_content_is(place):
    repository, again = place.reopen(), place.reopen()
    store, same = repository.open(place.tag), again.open(place.tag)
    assert store.location == same.location
    assert store.location.has_content_of(same.location)
    assert store.location.mount_source(same.location) == ""
    assert store.location.is_registry is place.is_registry
    assert repository.location.root == store.location.root
    if place.tags:
        of_other_tag = repository.open(place.tags[1])
        is_tree = place.kind == "a tree of directories"
        assert of_other_tag.location.has_content_of(store.location) is not is_tree
        assert bool(of_other_tag.location.mount_source(store.location)) is is_tree
    for name in (*place.tags, "sha256:" + "0" * 64, ""):
        assert repository.reference(name)


def test_image_is_published_and_read(place, image, pool):
    manifest = bring(place, image)
    repository = place.reopen()
    store = repository.open(place.tag)
    identity = store.identity(manifest)
    assert repository.resolve(place.tag).digest == identity.digest
    assert repository.find(place.tag).digest == identity.digest
    assert repository.tags() == list(place.tags[:1])
    read = store.manifest(place.tag)
    assert store.identity(read).digest == identity.digest
    if store.keeps_manifests:
        assert read.raw == manifest.raw
        assert store.manifest(image.digest).raw == manifest.raw
    for blob in read.blobs:
        assert len(collect(store.open_blob(blob))) == blob.size
        assert store.has_blob(blob)
    assert store.has_content() is store.keeps_manifests
    assert store.has_manifest(identity.digest)
    assert store.is_complete(identity, None)
    assert store.is_intact(identity, None)
    assert store.missing_blobs(read.blobs) == []
    assert store.holds(identity, unread) is not store.keeps_manifests
    pushed = store.registry_form(read, pool)
    assert [layer.media_type.endswith("gzip") for layer in pushed.layers] == [True, True]
    for blob in pushed.blobs:
        assert len(collect(store.open_blob(blob))) == blob.size


def test_only_a_layout_shares_what_is_attached_among_repositories(place, image):
    manifest = bring(place, image)
    assert place.reopen().neighbours() == {}
    if place.kind in SETS:
        found = place.reopen("r.example/other").neighbours()
        expected = [manifest.digest] if place.kind == "a repository of a layout" else []
        assert [descriptor.digest for descriptor in found.values()] == expected


def test_several_images_are_entered_at_once(place, image, other):
    store = place.reopen().open(place.tag)
    assert isinstance(store, contract.Batching) is place.kind.startswith(("oci", "a repository"))
    if not isinstance(store, contract.Batching):
        return
    staged = []
    for tag, made in zip(place.tags, (image, other)):
        put_content(store, made)
        staged.append(store.stage(manifest_of(made), [tag], None))
    assert place.reopen().resolve(place.tag) is None
    store.publish_all(staged)
    contract.commit(store)
    assert [place.reopen().resolve(tag).digest for tag in place.tags] == [image.digest, other.digest]


def test_several_images_are_deleted_at_once(place, image, other):
    store = place.reopen().open(place.tag)
    if not isinstance(store, contract.Batching):
        pytest.skip("each image is deleted on its own")
    one, two = place.tags
    kept, gone = bring(place, image, one), bring(place, other, two)
    tags = [contract.Removal(store.location.repository, two, gone.digest)]
    moved = contract.Removal(store.location.repository, one, gone.digest)
    assert list(place.reopen().open(two).delete_tags([*tags, moved])) == [moved]
    assert place.reopen().tags() == [one]
    place.reopen().open(one).delete_all([kept.digest], {})
    assert place.reopen().resolve(one) is None


def test_tags_come_in_pages(place, image):
    bring(place, image, *place.tags)
    repository = place.reopen()
    assert isinstance(repository, contract.Paging) is place.is_registry
    if isinstance(repository, contract.Paging):
        seen = []
        assert sorted(repository.tags_by_page(seen.extend)) == list(place.tags)
        assert set(seen) <= set(place.tags)


def test_what_cannot_be_kept_is_refused(place, image):
    store = place.reopen().open(place.tag)
    store.check(manifest_of(image), unread)
    assert (store.platform() is not None) is place.is_engine
    artifact = manifest_of(images.artifact())
    if store.keeps_manifests:
        store.check(artifact, unread)
    else:
        with pytest.raises(ImageError, match="is an artifact"):
            store.check(artifact, unread)


def test_content_is_verified_before_it_is_stored(place, image):
    store = place.reopen().open(place.tag)
    if not store.keeps_manifests:
        pytest.skip("layers are verified when the image is published")
    blob = manifest_of(image).layers[0]

    def broken():
        yield b"x" * (blob.size - 1)
        raise ImageError("the source broke")

    with pytest.raises(ImageError, match="the source broke"):
        store.put_blob(blob, broken, "")
    assert not place.reopen().open(place.tag).has_blob(blob)


def test_manifest_without_its_content_is_refused(place, image):
    store = place.reopen().open(place.tag)
    with pytest.raises(ContentMissing):
        store.publish(manifest_of(image), [place.tag], None)
    assert place.reopen().resolve(place.tag) is None


def test_children_come_before_their_index(place):
    store = place.reopen().open(place.tag)
    if not store.keeps_manifests:
        pytest.skip("only images for one platform are kept")
    index = images.index()
    put_content(store, index)
    for digest in index.manifests:
        if digest != index.digest:
            store.put_manifest(manifest_of(index, digest))
    store.publish(manifest_of(index), [place.tag], None)
    again = place.reopen().open(place.tag)
    top = again.manifest(place.tag)
    assert top.raw == manifest_of(index).raw
    assert again.is_complete(top.descriptor, None)
    for child in top.children:
        assert again.has_manifest(child.digest)
        assert again.manifest(child.digest).digest == child.digest


def test_content_without_a_name_is_committed(place, image):
    store = place.reopen().open(place.tag)
    with contract.exclusive(store):
        put_content(store, image)
        contract.commit(store)
    assert place.reopen().resolve(place.tag) is None


def test_tags_are_swapped(place, image, other):
    if not place.tags or place.kind == "a tree of directories":
        pytest.skip("an image has one name")
    one, two = place.tags
    first, second = bring(place, image, one), bring(place, other, two)
    store = place.reopen().open(one)
    wanted = {one: store.identity(second).digest, two: store.identity(first).digest}
    store.retag({one: store.manifest(two), two: store.manifest(one)})
    repository = place.reopen()
    assert {tag: repository.resolve(tag).digest for tag in place.tags} == wanted
    store = repository.open(one)
    store.set_tags({one: wanted[two], two: wanted[one]})
    repository = place.reopen()
    assert {tag: repository.resolve(tag).digest for tag in place.tags} == {one: wanted[two], two: wanted[one]}


def test_one_tag_is_deleted(place, image, other):
    if not place.tags:
        pytest.skip("the image has no name")
    one, two = place.tags
    bring(place, image, one)
    kept = bring(place, other, two)
    repository = place.reopen()
    digest = repository.resolve(one).digest
    assert repository.delete_tag(one, digest) in ("tag", "unique_manifest")
    repository = place.reopen()
    assert repository.resolve(one) is None
    assert repository.tags() == [two]
    assert repository.resolve(two).digest == repository.open(two).identity(kept).digest
    assert repository.delete_tag(one, digest) == ""


def test_image_is_deleted_with_its_tags(place, image):
    tags = place.tags if place.kind != "a tree of directories" else place.tags[:1]
    manifest = bring(place, image, *tags)
    store = place.reopen().open(place.tag)
    digest = store.identity(manifest).digest
    assert store.delete(digest) is True
    repository = place.reopen()
    assert [repository.resolve(tag) for tag in tags or [""]] == [None] * len(tags or [""])
    assert repository.open(place.tag).delete(digest) is False


@pytest.mark.parametrize("transport", ROOTS)
def test_a_root_has_repositories(transport, tmp_path, image):
    path = tmp_path / "root"

    def opened():
        return ROOTS[transport](str(path), print, frozenset())

    with pytest.raises(NotFound):
        opened().repositories()
    for name in ("r.example/b", "r.example/a"):
        bring(Place(transport, lambda name=name: opened().repository(name)), image, "1")
    assert opened().repositories() == ["r.example/a", "r.example/b"]
    assert opened().repository("r.example/a").tags() == ["1"]
    if transport == "dir":
        with pytest.raises(InvalidReference):
            opened().repository("../a")


def test_names_are_written_as_other_tools_read_them(tmp_path, image):
    layout = ROOTS["oci"](str(tmp_path / "root"), print, frozenset())
    bring(Place("oci", lambda: layout.repository("r.example/a")), image, "1")
    (entry,) = json.loads((tmp_path / "root/index.json").read_text())["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "r.example/a:1"}
