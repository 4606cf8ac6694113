# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_delete: one tag and no other, on registries that delete tags and on those that do not."""

from __future__ import annotations

import json
import subprocess

import pytest

from devtools import images, provision
from devtools.observe import digest_at, layout_files, layout_names, tags_at, tally
from devtools.servers import DockerRegistry, Haproxy

INDEX = images.index(attestations=True)
SINGLE = images.single()
DOCKER = images.single(docker=True)
MISSING = "sha256:" + "0" * 64


@pytest.fixture
def delete(run_module, registry, repository):
    """Return a function that deletes tag 1 from ``registry``, unless another image is named."""

    def run(image=None, **options):
        registry.forget()
        return run_module("image_delete", image=image or f"{registry.host}/{repository}:1", **options)

    return run


def push(image, server, repository, *tags):
    for tag in tags:
        images.push(image, server.host, repository, tag)
    server.forget()


def deletions(server):
    """Return the status and the name of each manifest or tag that was asked to be deleted."""
    requests = [request for request in server.requests() if request.method == "DELETE"]
    return [(request.status, request.path.rpartition("/")[2]) for request in requests]


def writes(server):
    return [request for request in server.requests() if request.method not in ("GET", "HEAD")]


class TestRegistryThatDeletesTags:
    def test_one_delete_and_the_other_tags_stay(self, delete, modern_registry, repository):
        push(INDEX, modern_registry, repository, "1", "1.2", "stable")
        push(SINGLE, modern_registry, repository, "other")
        image = f"{modern_registry.host}/{repository}:1"
        result = delete(image, diff=True)
        assert (result.changed, result.method, result.digest) == (True, "tag", INDEX.digest)
        assert (result.removed_tags, result.kept_tags) == (["1"], ["stable", "1.2"])
        assert tally(modern_registry.requests()) == {"HEAD manifest": 4, "GET tags": 1, "DELETE manifest": 1}
        assert result.requests == 6
        assert tags_at(modern_registry.host, repository) == ["1.2", "other", "stable"]
        kept = {f"{image}.2": INDEX.digest, image[:-1] + "stable": INDEX.digest}
        assert result.diff == {"before": {image: INDEX.digest, **kept}, "after": {image: None, **kept}}

        modern_registry.forget()
        again = delete(image)
        assert (again.changed, again.removed_tags, again.kept_tags) == (False, [], [])
        assert tally(modern_registry.requests()) == {"HEAD manifest": 1, "GET manifest": 1}
        assert (again.method, again.digest) == (None, None)

    def test_manifest_with_all_its_tags(self, delete, modern_registry, repository):
        push(INDEX, modern_registry, repository, "1", "2")
        result = delete(f"{modern_registry.host}/{repository}:2", scope="manifest")
        assert (result.removed_tags, result.method) == (["1", "2"], "digest")
        assert deletions(modern_registry) == [(202, INDEX.digest)]
        assert tags_at(modern_registry.host, repository) == []


