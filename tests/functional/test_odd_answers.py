# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and servers whose refusals are not the last word, whose success is none, or which are no registry at all."""

from __future__ import annotations

import pytest

from devtools import images
from devtools.observe import digest_at, tags_at, tally
from devtools.servers import Haproxy

INDEX = images.index()
SINGLE = images.single()
PAGE = 'content-type text/html string "<html><body>Please log in</body></html>"'


@pytest.fixture
def layout(tmp_path):
    images.write_layout(INDEX, tmp_path / "layout", "1")
    return f"oci:{tmp_path}/layout:1"


@pytest.mark.parametrize(
    "rule",
    [
        # As Artifactory's virtual repositories do.
        "http-response set-status 403 if { status 404 }",
        "http-request return status 403 if { method HEAD }",
    ],
)
def test_a_destination_whose_head_says_no(rule, run_module, registry, repository, layout):
    with Haproxy(registry, rule) as proxy:
        options = {"src": layout, "dest": f"{proxy.host}/{repository}:1"}
        assert run_module("image_copy", **options, check_mode=True).changed is True
        assert run_module("image_copy", **options).changed is True
        assert digest_at(registry.host, repository, "1") == INDEX.digest
        assert run_module("image_copy", **options).changed is False


def test_storage_whose_urls_are_signed_for_get_only(run_module, registry, second_registry, repository):
    images.push(INDEX, registry.host, repository, "1")
    with Haproxy(registry, "http-request return status 403 if { method HEAD }") as storage:
        rule = f"http-request redirect prefix http://{storage.host}"
        with Haproxy(registry, f"{rule} if {{ path_sub /manifests/ }} or {{ path_sub /blobs/sha }}") as proxy:
            source = f"{proxy.host}/{repository}"
            options = {"src": f"{source}:1", "dest": f"{second_registry.host}/{repository}:1"}
            assert run_module("image_copy", **options).changed is True
            assert run_module("image_copy", **options).changed is False
            assert run_module("image_tags", repository=source, digests=True).digests == {"1": INDEX.digest}
            assert run_module("image_inspect", image=options["src"], verify=True).missing == []


def test_refusal_of_the_storage(run_module, registry, repository, tmp_path):
    images.push(INDEX, registry.host, repository, "1")
    with Haproxy(registry, "http-request return status 403") as storage:
        rule = f"http-request redirect prefix http://{storage.host} if {{ path_sub /blobs/ }}"
        with Haproxy(registry, rule) as proxy:
            message = run_module("image_copy", src=f"{proxy.host}/{repository}:1", dest=f"oci:{tmp_path}/copy:1").msg
    assert f"{storage.host}, the redirect target of {proxy.host}, returned 403." in message
    assert message.endswith("sent to the storage server. Check the registry's storage settings and clock.")
    assert "authfile" not in message


def test_a_token_that_the_storage_quotes(run_module, registry, repository, tmp_path):
    """The request to the storage did not contain the token, but the address of a redirect can."""
    challenge = """hdr www-authenticate 'Bearer realm="http://%[req.hdr(host)]/token",service="x"'"""
    as_json = "content-type application/json string"
    refusal = """'{"errors":[{"code":"DENIED","message":"issued-to-you is not valid"}]}'"""
    with Haproxy(registry, f"http-request return status 403 {as_json} {refusal}") as storage:
        rules = [
            f"""http-request return status 200 {as_json} '{{"token":"issued-to-you"}}' if {{ path /token }}""",
            f"http-request return status 401 {challenge} if !{{ req.hdr(authorization) -m found }}",
            f"http-request redirect prefix http://{storage.host}",
        ]
        with Haproxy(registry, "\n    ".join(rules)) as proxy:
            image = f"{proxy.host}/{repository}:1"
            copied = run_module("image_copy", src=image, dest=f"oci:{tmp_path}/copy:1")
            synced = run_module("image_sync", dest=f"dir:{tmp_path}/set", images=[image])
    for text in (copied.msg, synced.msg, synced.error, synced.images[0]["error"]):
        assert "403 DENIED (*** is not valid)" in text


