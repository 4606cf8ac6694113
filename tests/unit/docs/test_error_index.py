# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error index of the documentation has the messages of the code."""

from __future__ import annotations

from devtools.toolchain import messages

REGISTRIES = "Registries and connections"


def test_the_index_is_up_to_date():
    written = messages.INDEX.read_text(encoding="utf-8")
    assert written == messages.page(), "run python3 -m devtools.toolchain.messages"


def test_hints_belong_to_their_errors():
    found = {(message.section, message.text): message for message in messages.messages()}
    assert (
        "Remove the tag or digest"
        in found["Copies, tags and deletions", "a repository is required, but the reference has a tag or digest"].hints
    )
    assert found[REGISTRIES, "cannot ..., because the tag is immutable: ... returned ..."].hints == (
        "Use another tag, or change the registry's immutability rule",
    )
    assert (
        "Use another tag, or change the registry's immutability rule"
        not in found[REGISTRIES, "cannot ...: ... returned ..."].hints
    )
    assert found[
        "Copies, tags and deletions",
        "Docker Hub currently allows ... more pulls, but this task needs .... If the task fails, log in or run it later",
    ].is_warning
    assert len(found) > 300
