# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many references find_images finds in documents after the shapes of public charts and manifests, and how many others.

The documents are in fixtures/documents, with what is expected of each in expected.yml. The guide shows the numbers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.drayage.registry.plugins.filter.find_images import FilterModule
from ansible_collections.drayage.registry.plugins.filter.rewrite_images import FilterModule as RewriteModule

find_images = FilterModule().filters()["find_images"]
rewrite_images = RewriteModule().filters()["rewrite_images"]

FIXTURES = Path(__file__).parent / "fixtures" / "documents"
EXPECTED = yaml.safe_load((FIXTURES / "expected.yml").read_text(encoding="utf-8"))
WANTED = {name: {*known["certain"], *known["likely"]} for name, known in EXPECTED.items()}
# What registries have. A HEAD for anything else fails, and confirm=true drops it.
EXISTING = {
    reference for known in EXPECTED.values() for kind in ("certain", "likely", "other") for reference in known[kind]
}

GUIDE = Path(__file__).parents[4] / "docs" / "docsite" / "rst" / "guide_closures.rst"

NAME = (
    r"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
# The expressions that zarf (on each resource as JSON), Renovate (on each line) and scripts use.
ZARF = re.compile(r"\"image\":\"([^\"]+)\"|[\"|=]([a-z0-9\-./:]+:[\w.\-]*[a-z.\-][\w.\-]*)\"", re.IGNORECASE)
RENOVATE = re.compile(
    rf"^\s*-?\s*image:\s*['\"]?({NAME}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@[a-z0-9]+:[0-9a-f]{{32,}})?)",
    re.MULTILINE,
)
SCRIPT = re.compile(r"image:\s*[\"']?([^\s\"']+)")


def text_of(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def found_by_filter(name: str) -> set[str]:
    return {item["reference"] for item in find_images(text_of(name), EXPECTED[name].get("default_tag", ""))}


def found_by_zarf(name: str) -> set[str]:
    if name.endswith(".container"):
        return set()
    documents = [json.dumps(each, separators=(",", ":"), default=str) for each in yaml.safe_load_all(text_of(name))]
    return {first or second for each in documents for first, second in ZARF.findall(each)}


def found_by(expression: re.Pattern) -> dict[str, set[str]]:
    return {name: set(expression.findall(text_of(name))) for name in EXPECTED}


TOOLS = {
    "find_images": {name: found_by_filter(name) for name in EXPECTED},
    "zarf": {name: found_by_zarf(name) for name in EXPECTED},
    "Renovate": found_by(RENOVATE),
    "grep image:": found_by(SCRIPT),
}


def percentages(tool: str, *, confirmed: bool) -> tuple[float, float]:
    """Return recall and precision over all documents."""
    found = {(name, each) for name, those in TOOLS[tool].items() for each in those if not confirmed or each in EXISTING}
    wanted = {(name, each) for name, those in WANTED.items() for each in those}
    return 100 * len(found & wanted) / len(wanted), 100 * len(found & wanted) / len(found)


def test_there_are_at_least_thirty_documents():
    assert len(EXPECTED) >= 30
    assert {path.name for path in FIXTURES.iterdir()} == {*EXPECTED, "expected.yml"}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_typed_place_is_found_and_nothing_else_is_certain(name):
    found = find_images(text_of(name), EXPECTED[name].get("default_tag", ""))
    assert {item["reference"] for item in found if item["certain"]} == set(EXPECTED[name]["certain"])


def test_untyped_places_are_found_with_confirmation():
    likely = {(name, each) for name, known in EXPECTED.items() for each in known["likely"]}
    found = {(name, each) for name, those in TOOLS["find_images"].items() for each in those}
    recall = 100 * len(likely & found) / len(likely)
    _recall, precision = percentages("find_images", confirmed=True)
    assert recall >= 95, likely - found
    assert precision >= 99, sorted((name, each) for name, each in found if each in EXISTING - WANTED[name])


def test_the_guide_has_the_measured_numbers():
    rows = {}
    for tool in TOOLS:
        (recall, precision), (_same, confirmed) = percentages(tool, confirmed=False), percentages(tool, confirmed=True)
        rows[tool] = f"{recall:.0f} % {precision:.0f} % {confirmed:.0f} %"
    text = re.sub(r"[ \t]+", " ", GUIDE.read_text(encoding="utf-8"))
    assert [row for tool, row in rows.items() if f"\n{tool} {row}\n" not in text] == []
    references = sum(map(len, WANTED.values()))
    assert f"{len(EXPECTED)} documents" in text
    assert f"with {references} references" in text


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool != "find_images"])
def test_expressions_of_other_tools_find_less(tool):
    assert percentages(tool, confirmed=True)[0] < 60


@pytest.mark.parametrize("name", EXPECTED)
def test_rewritten_documents_refer_to_the_mirror_alone_and_are_otherwise_the_same(name):
    text, tag = text_of(name), EXPECTED[name].get("default_tag", "")
    found = find_images(text, tag)
    mapping = {item["reference"]: f"mirror.example.com/{number}/app:9" for number, item in enumerate(found)}
    result = rewrite_images(text, mapping, tag)
    assert result["missing"] == []
    again = find_images(result["content"], tag)
    # Two spellings of one image become one reference.
    assert {item["reference"].partition("@")[0] for item in again} <= set(mapping.values())
    assert {item["path"] for item in again} <= {item["path"] for item in found}
    changed = [line for line in result["content"].splitlines() if line not in text.splitlines()]
    assert [
        line for line in changed if not re.search(r"mirror\.example\.com|/app$|(tag|digest|sha):", line, re.IGNORECASE)
    ] == []
