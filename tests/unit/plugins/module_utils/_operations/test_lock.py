# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, LocalFailure, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse_registry
from ansible_collections.drayage.registry.plugins.module_utils._operations import lock as lock_module
from ansible_collections.drayage.registry.plugins.module_utils._operations.images_lock import (
    LockedImage,
    read_lock,
    save_lock,
)
from ansible_collections.drayage.registry.plugins.module_utils._operations.lock import lock, wanted_images
from ansible_collections.drayage.registry.plugins.module_utils._operations.resolve import require_digests
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index

AMD64, ARM64 = image("linux/amd64", b"amd64"), image("linux/arm64", b"arm64")
BOTH = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
OTHER = image("linux/amd64", b"other")
APP, TOOL = "r.example/app:1", "r.example/tool:latest"
ID = "kbld.carvel.dev/id"


@pytest.fixture
def app(stores):
    return stores.repository("r.example", "app").add(AMD64, ARM64, BOTH, tag="1")


@pytest.fixture
def tool(stores):
    return stores.repository("r.example", "tool").add(AMD64, tag="latest")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.lock.yml"


@pytest.fixture
def run(stores, path, app, tool):
    def locked(*wanted, update="missing", platforms=(), dry_run=False, known=False, jobs=2, path=path):
        stores.run = runs.run(dry_run=dry_run, jobs=jobs)
        app.asked.clear()
        tool.asked.clear()
        return lock(str(path), None if known else wanted_images(wanted), update, platforms, stores)

    return locked


def pins(path):
    return {str(each.requested): each.image.digest for each in read_lock(str(path))}


def test_new_images_are_added_in_order_and_once(run, path, app, tool):
    planned = run("r.example/tool", APP, dry_run=True)
    assert (planned.changed, path.exists()) == (True, False)
    locked = run("r.example/tool", APP)
    assert (locked.before, locked.changed, locked.failure, locked.moved) == ([], True, "", [])
    assert locked.counts == (2, 0, 0)
    after = {APP: BOTH.digest, TOOL: AMD64.digest}
    assert locked.diff() == {"before": {}, "after": after}
    assert [str(each.image) for each in locked.after] == [APP + "@" + BOTH.digest, TOOL + "@" + AMD64.digest]
    assert (pins(path), locked.after) == (after, read_lock(str(path)))
    again = run(APP, "r.example/tool")
    assert (again.changed, app.asked, tool.asked) == (False, [], [])


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("update", ["missing", "all"])
@pytest.mark.parametrize("link", [False, True])
def test_a_directory_that_does_not_exist_is_reported_before_any_request(run, path, app, dry_run, update, link):
    if link:
        path.symlink_to("absent/images.lock.yml")
    else:
        path = path.parent / "absent" / path.name
    with pytest.raises(LocalFailure) as caught:
        run(APP, update=update, dry_run=dry_run, path=path)
    assert str(caught.value) == f"cannot write the lock file {path}: no such file or directory."
    assert app.asked == []


def test_a_file_in_place_of_the_directory_is_reported_in_check_mode(run, path):
    path.parent.joinpath("file").write_text("")
    with pytest.raises(LocalFailure, match="not a directory"):
        run(APP, dry_run=True, path=path.parent / "file" / path.name)


def test_an_entry_notes_where_it_comes_from(run):
    sources = [{"reference": "r.example/tool", "file": name} for name in ("b.yaml", "a.yaml", "b.yaml", None, "")]
    [tool] = run(*sources, "r.example/tool", platforms=["linux/amd64"]).after
    assert tool.annotations == {
        ID: "r.example/tool",
        "kbld.carvel.dev/origins": '- resolved:\n    tag: "latest"\n    url: %s\n' % TOOL,
        "drayage.registry/platforms": "linux/amd64",
        "drayage.registry/source": "a.yaml, b.yaml",
    }


