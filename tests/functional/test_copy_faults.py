# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy over bad networks: every fault is made by a real proxy in front of a real registry."""

from __future__ import annotations

import shutil
from urllib.parse import unquote

import pytest

from devtools import faults, images
from devtools.observe import blob_at, digest_at, tags_at, tally
from devtools.prove.breaker import Breaker, Plan, reset_in_request
from devtools.servers import DockerRegistry, Haproxy, Nginx

INDEX = images.index()
BIG = images.single(layers=[6_000_000, 300])


@pytest.fixture
def layout(tmp_path):
    """Return a function that returns the reference of an image in a layout."""

    def write(image):
        images.write_layout(image, tmp_path / "layout", image.digest[7:19])
        return f"oci:{tmp_path}/layout:{image.digest[7:19]}"

    return write


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 503), ("POST", 429), ("PUT", 429), ("POST", 502), ("GET", 429)],
)
def test_transient_answers_to_a_push_are_tried_again(run_module, registry, repository, layout, method, status):
    with faults.fail_first(registry, method, status, 1, retry_after=0) as proxy:
        result = run_module("image_copy", src=layout(INDEX), dest=f"{proxy.host}/{repository}:1")
    assert (result.changed, result.digest) == (True, INDEX.digest)
    assert digest_at(registry.host, repository, "1") == INDEX.digest
    assert no_uploads_left(registry, repository)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_upload_that_failed_at_the_registry_begins_anew(run_module, registry, repository, layout, status):
    """The first two of all PUTs fail, whatever their session."""
    rule = f"""
        stick-table type integer size 1 store gpc0
        http-request track-sc0 int(1) if METH_PUT
        http-request sc-inc-gpc0(0) if METH_PUT
        http-request return status {status} if METH_PUT {{ sc0_get_gpc0 le 2 }}
    """
    with Haproxy(registry, rule.replace("METH_PUT", "{ method PUT }")) as proxy:
        result = run_module("image_copy", src=layout(INDEX), dest=f"{proxy.host}/{repository}:1")
    assert result.digest == INDEX.digest
    assert tally(registry.requests())["POST upload"] == len(INDEX.blobs) + 2
    assert no_uploads_left(registry, repository)


def test_a_manifest_that_another_client_pushes_as_well_is_tried_again(run_module, registry, repository, layout):
    """Distribution reads what the other one has half written then, and takes our digest for wrong."""
    errors = '{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}'
    rule = """
        stick-table type string len 1024 size 100k expire 1h store gpc0
        acl of_manifest path_sub /manifests/
        acl pushed method PUT
        http-request track-sc0 path if of_manifest pushed
        http-request sc-inc-gpc0(0) if of_manifest pushed
        http-request return status 400 content-type application/json string '%s' if of_manifest pushed { sc0_get_gpc0 le 1 }
    """
    with Haproxy(registry, rule % errors) as proxy:
        result = run_module("image_copy", src=layout(INDEX), dest=f"{proxy.host}/{repository}:1")
        assert result.digest == INDEX.digest
        result = run_module("image_copy", src=layout(INDEX), dest=f"{proxy.host}/{repository}:2", retries=0)
        assert "DIGEST_INVALID" in result.msg
    assert tags_at(registry.host, repository) == ["1"]


@pytest.mark.parametrize("status", [408, 429, 504])
def test_transient_answers_to_a_pull_are_tried_again(run_module, registry, repository, tmp_path, status):
    images.push(INDEX, registry.host, repository, "1")
    with faults.fail_first(registry, "GET", status, 2, retry_after=0) as proxy:
        result = run_module("image_copy", src=f"{proxy.host}/{repository}:1", dest=f"oci:{tmp_path}/copy:1")
    assert result.digest == INDEX.digest


def test_tries_end_and_the_answer_is_told(run_module, registry, repository, layout):
    with faults.fail_first(registry, "POST", 503, 99, retry_after=0) as proxy:
        result = run_module("image_copy", src=layout(INDEX), dest=f"{proxy.host}/{repository}:1", retries=1)
        assert result.msg.startswith(
            f"{proxy.host}/{repository}:1: cannot push to the repository: {proxy.host} returned 503"
        )
    assert tags_at(registry.host, repository) == []


