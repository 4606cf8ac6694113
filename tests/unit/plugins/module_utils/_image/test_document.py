# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import document as documents


@pytest.mark.parametrize("content", ['{"a": ["ä", 1, null]}', '{"a": ["ä", 1, null]}'.encode()])
def test_json_is_decoded(content):
    assert documents.decode(content) == {"a": ["ä", 1, None]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b'"\xff"',
        pytest.param("[" * 100000, id="text"),
        pytest.param(b"[" * 100000, id="lists"),
        pytest.param(b'{"a":' * 100000, id="objects"),
    ],
)
def test_whatever_is_wrong_with_json_is_a_value_error(content):
    with pytest.raises(ValueError):
        documents.decode(content)


def test_a_document_is_encoded_in_one_way():
    assert documents.encode({"b": "ä", "a": [1, True, None]}) == '{"b":"ä","a":[1,true,null]}'.encode()


def test_text_without_a_form_in_utf_8_is_escaped():
    assert documents.encode({"a": "\ud800", "b": "ä"}) == b'{"a":"\\ud800","b":"\\u00e4"}'


def test_a_document_that_is_nested_too_deeply_is_a_value_error():
    nested = []
    for _level in range(200000):
        nested = [nested]
    with pytest.raises(ValueError):
        documents.encode(nested)
    while nested:
        nested = nested.pop()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_only_utf_8_is_json(encoding):
    with pytest.raises(ValueError):
        documents.decode('{"a": 1}'.encode(encoding))
