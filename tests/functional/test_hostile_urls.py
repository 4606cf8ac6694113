# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries that name URLs by which a client would give its credentials to somebody else."""

from __future__ import annotations

import pytest

from devtools import images, scripted
from devtools.scripted import Scripted

IMAGE = images.single()
PASSWORD = "tell-nobody"


@pytest.fixture
def thief():
    """Return a server that would take whatever is sent to it."""
    with Scripted(lambda _request: scripted.answer(200, b'{"token": "x"}')) as server:
        yield server


def registry(answers):
    """A registry that wants a password, and then gives these answers by method and end of path."""

    def script(request):
        if "Authorization" not in request.headers:
            return scripted.error(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="x"')
        return answers(request)

    return Scripted(script)


def alice(host):
    return [{"host": host, "username": "alice", "password": PASSWORD}]


@pytest.mark.parametrize("location", ["http://{evil}\\@{own}/v2/x", "http://alice@{evil}/", "http://{evil}\\..\\x"])
def test_redirect_that_two_parsers_read_differently(run_module, thief, location):
    with registry(
        lambda _r: scripted.answer(307, Location=location.format(evil=thief.host, own=server.host))
    ) as server:
        reference = f"{server.host}/app:1"
        result = run_module("image_inspect", image=reference, registries=alice(server.host))
    assert result.msg.startswith(f"{reference}: the Location header of {server.host} is not a valid URL (a ")
    assert thief.connections == 0


def test_upload_that_two_parsers_read_differently(run_module, thief, tmp_path):
    images.write_layout(IMAGE, tmp_path / "layout", "1")

    def answers(request):
        if request.method == "POST":
            return scripted.answer(202, Location=f"http://{thief.host}\\@{server.host}/upload")
        return scripted.error(404, "NAME_UNKNOWN")

    with registry(answers) as server:
        options = {"src": f"oci:{tmp_path}/layout:1", "dest": f"{server.host}/app:1"}
        result = run_module("image_copy", **options, registries=alice(server.host))
    assert f"the Location header of {server.host} is not a valid URL" in result.msg
    assert thief.connections == 0


@pytest.mark.parametrize(
    "link", ["mailto:@{evil}/v2/", "http://{evil}\\@{own}/v2/", "http://{evil}/v2/app/tags/list?last={page}"]
)
def test_link_gives_a_path_only(run_module, thief, link):
    def answers(request):
        more = (
            {"Link": f'<{link.format(evil=thief.host, own=server.host, page=len(server.requests))}>; rel="next"'}
            if len(server.requests) < 3
            else {}
        )
        return scripted.answer(200, b'{"tags": ["%d"]}' % len(server.requests), **more)

    with registry(answers) as server:
        result = run_module("image_tags", repository=f"{server.host}/app", registries=alice(server.host))
    assert result.failed is link.startswith(("mailto", "http://{evil}\\"))
    assert thief.connections == 0


def test_realm_that_only_looks_like_loopback(run_module, thief):
    """The rule that lets credentials go to loopback in plain HTTP must see the host that is connected to."""

    def script(_request):
        realm = f"http://{thief.host}\\\\@127.0.0.1/token"
        return scripted.error(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="{realm}",service="x"')

    with Scripted(script) as server:
        result = run_module("image_inspect", image=f"{server.host}/app:1", registries=alice(server.host))
    assert f"the token service of {server.host} is not a valid URL" in result.msg
    assert thief.connections == 0


def test_redirect_from_tls_to_plain_http(run_module, thief, authority):
    """A tag is not verified by a digest, so nothing that could have been changed on the way is taken for it."""
    certificate = authority.server()

    def script(_request):
        return scripted.answer(307, Location=f"http://{thief.host}/manifest")

    with Scripted(script, (certificate.cert, certificate.key)) as server:
        entry = {"host": server.host, "plain_http": False, "ca_path": str(authority.ca), "token": "secret"}
        result = run_module("image_inspect", image=f"{server.host}/app:1", registries=[entry])
    assert (
        f"{server.host} redirects to {thief.host} over plain HTTP, which is allowed only for content with a digest. "
        in result.msg
    )
    assert thief.connections == 0
