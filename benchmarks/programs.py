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
from collections.abc import Sequence

from devtools import provision
from devtools.toolchain.stacks import link_collection

OURS = "image_copy"


class Program:
    """A program that copies images; Go builds it from a ``release`` of ``module``, and ``asking`` makes it
    tell its version. ``program`` is its file where the ``name`` says more.

    One that ``is_slow`` runs once where others run several times.
    """

    name = ""
    program = ""
    module = ""
    release = ""
    asking: Sequence[str] = ("version",)
    is_slow = False

    def __init__(self, path: str, version: str) -> None:
        self.path = path
        self.version = version

    @classmethod
    def find(cls, env: dict[str, str]) -> Program:
        """Find the program, or get it. Raises ProvisionError."""
        path = provision.go_program(cls.module, cls.release, cls.program or cls.name)
        if not path:
            raise provision.ProvisionError("there is neither this program on PATH nor a Go toolchain to build it with")
        return cls(path, _answer([path, *cls.asking], env))

    def prepare(self, hosts: list[str], env: dict[str, str]) -> None:
        """Tell the program, before its time is taken, that these hosts speak plain HTTP."""

    def command(self, source: str, destination: str) -> list[str]:
        """Return the command that copies from one ``host/repository:tag`` to another."""
        return [self.path, "copy", source, destination]

    def stdin(self, source: str, destination: str) -> str:
        """Return what the command wants to read."""
        return ""

    def to_layout(self, source: str, layout: str) -> tuple[list[str], str]:
        """Return the command that copies to an OCI layout, with the same tag, and what it wants to read."""
        raise NotImplementedError


class ImageCopy(Program):
    """The module by itself, without the time that Ansible takes to get it to a node and started there."""

    name = OURS

    @classmethod
    def find(cls, env: dict[str, str]) -> Program:
        versions = [f"{name} {importlib.metadata.version(name)}" for name in ("requests", "urllib3", "ansible-core")]
        commit = _answer(["git", "-C", str(provision.REPOSITORY), "describe", "--always", "--dirty"])
        path = link_collection() / "plugins" / "modules" / f"{cls.name}.py"
        return cls(str(path), ", ".join([commit, f"Python {platform.python_version()}", *versions]))

    def command(self, source: str, destination: str) -> list[str]:
        return [sys.executable, self.path]

    def stdin(self, source: str, destination: str) -> str:
        return json.dumps({"ANSIBLE_MODULE_ARGS": {"src": source, "dest": destination}})

    def to_layout(self, source: str, layout: str) -> tuple[list[str], str]:
        return [sys.executable, self.path], self.stdin(source, f"oci:{layout}")


class OneConnection(ImageCopy):
    """The module, kept from reading a blob over several connections."""

    name = f"{OURS}, one connection"

    def stdin(self, source: str, destination: str) -> str:
        registries = [{"host": source.partition("/")[0], "max_connections": 1}]
        options = {"src": source, "dest": destination, "registries": registries}
        return json.dumps({"ANSIBLE_MODULE_ARGS": options})


class Crane(Program):
    """crane takes plain HTTP for granted on loopback."""

    name = "crane"
    program = "crane"
    module = "github.com/google/go-containerregistry/cmd/crane"
    release = "v0.22.1"

    def to_layout(self, source: str, layout: str) -> tuple[list[str], str]:
        return [self.path, "pull", "--format=oci", source, layout], ""


class Regctl(Program):
    """regctl speaks TLS to every host that its configuration does not say otherwise of."""

    name = "regctl"
    module = "github.com/regclient/regclient/cmd/regctl"
    release = "v0.11.7"
    asking = ("version", "--format", "{{.VCSTag}}")

    def prepare(self, hosts: list[str], env: dict[str, str]) -> None:
        for host in hosts:
            command = [self.path, "registry", "set", "--skip-check", "--tls", "disabled", host]
            subprocess.run(command, env=env, check=True, capture_output=True)

    def command(self, source: str, destination: str) -> list[str]:
        return [self.path, "image", "copy", source, destination]

    def to_layout(self, source: str, layout: str) -> tuple[list[str], str]:
        return self.command(source, f"ocidir://{layout}:{source.rpartition(':')[2]}"), ""


class Skopeo(Program):
    """skopeo has a switch for everything, and comes from Debian: it is there, or cannot be got at all."""

    name = "skopeo"
    switches = ("--all", "--src-tls-verify=false", "--dest-tls-verify=false")

    @classmethod
    def find(cls, env: dict[str, str]) -> Program:
        path = provision.program(cls.name)
        return cls(path, _answer([path, "--version"], env).split()[-1])

    def command(self, source: str, destination: str) -> list[str]:
        return [self.path, "copy", *self.switches, "-q", f"docker://{source}", f"docker://{destination}"]

    def to_layout(self, source: str, layout: str) -> tuple[list[str], str]:
        target = f"oci:{layout}:{source.rpartition(':')[2]}"
        return [self.path, "copy", *self.switches[:2], "-q", f"docker://{source}", target], ""


COPIERS = (ImageCopy, Crane, Regctl, Skopeo)


def find(kinds: Sequence[type[Program]], env: dict[str, str]) -> tuple[list[Program], list[str]]:
    """Return the programs in the order in which they run, and what is missing, with the reasons."""
    programs: list[Program] = []
    missing: list[str] = []
    for kind in kinds:
        try:
            programs.append(kind.find(env))
        except provision.ProvisionError as error:
            missing.append(f"{kind.name}: {error}")
    return programs, missing


def _answer(command: list[str], env: dict[str, str] | None = None) -> str:
    process = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
    )
    return process.stdout.strip() or "of unknown version"