def test_retry_after_is_respected(run_module, registry, repository, layout):
    """With one try left, only who stays away as long as asked is let in: sooner, the rate is still too high."""
    rule = """
        stick-table type integer size 1 store gpc0,http_req_rate(1500ms)
        acl looking method HEAD
        http-request track-sc0 int(1) if looking
        http-request sc-inc-gpc0(0) if looking
        http-request return status 429 hdr Retry-After 2 if looking { sc0_get_gpc0 le 1 }
        http-request return status 429 hdr Retry-After 2 if looking { sc0_http_req_rate gt 1 }
    """
    with Haproxy(registry, rule) as proxy:
        result = run_module("image_copy", src=layout(INDEX), dest=f"{proxy.host}/{repository}:1", retries=1)
    assert result.raw.get("digest") == INDEX.digest, result.raw


def test_warnings_of_a_registry_are_passed_on_once(run_module, registry, repository, layout):
    rule = 'http-response set-header Warning "299 - \\"this registry closes soon\\""'
    with Haproxy(registry, rule) as proxy:
        result = run_module("image_copy", src=layout(INDEX), dest=f"{proxy.host}/{repository}:1")
    assert result.stdout.count(f"{proxy.host} warns: this registry closes soon") == 1


def test_broken_downloads_go_on_where_they_broke(run_module, registry, repository, tmp_path):
    images.push(BIG, registry.host, repository, "1")
    registry.forget()
    with faults.cut_downloads(registry, 2_000_000) as proxy:
        result = run_module("image_copy", src=f"{proxy.host}/{repository}:1", dest=f"oci:{tmp_path}/copy:1")
    assert result.digest == BIG.digest
    assert [request.status for request in registry.requests()].count(206) >= 3


def test_broken_uploads_go_on_where_the_registry_is(run_module, modern_registry, repository, layout):
    with faults.cut_uploads(modern_registry, 2_000_000) as proxy:
        result = run_module("image_copy", src=layout(BIG), dest=f"{proxy.host}/{repository}:1", retries=0)
    assert result.raw.get("digest") == BIG.digest, result.raw
    assert digest_at(modern_registry.host, repository, "1") == BIG.digest
    counts = tally(modern_registry.requests())
    assert counts["PATCH upload"] >= 3
    assert counts["POST upload"] == len(BIG.blobs)
    assert no_uploads_left(modern_registry, repository)


def test_broken_uploads_begin_anew_where_the_registry_cannot_go_on(run_module, registry, repository, layout):
    """Distribution 2 does not find a session that has other bytes than it has said itself: not even to cancel it."""
    broken = []

    def break_first(exchange):
        if broken:
            exchange.client.sendall(exchange.forward())
        else:
            broken.append(exchange.method)
            reset_in_request(exchange)

    with Breaker(registry.host, Plan(kind="PUT upload", fault=break_first)) as proxy:
        result = run_module("image_copy", src=layout(BIG), dest=f"{proxy.host}/{repository}:1", jobs=1)
    assert result.raw.get("digest") == BIG.digest, result.raw
    assert digest_at(registry.host, repository, "1") == BIG.digest
    counts = tally(registry.requests())
    assert (counts["POST upload"], counts.get("PATCH upload")) == (len(BIG.blobs) + 1, None)


def test_body_limit_of_a_proxy_is_met_with_chunks(run_module, registry, repository, layout):
    with faults.body_limit(registry, 1024 * 1024) as proxy:
        result = run_module("image_copy", src=layout(BIG), dest=f"{proxy.host}/{repository}:1")
    assert result.digest == BIG.digest
    counts = tally(registry.requests())
    assert counts["PATCH upload"] == 6
    assert digest_at(registry.host, repository, "1") == BIG.digest
    assert no_uploads_left(registry, repository)


def test_smaller_body_limit_is_explained(run_module, registry, repository, layout):
    with faults.body_limit(registry, 100_000) as proxy:
        result = run_module("image_copy", src=layout(BIG), dest=f"{proxy.host}/{repository}:1")
    assert "returned 413" in result.msg
    assert "client_max_body_size" in result.msg
    assert no_uploads_left(registry, repository)


def test_absent_mounting_falls_back_to_uploading(run_module, registry, repository):
    images.push(INDEX, registry.host, repository, "1")
    with Haproxy(registry, "http-request return status 405 if METH_POST { url_param(mount) -m found }") as proxy:
        result = run_module(
            "image_copy", src=f"{proxy.host}/{repository}:1", dest=f"{proxy.host}/{repository}/copy:1", jobs=1
        )
    assert result.blobs == {"copied": len(INDEX.blobs), "mounted": 0, "skipped": 0}
    assert digest_at(registry.host, repository + "/copy", "1") == INDEX.digest


