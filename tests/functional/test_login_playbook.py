# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_login in playbooks: summaries, diffs, defaults of the group, and what -vvv shows."""

from __future__ import annotations

import base64
import json

import pytest

SECRET = "wonder:land"
ENCODED = base64.b64encode(f"alice:{SECRET}".encode()).decode()


@pytest.fixture
def tasks(token_registry, tmp_path):
    """Return tasks that log alice in and out."""
    options = {"host": token_registry.host, "authfile": f"{tmp_path}/auth.json"}
    return [
        {"name": "Log in", "drayage.registry.registry_login": {**options, "username": "alice", "password": SECRET}},
        {"name": "Log out", "drayage.registry.registry_login": {**options, "state": "absent"}},
    ]


def test_second_run_changes_nothing(play, tasks):
    assert "changed=1" in play(tasks[:1], "--check")
    assert "changed=1" in play(tasks[:1])
    assert "changed=0" in play(tasks[:1])
    assert "changed=1" in play(tasks[1:])
    assert "changed=0" in play(tasks[1:])


def test_diff_shows_who(play, tasks):
    output = play(tasks, "--diff")
    assert '-    "login": null' in output
    assert '+    "login": "alice"' in output
    assert '-    "login": "alice"' in output


def test_defaults_of_the_group(play, tasks, tmp_path):
    del tasks[0]["drayage.registry.registry_login"]["authfile"]
    assert "changed=1" in play(tasks[:1], defaults={"authfile": f"{tmp_path}/group.json"})
    assert (tmp_path / "group.json").exists()


def test_secrets_are_shown_nowhere(play, tasks, token_service, tmp_path):
    other = {"auths": {"r.example": {"auth": ENCODED}}}
    (tmp_path / "auth.json").write_text(json.dumps(other))
    outputs = [play(tasks, "-vvv", "--diff"), play(tasks[:1], "-vvv", "--diff"), play(tasks[:1], "-vvv")]
    token_service.users["alice"] = "another"
    outputs.append(play(tasks[:1], "-vvv", "--diff", succeeds=False))
    for output in outputs:
        assert SECRET not in output
        assert ENCODED not in output
        # Every token of the service is a JWT, whose header always begins like this.
        assert "eyJ" not in output
