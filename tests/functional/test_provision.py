# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about programs that the tests need: all of them in one list, and how to get one that cannot be unpacked."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from devtools import provision


def test_the_list_has_every_program_that_is_asked_for():
    asked = re.compile(r'provision\.program\(\s*"([^"]+)"')
    files = [
        file
        for part in ("benchmarks", "demo", "devtools", "tests")
        for file in (provision.REPOSITORY / part).rglob("*.py")
    ]
    assert {name for file in files for name in asked.findall(file.read_text())} - set(provision.PROGRAMS) == {
        "sh",
        "balancer",
    }


def test_what_is_missing_is_listed_for_apt():
    given = {**os.environ, "PATH": "/nowhere"}
    command = [sys.executable, "-m", "devtools.provision"]
    listed = subprocess.run(command, cwd=provision.REPOSITORY, env=given, stdout=subprocess.PIPE, text=True, check=True)
    assert set(listed.stdout.split()) <= set(provision.PROGRAMS.values())


def test_an_interpreter_that_hangs_is_not_taken_for_absent(monkeypatch):
    def hang(command, **_options):
        raise subprocess.TimeoutExpired(command, 300)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(subprocess.TimeoutExpired):
        provision.python_versions()


def test_a_program_without_its_libraries_is_to_be_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(provision, "BUILD", tmp_path)
    tools, unpacked = tmp_path / "tools", tmp_path / "debs" / "balancer" / "usr" / "sbin"
    for directory, name, text in (
        (tools, "ldd", "echo 'libluasomething.so.5 => not found'"),
        (tools, "apt-get", "exit 0"),
        (unpacked, "balancer", "exit 127"),
    ):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(provision.ProvisionError, match=r"needs libluasomething.so.5.*apt-get install balancer"):
        provision.program("balancer", unpack=True)
