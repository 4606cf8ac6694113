# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that rewrite_images writes: those that need quotes, and those with several references."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.drayage.registry.plugins.filter.rewrite_images import FilterModule

rewrite_images = FilterModule().filters()["rewrite_images"]


@pytest.mark.parametrize(
    "tag", ["1.10", "2024-01-31", "2024-1-1", "1e3", "0x10", "0o17", "yes", "Off", "n", "null", "007"]
)
def test_a_tag_stays_text(tag):
    """Programs in Go and PyYAML read some of these as numbers, dates and booleans, which as tags they are not."""
    result = rewrite_images("image:\n  repository: app\n  tag: v1\n", {"app:v1": f"r.example/app:{tag}"})
    assert result["content"] == f'image:\n  repository: r.example/app\n  tag: "{tag}"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image:\n  repository: app\n  tag: v1 # t\n", 'image:\n  repository: r.example/app\n  tag: "1.10" # t\n'),
        ("image: {repository: app, tag: 'v1'}\n", "image: {repository: r.example/app, tag: '1.10'}\n"),
        ("image: {repository: app, tag: &v1 v1}\n", 'image: {repository: r.example/app, tag: &v1 "1.10"}\n'),
        ("image: {repository: app, tag: !!str v1}\n", 'image: {repository: r.example/app, tag: !!str "1.10"}\n'),
        (
            "images:\n- {name: a, newName: app, newTag: v1}\n",
            'images:\n- {name: a, newName: r.example/app, newTag: "1.10"}\n',
        ),
    ],
    ids=["plain", "quoted", "anchor", "tag", "kustomize"],
)
def test_tags_that_yaml_reads_as_numbers_get_quotes(text, expected):
    result = rewrite_images(text, {"app:v1": "r.example/app:1.10"})
    assert result["content"] == expected
    assert "1.10" in str(yaml.safe_load(result["content"]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image: a/b:1 # c\n", 'image: "[::1]:5000/a/b:1" # c\n'),
        ("image: &i a/b:1\nx: {image: *i}\n", 'image: &i "[::1]:5000/a/b:1"\nx: {image: *i}\n'),
        ("image: {repository: a/b, tag: 1}\n", 'image: {repository: "[::1]:5000/a/b", tag: 1}\n'),
        ("image: {repository: 'a/b', tag: 1}\n", "image: {repository: '[::1]:5000/a/b', tag: 1}\n"),
        (
            "image:\n  registry: docker.io\n  repository: a/b\n  tag: '1'\n",
            "image:\n  registry: \"[::1]:5000\"\n  repository: a/b\n  tag: '1'\n",
        ),
        ("images:\n- name: a/b\n  newTag: v1\n", 'images:\n- name: a/b\n  newName: "[::1]:5000/a/b"\n  newTag: v1\n'),
        ("images: [{name: a/b, newTag: v1}]\n", 'images: [{name: a/b, "newName": "[::1]:5000/a/b", newTag: v1}]\n'),
        ("args:\n- --app-image=a/b:1\n", "args:\n- --app-image=[::1]:5000/a/b:1\n"),
        ("args: [--app-image=a/b:1, x]\n", 'args: ["--app-image=[::1]:5000/a/b:1", x]\n'),
        ("services:\n  a:\n    image: a/b:${T:-1}\n", 'services:\n  a:\n    image: "[::1]:5000/a/b:1"\n'),
        ('{"image": {"repository": "a/b", "tag": 1}}', '{"image": {"repository": "[::1]:5000/a/b", "tag": 1}}'),
    ],
)
def test_addresses_in_brackets_get_quotes(text, expected):
    result = rewrite_images(text, {"from": "docker.io", "to": "[::1]:5000"})
    assert (result["content"], result["missing"]) == (expected, [])
    assert "[::1]:5000" in str(yaml.safe_load(expected))


def test_units_have_no_quotes():
    result = rewrite_images("[Container]\nImage=a/b:1\n", {"from": "docker.io", "to": "[::1]:5000"})
    assert result["content"] == "[Container]\nImage=[::1]:5000/a/b:1\n"


@pytest.mark.parametrize(
    "text",
    [
        'args: ["run quay.io/a/b:1 quay.io/a/b:2 quay.io/a/b:1"]\n',
        "args: ['run quay.io/a/b:1 quay.io/a/b:2 quay.io/a/b:1']\n",
        "args:\n- run quay.io/a/b:1 quay.io/a/b:2 quay.io/a/b:1\n",
        "run: |\n  x quay.io/a/b:1\n  y quay.io/a/b:2 quay.io/a/b:1\n",
        "run: &r >\n  x quay.io/a/b:1\n  y quay.io/a/b:2 quay.io/a/b:1\nagain: *r\n",
        "annotations:\n  artifacthub.io/images: |\n    - image: quay.io/a/b:2\n    - image: quay.io/a/b:1\n",
        json.dumps({"data": {"x": json.dumps([{"image": "quay.io/a/b:1"}, {"image": "quay.io/a/b:2"}])}}),
    ],
)
@pytest.mark.parametrize("is_parsed", [False, True])
def test_no_replacement_is_replaced_again(text, is_parsed):
    mapping = {"quay.io/a/b:1": "quay.io/a/b:2", "quay.io/a/b:2": "quay.io/a/b:3"}
    expected = text.replace("b:2", "b:3").replace("b:1", "b:2")
    content, new = (yaml.safe_load(text), yaml.safe_load(expected)) if is_parsed else (text, expected)
    assert rewrite_images(content, mapping) == {"content": new, "replaced": mapping, "missing": []}


def test_a_value_that_is_not_text_stays_at_the_top_of_a_parsed_document():
    result = rewrite_images({"repository": "a/b", "tag": "1"}, {"from": "docker.io", "to": "m.example"})
    assert result["content"] == {"repository": "m.example/a/b", "tag": "1"}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("is_parsed", [False, True])
def test_thousands_of_references_in_one_value(is_parsed):
    document = {"x": json.dumps([{"image": "quay.io/a/b:%d" % number} for number in range(5000)])}
    result = rewrite_images(document if is_parsed else json.dumps(document), {"from": "quay.io", "to": "m.example"})
    content = result["content"] if is_parsed else json.loads(result["content"])
    assert content == {"x": document["x"].replace("quay.io", "m.example")}
    assert len(result["replaced"]) == 5000