def test_redirect_to_other_storage_sees_no_authorization(run_module, htpasswd_registry, repository, tmp_path):
    """Storage that refuses any request with an Authorization, as signed URLs of object stores do."""
    authorization = "Basic YWxpY2U6d29uZGVyOmxhbmQ="
    images.push(INDEX, htpasswd_registry.host, repository, "1", authorization=authorization)
    strict = f"""
        location /v2/ {{
            if ($http_authorization) {{ return 400; }}
            proxy_set_header Authorization "{authorization}";
            proxy_pass http://upstream;
        }}
    """
    with Nginx(htpasswd_registry, strict) as storage:
        rule = f"http-request redirect prefix http://{storage.host} if METH_GET {{ path_sub /blobs/ }}"
        with Haproxy(htpasswd_registry, rule) as proxy:
            result = run_module(
                "image_copy",
                src=f"{proxy.host}/{repository}:1",
                dest=f"oci:{tmp_path}/copy:1",
                registries=[{"host": proxy.host, "username": "alice", "password": "wonder:land"}],
            )
    assert result.raw.get("digest") == INDEX.digest, result.raw


class TestCorruption:
    @pytest.fixture
    def corrupt(self, repository):
        """Return a registry with an image of which one blob was damaged on the disk, and that blob's digest."""
        with DockerRegistry() as server:
            images.push(BIG, server.host, repository, "1")
            digest = max(BIG.blobs, key=lambda blob: len(BIG.blobs[blob]))
            yield server, digest, server.storage / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"

    @pytest.mark.parametrize("damage", ["flipped", "truncated", "longer"])
    def test_nothing_appears_at_a_registry(self, run_module, corrupt, registry, repository, damage):
        server, digest, file = corrupt
        self.damage(file, damage)
        dest = f"{registry.host}/{repository}:1"
        result = run_module("image_copy", src=f"{server.host}/{repository}:1", dest=dest, retries=1)
        assert result.failed
        # No registry is left to find out itself what 400 would tell: it never gets the content whole.
        sent = [request.status for request in registry.requests() if digest in unquote(request.query)]
        assert not {201, 400} & set(sent)
        assert result.msg.startswith(f"{server.host}/{repository}:1: ")
        assert "digest mismatch" in result.msg
        assert digest in result.msg
        assert digest_at(registry.host, repository, "1") is None
        assert tags_at(registry.host, repository) == []
        assert tally(registry.requests())["DELETE upload"] >= 1
        assert blob_at(registry.host, repository, digest) is None

    def test_nothing_appears_in_a_layout(self, run_module, corrupt, repository, tmp_path):
        server, digest, file = corrupt
        self.damage(file, "flipped")
        layout = tmp_path / "copy"
        result = run_module("image_copy", src=f"{server.host}/{repository}:1", dest=f"oci:{layout}:1")
        assert "digest mismatch" in result.msg
        assert not (layout / "blobs/sha256" / digest[7:]).exists()
        assert not list(layout.glob(".staging-*"))
        assert '"manifests":[]' in (layout / "index.json").read_text()

    def test_damaged_manifest(self, run_module, corrupt, registry, repository):
        server, _digest, _file = corrupt
        manifest = server.storage / f"docker/registry/v2/blobs/sha256/{BIG.digest[7:9]}/{BIG.digest[7:]}/data"
        manifest.write_bytes(manifest.read_bytes().replace(b"schemaVersion", b"schemaversion"))
        dest = f"{registry.host}/{repository}:1"
        result = run_module("image_copy", src=f"{server.host}/{repository}@{BIG.digest}", dest=dest)
        assert result.failed
        assert tags_at(registry.host, repository) == []

    @staticmethod
    def damage(file, how):
        content = bytearray(file.read_bytes())
        if how == "flipped":
            content[len(content) // 2] ^= 1
        elif how == "truncated":
            del content[-1000:]
        else:
            content += b"more"
        file.write_bytes(content)


def test_content_that_the_destination_lost_is_sent_again(run_module, registry, second_registry, repository):
    """The child is still there, but not the blob it needs: found out when the new index is refused or pulled."""
    both, one = images.index(), images.index(platforms=["linux/amd64"])
    images.push(one, second_registry.host, repository, "1")
    images.push(both, registry.host, repository, "1")
    shutil.rmtree(second_registry.storage / f"docker/registry/v2/repositories/{repository}/_manifests/revisions")
    result = run_module(
        "image_copy", src=f"{registry.host}/{repository}:1", dest=f"{second_registry.host}/{repository}:1"
    )
    assert result.digest == both.digest
    assert digest_at(second_registry.host, repository, "1") == both.digest


def no_uploads_left(registry, repository):
    """Tell whether no upload is under way in the registry's storage; it keeps an empty directory of cancelled ones."""
    return not list(registry.storage.glob(f"docker/registry/v2/repositories/{repository}/_uploads/*/startedat"))
