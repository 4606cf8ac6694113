# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import random

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image.json_text import put, remove, rewrite

TABS = """\
{
\t"auths": {
\t\t"a.example": {
\t\t\t"auth": "QQ=="
\t\t},
\t\t"b.example": {
\t\t\t"auth": "Qg=="
\t\t}
\t},
\t"HttpHeaders": {"User-Agent": "x\\/y"},
\t"numbers": [1.0, 1e3]
}
"""


@pytest.mark.parametrize("empty", ["", "\n", "{}", " { } ", "{\n}"])
def test_an_empty_text_is_written_as_docker_and_podman_do(empty):
    written = '{\n\t"auths": {\n\t\t"a": {\n\t\t\t"auth": "QQ=="\n\t\t}\n\t}\n}'
    assert put(empty, ("auths", "a"), {"auth": "QQ=="}).strip() == written


def test_a_value_is_replaced_and_nothing_else():
    assert put(TABS, ("auths", "a.example", "auth"), "Qw==") == TABS.replace("QQ==", "Qw==")


def test_a_member_is_added_after_the_others_in_their_shape():
    added = '\t\t\t"auth": "Qg=="\n\t\t},\n\t\t"c.example": {\n\t\t\t"auth": "Qw=="\n\t\t}\n'
    assert put(TABS, ("auths", "c.example"), {"auth": "Qw=="}) == TABS.replace('\t\t\t"auth": "Qg=="\n\t\t}\n', added)


def test_an_object_that_is_missing_is_made():
    text = '{\n  "credsStore": "x"\n}\n'
    expected = '{\n  "credsStore": "x",\n  "auths": {\n    "a": {}\n  }\n}\n'
    assert put(text, ("auths", "a"), {}) == expected


@pytest.mark.parametrize("other", ["null", "[]", '"text"', "1"])
def test_what_should_be_an_object_becomes_one(other):
    assert json.loads(put('{"auths": %s, "b": 1}' % other, ("auths", "a"), 2)) == {"auths": {"a": 2}, "b": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"auths":{}}', '{"auths":{"a":{"x":1,"y":2}}}'),
        ('{"auths": {}}', '{"auths": {"a": {"x": 1, "y": 2}}}'),
        ('{"auths": {"b": 1}}', '{"auths": {"b": 1, "a": {"x": 1, "y": 2}}}'),
        ('{ "auths" : { "b" : 1 } }', '{ "auths" : { "b" : 1, "a" : {"x" : 1, "y" : 2} } }'),
        ('{\r\n "auths": {}\r\n}', '{\r\n "auths": {\r\n  "a": {\r\n   "x": 1,\r\n   "y": 2\r\n  }\r\n }\r\n}'),
    ],
)
def test_other_shapes_are_kept(text, expected):
    assert put(text, ("auths", "a"), {"x": 1, "y": 2}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"o": {"a": 1, "b": 2, "c": 3}}', '{"o": {"b": 2, "c": 3}}'),
        ('{"o": {"b": 2, "a": 1, "c": 3}}', '{"o": {"b": 2, "c": 3}}'),
        ('{"o": {"b": 2, "c": 3, "a": 1}}', '{"o": {"b": 2, "c": 3}}'),
        ('{"o": {"a": 1, "b": 2, "a": 3}}', '{"o": {"b": 2}}'),
        ('{"o": {\n"a": {"x": ["}", 1]}\n}, "p": 1}', '{"o": {}, "p": 1}'),
        ('{"o": {"b": 2}}', '{"o": {"b": 2}}'),
        ('{"o": null}', '{"o": null}'),
        ("{}", "{}"),
    ],
)
def test_a_member_is_removed_wherever_it_stands(text, expected):
    assert remove(text, ("o", "a")) == expected


def test_putting_and_removing_leads_back():
    assert remove(put(TABS, ("auths", "c.example"), {"auth": "Qw=="}), ("auths", "c.example")) == TABS


def test_names_are_compared_as_what_they_mean():
    assert put('{"caf\\u00e9": 1}', ("café",), 2) == '{"caf\\u00e9": 2}'


def test_the_last_of_two_members_is_the_one_that_readers_see():
    assert put('{"a": 1, "a": 2}', ("a",), 3) == '{"a": 1, "a": 3}'


