# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import NotFound
from ansible_collections.drayage.registry.plugins.module_utils._stores import oci_images
from ansible_collections.drayage.registry.plugins.module_utils._stores.named import repositories
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_index import Index
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image
from ansible_collections.drayage.registry.tests.unit.support.layouts import docker_layout, foreign_layout

MADE = image("linux/amd64", b"layer")


@pytest.fixture
def layout(tmp_path):
    """A layout that has the content of an image, under no name yet."""
    layout = OciLayout(str(tmp_path / "layout"), print)
    for content, blob in zip(MADE.blobs, MADE.manifest.blobs):
        layout.put_blob(blob, lambda content=content: [content], "")
    return layout


@pytest.fixture
def repository(layout):
    """A repository of it, beside others whose names begin like its own."""
    for name in ("r.example/a", "r.example:5000/app", "r.example/app-b"):
        layout.repository(name).publish(MADE.manifest, ["1"], None)
    return layout.repository("r.example/app")


def test_an_image_by_digest_has_a_name_of_its_own(layout, repository):
    repository.publish(MADE.manifest, ["1"], None)
    assert repository.resolve(MADE.digest) is None
    assert repository.find(MADE.digest).digest == MADE.digest
    repository.publish(MADE.manifest, [], None)
    assert repository.tags() == ["1", MADE.digest]
    assert repository.reference(MADE.digest).endswith("/layout:r.example/app@" + MADE.digest)
    repository.delete_tag("1", MADE.digest)
    assert repository.tags() == [MADE.digest]
    assert repository.resolve(MADE.digest).digest == repository.manifest(MADE.digest).digest == MADE.digest
    assert "r.example/app" in repositories(layout.tags(), layout.reference(""), print)


def test_other_repositories_are_not_seen(layout, repository):
    with pytest.raises(NotFound, match=r"layout:r.example/app: the repository contains no images"):
        repository.tags()
    with pytest.raises(NotFound):
        layout.repository("r.example").tags()
    assert repositories(layout.tags(), layout.reference(""), print) == [
        "r.example/a",
        "r.example/app-b",
        "r.example:5000/app",
    ]


def test_names_without_a_repository_are_told(layout, repository):
    layout.publish(MADE.manifest, ["1.0", "r.example/app", "localhost:5000/app"], None)
    warnings = []
    assert "localhost" not in repositories(layout.tags(), layout.reference(""), warnings.append)
    (told,) = warnings
    assert told.endswith(
        "/layout: skipped images whose names do not have the form REPOSITORY:TAG: 1.0, localhost:5000/app, r.example/app"
    )


def counting(monkeypatch, owner, name):
    """Return a list that gets an item for each call of a function."""
    calls, function = [], getattr(owner, name)

    def counted(*args):
        calls.append(args)
        return function(*args)

    monkeypatch.setattr(owner, name, counted)
    return calls


def test_all_repositories_are_looked_up_in_one_walk_through_the_index(layout, monkeypatch):
    names = ["r.example/app%d" % number for number in range(9)]
    for name in names:
        layout.repository(name).publish(MADE.manifest, ["1", "2"], None)
    repositories = [layout.repository(name) for name in names]
    walks = counting(monkeypatch, Index, "named_entries")
    images = counting(monkeypatch, oci_images, "is_image")
    for repository in repositories:
        assert repository.tags() == [tag for tag, _known in repository.pointers()] == ["1", "2"]
        assert [tag for tag, _known in repository.pointers(["1"])] == ["2"]
        assert len(repository.neighbours()) == 2 * len(names) - 2
    assert (len(walks), len(images)) == (1, 2 * len(names))


def test_a_change_is_seen_in_all_repositories(layout, repository):
    assert len(repository.neighbours()) == 3
    layout.repository("r.example/app-b").publish(MADE.manifest, ["2"], None)
    assert len(repository.neighbours()) == 4
    assert layout.repository("r.example/app-b").tags() == ["1", "2"]


def test_artifacts_without_a_name_are_read_once_for_all_repositories(tmp_path, monkeypatch):
    sboms = [image("", b"%d" % number, subject=entry(MADE)) for number in range(3)]
    names = ["r.example/app%d" % number for number in range(3)]
    foreign_layout(tmp_path, *(("%s:1" % name, MADE) for name in names), *(("", sbom) for sbom in sboms))
    layout = OciLayout(str(tmp_path), print)
    repositories = [layout.repository(name) for name in names]
    reads = counting(monkeypatch, OciLayout, "_read_manifest")
    for repository in repositories:
        assert len(repository.referrers.entries(MADE.digest)) == 3
        assert len(repository.neighbours()) == 2
    assert len(reads) == 3


def test_full_names_of_docker_belong_to_their_repositories(tmp_path):
    """The entries have the same name, which is only the tag."""
    other = image("linux/amd64", b"other")
    docker_layout(tmp_path, ("r.example/app:1", MADE), ("r.example/other:1", other))
    repository = OciLayout(str(tmp_path), print).repository("r.example/app")
    assert [(tag, known.digest) for tag, known in repository.pointers()] == [("1", MADE.digest)]
    assert repository.tags() == ["1"]
