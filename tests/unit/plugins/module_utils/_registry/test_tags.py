# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._registry.tags import next_page, read_page

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
    assert next_page(header, TARGET) == NEXT


def test_only_path_and_query_of_a_link_count():
    link = '<http://wrong.example.com/repository/hosted/v2/app/tags/list?next_page=abc%3D>; rel="next"'
    assert next_page(link, TARGET) == "/repository/hosted/v2/app/tags/list?next_page=abc%3D"


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
    assert next_page(header, TARGET) == ""


@pytest.mark.parametrize(
    ("body", "tags"),
    [
        (b'{"name": "app", "tags": ["b", "a"]}', ["b", "a"]),
        (b'{"name": "app", "tags": null}', []),
        (b'{"tags": []}', []),
        (b'{"tags": ["a", "", "sha256:abc", "a b", 7, null, "-x", "ok"]}', ["a", "ok"]),
        (b'{"tags": ["%s", "%s"]}' % (b"x" * 128, b"x" * 129), ["x" * 128]),
    ],
)
def test_tags_of_a_page(body, tags):
    assert read_page(body) == tags


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"tags": "a"}', b'{"tags": {"a": 1}}', b"null", b"\xff"]
)
def test_no_list_of_tags(body):
    with pytest.raises(InvalidContent, match="the list of tags"):
        read_page(body)
