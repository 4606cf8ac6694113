# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import Refused
from ansible_collections.drayage.registry.plugins.module_utils._registry import urls

BROKEN = ["https://r.example:port/", "https://r.example:99999/", "https://[::1/x"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://r.example/a", "https://r.example/b?c"),
        ("https://r.example", "https://r.example:443/"),
        ("http://r.example", "http://r.example:80/"),
        ("HTTPS://R.Example/", "https://r.example/"),
        ("https://user:secret@r.example/", "https://r.example/"),
    ],
)
def test_addresses_of_one_origin(one, other):
    assert urls.origin(one) == urls.origin(other)


@pytest.mark.parametrize(
    "other",
    [
        "http://r.example/",
        "https://r.example:8443/",
        "https://r.example.org/",
        "https://r.example@evil.example/",
        "//r.example/",
    ],
)
def test_addresses_of_another_origin(other):
    assert urls.origin(other) != urls.origin("https://r.example/")


@pytest.mark.parametrize(
    ("location", "joined"),
    [
        ("/v2/x?_state=a%2Fb", "https://r.example:5000/v2/x?_state=a%2Fb"),
        ("x", "https://r.example:5000/v2/x"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("http://cdn.example/x", "http://cdn.example/x"),
        ("", "https://r.example:5000/v2/a?b"),
    ],
)
def test_a_location_is_relative_to_what_was_asked(location, joined):
    assert urls.join("https://r.example:5000/v2/a?b", location) == joined


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://r.example/a", "r.example"),
        ("https://r.example:5000/a", "r.example:5000"),
        ("https://user:secret@r.example:5000/a", "r.example:5000"),
        ("https://[::1]:5000/a", "[::1]:5000"),
    ],
)
def test_a_host_is_shown_without_credentials(url, host):
    assert urls.host(url) == host


@pytest.mark.parametrize("url", BROKEN)
def test_what_is_no_address_is_refused_without_being_shown(url):
    for use in (urls.host, urls.origin, lambda location: urls.join("https://r.example/", location)):
        with pytest.raises(Refused) as caught:
            use(url + "?token=hunter2")
        assert "hunter2" not in str(caught.value)
