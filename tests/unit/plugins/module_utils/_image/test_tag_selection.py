# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.tag_selection import TagSelection

TAGS = ["2.0.0", "1.9.0", "v1.10.0", "latest", "2.1.0-rc.1", "1.10", "edge", "1.9.0-alpine", "20260114"]


def select(**rules):
    return TagSelection.parse(**rules).select(TAGS)


def test_without_rules_all_are_wanted():
    everything = ["edge", "latest", "1.9.0-alpine", "1.9.0", "1.10", "v1.10.0", "2.0.0", "2.1.0-rc.1", "20260114"]
    assert select() == everything


def test_expressions_match_the_whole_tag():
    assert select(include=["1.9"]) == []
    assert select(include=["1\\.9\\.0"]) == ["1.9.0"]
    assert select(include=["e|latest|edge"]) == ["edge", "latest"]
    assert select(exclude=[".*0"], include=["[12].*"]) == ["1.9.0-alpine", "2.1.0-rc.1", "20260114"]


def test_exclude_wins():
    assert select(include=["edge", "latest"], exclude=["l.*"]) == ["edge"]


def test_versions():
    assert select(semver="^1") == ["1.9.0", "v1.10.0"]
    assert select(semver="^1", strict=False) == ["1.9.0", "1.10", "v1.10.0"]
    assert select(semver=">=2", strict=False) == ["2.0.0", "20260114"]
    assert select(semver=">=2.0.0-0") == ["2.0.0", "2.1.0-rc.1"]
    assert select(semver="") == ["1.9.0", "v1.10.0", "2.0.0"]


def test_versions_of_helm_charts():
    charts = TagSelection.parse(semver="^1", newest=2)
    assert charts.select(["1.2.3_build", "1.10.0_7", "1.9.0", "1.9.0.1", "latest"]) == ["1.9.0", "1.10.0_7"]


@pytest.mark.parametrize("text", ["v[.[:digit:]]+", "[[:alpha:]]+", "[^.[:^space:]]"])
@pytest.mark.parametrize("option", ["include", "exclude"])
def test_posix_classes_are_refused_wherever_they_stand(option, text):
    """Python reads them as a set of other characters and so misses tags."""
    with pytest.raises(ImageError) as raised:
        select(**{option: [text]})
    posix_class = text[text.index("[:") : text.index(":]") + 2]
    expected = "%s: %r uses the POSIX class %s, which Python does not support" % (option, text, posix_class)
    assert raised.value.cause == expected
    assert raised.value.hint == "Use 0-9, a-z or A-Z in the brackets, as in [0-9]"


def test_the_newest_are_versions_and_come_last():
    assert select(newest=1) == ["2.0.0"]
    assert select(newest=2) == ["v1.10.0", "2.0.0"]
    assert select(newest=100) == ["1.9.0", "v1.10.0", "2.0.0"]
    assert select(newest=1, semver=">=1-0") == ["2.1.0-rc.1"]
    assert select(newest=1, strict=False) == ["20260114"]


def test_the_newest_are_chosen_last_of_all():
    assert select(newest=1, exclude=["2.*"]) == ["v1.10.0"]
    assert select(newest=1, semver="<1.10") == ["1.9.0"]
    assert select(newest=1, include=[".*-alpine"], semver=">=0-0") == ["1.9.0-alpine"]


@pytest.mark.parametrize("text", ["(", "*", "a{99999999999}", "[z-a]", "(?P<x>a)(?P<x>b)"])
@pytest.mark.parametrize("option", ["include", "exclude"])
def test_a_bad_expression_is_named(option, text):
    with pytest.raises(ImageError) as raised:
        select(**{option: ["fine", text]})
    assert raised.value.cause.startswith("%s: %r is not a valid regular expression (" % (option, text))


@pytest.mark.parametrize("number", [0, -1])
def test_the_newest_none_make_no_sense(number):
    with pytest.raises(ImageError, match="must be 1 or more"):
        select(newest=number)


def test_a_bad_range_is_named():
    with pytest.raises(ImageError, match="'nonsense' is not a valid version range"):
        select(semver="nonsense")
