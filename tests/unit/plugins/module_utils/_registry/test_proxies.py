# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._registry import proxies


@pytest.fixture
def environment(monkeypatch):
    """Set these proxies, and no others."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def use(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return use


@pytest.mark.parametrize(
    ("no_proxy", "host", "bypassed"),
    [
        ("", "r.example.com", False),
        ("*", "r.example.com", True),
        ("example.com", "example.com", True),
        ("example.com", "r.Example.com:5000", True),
        ("example.com", "badexample.com", False),
        (".example.com", "r.example.com", True),
        (".example.com", "example.com", False),
        ("*.example.com", "r.example.com", True),
        ("*.example.com", "a.r.example.com:5000", True),
        ("*.example.com", "example.com", False),
        (" other.org , *.Example.com ", "r.example.com", True),
        ("r.example.com:5000", "r.example.com:5000", True),
        ("r.example.com:5000", "r.example.com", False),
        ("r.example.com:443", "r.example.com", True),
        ("10.0.0.0/8", "10.1.2.3:5000", True),
        ("10.0.0.1/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3:5000", True),
        ("10.1.2.3:80", "10.1.2.3:5000", False),
        ("fd00::/8", "[fd12::1]:5000", True),
        ("fd00::/8", "[fe80::1]:5000", False),
        ("fd12::1", "[fd12:0::1]:5000", True),
        ("[fd12::1]:5000", "[fd12::1]:5000", True),
        ("[fd12::1]:5001", "[fd12::1]:5000", False),
        ("fd00::/8", "r.example.com", False),
        ("::/0", "10.1.2.3", False),
    ],
)
def test_no_proxy_is_read_as_go_programs_read_it(no_proxy, host, bypassed):
    assert proxies.bypasses("https", host, no_proxy) is bypassed


@pytest.mark.parametrize(
    ("scheme", "host", "proxy"),
    [
        ("https", "r.example", "http://u:p@proxy.example:3128"),
        ("http", "r.example", "socks5://other.example"),
        ("https", "127.0.0.1:5000", ""),
        ("https", "inside.example", ""),
    ],
)
def test_the_proxy_of_a_host(environment, scheme, host, proxy):
    environment(HTTPS_PROXY="u:p@proxy.example:3128", ALL_PROXY="socks5://other.example", no_proxy="inside.example")
    assert proxies.proxy_for(scheme, host) == proxy
    assert proxies.shown("http://u:p@proxy.example:3128") == "proxy.example:3128"


def test_the_scheme_of_a_proxy_may_be_in_upper_case(environment):
    environment(HTTP_PROXY="HTTP://u:P@proxy.example:3128")
    assert proxies.proxy_for("http", "r.example") == "http://u:P@proxy.example:3128"


@pytest.mark.parametrize(
    "proxy",
    ["htp://u:hunter2@proxy.example:3128", "http://", "http://u:hunter2@proxy:port", "u:hunter2/x@proxy", "http://p:0"],
)
def test_what_is_no_proxy_is_named_by_its_variable_and_not_shown(environment, proxy):
    environment(HTTPS_PROXY=proxy)
    with pytest.raises(
        ImageError, match="the environment variable HTTPS_PROXY is not a valid proxy URL. Write http"
    ) as caught:
        proxies.proxy_for("https", "r.example")
    assert "hunter2" not in str(caught.value)
