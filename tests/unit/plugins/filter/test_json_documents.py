# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON that a YAML reader refuses, in find_images and rewrite_images."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.find_images import FilterModule as FindModule
from ansible_collections.drayage.registry.plugins.filter.rewrite_images import FilterModule

find_images = FindModule().filters()["find_images"]
rewrite_images = FilterModule().filters()["rewrite_images"]

MIRROR = {"from": "quay.io", "to": "m.example"}
PACKAGE = {"schema": "olm.package", "name": "app"}
BUNDLE = {
    "schema": "olm.bundle",
    "image": "quay.io/a/app:1",
    "relatedImages": [{"name": "b", "image": "quay.io/a/b:1"}],
}


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("separator", ["", " ", "\n", "\r\n\r\n"])
def test_documents_without_a_separator(indent: int | None, separator: str) -> None:
    """``jq -c`` writes each document on a line, and ``opm render`` on several lines."""
    text = separator.join(json.dumps(each, indent=indent) for each in (PACKAGE, BUNDLE, [BUNDLE], {}))
    found = find_images(text + separator)
    assert {(item["reference"], item["path"]) for item in found if item["certain"]} == {
        ("quay.io/a/app:1", "image"),
        ("quay.io/a/b:1", "relatedImages[0].image"),
    }
    assert rewrite_images(text, MIRROR)["content"] == text.replace("quay.io", "m.example")


@pytest.mark.parametrize("key", ["\U0001f600", "\U0001d11e", "\x7f", "k" * 1100, "\ud83d", "\\ud83d", "\ue000"])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_characters_and_keys(key: str, ensure_ascii: bool) -> None:
    """Ansible's to_json writes characters beyond U+FFFF as two escapes."""
    text = json.dumps({"app": {key: {"image": key + " quay.io/a/b:1 " + key}}}, ensure_ascii=ensure_ascii)
    assert [item["reference"] for item in find_images(text)] == ["quay.io/a/b:1"]
    assert rewrite_images(text, MIRROR)["content"] == text.replace("quay.io", "m.example")


@pytest.mark.parametrize("tag", [1, 1.10, True, None, ""])
def test_a_tag_that_is_not_text_becomes_text(tag: object) -> None:
    text = json.dumps({"image": {"repository": "quay.io/a/b", "tag": tag}})
    old = "quay.io/a/b:%s" % ("2" if tag in (None, "") else json.dumps(tag))
    result = rewrite_images(text, {old: "m.example/b:v3"}, "2")
    assert json.loads(result["content"]) == {"image": {"repository": "m.example/b", "tag": "v3"}}


def test_the_last_member_with_a_name_counts() -> None:
    text = '{"image": {"a": "quay.io/a/b:1"}, "image": "quay.io/a/b:2"}'
    assert [item["reference"] for item in find_images(text)] == ["quay.io/a/b:2"]
    assert rewrite_images(text, MIRROR)["content"] == text.replace("quay.io/a/b:2", "m.example/a/b:2")


@pytest.mark.parametrize(
    "text",
    [
        "{image: quay.io/a/b:1}",
        "{'image': 'quay.io/a/b:1', x: [1.2.3, ]}",
        '{"image": "quay.io/a/b:1"} # a comment',
        '{"image": "quay.io/a/b:1"}\n---\nx: 1',
        '{"image": "quay.io/a/b:1", "x": yes}',
        '{"image": "quay.io/a/b:1", "x": "\t"}',
        '["image": "quay.io/a/b:1"]',
        '{"image": "quay.io/a/b:1",}',
    ],
)
def test_yaml_that_begins_like_json(text: str) -> None:
    assert [item["reference"] for item in find_images(text)] == ["quay.io/a/b:1"]
    assert rewrite_images(text, MIRROR)["content"] == text.replace("quay.io", "m.example")


@pytest.mark.parametrize(
    "text", ['{"a"', "{", "[", '{"a": "b"', '{"a" "b"}', '["a" "b"]', '{"a": "\\x"}', "{}}", "{} x"]
)
def test_invalid_json(text: str) -> None:
    with pytest.raises(AnsibleFilterError, match="find_images: the document is not valid YAML or JSON"):
        find_images(text)


def test_bytes_that_are_not_utf_8() -> None:
    """The file lookup keeps such a byte as a lone surrogate."""
    with pytest.raises(AnsibleFilterError) as error:
        find_images("image: a/b:1\nx: \udcff\n")
    assert str(error.value) == (
        "find_images: the document is not valid YAML or JSON (it is not valid Unicode). Save the document in UTF-8."
    )
