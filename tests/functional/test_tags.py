# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_tags: complete lists, filters, and tags that are made to name other images."""

from __future__ import annotations

import json

import pytest

from devtools import images
from devtools.observe import digest_at, layout_files, layout_names, tags_at, tally
from devtools.servers import Haproxy

OLD, NEW, INDEX = images.single(seed="old"), images.single(seed="new"), images.index()
MANY = [f"build-{number}" for number in range(2500)]
MISSING = "sha256:" + "0" * 64


@pytest.fixture
def tags(run_module, registry, repository):
    """Return a function that lists or sets the tags of ``repository`` in ``registry``, unless another is named."""

    def run(where=None, **options):
        registry.forget()
        return run_module("image_tags", repository=where or f"{registry.host}/{repository}", **options)

    return run


def push(image, server, repository, *names):
    for name in names:
        images.push(image, server.host, repository, name)
    server.forget()


def link(image, server, repository, names):
    """Make tags in the storage of a registry, which is quicker than to push each."""
    push(image, server, repository, "1")
    directory = server.storage / f"docker/registry/v2/repositories/{repository}/_manifests/tags"
    for name in names:
        (directory / name / "current").mkdir(parents=True)
        (directory / name / "current/link").write_text(image.digest)


class TestPaging:
    def test_registry_that_does_not_page(self, tags, registry, repository):
        link(OLD, registry, repository, MANY)
        result = tags()
        assert result.tags == [*sorted(MANY), "1"]
        assert tally(registry.requests()) == {"GET tags": 1}

    def test_registry_that_pages(self, tags, modern_registry, repository):
        """Distribution 3 pages for who asks; the proxy asks, as other registries do of their own accord."""
        link(OLD, modern_registry, repository, MANY)
        with Haproxy(
            modern_registry, "http-request set-query n=1000 if { path_end /tags/list } !{ query -m found }"
        ) as proxy:
            result = tags(f"{proxy.host}/{repository}")
        assert result.tags == [*sorted(MANY), "1"]
        pages = [request.query for request in modern_registry.requests()]
        assert (len(pages), pages[0]) == (3, "n=1000")
        assert all("last=" in query for query in pages[1:])

    def test_link_to_another_host_is_followed_on_ours(self, tags, modern_registry, repository):
        push(OLD, modern_registry, repository, "1", "2", "3")
        rules = (
            "http-request set-query n=2 if { path_end /tags/list } !{ query -m found }\n"
            '    http-response replace-header Link "<([^>]*)>.*" "<https://internal.invalid:1\\1>; rel=next"'
        )
        with Haproxy(modern_registry, rules) as proxy:
            assert tags(f"{proxy.host}/{repository}").tags == ["1", "2", "3"]

    def test_a_page_that_names_itself_ends_the_list(self, tags, registry, repository):
        push(OLD, registry, repository, "1", "2")
        rule = 'http-response set-header Link "</v2/%s/tags/list?last=2>; rel=\\"next\\""' % repository
        with Haproxy(registry, rule) as proxy:
            assert tags(f"{proxy.host}/{repository}").tags == ["1", "2"]
        assert tally(registry.requests()) == {"GET tags": 2}


