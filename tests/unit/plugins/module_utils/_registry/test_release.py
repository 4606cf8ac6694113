# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""With ``max_connections``, no request waits for a connection that nobody gives back; and how a host is checked."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied, Refused
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.tests.unit.support.odd_server import (
    REGISTRY,
    Reply,
    refused,
)

ACCESS = Access("app", frozenset(("pull", "push")))
DIGEST = "sha256:" + "a" * 64


def in_another_thread(function, *arguments):
    """What a function returns, if it does not wait for ever."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments)), daemon=True)
    thread.start()
    thread.join(120)
    assert not thread.is_alive()
    return results[0]


def test_a_connection_is_free_again_after_a_token_was_refused(serve):
    def respond(_method, target):
        if target.startswith("/token"):
            return refused(403, "DENIED")
        if target.startswith("/v2/app/"):
            return Reply(401, {"WWW-Authenticate": 'Bearer realm="http://%s/token"' % server.host}, b"x" * 10)
        return Reply(200, REGISTRY)

    client, server = serve(respond, max_connections=1)
    with pytest.raises(AccessDenied, match="token service"):
        client.get_manifest(ACCESS, "1")
    assert in_another_thread(client.session.exchange, "GET", client.session.base + "/v2/", {}).status == 200


def test_a_host_is_checked_to_be_a_registry_while_all_connections_are_in_use(serve):
    """The others may wait for that: they hold what is checked for all of them."""
    client, _server = serve(
        lambda _method, target: Reply(200, REGISTRY) if target == "/v2/" else Reply(404), max_connections=1
    )
    absent = client.call("HEAD", "app/manifests/1", ACCESS)
    absent.close()
    client.session.exchange("GET", client.session.base + "/v2/", {})
    assert in_another_thread(client.is_absence, absent) is True


def test_a_host_that_was_overloaded_once_is_not_taken_for_something_else(serve):
    bases = iter((Reply(503), Reply(200, REGISTRY)))
    client, _server = serve(lambda _method, target: next(bases) if target == "/v2/" else Reply(404), max_connections=1)
    with pytest.raises(Refused, match="cannot check that the host is a registry: .* returned 503"):
        client.head_manifest(ACCESS, "1")
    assert client.head_manifest(ACCESS, "1") is None
