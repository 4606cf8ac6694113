# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._argspec import check_filled, check_text
from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError


@pytest.mark.parametrize(
    "value", [None, "", "1.10", [], ["1.10", "yes"], [20240101, 7], 7, {}, {"release": "true", "build": 7}, "env=prod"]
)
def test_text_and_whole_numbers_are_accepted(value):
    check_text("tags", value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            1.1,
            "tags: 1.1 is a number, not a string. Put the value in quotes, because YAML reads an unquoted 1.10 as the number 1.1.",
        ),
        (
            ["1.9", 1.1],
            "tags: 1.1 is a number, not a string. Put the value in quotes, because YAML reads an unquoted 1.10 as the number 1.1.",
        ),
        (
            [True],
            "tags: true is a boolean, not a string. Put the value in quotes, because YAML reads an unquoted yes, no, on or off as a "
            "boolean.",
        ),
        ([None], "tags: all elements must be strings, but one is empty. Write each element as a string in quotes."),
        (
            {"env": "prod", "release": True},
            "tags: true is a boolean, not a string. Put the value in quotes, because YAML reads an unquoted yes, no, on or off as a "
            "boolean.",
        ),
        (
            {"env": None},
            "tags: all elements must be strings, but one is empty. Write each element as a string in quotes.",
        ),
        (
            [{"1.4": "x"}],
            "tags: all elements must be strings, but one is a mapping. Write each element as a string in quotes.",
        ),
    ],
)
def test_what_yaml_made_of_text_is_refused(value, message):
    with pytest.raises(ImageError) as raised:
        check_text("tags", value)
    assert str(raised.value) == message


@pytest.mark.parametrize("value", [None, "default", " "])
def test_an_option_may_be_omitted_or_set(value):
    check_filled("policy", value)


def test_empty_text_is_no_value():
    with pytest.raises(ImageError) as raised:
        check_filled("policy", "")
    assert str(raised.value) == "policy is empty. Set a value, or omit the option."
