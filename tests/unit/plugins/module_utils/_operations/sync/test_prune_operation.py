# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole operation with prune: what stays, what is refused, and what no longer goes after something failed."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync import slices
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.jobs import told

A, B, C = (image("linux/amd64", b"base", text) for text in (b"a", b"b", b"c"))


class TestPrune:
    @pytest.fixture(autouse=True)
    def repositories(self, memory):
        memory["s.example/a"].add(A, tag="1").add(B, tag="2")
        memory["d.example/a"].add(A, tag="1").add(C, tag="old")

    def test_an_image_that_is_declared_by_its_digest_stays(self, memory, sync):
        memory["d.example/a"].tags["old"] = A.digest
        del memory["d.example/a"].tags["1"]
        synced = sync({"name": "a", "tags": [A.digest]}, prune=True)
        assert told(synced) == [("a@" + A.digest, "unchanged"), ("a:old", "deleted")]
        assert A.digest in memory["d.example/a"].manifests
        assert not memory["d.example/a"].tags

    @pytest.mark.parametrize("share", ["1/2", "2/2"])
    @pytest.mark.parametrize("tag", "abcd")
    def test_an_image_by_digest_stays_whoever_has_it_in_his_share(self, tag, share, memory, sync):
        memory["d.example/a"].tags.clear()
        memory["d.example/a"].tags[tag] = A.digest
        sync({"name": "a", "tags": [A.digest]}, prune=True, slice=share)
        assert A.digest in memory["d.example/a"].manifests

    def test_what_is_left_of_an_index_that_is_declared_by_its_digest_stays(self, memory, sync, tmp_path):
        both = index(entry(A, "linux/amd64"), entry(B, "linux/arm64"))
        memory["s.example/a"].add(A, B, both)
        declared = {"name": "a", "tags": [both.digest], "platforms": ["linux/amd64"]}
        options = {"dest": "oci:%s" % tmp_path, "prune": True}
        assert sync(declared, **options).changed
        assert not sync(declared, **options).changed

    def test_nothing_goes_where_an_image_by_digest_failed(self, memory, sync):
        synced = sync({"name": "a", "tags": ["1", "sha256:" + "0" * 64]}, prune=True, keep_going=True)
        assert [action for _name, action in told(synced)] == ["unchanged", "failed"]

    @pytest.mark.parametrize("catalog", [None, []])
    def test_nothing_goes_where_repositories_could_not_be_found_out(self, catalog, memory, sync):
        """They may be those whose tags would go."""
        if catalog is not None:
            memory.catalog["s.example"] = catalog
        synced = sync({"name": "a", "tags": ["1"]}, {"name": "*"}, prune=True, keep_going=True, missing_ok=True)
        assert "deleted" not in {action for _name, action in told(synced)}
        assert [image.src for image in synced.images if image.error] == ["s.example/*"] * (catalog is None)

    @pytest.mark.parametrize(
        "entry", [{"include": ["9.*"]}, {"include": ["1", "9.*"]}, {"semver": ">=9"}, {"tags": ["nn"]}]
    )
    def test_nothing_goes_where_an_expression_selects_nothing(self, entry, memory, sync):
        """It may be mistyped, and what it was to select would be gone."""
        synced = sync(dict(entry, name="a", missing_ok=True), prune=True)
        assert "deleted" not in {action for _name, action in told(synced)}

    def test_of_many_repositories_some_may_have_nothing_that_is_wanted(self, memory, sync):
        memory.catalog["s.example"] = ["a", "b", "empty"]
        memory["s.example/b"].add(B, tag="latest")
        memory["d.example/b"].add(B, tag="5")
        synced = sync({"name": "*", "include": ["[0-9]"]}, prune=True)
        assert told(synced) == [("a:1", "unchanged"), ("a:2", "created"), ("a:old", "deleted")]
        assert not synced.failure

    @pytest.mark.parametrize("missing_ok", [True, False])
    @pytest.mark.parametrize("include", [["9.*"], ["[0-9]", "9.*"]])
    def test_of_many_repositories_one_has_to_have_what_is_wanted(self, include, missing_ok, memory, sync):
        memory.catalog["s.example"] = ["a"]
        synced = sync({"name": "*", "include": include}, prune=True, missing_ok=missing_ok, keep_going=True)
        assert synced.failure.startswith("" if missing_ok else "s.example/*: no tag matches 9.*. ")
        assert bool(synced.failure) is not missing_ok
        assert "deleted" not in {action for _name, action in told(synced)}

    @pytest.mark.parametrize("share", [None, "1/2", "2/2"])
    def test_what_is_attached_to_an_image_stays_as_long_as_it_does(self, share, memory, sync):
        both = index(entry(A, "linux/amd64"), entry(B, "linux/arm64"))
        memory["s.example/a"].add(both, tag="both")
        place = memory["d.example/a"].add(A, B, both, tag="both")
        gone = "sha256-" + "0" * 64
        staying = ["sha256-%s%s" % (A.digest[7:], suffix) for suffix in ("", ".sig", ".att")]
        staying.append("sha256-%s.sig" % B.digest[7:])  # a child of the index
        going = ["sha256-%s.sbom" % C.digest[7:], gone + ".sig", gone]
        for number, tag in enumerate(staying + going):
            place.add(image("linux/amd64", b"attached", str(number).encode()), tag=tag)
        shares = [share] if share is None else ["1/2", "2/2"] if share == "1/2" else ["2/2", "1/2"]
        for each in shares:
            sync({"name": "a"}, prune=True, slice=each)
            if C.digest not in place.tags.values():  # the registry collects its garbage
                place.manifests.pop(C.digest, None)
        assert set(place.tags) == {"1", "2", "both", *staying}
        assert not any(sync({"name": "a"}, prune=True, slice=each).changed for each in shares)

    def test_what_is_attached_stays_with_the_last_tag_of_its_image(self, memory, sync):
        tag = "sha256-%s.sig" % C.digest[7:]
        memory["d.example/a"].add(C, tag="rollback-1").add(B, tag=tag)
        sync({"name": "a"}, prune=True, prune_keep=["rollback-.*"])
        assert set(memory["d.example/a"].tags) == {"1", "2", "rollback-1", tag}

    def test_the_limit_is_for_all_shares(self, memory, sync):
        for number in range(4):
            memory["d.example/a"].add(C, tag="old-%d" % number)
        for share in ("1/2", "2/2"):
            with pytest.raises(ImageError, match="prune would delete 5 tags"):
                sync({"name": "a"}, prune=True, max_delete=4, slice=share)

    def test_a_repository_is_not_pruned_by_itself(self, memory, sync):
        with pytest.raises(ImageError, match="d.example/a: the repository is both source and destination"):
            sync({"name": "d.example/a", "tags": ["1"], "is_of_file": True}, prune=True)
        assert set(memory["d.example/a"].tags) == {"1", "old"}

    @pytest.mark.parametrize("order", [1, -1])
    @pytest.mark.parametrize("share", [None, "1/2", "2/2"])
    def test_a_destination_is_not_the_source_of_another_entry(self, order, share, memory, sync, monkeypatch):
        """Its tags could be pruned before they are copied further. All hosts refuse this, whatever they process."""
        monkeypatch.setattr(slices, "_MANY", 1)
        entries = [
            {"name": "s.example/a", "dest": "d.example/a", "is_of_file": True},
            {"name": "d.example/a", "dest": "d.example/b", "is_of_file": True},
        ]
        with pytest.raises(ImageError) as caught:
            sync(*entries[::order], src=None, dest=None, prune=True, slice=share)
        assert str(caught.value) == (
            "d.example/a: the repository is both source and destination, so pruned tags could not be restored. Use separate "
            "tasks, or remove prune."
        )
        assert not sync(*entries, src=None, dest=None).failure

    def test_too_many_are_named(self, memory, sync):
        with pytest.raises(
            ImageError, match=r"prune would delete 1 tags, but max_delete allows 0: d.example/a:old\. Nothing was"
        ):
            sync({"name": "a"}, prune=True, max_delete=0)

    @pytest.mark.parametrize("text", ["rollback-[[:digit:]]+", "("])
    def test_what_is_kept_is_a_regular_expression(self, text, memory, sync):
        with pytest.raises(ImageError, match="prune_keep: "):
            sync({"name": "a"}, prune=True, prune_keep=[text])
        assert "old" in memory["d.example/a"].tags

    def test_a_limit_below_zero_is_refused(self, sync):
        with pytest.raises(ImageError, match="max_delete is -1, but must be 0 or more"):
            sync({"name": "a"}, max_delete=-1)

    def test_what_cannot_be_looked_at_is_one_failure(self, memory, sync):
        memory["s.example/b"].add(B, tag="1")
        memory["d.example/b"].add(A, tag="gone")
        memory["d.example/a"].broken.add("old")
        synced = sync({"name": "a"}, {"name": "b"}, prune=True, keep_going=True)
        assert ("a:old", "failed") in told(synced)
        assert told(synced)[-1] == ("b:gone", "deleted")
        assert "old" in memory["d.example/a"].tags

    def test_what_could_not_be_removed_is_not_removed_with_another(self, memory, sync):
        memory["d.example/a"].add(C, tag="other")
        memory["d.example/a"].broken.add("other")
        memory["d.example/a"].find = memory["d.example/a"].resolve
        memory["d.example/a"].tags = type(memory["d.example/a"].tags)({"1": A.digest, "other": C.digest, "z": C.digest})
        synced = sync({"name": "a"}, prune=True)
        assert told(synced)[-2:] == [("a:other", "failed"), ("a:z", "deleted")]
        assert "other" in memory["d.example/a"].tags

    def test_a_tag_that_moves_during_the_run_is_left_alone(self, memory, sync, monkeypatch):
        place = memory["d.example/a"]
        publish = place.publish

        def push_meanwhile(*arguments):
            place.add(A, tag="old")
            publish(*arguments)

        monkeypatch.setattr(place, "publish", push_meanwhile)
        synced = sync({"name": "a"}, prune=True)
        assert told(synced)[-1] == ("a:old", "failed")
        assert "the tag moved to %s during this run, so it was not deleted" % A.digest in synced.failure
        assert place.tags == {"1": A.digest, "2": B.digest, "old": A.digest}

    def test_a_tag_that_others_make_during_the_run_keeps_its_image(self, memory, sync, monkeypatch):
        place = memory["d.example/a"].add(C, tag="older").add(image("linux/amd64", b"d"), tag="oldest")
        delete_tag = place.delete_tag

        def push_meanwhile(tag, digest):
            how = delete_tag(tag, digest)
            if tag == "old":
                place.tags["new"] = C.digest
            return how

        monkeypatch.setattr(place, "delete_tag", push_meanwhile)
        sync({"name": "a"}, prune=True)
        assert place.tags == {"1": A.digest, "2": B.digest, "new": C.digest}
        assert C.digest in place.manifests

    def test_other_tags_are_not_looked_at_unless_they_matter(self, memory, sync, monkeypatch):
        monkeypatch.setattr(memory["d.example/a"], "delete_tag", lambda *_arguments: "tag")
        looked = []
        monkeypatch.setattr(memory["d.example/a"], "find", lambda name: looked.append(name) or C.manifest.descriptor)
        sync({"name": "a"}, prune=True)
        assert set(looked) == {"old"}