class TestListing:
    @pytest.fixture(autouse=True)
    def several(self, registry, repository):
        push(OLD, registry, repository, "latest", "edge", "1.9.0", "v1.10.0", "1.10", "2.0.0-rc.1", "2.0.0", "20260114")
        push(NEW, registry, repository, "2.1.0")

    def test_all_in_order(self, tags):
        result = tags()
        versions = ["1.9.0", "1.10", "v1.10.0", "2.0.0-rc.1", "2.0.0", "2.1.0", "20260114"]
        assert (result.changed, result.exists, result.tags) == (False, True, ["edge", "latest", *versions])
        assert result.digests is None

    def test_filters(self, tags):
        assert tags(semver="^1").tags == ["1.9.0", "v1.10.0"]
        assert tags(semver="^1", semver_strict=False).tags == ["1.9.0", "1.10", "v1.10.0"]
        assert tags(semver=">=1.10.0-0 <2.1").tags == ["v1.10.0", "2.0.0-rc.1", "2.0.0"]
        assert tags(newest=2).tags == ["2.0.0", "2.1.0"]
        assert tags(include=["1", "[a-z]+", "2.*"], exclude=["20.*", "latest"]).tags == [
            "edge",
            "2.0.0-rc.1",
            "2.0.0",
            "2.1.0",
        ]
        assert tags(include=["none"]).tags == []

    def test_digests(self, tags, registry):
        result = tags(digests=True, include=["2\\.[0-9]\\.0"])
        assert result.digests == {"2.0.0": OLD.digest, "2.1.0": NEW.digest}
        assert tally(registry.requests()) == {"GET tags": 1, "HEAD manifest": 2}

    def test_check_mode_is_the_same(self, tags):
        assert tags(check_mode=True).tags == tags().tags


class TestAbsence:
    def test_repository(self, tags):
        result = tags(digests=True)
        assert (result.exists, result.tags, result.digests) == (False, [], {})

    def test_layout(self, tags, tmp_path):
        assert tags(f"oci:{tmp_path}/none").exists is False

    def test_no_access_is_an_error(self, tags, htpasswd_registry, repository):
        result = tags(f"{htpasswd_registry.host}/{repository}")
        assert result.failed
        assert "returned 401" in result.msg

    def test_last_tag_deleted(self, tags, modern_registry, run_module, repository):
        push(OLD, modern_registry, repository, "1")
        where = f"{modern_registry.host}/{repository}"
        run_module("image_delete", image=f"{where}:1")
        assert tags(where).tags == []


class TestInput:
    def test_regular_expression(self, tags, registry):
        result = tags(exclude=["ok", "(open"])
        assert "exclude: '(open' is not a valid regular expression" in result.msg
        assert not registry.requests()

    def test_range(self, tags):
        assert (
            "'>=1.2 and more' is not a valid version range: cannot parse 'and more'"
            in tags(semver=">=1.2 and more").msg
        )

    def test_newest(self, tags):
        assert tags(newest=0).msg == "newest is 0, but must be 1 or more."

    @pytest.mark.parametrize("suffix", [":1", f"@{MISSING}"])
    def test_image_is_no_repository(self, tags, registry, repository, suffix):
        assert (
            "a repository is required, but the reference has a tag or digest"
            in tags(f"{registry.host}/{repository}{suffix}").msg
        )

    def test_numbers_have_lost_digits(self, tags):
        assert (
            "tags: the target of tag stable is not a string. Put the target in quotes."
            in tags(tags={"stable": 1.1}).msg
        )

    @pytest.mark.parametrize("name", ["a/b", "x:1", "", "-"])
    def test_names(self, tags, registry, name):
        assert f"tags: {name!r} is not a valid tag" in tags(tags={name: "1"}).msg
        assert not registry.requests()

    def test_filters_do_not_go_with_tags(self, tags):
        assert "mutually exclusive" in tags(tags={"a": "1"}, newest=1).msg


