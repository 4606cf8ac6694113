# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '{"config": 1, "config": 2}',
            r"^its manifest contains the key 'config' several times, with different values\.$",
        ),
        ('{"a": [{"b": {"digest": "x", "size": 1, "digest": "y"}}]}', "the key 'digest' several times"),
        ('{"a": 1, "a": true}', "the key 'a' several times"),
        ('{"a": [1], "a": [1.0]}', "the key 'a' several times"),
        ('{"a": {"b": 1}, "a": {"b": 1, "b": 1, "c": 2}}', "the key 'a' several times"),
        ('{"a": NaN}', "is not valid JSON"),
        ('{"a": -Infinity}', "is not valid JSON"),
        ("", r"^its manifest is not valid JSON\. Ask\.$"),
        (b"\xff", "is not valid JSON"),
        ("[" * 100000, "is not valid JSON"),
        ('{"size": %s}' % ("9" * 5000), "is not valid JSON"),
    ],
)
def test_json_that_readers_take_for_different_things_is_refused(content, said):
    with pytest.raises(InvalidContent, match=said):
        documents.read(content, "its manifest", hint="Ask" if not content else "")


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1, "a": 1}',
        '{"a": {"b": 1, "c": [2]}, "a": {"b": 1, "c": [2]}}',
        '{"Labels": {"App": "a", "app": "b"}}',
        '{"a": 1, "A": 2}',
    ],
)
def test_json_that_reads_the_same_everywhere_is_read(content):
    assert documents.read(content, "its manifest") == documents.decode(content)


def test_only_repeated_values_are_compared(monkeypatch):
    """The document repeats a name on every level. The value that holds the deeper levels is not repeated."""
    encoded = []
    encode = documents.encode

    def counted(document):
        content = encode(document)
        encoded.append(len(content))
        return content

    monkeypatch.setattr(documents, "encode", counted)
    content = '"%s"' % ("x" * 1000)
    for _level in range(100):
        content = '{"a": 1, "a": 1, "b": %s}' % content
    documents.read(content, "its manifest")
    assert sum(encoded) < len(content)


FIELDS = frozenset(("config", "layers"))


@pytest.mark.parametrize(
    ("document", "lone", "is_refused"),
    [
        ({"config": 1, "Config": 2}, True, True),
        ({"config": 1, "CONFIG": 1}, False, True),
        ({"Layers": 1}, True, True),
        ({"Layers": 1}, False, False),
        ({"LAYERS": 1, "Layers": 2}, False, True),
        ({"layer\u017f": 1}, True, True),  # Go folds the long s, too
        ({"config": 1, "other": 1, "Other": 2}, True, False),
    ],
)
def test_members_that_engines_take_for_a_field(document, lone, is_refused):
    if is_refused:
        with pytest.raises(InvalidContent, match="its manifest contains .* which engines read as (config|layers)"):
            documents.check_fields(document, FIELDS, "its manifest", lone)
    else:
        documents.check_fields(document, FIELDS, "its manifest", lone)


def nested(levels, value=1):
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(("levels", "is_cut"), [(1, False), (4, False), (5, True), (600, True), (100_000, True)])
def test_what_is_nested_deeper_is_cut(levels, is_cut):
    document = nested(levels, "end")
    assert documents.cut_nested(document, 4) is is_cut
    assert documents.encode(document).count(b"[") + documents.encode(document).count(b"{") == min(levels, 5)
    assert (b"end" in documents.encode(document)) is not is_cut


def test_what_is_not_nested_deeply_stays():
    document = {"a": [1, {"b": [[], {}]}], "c": nested(10), "d": None}
    assert documents.cut_nested(document, 4) is True
    assert (document["a"], document["d"]) == ([1, {"b": [[], {}]}], None)