def test_a_host_that_is_no_registry(run_module, registry, second_registry, repository):
    """An ingress returns 404 and a page for everything: nothing is absent there."""
    with Haproxy(registry, f"http-request return status 404 {PAGE}") as server:
        image = f"{server.host}/{repository}:1"
        cause = f"{server.host} returned 404 with a web page, which is not a registry response. Check the host name"
        assert f"{image}: cannot read the manifest: {cause}" in run_module("image_inspect", image=image).msg
        assert f"{image}: cannot read the manifest: {cause}" in run_module("image_delete", image=image).msg
        assert f"cannot list the tags: {cause}" in run_module("image_tags", repository=image[:-2]).msg
        options = {"dest": second_registry.host, "missing_ok": True}
        for entry in ({"name": image[:-2]}, {"name": image[:-2], "tags": ["1"]}):
            assert cause in run_module("image_sync", images=[entry], **options).msg


@pytest.mark.parametrize("path", ["/manifests/", "/blobs/uploads/"])
def test_a_page_with_status_200_is_no_success(path, run_module, registry, repository, layout):
    rule = f"http-request return status 200 {PAGE} if {{ method PUT }} {{ path_sub {path} }}"
    with Haproxy(registry, rule) as proxy:
        result = run_module("image_copy", src=layout, dest=f"{proxy.host}/{repository}:1")
    assert f"{proxy.host} returned 200 with a web page, which is not a registry response." in result.msg
    assert digest_at(registry.host, repository, "1") is None


def test_a_listed_tag_that_does_not_exist_is_warned_of(run_module, registry, repository):
    for tag in ("1", "2"):
        images.push(SINGLE, registry.host, repository, tag)
    rule = f"http-request set-path /v2/{repository}/manifests/none if {{ path_end /manifests/2 }}"
    with Haproxy(registry, rule) as proxy:
        result = run_module("image_tags", repository=f"{proxy.host}/{repository}", digests=True)
    assert (result.tags, result.digests) == (["1", "2"], {"1": SINGLE.digest})
    assert f"{proxy.host}/{repository}: the tag list contains tags that do not exist: 2" in result.stdout


def test_an_existing_tag_that_is_not_listed_is_kept(run_module, registry, second_registry, repository):
    images.push(INDEX, registry.host, repository, "1")
    images.push(INDEX, registry.host, repository, "2")
    for tag in ("0", "1"):
        images.push(SINGLE, second_registry.host, repository, tag)
    listed = """http-request return status 200 content-type application/json string '{"tags":["0"]}'"""
    rule = f"{listed} if {{ path_end /tags/list }}"
    with Haproxy(second_registry, rule) as proxy:
        options = {"src": registry.host, "dest": proxy.host, "images": [{"name": repository}], "existing": "keep"}
        predicted = run_module("image_sync", **options, check_mode=True)
        second_registry.forget()
        result = run_module("image_sync", **options)
    assert [image["action"] for image in result.images] == ["unchanged", "created"]
    assert predicted.images == result.images
    heads = [request.path for request in second_registry.requests() if request.method == "HEAD"]
    assert sorted(path[-2:] for path in heads if path[-2:] in ("/0", "/1", "/2")) == ["/1", "/2"]
    assert digest_at(second_registry.host, repository, "1") == SINGLE.digest
    assert digest_at(second_registry.host, repository, "2") == INDEX.digest


def test_absence_is_confirmed_before_it_is_told(run_module, registry, repository):
    images.push(SINGLE, registry.host, repository, "1")
    registry.forget()
    assert run_module("image_delete", image=f"{registry.host}/{repository}:2").changed is False
    assert tally(registry.requests()) == {"HEAD manifest": 1, "GET manifest": 1}


def test_an_invalid_name_in_a_layout_fails_alone(run_module, registry, repository, tmp_path):
    images.write_layout(SINGLE, tmp_path / "layout", f"{repository}/a:1")
    images.write_layout(INDEX, tmp_path / "layout", "Team/App:1")
    options = {"src": f"oci:{tmp_path}/layout", "dest": registry.host, "images": [{"name": "*"}], "keep_going": True}
    result = run_module("image_sync", **options)
    assert result.failed
    assert sorted((image["src"], image["action"]) for image in result.images) == [
        (f"oci:{tmp_path}/layout/Team/App", "failed"),
        (f"oci:{tmp_path}/layout:{repository}/a:1", "created"),
    ]
    assert tags_at(registry.host, f"{repository}/a") == ["1"]
