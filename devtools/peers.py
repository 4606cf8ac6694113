# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of others, built by Go at a fixed release: oras, regctl and cosign judge what is attached to an image, helm renders."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from devtools import provision

# Building some takes minutes: tests use them only if they are there already, or if this variable is set.
BUILD_ALL = "DRAYAGE_BUILD_PEERS"

_MODULES = {
    "oras": ("oras.land/oras/cmd/oras", "v1.3.6"),
    "regctl": ("github.com/regclient/regclient/cmd/regctl", "v0.11.7"),
    "cosign": ("github.com/sigstore/cosign/v3/cmd/cosign", "v3.1.3"),
    "helm": ("helm.sh/helm/v3/cmd/helm", "v3.22.0"),
}
_SLOW = frozenset(("cosign", "helm"))


def find(name: str) -> str | None:
    """Return the path of a peer, built if need be; None without a Go toolchain, and for a slow one that is not asked for."""
    module, version = _MODULES[name]
    is_allowed = name not in _SLOW or bool(os.environ.get(BUILD_ALL))
    return provision.go_program(module, version, name, builds=is_allowed, is_optimized=False)


def find_policy_judge() -> str | None:
    """Return the path of the program that asks containers/image about policies, as :func:`find` does for slow ones."""
    is_allowed = bool(os.environ.get(BUILD_ALL))
    tags = "containers_image_openpgp exclude_graphdriver_btrfs"
    return provision.own_go_program("policyjudge", module="go_policy", tags=tags, builds=is_allowed)


def build() -> None:
    """Build all of them; nothing without a Go toolchain."""
    for name in _MODULES:
        find(name)
    find_policy_judge()


class Peer:
    """A program that reads what is attached to an image, with a home of its own below ``home``."""

    def __init__(self, path: str, home: Path) -> None:
        self._path = path
        self._home = home
        home.mkdir(parents=True, exist_ok=True)

    def run(self, *arguments: str) -> str:
        """Run the program and return its output."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._home), "COSIGN_PASSWORD": ""}
        command = [self._path, *arguments]
        process = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False, cwd=self._home
        )
        assert process.returncode == 0, f"{command}: {process.stdout}{process.stderr}"
        return process.stdout


class Oras(Peer):
    """oras discovers referrers in registries and layouts."""

    def referrers(self, image: str, layout: bool = False) -> set[str]:
        """Return the digests of the direct referrers of an image (``host/repository@digest`` or ``path@digest``)."""
        where = ["--oci-layout"] if layout else ["--plain-http"]
        document = json.loads(self.run("discover", "--format", "json", "--depth", "1", *where, image))
        return {entry["digest"] for entry in document.get("referrers") or document.get("manifests") or ()}


class Regctl(Peer):
    """regctl lists referrers in registries, and in layouts as ``ocidir://path@digest``."""

    def trust(self, *hosts: str) -> None:
        """Use plain HTTP for these hosts."""
        for host in hosts:
            self.run("registry", "set", "--skip-check", "--tls", "disabled", host)

    def referrers(self, image: str) -> set[str]:
        """Return the digests of the direct referrers of an image."""
        document = json.loads(self.run("artifact", "list", image, "--format", "{{json .Manifest}}"))
        return {entry["digest"] for entry in document.get("manifests") or ()}

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, or the names in a layout (``ocidir://path``)."""
        return self.run("tag", "list", repository).split()
