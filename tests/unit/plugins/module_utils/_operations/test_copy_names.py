# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a copy is called at its destination, and the phases that it shows."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidReference, Refused
from ansible_collections.drayage.registry.plugins.module_utils._operations.attached_tags import without_needed
from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import CopyOptions, copy
from ansible_collections.drayage.registry.plugins.module_utils._operations.other_tags import delete_untagged
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.gate import Gate
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Tags

ONE, TWO = image("linux/amd64", b"one"), image("linux/amd64", b"two")
APP = "r.example/app:1"


class Phases:
    """Remembers the phases of a task."""

    def __init__(self):
        self.entered = []

    def observe(self, *event):
        pass

    def enter(self, phase, current="", size=0):
        self.entered.append((phase, current))

    def advance(self, size):
        pass


class Everything:
    """A rule that every image meets."""

    def check(self, image, used):
        return []


@pytest.fixture(autouse=True)
def app(place):
    return place.add(ONE, tag="1")


@pytest.mark.parametrize(
    ("options", "gate", "phases"),
    [
        ({}, Gate(), []),
        ({"format": "docker"}, Gate(), [("converting", APP)]),
        ({}, Gate((Everything(),)), [("verifying", APP)]),
    ],
)
def test_work_that_takes_time_is_shown(stores, options, gate, phases):
    stores.run = Run(runs.no_command, 2, progress=Phases())
    copy(CopyOptions(APP, "s.example/app", **options), stores, gate)
    assert [each for each in stores.run.progress.entered if each[0] in ("converting", "verifying")] == phases


def test_a_directory_has_one_image_without_a_name(stores, tmp_path):
    path = tmp_path / "d"
    copied = copy(CopyOptions(APP, "dir:%s" % path), stores)
    assert (copied.references, copied.image) == (["dir:%s" % path], "dir:%s" % path)
    assert (path / "manifest.json").read_bytes() == ONE.manifest.raw
    with pytest.raises(InvalidReference) as caught:
        copy(CopyOptions(APP, "dir:%s" % path, tags=["2"]), stores)
    assert str(caught.value) == "dir:%s: images in directories have no tags. Remove the tags option." % path


def test_the_result_is_pinned_if_the_destination_supports_digests(stores, tmp_path):
    assert copy(CopyOptions(APP, "s.example/app"), stores).image == "s.example/app@" + ONE.digest
    layout = "oci:%s" % (tmp_path / "l")
    assert copy(CopyOptions(APP, layout + ":x"), stores).image == layout + ":x"


@pytest.mark.parametrize("dest", ["app", "app:1", "docker://app:1", " docker://app "])
def test_a_destination_without_a_registry_is_refused(stores, dest):
    with pytest.raises(InvalidReference) as caught:
        copy(CopyOptions(APP, dest), stores)
    assert str(caught.value) == (
        dest + ": dest has no registry, so it would refer to an official image on Docker Hub. Write "
        "host[:port]/REPOSITORY[:TAG], or docker.io/USER/REPOSITORY[:TAG] for Docker Hub."
    )
    assert stores.opened == []


@pytest.mark.parametrize("dest", ["user/app", "docker.io/library/app"])
def test_a_destination_on_docker_hub_is_written_with_a_slash(stores, dest):
    assert copy(CopyOptions(APP, dest), stores).job.planned.changed


def test_an_engine_needs_a_tag(stores):
    with pytest.raises(ImageError) as caught:
        copy(CopyOptions("r.example/app@" + ONE.digest, "docker-daemon:r.example/app"), stores)
    assert str(caught.value) == "docker-daemon:r.example/app: neither dest nor src has a tag. Add a tag to dest."


class TestUntagged:
    """Manifests that lost their last tag go only if it is certain that nothing needs them."""

    @pytest.fixture
    def untagged(self, app):
        return app.add(TWO)

    def test_each_is_deleted_once(self, untagged):
        assert delete_untagged(untagged, [TWO.digest, TWO.digest], ["2"], ["1"], runs.run()) == [TWO.digest]
        assert untagged.names("delete") == [TWO.digest]

    @pytest.mark.parametrize(
        ("deleted", "needed"),
        [(["1"], []), (["2"], ["1", "absent"]), (["2"], ["sha256:" + "0" * 64]), (["2"], [TWO.digest])],
        ids=["deleted tag is listed", "needed tag is not listed", "needed digest is gone", "digest is needed"],
    )
    def test_in_doubt_they_stay(self, untagged, deleted, needed):
        assert delete_untagged(untagged, [TWO.digest], deleted, needed, runs.run()) == []
        assert TWO.digest in untagged.manifests

    def test_without_any_nothing_is_listed_again(self, untagged):
        assert delete_untagged(untagged, [ONE.digest], [], [], runs.run()) == []
        assert untagged.names("delete") == []

    def test_a_refusal_keeps_them(self, untagged, monkeypatch):
        def refuse(digest):
            raise Refused("returned 405")

        monkeypatch.setattr(untagged, "delete", refuse)
        assert delete_untagged(untagged, [TWO.digest], ["2"], ["1"], runs.run()) == []

    def test_an_error_about_attached_tags_names_the_repository(self, untagged, monkeypatch):
        class Broken(Tags):
            def __call__(self):
                raise Refused("returned 500")

        tag = "sha256-%s.sig" % TWO.digest[7:]
        monkeypatch.setattr(untagged, "tags", Broken())
        prunable = {tag: ONE.manifest.descriptor, "2": TWO.manifest.descriptor}
        with pytest.raises(Refused) as caught:
            without_needed(untagged, prunable, (), runs.run())
        assert str(caught.value) == "r.example/app: returned 500."
