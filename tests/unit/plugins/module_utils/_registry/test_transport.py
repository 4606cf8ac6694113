# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import requests

from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.plugins.module_utils._registry.transport import Transport


@pytest.fixture
def send(monkeypatch):
    """Send a request into the void, and return it as it would have gone out."""
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", lambda adapter, request, **options: request)

    def send_request(method, url, headers=None, data=None):
        return Transport(1, 1.0).send(method, url, headers or {}, data, RegistrySettings("r.example"))

    return send_request


@pytest.mark.parametrize(
    "url",
    [
        "https://r.example/v2/app/manifests/sha256:abc",
        "http://r.example:5000/v2/app/tags/list?n=100&last=1.0",
        "https://R.Example/v2/",
        "https://r.example/v2/app/blobs/uploads/1?_state=a%3D%3d&digest=sha256%3Aabc",
        "https://r.example/v2/app/../other/./manifests/1",
        "https://r.example/a'b/?q=|&x=%zz",
        "https://[::1]:5000/v2/",
        "https://storage.example/blob?sig=a+b~c,(d)",
    ],
)
def test_an_address_is_sent_as_requests_sends_it(send, url):
    assert send("GET", url).url == requests.Request("GET", url).prepare().url


@pytest.mark.parametrize(
    "url",
    [
        "r.example/v2/",
        "https://",
        "https://*.example/",
        "https://\u2603\ud800.example/",
        "https://b\u00fccher.example/v2/",
        "http://evil.example\\@r.example/v2/",
        "https://user:pass@r.example/v2/",
        "https://r.example/a b",
        "https://r.example/v2/\r\nX: y",
    ],
)
def test_an_address_that_is_not_checked_is_not_sent(send, url):
    with pytest.raises(ValueError):
        send("GET", url)


@pytest.mark.parametrize("data", [None, b"", b"content", iter([b"a", b"b"])])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_a_body_is_announced_as_requests_announces_it(send, method, data):
    sent = send(method, "https://r.example/v2/", {"Content-Type": "text/plain"}, data)
    expected = requests.Request(method, "https://r.example/v2/", {"Content-Type": "text/plain"}, data=data).prepare()
    assert {**sent.headers} == {"User-Agent": "drayage.registry", "Accept-Encoding": "identity", **expected.headers}
    assert (sent.body or None) == expected.body


def test_a_header_that_is_given_wins(send):
    assert send("GET", "https://r.example/", {"accept-encoding": "gzip"}).headers["Accept-Encoding"] == "gzip"
