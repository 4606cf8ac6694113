# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import Refused
from ansible_collections.drayage.registry.plugins.module_utils._registry import urls

ASKED = "https://r.example:5000/v2/a?b"
SOURCE = "the Location header of r.example"


@pytest.mark.parametrize(
    ("location", "resolved"),
    [
        ("/v2/x?_state=a%2Fb", "https://r.example:5000/v2/x?_state=a%2Fb"),
        ("x", "https://r.example:5000/v2/x"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("http://cdn.example/x", "http://cdn.example/x"),
        ("", "https://r.example:5000/v2/a?b"),
        ("HTTPS://CDN.Example:0443/A?B#C", "https://cdn.example:443/A?B"),
        ("https://cdn.example", "https://cdn.example/"),
        ("https://cdn.example?x", "https://cdn.example/?x"),
        ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://cdn_1.example/a+b~c,(d)?sig=%2F@:&x=y|z", "https://cdn_1.example/a+b~c,(d)?sig=%2F@:&x=y|z"),
        ("/@evil.example//x", "https://r.example:5000/@evil.example//x"),
        ("https://cdn.example/" + "x" * 16000, "https://cdn.example/" + "x" * 16000),
    ],
)
def test_a_location_is_relative_to_what_was_asked(location, resolved):
    assert urls.resolve(ASKED, location, SOURCE) == resolved
    assert urls.is_sendable(resolved)
    assert urls.resolve("", resolved, SOURCE) == resolved


@pytest.mark.parametrize(
    ("location", "fault"),
    [
        ("http://evil.example\\@r.example/", "a backslash"),
        ("/\\evil.example/hunter2", "a backslash"),
        ("https://r.example/a b", "a space"),
        ("https://r.example/\x00", "invalid character"),
        ("https://r.example/\r\nX: y", "invalid character"),
        ("https://r.exa\tmple/", "invalid character"),
        (" https://r.example/", "a space"),
        ("https://b\u00fccher.example/", "invalid character"),
        ("https://r.example/\u202e", "invalid character"),
        ("https://user:hunter2@r.example/", "a user name"),
        ("https://@r.example/", "a user name"),
        ("mailto:@evil.example/v2/", "http:// or https://"),
        ("https:evil.example/", "http:// or https://"),
        ("https:/evil.example/", "http:// or https://"),
        ("ftp://r.example/", "http:// or https://"),
        ("file:///etc/hunter2", "malformed host, port or path"),
        ("javascript:alert(1)", "http:// or https://"),
        ("https:///x", "malformed host, port or path"),
        ("///evil.example/x", "malformed host, port or path"),
        ("https://r.example:port/", "malformed host, port or path"),
        ("https://r.example:/", "malformed host, port or path"),
        ("https://r.example:+443/", "malformed host, port or path"),
        ("https://r.example:443:443/", "malformed host, port or path"),
        ("https://r.ex%61mple/", "malformed host, port or path"),
        ("https://r.example;evil.example/", "malformed host, port or path"),
        ("https://.r.example/", "malformed host, port or path"),
        ("https://*.example/", "malformed host, port or path"),
        ("https://[r.example]/", ""),
        ("https://[::1/x", ""),
        ("https://[::1%25eth0]/x", ""),
        ("https://[::1]x/", ""),
        ("https://r.example:0/", "port out of range"),
        ("https://r.example:99999/", "port out of range"),
        ("https://r.example/" + "x" * 16384, "more than 16384 characters"),
    ],
)
def test_what_parsers_may_read_differently_is_refused_without_being_shown(location, fault):
    with pytest.raises(Refused) as caught:
        urls.resolve(ASKED, location + "?token=hunter2", SOURCE)
    assert str(caught.value).startswith(SOURCE + " is not a valid URL (")
    assert fault in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize("realm", ["", "/token", "//auth.example/token", "auth.example/token"])
def test_without_a_base_only_an_absolute_url_will_do(realm):
    with pytest.raises(Refused):
        urls.resolve("", realm, "the realm")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://r.example/v2/x", "https://r.example:5000/v2/x"),
        ("http://r.example:80/v2/x?y", "https://r.example:5000/v2/x?y"),
        ("http://cdn.example/v2/x", "http://cdn.example/v2/x"),
        ("https://r.example/v2/x", "https://r.example/v2/x"),
    ],
)
def test_http_of_the_same_host_is_https_behind_a_proxy_that_ends_tls(url, sent):
    assert urls.over_tls(url, ASKED) == sent


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://r.example/a", "https://r.example/b?c"),
        ("https://r.example", "https://r.example:443/"),
        ("http://r.example", "http://r.example:80/"),
        ("HTTPS://R.Example/", "https://r.example/"),
    ],
)
def test_addresses_of_one_origin(one, other):
    assert urls.origin(one) == urls.origin(other)