class TestAssigning:
    @pytest.fixture(autouse=True)
    def several(self, registry, repository):
        push(OLD, registry, repository, "1.0.0", "stable")
        push(NEW, registry, repository, "1.1.0", "edge")

    def test_moved_and_new_tags(self, tags, registry, repository):
        wanted = {"stable": "1.1.0", "1": NEW.digest, "1.0": "1.0.0"}
        predicted = tags(tags=wanted, check_mode=True, diff=True)
        assert {request.method for request in registry.requests()} == {"GET", "HEAD"}
        assert digest_at(registry.host, repository, "stable") == OLD.digest
        result = tags(tags=wanted, diff=True)
        for key in ("changed", "tags", "digests", "diff", "exists"):
            assert predicted.raw[key] == result.raw[key], key
        assert (result.changed, result.tags) == (True, ["stable", "1", "1.0"])
        assert result.digests == {"stable": NEW.digest, "1": NEW.digest, "1.0": OLD.digest}
        where = f"{registry.host}/{repository}"
        assert predicted.msg == f"Would create 2 and move 1 of 3 tags in {where}: 1, 1.0, stable."
        assert result.msg == f"Created 2 and moved 1 of 3 tags in {where}: 1, 1.0, stable."
        assert result.diff == {
            "before": {f"{where}:stable": OLD.digest, f"{where}:1": None, f"{where}:1.0": None},
            "after": {f"{where}:stable": NEW.digest, f"{where}:1": NEW.digest, f"{where}:1.0": OLD.digest},
        }
        for name, digest in result.digests.items():
            assert digest_at(registry.host, repository, name) == digest
        again = tags(tags=wanted)
        assert (again.changed, again.digests) == (False, result.digests)
        assert set(tally(registry.requests())) == {"HEAD manifest"}

    def test_cost(self, tags, registry, repository):
        created = tags(tags={"new": "1.1.0"})
        assert created.msg == f"Created 1 of 1 tag in {registry.host}/{repository}: new."
        assert tally(registry.requests()) == {"HEAD manifest": 1, "GET manifest": 1, "PUT manifest": 1}
        moved = tags(tags={"stable": "1.1.0"})
        assert moved.msg == f"Moved 1 of 1 tag in {registry.host}/{repository}: stable."
        assert tally(registry.requests()) == {"HEAD manifest": 2, "GET manifest": 1, "PUT manifest": 1}

    def test_swap(self, tags, registry, repository):
        assert tags(tags={"stable": "edge", "edge": "stable"}).changed is True
        assert digest_at(registry.host, repository, "stable") == NEW.digest
        assert digest_at(registry.host, repository, "edge") == OLD.digest

    def test_index(self, tags, registry, repository):
        push(INDEX, registry, repository, "all")
        tags(tags={"stable": "all"})
        assert digest_at(registry.host, repository, "stable") == INDEX.digest

    @pytest.mark.parametrize("target", ["2.0.0", MISSING])
    def test_missing_target_is_named_and_nothing_written(self, tags, registry, repository, target):
        result = tags(tags={"edge": "1.0.0", "stable": target})
        assert result.failed
        assert result.msg.startswith(f"{registry.host}/{repository}{'@' if ':' in target else ':'}{target}: ")
        assert "404" in result.msg
        assert digest_at(registry.host, repository, "edge") == NEW.digest

    def test_nothing_declared(self, tags, registry):
        result = tags(tags={})
        assert (result.changed, result.exists, result.tags, result.digests) == (False, True, [], {})
        assert tally(registry.requests()) == {"GET tags": 1}
        assert tags(f"{registry.host}/none", tags={}).exists is False

    @pytest.mark.parametrize(
        ("status", "code", "message"),
        [
            (412, "PRECONDITION", "Failed to process request due to 'stable' configured as immutable."),
            (400, "TAG_INVALID", "The image tag 'stable' already exists and cannot be overwritten."),
            (409, "ImageTagAlreadyExistsException", ""),
            (403, "DENIED", "tag is immutable"),
        ],
    )
    def test_immutable_tag(self, tags, registry, repository, status, code, message):
        """Words of several vendors, from a proxy: the registries that can be run here have no immutable tags."""
        body = json.dumps({"errors": [{"code": code, "message": message}]}).replace('"', '\\"').replace("'", "\\x27")
        rule = f'http-request return status {status} content-type application/json string "{body}" if {{ method PUT }}'
        with Haproxy(registry, rule) as proxy:
            result = tags(f"{proxy.host}/{repository}", tags={"stable": "1.1.0"})
        assert result.msg.startswith(
            f"{proxy.host}/{repository}:stable: cannot push the manifest, because the tag is immutable"
        )
        assert f"{status} {code}" in result.msg

    def test_read_only(self, tags, registry, repository):
        with Haproxy(registry, "http-request return status 405 if { method PUT }") as proxy:
            result = tags(f"{proxy.host}/{repository}", tags={"stable": "1.1.0"})
        assert "is read-only" in result.msg