class TestRegistryThatDoesNotDeleteTags:
    @pytest.mark.parametrize("image", [INDEX, SINGLE, DOCKER], ids=["index", "single", "docker"])
    def test_of_three_tags_two_still_pull(self, delete, registry, repository, image, tmp_path):
        push(image, registry, repository, "1", "1.2", "stable")
        result = delete()
        assert (result.changed, result.method, result.digest) == (True, "unique_manifest", image.digest)
        assert (result.removed_tags, result.kept_tags) == (["1"], ["stable", "1.2"])
        assert tags_at(registry.host, repository) == ["1.2", "stable"]
        for tag in ("1.2", "stable"):
            assert digest_at(registry.host, repository, tag) == image.digest
            source = f"docker://{registry.host}/{repository}:{tag}"
            target = f"dir:{tmp_path}/{tag}"
            command = [provision.program("skopeo"), "copy", "--all", "--src-tls-verify=false", source, target]
            subprocess.run(command, check=True, capture_output=True)
        assert delete().changed is False

    def test_only_tag_goes_and_then_its_manifest(self, delete, registry, repository):
        push(INDEX, registry, repository, "1")
        push(SINGLE, registry, repository, "other")
        result = delete()
        assert (result.changed, result.method, result.kept_tags) == (True, "digest", [])
        by_tag, test, unique, manifest = deletions(registry)
        assert (by_tag, test[0], unique[0], manifest) == ((400, "1"), 404, 202, (202, INDEX.digest))
        assert digest_at(registry.host, repository, INDEX.digest) is None
        assert tags_at(registry.host, repository) == ["other"]
        assert tally(writes(registry)) == {"DELETE manifest": 4, "POST upload": 1, "PUT upload": 1, "PUT manifest": 1}

    def test_child_of_a_tagged_index_survives(self, delete, registry, repository):
        """Deleted by its digest it would be missing in the index."""
        push(INDEX, registry, repository, "all")
        child = INDEX.child("linux/amd64")
        media_type, content = INDEX.manifests[child]
        single = images.Image(child, media_type, {child: (media_type, content)}, {})
        push(single, registry, repository, "1")
        result = delete()
        assert (result.method, result.kept_tags) == ("unique_manifest", [])
        assert digest_at(registry.host, repository, child) == child
        assert tags_at(registry.host, repository) == ["all"]

    def test_manifest_with_all_its_tags(self, delete, registry, repository):
        push(INDEX, registry, repository, "1", "2", "stable")
        push(SINGLE, registry, repository, "other")
        result = delete(scope="manifest", diff=True)
        assert (result.removed_tags, result.kept_tags) == (["stable", "1", "2"], [])
        assert (result.method, result.digest) == ("digest", INDEX.digest)
        assert set(result.diff["after"].values()) == {None}
        assert deletions(registry) == [(202, INDEX.digest)]
        assert tags_at(registry.host, repository) == ["other"]
        assert delete(scope="manifest").changed is False

    def test_manifest_by_digest(self, delete, registry, repository):
        push(INDEX, registry, repository, "1")
        image = f"{registry.host}/{repository}@{INDEX.digest}"
        assert delete(image, scope="manifest").removed_tags == ["1"]
        assert delete(image, scope="manifest").changed is False

    @pytest.mark.parametrize("methods", ["PUT", "DELETE"])
    def test_no_harm_where_the_unique_manifest_cannot_be_used(self, run_module, registry, repository, methods):
        """The proxy refuses the push of a manifest, or the deletion of any that was pushed."""
        push(INDEX, registry, repository, "1", "2")
        rules = {
            "PUT": "http-request return status 403 if { method PUT } { path_sub /manifests/ }",
            "DELETE": "http-request set-var(proc.pushed) int(1) if { method PUT } { path_end /manifests/1 }\n"
            "    http-request return status 403 if { method DELETE } { var(proc.pushed) -m found }",
        }
        with Haproxy(registry, rules[methods]) as proxy:
            result = run_module("image_delete", image=f"{proxy.host}/{repository}:1")
        assert result.failed
        assert "403" in result.msg
        assert digest_at(registry.host, repository, "1") == INDEX.digest
        pushed = [
            request for request in registry.requests() if request.method == "PUT" and "/manifests/" in request.path
        ]
        assert len(pushed) == {"PUT": 0, "DELETE": 2}[methods]

    def test_tag_that_cannot_be_put_back_is_told_of(self, run_module, registry, repository):
        push(INDEX, registry, repository, "1", "2")
        rules = (
            "http-request return status 403 if { method PUT } { path_end /manifests/1 } { var(proc.pushed) -m found }\n"
            "    http-request set-var(proc.pushed) int(1) if { method PUT } { path_end /manifests/1 }\n"
            "    http-request return status 403 if { method DELETE } { var(proc.pushed) -m found }"
        )
        with Haproxy(registry, rules) as proxy:
            result = run_module("image_delete", image=f"{proxy.host}/{repository}:1")
        assert (
            f"The tag may now point to an empty image (previous digest: {INDEX.digest}). Run the task again"
            in result.msg
        )


