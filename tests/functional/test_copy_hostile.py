# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy against servers that are hostile, odd or strict, with real programs in their place."""

from __future__ import annotations

import base64

import pytest

from devtools import faults, images
from devtools.observe import digest_at, layout_names, tally
from devtools.servers import Haproxy, Nginx

INDEX = images.index()
BIG = images.single(layers=[6_000_000, 300])
PASSWORD = "wonder:land"
AUTHORIZATION = "Basic " + base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
ZEROS = "sha256:" + "0" * 64


@pytest.fixture
def layout(tmp_path):
    """Return a function that returns the reference of an image in a layout."""

    def write(image):
        images.write_layout(image, tmp_path / "layout", image.digest[7:19])
        return f"oci:{tmp_path}/layout:{image.digest[7:19]}"

    return write


def alice(host):
    return [{"host": host, "username": "alice", "password": PASSWORD}]


def test_storage_cannot_ask_for_the_credentials_of_the_registry(
    run_module, htpasswd_registry, token_service, repository, tmp_path
):
    """A registry redirects to storage, which answers with a challenge that names a token service of its own."""
    images.push(INDEX, htpasswd_registry.host, repository, "1", authorization=AUTHORIZATION)
    challenge = f"""
        location /v2/ {{
            add_header WWW-Authenticate 'Bearer realm="{token_service.url}",service="x"' always;
            return 401;
        }}
    """
    with Nginx(htpasswd_registry, challenge) as storage:
        rule = f"http-request redirect prefix http://{storage.host} if METH_GET {{ path_sub /blobs/ }}"
        with Haproxy(htpasswd_registry, rule) as proxy:
            source = f"{proxy.host}/{repository}:1"
            result = run_module("image_copy", src=source, dest=f"oci:{tmp_path}/copy:1", registries=alice(proxy.host))
    assert result.msg.startswith(f"{source}: cannot read blob ")
    assert f"{storage.host}, the redirect target of {proxy.host}, returned 401" in result.msg
    assert token_service.log == []


@pytest.mark.parametrize("token", ["ends-in-a-line-end\n", "has a blank", "wörld"])
def test_malformed_token(run_module, registry, repository, layout, token):
    dest = f"{registry.host}/{repository}:1"
    result = run_module(
        "image_copy", src=layout(INDEX), dest=dest, registries=[{"host": registry.host, "token": token}]
    )
    assert result.msg.startswith(f"{dest}: the token for {registry.host} contains invalid characters.")
    assert token.strip() not in result.stdout
    assert registry.requests() == []


def test_host_in_capitals(run_module, htpasswd_registry, repository, layout):
    host = "LOCALHOST:" + htpasswd_registry.host.partition(":")[2]
    result = run_module("image_copy", src=layout(INDEX), dest=f"{host}/{repository}:1", registries=alice(host))
    assert result.digest == INDEX.digest


def test_credentials_in_a_reference_are_not_repeated(run_module, layout):
    result = run_module("image_copy", src="alice:tell-nobody@example.com/app:1", dest=layout(INDEX))
    assert (
        result.msg
        == "example.com/app:1: a reference must not contain credentials. Set the credentials in registries or authfile."
    )


def test_mount_that_fails_at_the_registry_is_not_insisted_on(run_module, registry, repository):
    images.push(INDEX, registry.host, repository, "1")
    rule = "http-request return status 500 if METH_POST { url_param(mount) -m found }"
    with Haproxy(registry, rule) as proxy:
        source, dest = f"{proxy.host}/{repository}:1", f"{proxy.host}/{repository}/copy:1"
        result = run_module("image_copy", src=source, dest=dest, jobs=1)
    assert result.blobs == {"copied": len(INDEX.blobs), "mounted": 0, "skipped": 0}
    refused, manifests, blobs = 1, len(INDEX.manifests), len(INDEX.blobs)
    assert result.requests == 1 + 2 * manifests + refused + 3 * blobs


def test_connections_are_kept(run_module, registry, repository, layout):
    """All connections are refused but two, and the one by which the proxy was seen to be ready."""
    rule = """
        stick-table type ip size 10 expire 1h store conn_cnt
        tcp-request connection track-sc0 src
        tcp-request connection reject if { sc0_conn_cnt gt 3 }
    """
    image = images.single(layers=[100] * 20)
    with Haproxy(registry, rule) as proxy:
        result = run_module("image_copy", src=layout(image), dest=f"{proxy.host}/{repository}:1", jobs=2, retries=0)
    assert result.raw.get("digest") == image.digest, result.raw


def test_tls_connections_that_are_cut_are_transient(run_module, tls_registry, authority, repository, tmp_path):
    images.push(BIG, tls_registry.host, repository, "1", tls_ca=authority.ca)
    with faults.cut_downloads(tls_registry, 2_000_000) as proxy:
        result = run_module(
            "image_copy",
            src=f"{proxy.host}/{repository}:1",
            dest=f"oci:{tmp_path}/copy:1",
            registries=[{"host": proxy.host, "plain_http": False, "ca_path": str(authority.ca)}],
        )
    assert result.raw.get("digest") == BIG.digest, result.raw


def test_downloads_from_a_server_without_ranges(run_module, registry, repository, tmp_path):
    """The connection is cut in the second layer, which the server then begins anew."""
    image = images.single(layers=[900_000, 900_001])
    images.push(image, registry.host, repository, "1")
    registry.forget()
    with Haproxy(registry, "http-request del-header Range") as whole, faults.cut_downloads(whole, 1_200_000) as proxy:
        result = run_module("image_copy", src=f"{proxy.host}/{repository}:1", dest=f"oci:{tmp_path}/copy:1", jobs=1)
    assert result.raw.get("digest") == image.digest, result.raw
    assert tally(registry.requests())["GET blob"] == len(image.blobs) + 1


