# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest

from ansible_collections.drayage.registry.plugins.module_utils import _text
from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._run import RunStats

HOSTILE = "\x1b[31mred\x1b[0m\nfatal: [x]\r\x07\x9b2J\u202e\u2066\u200b\u2028\x7f\ud800end"


def test_a_message_is_one_line_without_escape_sequences():
    assert _text.clean(HOSTILE) == "red fatal: [x] end"
    assert _text.clean("plain \u00fc\u4e2d") == "plain \u00fc\u4e2d"
    assert str(ImageError(HOSTILE, HOSTILE, HOSTILE)).isprintable()


def test_a_message_is_cut():
    assert _text.clean("x" * 20, 10) == "xxxxxxx..."
    assert len(str(ImageError("x" * 1_000_000, hint="Do this"))) < 5000
    assert str(ImageError("x" * 1_000_000, hint="Do this")).endswith("Do this.")


def test_values_keep_their_lines_but_not_their_controls():
    result = {"raw": HOSTILE, "labels": {"a\x1b": ["one\n\ttwo", HOSTILE, 7, None]}, "\u202ekey": {"b": "plain"}}
    _text.clean_values(result, exempt=("raw",))
    assert result["raw"] == HOSTILE
    assert result["labels"]["a\ufffd"][0] == "one\n\ttwo"
    assert not set(result["labels"]["a\ufffd"][1]) & set("\x1b\r\x07\x9b\u202e\u2066\u2028\x7f\ud800")
    assert result["\ufffdkey"] == {"b": "plain"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HTTPS://u:p@h/app", "HTTPS://h/app"),
        ("https://u:p/a@ss@h/app", "https://h/app"),
        ("//u:p@h", "//h"),
        ("https://token@h/app", "https://h/app"),
        ("u:pa/ss@h/app:1", "h/app:1"),
        ("u:p@h", "h"),
        ("u:p@h/app@sha256:abc", "h/app@sha256:abc"),
        ("r.example:5000/app@sha256:abc", "r.example:5000/app@sha256:abc"),
        ("r.example:5000/app:1@latest", "r.example:5000/app:1@latest"),
        ("localhost:5000/app@1.2", "localhost:5000/app@1.2"),
        ("r.example/app@sha256:abc", "r.example/app@sha256:abc"),
        ("r.example/app:1", "r.example/app:1"),
    ],
)
def test_what_stands_before_a_host_is_not_shown(text, shown):
    assert _text.without_userinfo(text) == shown


def test_secrets_that_were_sent_are_hidden_in_warnings_and_messages():
    statistics = RunStats()
    statistics.note_sent("Bearer tok.en-1")
    statistics.note_sent("Basic " + base64.b64encode(b"jane:sesame").decode())
    statistics.warn("you sent tok.en-1, %s and sesame" % base64.b64encode(b"tok.en-1").decode())
    assert statistics.warnings == ["you sent ***, *** and ***"]
    assert statistics.hide("amFuZTpzZXNhbWU= or jane:sesame") == "*** or ***"


def test_an_identity_token_is_hidden_whatever_it_looks_like():
    statistics = RunStats()
    statistics.note_secret("Bearer Basic of life")
    assert (
        statistics.hide("you sent Basic of life, %s" % base64.b64encode(b"Basic of life").decode())
        == "you sent ***, ***"
    )


def test_any_number_of_digests_is_followed_to_a_user_name():
    digests = "@sha256:x" * 5000
    assert _text.without_userinfo("https://u:p@r.example/app" + digests) == "https://r.example/app" + digests