def test_an_entry_without_files_and_platforms_notes_neither(run):
    [tool] = run(TOOL).after
    assert set(tool.annotations) == {ID, "kbld.carvel.dev/origins"}


def test_annotations_of_other_tools_are_kept(run, path):
    noted = {ID: TOOL, "a": "1", "drayage.registry/source": "old.yaml"}
    save_lock(str(path), [LockedImage(parse_registry(TOOL + "@" + OTHER.digest), noted)])
    [tool] = run(TOOL, update="all").after
    assert tool.annotations == noted
    assert tool.image.digest == AMD64.digest


def test_pins_move_only_if_all_are_looked_up(run, path, app):
    run(APP)
    app.add(OTHER, tag="1")
    assert not run(APP).changed
    planned, locked = run(APP, update="all", dry_run=True), run(APP, update="all")
    moved = [{"image": APP, "before": BOTH.digest, "after": OTHER.digest}]
    for each in (planned, locked):
        assert (each.changed, each.moved, each.counts) == (True, moved, (0, 1, 0))
    assert pins(path) == {APP: OTHER.digest}


def test_images_that_are_no_longer_requested_are_removed(run, path):
    run(APP, TOOL)
    assert run(TOOL).counts == (0, 0, 1)
    assert pins(path) == {TOOL: AMD64.digest}


def test_without_images_those_in_the_file_are_updated(run, path, tool):
    run(APP, "r.example/tool")
    tool.add(OTHER, tag="latest")
    locked = run(known=True, update="all")
    assert locked.counts == (0, 1, 0)
    assert {each.annotations[ID] for each in locked.after} == {APP, "r.example/tool"}
    assert pins(path) == {APP: BOTH.digest, TOOL: OTHER.digest}


@pytest.mark.parametrize("known", [True, False])
def test_a_lock_without_images_is_an_error(run, known):
    with pytest.raises(ImageError) as caught:
        run(known=known)
    assert str(caught.value) == "there are no images to lock. Add image references to the images option."


def test_a_reference_with_a_digest_needs_no_request(run, app):
    locked = run(APP + "@" + AMD64.digest)
    assert [each.image.digest for each in locked.after] == [AMD64.digest]
    assert app.asked == []


class TestConcurrentChange:
    """Another task, or Renovate, may write the file while this task looks up digests."""

    @pytest.fixture
    def meanwhile(self, monkeypatch):
        """Return a function that sets what happens while digests are looked up."""

        def patch(change):
            def find(*arguments):
                found = require_digests(*arguments)
                change()
                return found

            monkeypatch.setattr(lock_module, "require_digests", find)

        return patch

    @pytest.mark.parametrize("existed", [True, False])
    def test_entries_of_another_task_are_not_overwritten(self, run, path, meanwhile, existed):
        if existed:
            run(TOOL)
        theirs = [LockedImage(parse_registry(TOOL + "@" + OTHER.digest))]
        meanwhile(lambda: save_lock(str(path), theirs))
        with pytest.raises(ImageError) as caught:
            run(TOOL, APP)
        assert str(caught.value) == (
            "%s: the lock file changed during this run, so it was not written. Run the task again." % path
        )
        assert read_lock(str(path)) == theirs

    def test_a_file_that_was_removed_is_not_written_again(self, run, path, meanwhile):
        run(TOOL)
        meanwhile(path.unlink)
        with pytest.raises(ImageError, match="the lock file changed during this run"):
            run(TOOL, APP)
        assert not path.exists()

    def test_another_task_may_write_the_same_entries(self, run, path, meanwhile):
        """A task that is delegated to one host runs there for each host of the play."""
        after = run(APP, TOOL).after
        path.unlink()
        meanwhile(lambda: save_lock(str(path), after))
        assert run(APP, TOOL).changed
        assert read_lock(str(path)) == after