@pytest.mark.parametrize(
    "other",
    ["http://r.example/", "https://r.example:8443/", "https://r.example.org/", "https://r.example@evil.example/"],
)
def test_addresses_of_another_origin(other):
    assert urls.origin(other) != urls.origin("https://r.example/")


TARGET = "/v2/team/app/tags/list"
NEXT = TARGET + "?last=b&n=2"


@pytest.mark.parametrize(
    "header",
    [
        '<%s>; rel="next"' % NEXT,
        "<%s>; rel=next" % NEXT,
        '<%s>;rel="next"' % NEXT,
        '<%s> ; REL = "Next"' % NEXT,
        '<%s>; title="a, b; c"; rel="next"' % NEXT,
        '<%s>; rel="next last"' % NEXT,
        '</first>; rel="first", <%s>; rel="next", </last>; rel="last"' % NEXT,
        '<https://registry.example.com%s>; rel="next"' % NEXT,
        '<http://internal:5000%s>; rel="next"' % NEXT,
        '<//other.example.com%s>; rel="next"' % NEXT,
        '<list?last=b&n=2>; rel="next"',
        '<?last=b&n=2>; rel="next"',
        '<%s#fragment>; rel="next"' % NEXT,
    ],
)
def test_the_next_page(header):
    assert urls.next_target(header, "https://registry.example.com" + TARGET, "the Link header") == NEXT


def test_only_path_and_query_of_a_link_count():
    link = '<http://wrong.example.com/repository/hosted/v2/app/tags/list?next_page=abc%3D>; rel="next"'
    assert (
        urls.next_target(link, "https://registry.example.com" + TARGET, "the Link header")
        == "/repository/hosted/v2/app/tags/list?next_page=abc%3D"
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        NEXT,
        "<%s>" % NEXT,
        '<%s>; rel="prev"' % NEXT,
        '<%s>; rel="nextish"' % NEXT,
        '<%s; rel="next"' % NEXT,
        "next",
        '<%s>; norel="next"' % NEXT,
        '<%s>; title="; rel=next"' % NEXT,
    ],
)
def test_no_next_page(header):
    assert urls.next_target(header, "https://registry.example.com" + TARGET, "the Link header") == ""


@pytest.mark.parametrize(
    "link",
    [
        "mailto:@evil.example/v2/",
        "http://evil.example\\@r.example/v2/",
        "http://[::1/v2/",
        "http://user:hunter2@r.example/v2/",
        "/v2/a b",
        "x" * 20000,
    ],
)
def test_a_link_that_is_no_url_is_an_error_rather_than_the_end_of_the_list(link):
    with pytest.raises(Refused, match="the Link header"):
        urls.next_target('<%s>; rel="next"' % link, "https://r.example" + TARGET, "the Link header")


@pytest.mark.parametrize(
    "header", ["<" * 16000, "</v2/>;" * 2000, "</v2/>; a" + " " * 16000, '</v2/>; a="' * 1400, "</v2/>; rel=x,," * 1000]
)
def test_a_hostile_header_is_read_in_one_pass(header):
    assert urls.next_target(header, "https://r.example" + TARGET, "the Link header") == ""