@pytest.mark.parametrize("scope", ["tag", "manifest"])
@pytest.mark.parametrize("kind", ["registry", "modern_registry"])
def test_check_mode_deletes_nothing_and_predicts(run_module, request, repository, scope, kind):
    server = request.getfixturevalue(kind)
    push(INDEX, server, repository, "1", "2")
    options = {"image": f"{server.host}/{repository}:1", "scope": scope, "diff": True}
    predicted = run_module("image_delete", check_mode=True, **options)
    assert not writes(server)
    assert tags_at(server.host, repository) == ["1", "2"]
    real = run_module("image_delete", **options)
    for key in ("changed", "digest", "removed_tags", "kept_tags", "diff"):
        assert predicted.raw[key] == real.raw[key], key
    assert predicted.method is None
    assert run_module("image_delete", check_mode=True, **options).changed is False


class TestDigestBesideTheTag:
    def test_other_digest_is_refused(self, delete, registry, repository):
        push(INDEX, registry, repository, "1")
        for scope in ("tag", "manifest"):
            result = delete(f"{registry.host}/{repository}:1@{SINGLE.digest}", scope=scope)
            assert (
                f"the tag points to {INDEX.digest}, not to the digest in the reference. Nothing was deleted."
                in result.msg
            )
        assert not writes(registry)

    def test_same_digest_is_deleted(self, delete, registry, repository):
        push(INDEX, registry, repository, "1")
        image = f"{registry.host}/{repository}:1@{INDEX.digest}"
        assert delete(image).removed_tags == ["1"]
        assert delete(image).changed is False

    def test_manifest_whose_tag_is_gone(self, delete, registry, repository):
        push(INDEX, registry, repository, "2")
        image = f"{registry.host}/{repository}:1@{INDEX.digest}"
        assert delete(image).changed is False
        assert digest_at(registry.host, repository, "2") == INDEX.digest
        result = delete(image, scope="manifest")
        assert (result.digest, result.removed_tags) == (INDEX.digest, ["2"])


class TestRefusals:
    @pytest.mark.parametrize("tags", [["1"], ["1", "2"]], ids=["only tag", "shared"])
    def test_deletion_turned_off(self, delete, no_delete_registry, repository, tags):
        push(INDEX, no_delete_registry, repository, *tags)
        for scope in ("tag", "manifest"):
            result = delete(f"{no_delete_registry.host}/{repository}:1", scope=scope)
            assert result.failed
            assert "returned 405 UNSUPPORTED" in result.msg
            assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in result.msg
        assert {request.method for request in writes(no_delete_registry)} == {"DELETE"}
        assert digest_at(no_delete_registry.host, repository, "1") == INDEX.digest

    def test_read_only(self, delete, registry, repository):
        push(INDEX, registry, repository, "1", "2")
        with DockerRegistry(registry.storage, readonly=True) as closed:
            result = delete(f"{closed.host}/{repository}:1")
        assert result.failed
        assert "returned 405." in result.msg
        assert "REGISTRY_STORAGE_MAINTENANCE_READONLY" in result.msg

    def test_immutable_tag(self, run_module, registry, repository):
        """Harbor's words, from a proxy: the registries that can be run here have no immutable tags."""
        push(INDEX, registry, repository, "1", "2")
        message = "Failed to process request due to '1' configured as immutable."
        body = json.dumps({"errors": [{"code": "PRECONDITION", "message": message}]}).replace('"', '\\"')
        rule = f'http-request return status 412 content-type application/json string "{body}" if METH_DELETE'
        with Haproxy(registry, rule.replace("METH_DELETE", "{ method DELETE }")) as proxy:
            result = run_module("image_delete", image=f"{proxy.host}/{repository}:1")
        assert "cannot delete the tag, because the tag is immutable" in result.msg
        assert "412 PRECONDITION" in result.msg
        assert not writes(registry)

    def test_no_access_is_not_absence(self, run_module, htpasswd_registry, repository):
        image = f"{htpasswd_registry.host}/{repository}:1"
        result = run_module("image_delete", image=image)
        assert result.failed
        assert "returned 401" in result.msg

    def test_404_for_the_method_is_not_absence(self, run_module, registry, repository):
        push(INDEX, registry, repository, "1")
        with Haproxy(
            registry, "http-request return status 404 if { method DELETE } { path_end /manifests/1 }"
        ) as proxy:
            result = run_module("image_delete", image=f"{proxy.host}/{repository}:1")
        assert result.method == "digest"
        assert digest_at(registry.host, repository, "1") is None