class TestCheck:
    def test_a_lock_that_is_up_to_date_passes(self, run):
        run(APP, TOOL)
        for checked in (run(APP, TOOL, update="none"), run(known=True, update="none")):
            assert (checked.changed, checked.failure) == (False, "")

    def test_tags_that_moved_and_images_without_a_pin_fail(self, run, path, app):
        run(APP)
        content = path.read_bytes()
        app.add(OTHER, tag="1")
        checked = run(APP, update="none")
        moved = "the tags of these images have moved: %s (%s, locked as %s)" % (APP, OTHER.digest, BOTH.digest)
        assert (checked.changed, checked.failure) == (
            False,
            "%s is out of date: %s. Run the task with update: all, and review the difference." % (path, moved),
        )
        missing = "these images are not in the lock file: " + TOOL
        assert run(APP, TOOL, update="none").failure == (
            "%s is out of date: %s; %s. Run the task with update: all, and review the difference."
            % (path, moved, missing)
        )
        app.add(BOTH, tag="1")
        assert run(APP, TOOL, update="none").failure == (
            "%s is out of date: %s. Run the task with update: missing." % (path, missing)
        )
        assert path.read_bytes() == content

    def test_a_lock_that_does_not_exist_cannot_be_checked(self, run):
        with pytest.raises(LocalFailure, match="no such file or directory"):
            run(APP, update="none")

    def test_an_image_that_no_longer_exists_is_an_error(self, run, app):
        run(APP)
        del app.tags["1"]
        with pytest.raises(NotFound) as caught:
            run(APP, update="none")
        assert str(caught.value) == (APP + ": the image does not exist. Check the name, the tag and the credentials.")
        with pytest.raises(NotFound) as caught:
            run(APP, "r.example/app:2", update="none")
        assert "these images do not exist" in str(caught.value)


class TestPlatforms:
    def test_an_image_must_have_them_and_is_looked_up_with_one_request(self, run, app, tool):
        run(APP, TOOL, platforms=["linux/amd64"])
        assert (app.asked, tool.asked) == ([("manifest", "1")], [("manifest", "latest")])
        assert not run(APP, TOOL, platforms=["linux/amd64"]).changed
        assert (app.asked, tool.asked) == ([], [])

    def test_an_image_without_one_is_not_locked(self, run, path):
        with pytest.raises(ImageError, match=APP + ": .*linux/s390x"):
            run(APP, platforms=["linux/amd64", "linux/s390x"])
        assert not path.exists()

    def test_other_platforms_are_checked_of_the_image_that_is_locked(self, run, app):
        run(APP, platforms=["linux/amd64"])
        app.add(OTHER, tag="1")
        locked = run(APP, platforms=["linux/amd64", "linux/arm64"])
        assert (locked.changed, locked.moved) == (True, [])
        assert app.asked == [("manifest", BOTH.digest)]
        assert locked.after[0].platforms == ["linux/amd64", "linux/arm64"]
        with pytest.raises(ImageError, match="linux/s390x"):
            run(APP, platforms=["linux/s390x"])

    def test_those_in_the_file_hold_until_others_are_given(self, run, app):
        run(APP, platforms=["linux/arm64"])
        locked = run(APP)
        assert (locked.changed, locked.after[0].platforms, app.asked) == (False, ["linux/arm64"], [])
        app.add(index(entry(AMD64, "linux/amd64")), tag="1")
        with pytest.raises(ImageError, match="linux/arm64"):
            run(APP, update="all")

    def test_images_are_checked_in_the_order_of_the_list(self, run, app):
        several = [image("linux/amd64", b"%d" % number) for number in range(9)]
        for number, each in enumerate(several):
            app.add(each, tag="v%d" % number)
        wanted = ["r.example/app:v%d" % number for number in range(9)]
        run(*wanted)
        run(*wanted, platforms=["linux/amd64"], jobs=1)
        assert app.asked == [("manifest", each.digest) for each in several]

    def test_a_check_ignores_them(self, run, app):
        run(APP)
        assert run(APP, update="none", platforms=["linux/s390x"]).failure == ""
        assert app.names("manifest") == []