def test_body_limit_where_chunks_are_not_possible(run_module, registry, repository, layout):
    no_patch = Haproxy(registry, "http-request return status 405 if { method PATCH }")
    with no_patch, faults.body_limit(no_patch, 1024 * 1024) as proxy:
        result = run_module("image_copy", src=layout(BIG), dest=f"{proxy.host}/{repository}:1")
    assert "returned 413" in result.msg
    assert digest_at(registry.host, repository, "1") is None


def test_uploads_that_are_cut_need_no_chunks(run_module, registry, repository, layout):
    """The first PUT is cut off; this registry knows no PATCH."""
    rule = """
        stick-table type integer size 1 store gpc0
        http-request track-sc0 int(1) if METH_PUT
        http-request sc-inc-gpc0(0) if METH_PUT
        http-request reject if METH_PUT { sc0_get_gpc0 le 1 }
        http-request return status 405 if { method PATCH }
    """
    with Haproxy(registry, rule.replace("METH_PUT", "{ method PUT }")) as proxy:
        result = run_module("image_copy", src=layout(BIG), dest=f"{proxy.host}/{repository}:1", jobs=1)
    assert result.raw.get("digest") == BIG.digest, result.raw


def test_wrong_digest_in_a_header_is_only_a_warning(run_module, registry, second_registry, repository):
    images.push(INDEX, registry.host, repository, "1")
    images.push(images.single(), second_registry.host, repository, "1")
    with Haproxy(registry, f"http-response set-header Docker-Content-Digest {ZEROS}") as proxy:
        dest = f"{second_registry.host}/{repository}:1"
        result = run_module("image_copy", src=f"{proxy.host}/{repository}:1", dest=dest)
    assert result.digest == INDEX.digest
    assert f"returned {repository}:1 with the digest {ZEROS}" in result.stdout


def test_compressed_manifest_is_refused(run_module, registry, repository, tmp_path):
    """A proxy that compresses, though it is told not to, would change the digest."""
    images.push(INDEX, registry.host, repository, "1")
    rule = "http-response set-header Content-Encoding gzip"
    with Haproxy(registry, rule) as proxy:
        result = run_module("image_copy", src=f"{proxy.host}/{repository}:1", dest=f"oci:{tmp_path}/copy:1")
    assert "compressed its response" in result.msg


@pytest.mark.parametrize(
    ("header", "value"),
    [("Location", "http://[::1"), ("Location", "http://" + "a" * 70 + ".example/x"), ("Retry-After", "²")],
)
def test_malformed_headers(run_module, registry, repository, layout, header, value):
    rule = f'http-request return status 307 hdr {header} "{value}"'
    with Haproxy(registry, rule) as proxy:
        result = run_module("image_copy", src=layout(INDEX), dest=f"{proxy.host}/{repository}:1", retries=0)
    assert result.failed
    assert result.msg.startswith(f"{proxy.host}/{repository}:1: ")


def test_child_of_an_index_is_entered_on_its_own(run_module, registry, repository, tmp_path):
    images.push(INDEX, registry.host, repository, "1")
    dest = f"oci:{tmp_path}/copy"
    run_module("image_copy", src=f"{registry.host}/{repository}:1", dest=f"{dest}:1")
    child = INDEX.child("linux/arm64")
    options = {"src": f"{registry.host}/{repository}@{child}", "dest": dest}
    assert run_module("image_copy", **options).changed is True
    assert layout_names(tmp_path / "copy") == {"1": INDEX.digest, "": child}
    assert run_module("image_copy", **options).changed is False


def test_digest_of_the_destination_is_checked_even_if_nothing_is_to_be_done(run_module, registry, repository):
    images.push(INDEX, registry.host, repository, "1")
    source = f"{registry.host}/{repository}:1"
    assert run_module("image_copy", src=source, dest=f"{source}@{ZEROS}").failed


def test_missing_content_at_a_registry_is_mounted_by_force(run_module, registry, repository):
    images.push(INDEX, registry.host, repository, "1")
    options = {"src": f"{registry.host}/{repository}:1", "dest": f"{registry.host}/{repository}/prod:1"}
    run_module("image_copy", **options)
    lost = next(iter(INDEX.blobs))
    layers = registry.storage / f"docker/registry/v2/repositories/{repository}/prod/_layers/sha256"
    (layers / lost[7:] / "link").unlink()
    registry.forget()
    result = run_module("image_copy", **options, force=True)
    assert result.blobs == {"copied": 0, "mounted": 1, "skipped": len(INDEX.blobs) - 1}
    assert tally(registry.requests())["POST mount"] == 1


def test_two_platforms_with_one_image(run_module, registry, second_registry, repository):
    """An index may list the same manifest for several platforms."""
    document = INDEX.document()
    document["manifests"][1] = dict(document["manifests"][0], platform=document["manifests"][1]["platform"])
    image = images.value.image_of(document, (INDEX,))
    images.push(image, registry.host, repository, "1")
    child = INDEX.child("linux/amd64")
    for platform in ("linux/amd64", "linux/arm64"):
        copy = f"{repository}/{platform}"
        options = {"src": f"{registry.host}/{repository}:1", "dest": f"{second_registry.host}/{copy}:1"}
        assert not run_module("image_copy", **options, platforms=[platform]).failed
        assert digest_at(second_registry.host, copy, "1") == image.digest
        assert digest_at(second_registry.host, copy, child) == child
