# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase "lint", and the command that writes files the way it wants them."""

from __future__ import annotations

from devtools.toolchain.stacks import linters
from devtools.toolchain.steps import Outcome, home, step


def lint(arguments: list[str]) -> Outcome:
    stack = linters()
    commands = [
        ["ruff", "check", "--output-format=concise", "."],
        ["ruff", "format", "--check", "--output-format=concise", "."],
        ["mypy", "--package", "ansible_collections.drayage.registry.plugins"],
        ["codespell"],
        ["python", "-m", "devtools.toolchain.prose"],
        ["yamllint", "--strict", "."],
        ["antsibull-changelog", "lint"],
        ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", "."],
        ["ansible-lint", "--nocolor", "--offline", "--profile", "production"],
        ["reuse", "lint", "--lines"],
    ]
    failed = []
    for command in commands:
        if not step(stack, command, quiet=True, HOME=home()):
            failed.append(" ".join(command[:2]) if command[0] == "ruff" else command[0])
    return Outcome(not failed, f"failed: {', '.join(failed)}" if failed else f"{len(commands)} checks")


def python_format(arguments: list[str]) -> Outcome:
    stack = linters()
    paths = arguments or ["."]
    done = [step(stack, ["ruff", *command, "--quiet", *paths]) for command in (["check", "--fix"], ["format"])]
    return Outcome(all(done), "")