def test_the_right_to_push_is_requested_if_it_is_needed(
    run_module, token_registry, token_service, repository, tmp_path
):
    registries = [{"host": token_registry.host, "username": "alice", "password": "wonder:land"}]
    image = f"{token_registry.host}/{repository}:1"
    images.write_layout(INDEX, tmp_path / "layout", "1")
    run_module("image_copy", src=f"oci:{tmp_path}/layout:1", dest=image, registries=registries)
    token_service.log.clear()
    result = run_module("image_delete", image=image, registries=registries)
    assert (result.changed, result.method) == (True, "digest")
    scopes = [f"repository:{repository}:delete,pull"], [f"repository:{repository}:delete,pull,push"]
    assert [sorted(entry.scopes) for entry in token_service.log] == list(scopes)


class TestAbsent:
    def test_tag_repository_and_digest(self, delete, registry, repository):
        assert delete().changed is False
        assert delete(f"{registry.host}/{repository}@{MISSING}", scope="manifest").changed is False
        push(INDEX, registry, repository, "2")
        assert delete().changed is False
        assert not writes(registry)

    def test_layout(self, delete, tmp_path):
        assert delete(f"oci:{tmp_path}/none:1").changed is False
        assert not (tmp_path / "none").exists()


class TestInput:
    @pytest.mark.parametrize("suffix", ["", f"@{MISSING}"])
    def test_scope_tag_needs_a_tag(self, delete, registry, repository, suffix):
        result = delete(f"{registry.host}/{repository}{suffix}")
        assert "the reference has no tag to delete. Add a tag, or set scope: manifest" in result.msg
        assert not registry.requests()

    def test_scope_manifest_needs_a_name(self, delete, registry, repository):
        assert (
            "the reference has neither a tag nor a digest"
            in delete(f"{registry.host}/{repository}", scope="manifest").msg
        )

    @pytest.mark.parametrize("scope", ["tag", "manifest"])
    def test_positions_do_not_last(self, delete, tmp_path, scope):
        images.write_layout(INDEX, tmp_path / "layout", "1")
        assert (
            "an image cannot be deleted by position, because positions change"
            in delete(f"oci:{tmp_path}/layout:@0", scope=scope).msg
        )


class TestLayouts:
    def test_name_goes_with_what_only_it_needs(self, delete, tmp_path):
        layout = tmp_path / "layout"
        old, new = (images.single(layers=[b"shared", seed.encode()], seed=seed) for seed in ("old", "new"))
        images.write_layout(old, layout, "old")
        images.write_layout(new, layout, "new")
        before = layout_files(layout)
        predicted = delete(f"oci:{layout}:old", check_mode=True)
        assert (predicted.changed, layout_files(layout)) == (True, before)
        result = delete(f"oci:{layout}:old")
        assert (result.changed, result.method, result.removed_tags) == (True, "tag", ["old"])
        assert layout_names(layout) == {"new": new.digest}
        digests = {new.digest, *new.blobs}
        expected = {"oci-layout", "index.json"} | {f"blobs/sha256/{digest[7:]}" for digest in digests}
        assert layout_files(layout) == expected
        assert delete(f"oci:{layout}:old").changed is False

    def test_other_names_stay(self, run_module, delete, tmp_path):
        layout = tmp_path / "layout"
        images.write_layout(INDEX, layout, "1")
        run_module("image_copy", src=f"oci:{layout}:1", dest=f"oci:{layout}:2")
        before = layout_files(layout)
        result = delete(f"oci:{layout}:1")
        assert (result.removed_tags, result.kept_tags) == (["1"], ["2"])
        assert layout_files(layout) == before
        both = delete(f"oci:{layout}", scope="manifest")
        assert (both.removed_tags, both.digest) == (["2"], INDEX.digest)
        assert layout_files(layout) == {"oci-layout", "index.json"}
        assert delete(f"oci:{layout}", scope="manifest").changed is False

    def test_damaged_image_can_be_removed(self, delete, tmp_path):
        layout = tmp_path / "layout"
        images.write_layout(INDEX, layout, "1")
        (layout / "blobs/sha256" / INDEX.digest[7:]).unlink()
        assert delete(f"oci:{layout}:1").changed is True
        assert layout_names(layout) == {}
