# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error index of the documentation has the messages of the code."""

from __future__ import annotations

from devtools.toolchain import messages


def test_the_index_is_up_to_date():
    written = messages.INDEX.read_text(encoding="utf-8")
    assert written == messages.page(), "run python3 -m devtools.toolchain.messages"


def test_hints_belong_to_their_errors():
    found = {message.text: message for message in messages.messages()}
    assert found["is an image, not a repository"].hint
    assert found["cannot ...: ... returned ..."].section == "Registries and connections"
    assert found["Docker Hub currently allows ... more pulls, but this task needs ..."].is_warning
    assert len(found) > 300
