# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the token service of a registry is, and whether it may see credentials there."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import CredentialsNotSent
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply, found

PULL = Access("app", frozenset(("pull",)))
JANE = Credential("jane", "secret")
OK = Reply(200)
TOKEN = found({"token": "t1"})


def challenge(realm):
    return Reply(401, {"WWW-Authenticate": 'Bearer realm="%s"' % realm})


@pytest.mark.parametrize(
    ("realm", "options", "asked"),
    [
        ("http://auth.example/token", {"plain_http": True}, "http://auth.example/token"),
        (
            "http://auth.example/token",
            {"others": [RegistrySettings("auth.example", plain_http=True)]},
            "http://auth.example/token",
        ),
        ("http://localhost:5001/token", {}, "http://localhost:5001/token"),
        ("https://auth.example/token", {}, "https://auth.example/token"),
        ("http://r.example/token", {}, "https://r.example/token"),
        ("http://r.example:443/token", {}, "https://r.example/token"),
    ],
)
def test_credentials_leave_over_tls_or_where_the_user_accepts_plain_text(scripted, realm, options, asked):
    client, script = scripted(challenge(realm), TOKEN, OK, credential=JANE, **options)
    assert client.call("GET", "x", PULL).status == 200
    assert script.sent[1].url.partition("?")[0] == asked


@pytest.mark.parametrize(
    ("realm", "options"),
    [
        ("http://auth.example/token", {}),
        ("http://auth.example/token", {"others": [RegistrySettings("auth.example:8080", plain_http=True)]}),
        ("http://r.example:5001/token", {}),
    ],
)
def test_credentials_do_not_leave_in_plain_text(scripted, realm, options):
    client, script = scripted(challenge(realm), credential=JANE, **options)
    with pytest.raises(CredentialsNotSent) as caught:
        client.call("GET", "x", PULL)
    service = realm.split("/")[2]
    assert str(caught.value) == (
        "the credentials for r.example were not sent, because the token service %s uses plain HTTP. "
        "Set the URL of the token service to https in the registry's configuration. "
        "If you trust the network, set plain_http: true for %s in registries instead." % (service, service)
    )
    assert len(script.sent) == 1


def test_a_plain_service_may_serve_anonymous_users(scripted):
    client, _script = scripted(challenge("http://auth.example/token"), TOKEN, OK)
    assert client.call("GET", "x", PULL).status == 200
