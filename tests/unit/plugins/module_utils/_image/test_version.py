# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.version import Version, in_order
from ansible_collections.drayage.registry.plugins.module_utils._image.version_range import VersionRange


def version(text):
    found = Version.parse(text)
    assert found is not None, text
    return found


def allows(wanted, text):
    return VersionRange(wanted).allows(version(text))


@pytest.mark.parametrize(
    ("text", "numbers", "pre"),
    [
        ("1.2.3", (1, 2, 3), ()),
        ("v1.2.3", (1, 2, 3), ()),
        ("V1.2", (1, 2, 0), ()),
        ("7", (7, 0, 0), ()),
        ("1.2.3_build", (1, 2, 3), ()),
        ("v1.2.3-rc.1_build.5", (1, 2, 3), ("rc", "1")),
        ("1.2.3-rc.1", (1, 2, 3), ("rc", "1")),
        ("1.2.3-x-y", (1, 2, 3), ("x-y",)),
        ("1.2.3+build.5", (1, 2, 3), ()),
        ("20260114", (20260114, 0, 0), ()),
    ],
)
def test_versions(text, numbers, pre):
    assert (version(text).numbers, version(text).pre) == (numbers, pre)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v",
        "latest",
        "1.",
        ".1",
        "1..2",
        "1.2.3-",
        "1.2.x",
        "v1.2.3rc1",
        "1_2",
        "1.2_3",
        "1.2.3_",
        "1.2.3.4",
        "v1.2.3.4-rc.1",
        "sha256-1",
        "\u0661.2.3",
        " 1",
    ],
)
def test_no_versions(text):
    assert Version.parse(text) is None


@pytest.mark.parametrize(
    ("text", "strict"), [("1.2.3", True), ("v1.2.3-rc1", True), ("1.2", False), ("1.2.3_4", True), ("7", False)]
)
def test_three_parts_are_strict(text, strict):
    assert version(text).is_strict is strict


def test_precedence_of_the_specification():
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    ordered += ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0-0", "2.0.0"]
    for older, newer in itertools.combinations(ordered, 2):
        assert version(older) < version(newer)
        assert version(newer) > version(older)


def test_the_spelling_does_not_count():
    assert version("1.2") == version("v1.2.0") == version("1.2.0+build")
    assert len({version("1.2"), version("1.2.0")}) == 1


def test_order_of_tags():
    tags = ["1.10", "v2", "latest", "1.9.0", "2.0.0-rc.2", "edge", "2.0.0-rc.10", "2.0.0", "1.10.0"]
    expected = ["edge", "latest", "1.9.0", "1.10", "1.10.0", "2.0.0-rc.2", "2.0.0-rc.10", "2.0.0", "v2"]
    for shuffled in (tags, tags[::-1], sorted(tags)):
        assert in_order(shuffled) == expected