@pytest.mark.parametrize("value", [1, None, {}, {"reference": None}, {"image": APP}])
def test_an_image_to_lock_is_a_reference_or_has_one(value):
    with pytest.raises(ImageError) as caught:
        wanted_images([APP, value])
    assert str(caught.value) == (
        "images[1] is neither an image reference nor a mapping with the key 'reference'. Write an image reference, or use "
        "the result of the images_of lookup."
    )


def test_the_same_image_in_several_notations_is_one(stores):
    found = wanted_images([" r.example/tool", {"reference": TOOL, "file": "b"}, TOOL, {"reference": TOOL, "file": "a"}])
    assert [(each.text, str(each.reference), each.sources) for each in found] == [
        ("r.example/tool", TOOL, ("a", "b")),
    ]


def test_only_images_in_registries_can_be_locked():
    with pytest.raises(ImageError, match="oci:/x: only images in a registry are supported here"):
        wanted_images(["oci:/x"])


class TestRelocated:
    """imgpkg and kbld copy images to another repository, and keep the original reference in an annotation."""

    @pytest.fixture
    def place(self, stores):
        return stores.repository("local.example", "bundle").add(BOTH, AMD64, OTHER)

    @pytest.fixture
    def locked(self, path, place):
        def save(name="", requested=APP):
            image = parse_registry("local.example/bundle%s@%s" % (name, BOTH.digest))
            save_lock(str(path), [LockedImage(image, {ID: requested})])
            return image

        return save

    @pytest.mark.parametrize("requested", [APP, "%s@%s" % (APP, BOTH.digest)])
    @pytest.mark.parametrize("name", ["", ":1"])
    def test_an_image_keeps_its_location_with_its_digest(self, run, path, locked, app, name, requested):
        image, content = locked(name, requested), path.read_bytes()
        for kept in (run(requested), run(known=True)):
            assert (kept.changed, [each.image for each in kept.after]) == (False, [image])
        assert (path.read_bytes(), app.asked) == (content, [])

    def test_its_platforms_are_checked_there(self, run, locked, place, app):
        image = locked()
        [each] = run(APP, platforms=["linux/amd64"]).after
        assert (each.image, each.platforms, app.asked) == (image, ["linux/amd64"], [])
        assert place.asked == [("manifest", BOTH.digest)]

    @pytest.mark.parametrize("platforms", [(), ("linux/amd64",)])
    def test_its_tag_is_looked_up_there(self, run, locked, place, app, platforms):
        locked(":1")
        place.add(OTHER, tag="1")
        assert "have moved: " + APP in run(APP, update="none").failure
        [each] = run(APP, update="all", platforms=platforms).after
        assert str(each.image) == "local.example/bundle:1@" + OTHER.digest
        assert (each.annotations[ID], app.asked) == (APP, [])

    @pytest.mark.parametrize("update", ["all", "none"])
    def test_without_a_tag_it_cannot_be_looked_up(self, run, path, locked, update):
        image, content = locked(), path.read_bytes()
        with pytest.raises(ImageError) as caught:
            run(APP, update=update)
        assert str(caught.value) == (
            "%s: the lock file contains the image as %s, which has no tag to look up. Set update: missing to keep this entry, "
            "or remove it to lock the image at its original location." % (APP, image)
        )
        assert path.read_bytes() == content

    def test_a_requested_digest_takes_precedence(self, run, locked):
        requested = "%s@%s" % (APP, OTHER.digest)
        locked(requested=requested)
        assert [str(each.image) for each in run(requested).after] == [requested]

    def test_an_entry_keeps_its_tag_with_its_digest(self, run, path):
        """Renovate updates the tag in the image, and not in the annotation."""
        image = parse_registry("r.example/app:2@" + OTHER.digest)
        save_lock(str(path), [LockedImage(image, {ID: APP})])
        assert [each.image for each in run(APP).after] == [image]
