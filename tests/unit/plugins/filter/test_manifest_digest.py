# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.manifest_digest import FilterModule

manifest_digest = FilterModule().filters()["manifest_digest"]
UNSIGNED = '{\n   "schemaVersion": 1,\n   "name": "a"\n}'


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def signature(length, tail="\n}"):
    return {"protected": encoded(json.dumps({"formatLength": length, "formatTail": encoded(tail)}))}


def signed(*signatures):
    """UNSIGNED as registries put signatures into it."""
    return UNSIGNED[:-2] + ',\n   "signatures": ' + json.dumps(signatures) + "\n}"


LENGTH = len(UNSIGNED) - 2


@pytest.mark.parametrize(
    "text", ['{"schemaVersion": 2}', '{"schemaVersion": 2}\n', UNSIGNED, "{}", "[]", "", "no JSON", "ü"]
)
def test_the_digest_is_over_the_bytes(text):
    assert manifest_digest(text) == manifest_digest(text.encode()) == sha256(text.encode())


@pytest.mark.parametrize("signatures", [[signature(LENGTH)], [signature(LENGTH), signature(LENGTH)]])
def test_signatures_of_schema_1_are_left_out(signatures):
    assert manifest_digest(signed(*signatures)) == sha256(UNSIGNED.encode())


def test_length_and_end_are_in_bytes():
    text = signed(signature(LENGTH + 1)).replace('"a"', '"ü"')
    assert manifest_digest(text) == sha256(UNSIGNED.replace('"a"', '"ü"').encode())


def test_signatures_of_anything_else_stay():
    text = signed(signature(LENGTH)).replace('"schemaVersion": 1', '"schemaVersion": 2')
    assert manifest_digest(text) == sha256(text.encode())


@pytest.mark.parametrize(
    "signatures",
    [
        [],
        [signature(LENGTH), signature(LENGTH - 1)],
        [signature(LENGTH), signature(LENGTH, "}")],
        [signature("x")],
        [signature(0)],
        [signature(-1)],
        [signature(100000)],
        [{}],
        [{"protected": 1}],
        [{"protected": "*"}],
        [{"protected": encoded("no JSON")}],
        [{"protected": encoded("[]")}],
        [{"protected": encoded('{"formatLength": 1}')}],
        ["text"],
        [None],
    ],
)
def test_signatures_that_make_no_sense(signatures):
    with pytest.raises(
        AnsibleFilterError,
        match=r"^manifest_digest: the signatures? (in|of) the Docker schema 1 manifest [a-z ]+\. Push the image again",
    ):
        manifest_digest(signed(*signatures))


@pytest.mark.parametrize("value", [{"schemaVersion": 2}, ["text"], None, 1])
def test_only_text_has_a_digest(value):
    with pytest.raises(AnsibleFilterError, match="the input is not a string"):
        manifest_digest(value)


def test_text_that_is_not_unicode():
    with pytest.raises(AnsibleFilterError, match="not valid Unicode"):
        manifest_digest("\udcff")