# The range, what is in it, and what is not.
RANGES = [
    # comparisons
    ("1.2.3", "1.2.3 v1.2.3 1.2.3+build", "1.2.4 1.2.3-rc1"),
    ("=1.2.3", "1.2.3", "1.2.4"),
    ("v1.2.3", "1.2.3", "1.2.4"),
    (">1.2.3", "1.2.4 2.0.0", "1.2.3 1.2.2"),
    (">=1.2.3", "1.2.3 1.2.4", "1.2.2"),
    ("=>1.2.3", "1.2.3", "1.2.2"),
    ("<1.2.3", "1.2.2 0.1.0", "1.2.3 1.2.3-rc1"),
    ("<=1.2.3", "1.2.3 1.2.2", "1.2.4"),
    ("=<1.2.3", "1.2.3", "1.2.4"),
    ("!=1.2.3", "1.2.4 1.2.2", "1.2.3"),
    (">= 1.2.3", "1.2.3", "1.2.2"),
    # partial versions
    ("", "0.0.1 1.2.3", "1.2.3-rc1"),
    ("*", "0.0.1 1.2.3", "1.2.3-rc1"),
    ("x", "0.0.1 1.2.3", "1.2.3-rc1"),
    ("1", "1.0.0 1.9.9", "0.9.9 2.0.0"),
    ("1.x", "1.0.0 1.9.9", "0.9.9 2.0.0"),
    ("1.X.X", "1.0.0 1.9.9", "2.0.0"),
    ("1.2", "1.2.0 1.2.9", "1.1.9 1.3.0"),
    ("1.2.*", "1.2.0 1.2.9", "1.1.9 1.3.0"),
    ("1.x.3", "1.0.0 1.9.9", "2.0.0"),
    (">1", "2.0.0", "1.0.0 1.9.9"),
    (">1.2", "1.3.0", "1.2.0 1.2.9"),
    (">=1.2", "1.2.0", "1.1.9"),
    ("<1.2", "1.1.9", "1.2.0 1.2.0-rc1"),
    ("<=1.2", "1.2.9", "1.3.0"),
    ("<=1", "1.9.9", "2.0.0"),
    ("!=1.2", "1.1.0 1.3.0", "1.2.0 1.2.9"),
    (">*", "", "0.0.0 1.0.0"),
    ("<*", "", "0.0.0 1.0.0"),
    (">=*", "0.0.0 9.9.9", ""),
    ("<=x", "0.0.0 9.9.9", ""),
    # carets: no change of the left-most number that is not 0
    ("^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0 2.0.0-rc1"),
    ("^1.2", "1.2.0 1.9.0", "1.1.9 2.0.0"),
    ("^1", "1.0.0 1.9.0", "0.9.0 2.0.0"),
    ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
    ("^0.2", "0.2.0 0.2.9", "0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.2 0.0.4"),
    ("^0.0.0", "0.0.0", "0.0.1"),
    ("^0.0", "0.0.0 0.0.9", "0.1.0"),
    ("^0.0.x", "0.0.9", "0.1.0"),
    ("^0", "0.0.0 0.9.9", "1.0.0"),
    ("^0.x", "0.9.9", "1.0.0"),
    ("^1.x", "1.0.0 1.9.9", "2.0.0"),
    ("^*", "0.0.0 9.9.9", ""),
    # tildes: no change of the minor number
    ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
    ("~>1.2.3", "1.2.9", "1.3.0"),
    ("~1.2", "1.2.0 1.2.9", "1.3.0"),
    ("~1", "1.0.0 1.9.9", "2.0.0"),
    ("~0.2.3", "0.2.9", "0.3.0"),
    ("~0", "0.9.9", "1.0.0"),
    ("~x", "0.0.0 9.9.9", ""),
    # hyphens
    ("1.2.3 - 2.3.4", "1.2.3 2.3.4", "1.2.2 2.3.5"),
    ("1.2 - 2.3.4", "1.2.0 2.3.4", "1.1.9 2.3.5"),
    ("1.2.3 - 2.3", "2.3.9", "2.4.0"),
    ("1.2.3 - 2", "2.9.9", "3.0.0"),
    ("1 - 2 || 4", "2.9.9 4.0.0", "3.0.0"),
    # joined
    (">=1.2 <2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
    (">=1.2, <2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
    (">=1.2,<2", "1.9.9", "2.0.0"),
    (">=1.2<2", "1.9.9", "2.0.0"),
    ("^1.2 !=1.4.1", "1.4.0 1.4.2", "1.4.1"),
    ("1.x || 3.x", "1.0.0 3.3.3", "2.0.0 4.0.0"),
    ("1.x||>=3, <3.2", "3.1.9", "3.2.0"),
    ("<1 || >=2.1", "0.9.0 2.1.0", "1.0.0 2.0.9"),
    # pre-releases: only where the range names one
    (">=1.2.3-rc.2", "1.2.3-rc.2 1.2.3-rc.10 1.2.3 1.4.0-beta", "1.2.3-rc.1"),
    (">=1.2-0", "1.2.0-rc1 1.5.0-rc1 1.2.0", "1.1.9 1.1.9-rc1"),
    ("^1.2.3-beta.2", "1.2.3-beta.4 1.3.0-rc1 1.9.0", "1.2.3-beta.1 2.0.0-rc1"),
    ("~1.2.3-0", "1.2.3-rc1 1.2.9-rc1", "1.3.0-rc1"),
    (">1.2.3-rc.1", "1.2.3-rc.2 1.2.3", "1.2.3-rc.1"),
    ("<1.2.3-rc.2", "1.2.3-rc.1 1.2.2", "1.2.3-rc.2 1.2.3"),
    ("<=1.2.3-rc.2", "1.2.3-rc.2", "1.2.3"),
    ("1.2.3-rc.1", "1.2.3-rc.1", "1.2.3 1.2.3-rc.2"),
    ("*-0", "1.2.3-rc1 1.2.3", ""),
    (">=1.2.0-0, <2", "1.5.0-rc1", "2.0.0-rc1"),
    # The upper end lets in its own pre-releases only if the range names one of that version.
    (">=3.2.0-rc.1, <3.2.0", "3.2.0-rc.1 3.2.0-rc.2", "3.2.0-beta 3.2.0 3.3.0-rc.1"),
    (">=3.2.0-rc.1 <3.2", "3.2.0-rc.1", "3.2.0"),
    (">=3.2-rc.1 <3.2.0", "3.2.0-rc.1", "3.2.0"),
    (">=3.1.0-rc.1, <3.2.0", "3.1.0-rc.1 3.1.5", "3.2.0-rc.1 3.2.0"),
    (">=3.2.0-rc.1, <3.2.0 || <3", "2.9.0 3.2.0-rc.1", "3.0.0-rc.1 2.9.0-rc.1"),
    ("^1 || ^2.0.0-0", "1.5.0 2.0.0-rc1", "1.5.0-rc1"),
]


@pytest.mark.parametrize(("wanted", "inside", "outside"), RANGES, ids=[case[0] or "empty" for case in RANGES])
def test_ranges(wanted, inside, outside):
    assert [text for text in inside.split() if not allows(wanted, text)] == []
    assert [text for text in outside.split() if allows(wanted, text)] == []


@pytest.mark.parametrize("text", ["1" * 5000, "1." + "2" * 127, "1.0.0-" + "9" * 5000])
def test_what_is_too_long_for_a_tag_is_no_version(text):
    """Layouts and archives may have such names."""
    assert Version.parse(text) is None
    assert in_order(["2", text, "1"]) == [text, "1", "2"]


def test_numbers_of_pre_releases_may_be_long():
    assert not allows(">=1.0.0-" + "9" * 5000, "1.0.0-" + "8" * 100)
    assert allows("<1.0.0-" + "9" * 5000, "1.0.0-" + "8" * 100)
    assert in_order(["1.0.0-010", "1.0.0-9", "1.0.0-a", "1.0.0-0"]) == ["1.0.0-0", "1.0.0-9", "1.0.0-010", "1.0.0-a"]


def test_what_skopeo_would_take_by_version():
    tags = ["20240101", "v3.1", "3.2.0", "3.3.0-rc1", "3.10.0", "4", "latest"]
    parsed = {tag: Version.parse(tag) for tag in tags}
    taken = [tag for tag, found in parsed.items() if found and VersionRange(">=3").allows(found)]
    assert taken == ["20240101", "v3.1", "3.2.0", "3.10.0", "4"]


@pytest.mark.parametrize(
    ("wanted", "rest"),
    [
        ("foo", "foo"),
        (">=", ">="),
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.34x", "1.2.34x"),
        ("1.x5", "1.x5"),
        (">=1.2 and <2", "and <2"),
        ("1.2 | 3", "| 3"),
        ("==1", "==1"),
        ("1.2.3-", "1.2.3-"),
        ("1.2.3-a..b", "1.2.3-a..b"),
        ("\u0661", "\u0661"),
        (">=>=1", ">=>=1"),
        (",1", ",1"),
        ("9" * 200, "9" * 200),
    ],
)
def test_what_is_not_understood_is_named(wanted, rest):
    with pytest.raises(ImageError) as raised:
        VersionRange(wanted)
    assert raised.value.cause == "%r is not a valid version range: cannot parse %r" % (wanted, rest)
    assert ">=1.2, <2" in raised.value.hint
