# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._registry.tag_list import read_page


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
    with pytest.raises(InvalidContent, match="the tag list"):
        read_page(body)
