# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that are measured, ours first: how each copies an image from one registry to another."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys

from devtools import provision
from devtools.toolchain.stacks import link_collection

OURS = "image_copy"


class Program:
    """A program that copies images."""

    def __init__(self, name: str, path: str, version: str) -> None:
        self.name = name
        self.path = path
        self.version = version

    def prepare(self, hosts: list[str], env: dict[str, str]) -> None:
        """Tell the program, before its time is taken, that these hosts speak plain HTTP."""

    def command(self, source: str, destination: str) -> list[str]:
        """Return the command that copies from one ``host/repository:tag`` to another."""
        return [self.path, "copy", source, destination]

    def stdin(self, source: str, destination: str) -> str:
        """Return what the command wants to read."""
        return ""


class ImageCopy(Program):
    """The module by itself, without the time that Ansible takes to get it to a node and started there."""

    def command(self, source: str, destination: str) -> list[str]:
        return [sys.executable, self.path]

    def stdin(self, source: str, destination: str) -> str:
        return json.dumps({"ANSIBLE_MODULE_ARGS": {"src": source, "dest": destination}})


class Regctl(Program):
    """regctl speaks TLS to every host that its configuration does not say otherwise of."""

    def prepare(self, hosts: list[str], env: dict[str, str]) -> None:
        for host in hosts:
            command = [self.path, "registry", "set", "--skip-check", "--tls", "disabled", host]
            subprocess.run(command, env=env, check=True, capture_output=True)

    def command(self, source: str, destination: str) -> list[str]:
        return [self.path, "image", "copy", source, destination]


class Skopeo(Program):
    """skopeo has a switch for everything."""

    def command(self, source: str, destination: str) -> list[str]:
        switches = ["--all", "--src-tls-verify=false", "--dest-tls-verify=false", "-q"]
        return [self.path, "copy", *switches, f"docker://{source}", f"docker://{destination}"]


def find(env: dict[str, str]) -> tuple[list[Program], list[str]]:
    """Return the programs in the order in which they run, and what is missing, with the reasons.

    skopeo has to be there, or a ProvisionError says why it cannot be.
    """
    programs: list[Program] = [_ours()]
    missing: list[str] = []
    for name, module, kind, asking in (
        ("crane", "github.com/google/go-containerregistry/cmd/crane", Program, ["version"]),
        ("regctl", "github.com/regclient/regclient/cmd/regctl", Regctl, ["version", "--format", "{{.VCSTag}}"]),
    ):
        try:
            path = provision.go_program(module, name)
        except provision.ProvisionError as error:
            missing.append(f"{name}: {error}")
            continue
        if path:
            programs.append(kind(name, path, _answer([path, *asking], env)))
        else:
            missing.append(f"{name}: there is neither this program on PATH nor a Go toolchain to build it with")
    skopeo = provision.program("skopeo")
    programs.append(Skopeo("skopeo", skopeo, _answer([skopeo, "--version"], env).split()[-1]))
    return programs, missing


def _ours() -> Program:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("requests", "urllib3", "ansible-core")]
    commit = _answer(["git", "-C", str(provision.REPOSITORY), "describe", "--always", "--dirty"])
    module = link_collection() / "plugins" / "modules" / f"{OURS}.py"
    return ImageCopy(OURS, str(module), ", ".join([commit, f"Python {platform.python_version()}", *versions]))


def _answer(command: list[str], env: dict[str, str] | None = None) -> str:
    process = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
    )
    return process.stdout.strip() or "of unknown version"