@pytest.mark.parametrize("seed", range(50))
def test_any_document_in_any_shape(seed):
    """What comes out means what the change of the decoded document means."""
    chance = random.Random(seed)
    document = {"auths": _value(chance, 3), "other": _value(chance, 3)}
    for name in chance.sample(["a", 'q"}', "é", "k,"], chance.randint(0, 4)):
        document[name] = _value(chance, 3)
    indent = chance.choice([None, 0, 2, "\t"])
    text = json.dumps(document, indent=indent, ensure_ascii=chance.random() < 0.5)
    value = {"auth": "QQ=="}
    auths = document["auths"] if isinstance(document["auths"], dict) else {}
    for name in ("a", 'q"}', "missing"):
        assert json.loads(put(text, ("auths", name), value)) == {**document, "auths": {**auths, name: value}}
        if isinstance(document["auths"], dict):
            less = {key: entry for key, entry in auths.items() if key != name}
            assert json.loads(remove(text, ("auths", name))) == {**document, "auths": less}
        else:
            assert remove(text, ("auths", name)) == text


def _value(chance, depth):
    kind = chance.choice(["object", "object", "list", "text", "number", "null"]) if depth else "text"
    if kind == "object":
        names = chance.sample(["a", 'q"}', "é", "k,"], chance.randint(0, 4))
        return {name: _value(chance, depth - 1) for name in names}
    if kind == "list":
        return [_value(chance, depth - 1) for _number in range(chance.randint(0, 3))]
    return {"text": chance.choice(["", "{", '"', "\\", "é\n"]), "number": 1.5, "null": None}[kind]


class TestRewrite:
    @pytest.mark.parametrize(
        ("text", "changes", "expected"),
        [
            (TABS, {"auths": {"b.example": {"auth": "Qw=="}}}, TABS.replace("Qg==", "Qw==")),
            ('{"a": 1, "b": 2}', {"a": 3, "b": 4}, '{"a": 3, "b": 4}'),
            ('{"l": [{"x":1}, {"x" : 1.0}]}', {"l": {1: {"x": 2}}}, '{"l": [{"x":1}, {"x" : 2}]}'),
            ('{"l": [1,  2,\t3]}', {"l": {0: 9, 2: 7}}, '{"l": [9,  2,\t7]}'),
            ('{"a": 1, "b": 2, "c": 3}', {"a": None, "b": None}, '{"c": 3}'),
            ('{"a": 1, "b": 2, "c": 3}', {"b": None, "c": None}, '{"a": 1}'),
            ('{\n "a": 1\n}', {"a": None}, "{\n}"),
            ('{\n "a": 1\n}', {"b": {"c": 2}}, '{\n "a": 1,\n "b": {\n  "c": 2\n }\n}'),
            ('{"a":null}', {"a": {"b": 1}}, '{"a":{"b":1}}'),
            ('{"a": 1}', {"b": None}, '{"a": 1}'),
            (' {"a": 1}\n', {"a": 2, "b": 3}, ' {"a": 2, "b": 3}\n'),
            ('{"u":"x\\u0026y","a":1}', {"a": 2}, '{"u":"x\\u0026y","a":2}'),
            ("{}", {"a": 1}, '{\n\t"a": 1\n}'),
        ],
    )
    def test_only_what_changes_is_written_anew(self, text, changes, expected):
        assert rewrite(text, changes) == expected

    @pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"o": {"x": 1, "x": 1}, "a": 1}'])
    def test_an_object_with_two_members_of_one_name_is_not_changed(self, text):
        with pytest.raises(ValueError, match="contains a key twice"):
            rewrite(text, {"a": 3, "o": {"x": 2}})

    @pytest.mark.parametrize("seed", range(50))
    def test_what_is_replaced_and_replaced_back_leads_to_the_first_text(self, seed):
        chance = random.Random(seed)
        document = {"list": [{"t": "a", "more": _value(chance, 2)} for _number in range(3)], "t": "a", "o": {"t": "a"}}
        document["other"] = _value(chance, 3)
        text = json.dumps(document, indent=chance.choice([None, 0, 3, "\t"]), ensure_ascii=chance.random() < 0.5)

        def changes(value):
            return {"t": value, "o": {"t": value}, "list": {0: {"t": value}, 2: {"t": value}}}

        there = rewrite(text, changes("another"))
        expected = json.loads(text)
        for item in (expected, expected["o"], expected["list"][0], expected["list"][2]):
            item["t"] = "another"
        assert json.loads(there) == expected
        assert rewrite(there, changes("a")) == text
