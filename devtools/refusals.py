# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a role several times in one playbook, and collect the messages with which it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable


def refusals(play: Callable[..., str], file: Path, *attempts: tuple[str, dict[str, object]]) -> list[str]:
    """Return the message of each attempt, a role and its variables; empty if the role succeeded. ``file`` is scratch."""
    tasks: list[dict[str, object]] = []
    for role, variables in attempts:
        include = {"ansible.builtin.include_role": {"name": f"drayage.registry.{role}"}, "vars": variables}
        message = {"message": "{{ ansible_failed_result.msg }}"}
        tasks += [
            {"ansible.builtin.set_fact": {"message": ""}},
            {"block": [include], "rescue": [{"ansible.builtin.set_fact": message}]},
            {"ansible.builtin.set_fact": {"messages": "{{ messages | default([]) + [message] }}"}},
        ]
    tasks.append({"ansible.builtin.copy": {"content": "{{ messages | to_json }}", "dest": str(file), "mode": "0600"}})
    play(tasks)
    messages: list[str] = json.loads(file.read_text())
    return messages