class TestLayouts:
    def test_list_and_filters(self, tags, tmp_path):
        for name in ("1.10.0", "1.9.0", "registry.example.com/app:1"):
            images.write_layout(OLD, tmp_path / "layout", name)
        where = f"oci:{tmp_path}/layout"
        assert tags(where).tags == ["registry.example.com/app:1", "1.9.0", "1.10.0"]
        assert tags(where, newest=1, digests=True).digests == {"1.10.0": OLD.digest}

    def test_swap_keeps_both_images(self, tags, tmp_path):
        layout = tmp_path / "layout"
        images.write_layout(OLD, layout, "a")
        images.write_layout(NEW, layout, "b")
        before = layout_files(layout)
        assert tags(f"oci:{layout}", tags={"a": "b", "b": "a"}, check_mode=True).changed is True
        assert layout_names(layout) == {"a": OLD.digest, "b": NEW.digest}
        assert tags(f"oci:{layout}", tags={"a": "b", "b": "a"}).changed is True
        assert layout_names(layout) == {"a": NEW.digest, "b": OLD.digest}
        assert layout_files(layout) == before

    def test_second_run_and_removal_of_what_nothing_names(self, tags, tmp_path):
        layout = tmp_path / "layout"
        images.write_layout(OLD, layout, "a")
        images.write_layout(NEW, layout, "b")
        assert tags(f"oci:{layout}", tags={"a": NEW.digest}).changed is True
        assert tags(f"oci:{layout}", tags={"a": NEW.digest}).changed is False
        assert layout_names(layout) == {"a": NEW.digest, "b": NEW.digest}
        assert not (layout / "blobs/sha256" / OLD.digest[7:]).exists()

    def test_missing_target(self, tags, tmp_path):
        images.write_layout(OLD, tmp_path / "layout", "a")
        result = tags(f"oci:{tmp_path}/layout", tags={"b": "c"})
        assert (
            result.msg
            == f"oci:{tmp_path}/layout:c: the layout contains no image named c. Choose one of the available images: a."
        )


def test_tags_at_agrees(tags, registry, repository):
    push(OLD, registry, repository, "b", "a")
    assert tags().tags == tags_at(registry.host, repository)


class TestAssigningFails:
    """A registry that takes the first manifest and refuses what follows."""

    @pytest.fixture(autouse=True)
    def pair(self, registry, repository):
        push(OLD, registry, repository, "blue")
        push(NEW, registry, repository, "green")

    def swap(self, tags, proxy, repository):
        return tags(f"{proxy.host}/{repository}", tags={"blue": "green", "green": "blue"})

    def test_what_was_written_is_put_back(self, tags, registry, repository):
        """The image of the first tag would have no name otherwise, and a second run would find nothing to do."""
        with Haproxy(registry, "http-request return status 403 if { method PUT } { path_end /green }") as proxy:
            result = self.swap(tags, proxy, repository)
        assert result.msg.startswith(f"{proxy.host}/{repository}:green: cannot push the manifest: ")
        found = {name: digest_at(registry.host, repository, name) for name in ("blue", "green")}
        assert found == {"blue": OLD.digest, "green": NEW.digest}
        assert self.swap(tags, registry, repository).changed is True
        assert digest_at(registry.host, repository, "blue") == NEW.digest
        assert digest_at(registry.host, repository, "green") == OLD.digest

    def test_what_cannot_be_put_back_is_named(self, tags, registry, repository):
        rules = (
            "http-request return status 403 if { method PUT } { var(proc.pushed) -m found }\n"
            "    http-request set-var(proc.pushed) int(1) if { method PUT }"
        )
        with Haproxy(registry, rules) as proxy:
            result = self.swap(tags, proxy, repository)
        assert digest_at(registry.host, repository, "blue") == NEW.digest
        assert result.msg.endswith(f" These tags may have moved already. Their previous digests: blue: {OLD.digest}.")
        again = self.swap(tags, registry, repository)
        assert again.changed is False
        assert "swap already point to the same image: blue, green" in again.stdout
        assert tags(tags={"blue": OLD.digest}).changed is True
