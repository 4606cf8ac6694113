# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that copy all images of a repository, ours first; peers as they are, and at their best.

Both names are of repositories.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.programs import Crane, ImageCopy, Program, Skopeo

OURS = "image_sync"

# Names of repositories, each with that of its copy.
Pairs = list[tuple[str, str]]

# As many images at once as the peers take at their best; more of them are no faster.
_BEST = 32


class ImageSync(ImageCopy):
    """The module by itself, with no option but what to copy."""

    name = OURS

    def stdin(self, source: str, destination: str) -> str:
        return self.stdin_of([(source, destination)])

    def stdin_of(self, pairs: Pairs, **options: str) -> str:
        """As :meth:`stdin`, for several repositories, and with further options."""
        entries = [{"name": source, "dest": destination} for source, destination in pairs]
        return json.dumps({"ANSIBLE_MODULE_ARGS": {"images": entries, **options}})


class CraneOfSets(Crane):
    """crane as it is."""

    jobs: tuple[str, ...] = ()

    def command(self, source: str, destination: str) -> list[str]:
        return [self.path, "copy", "--all-tags", *self.jobs, source, destination]


class FastCrane(CraneOfSets):
    """crane with as many jobs as help."""

    name = f"crane --jobs {_BEST}"
    jobs = ("--jobs", str(_BEST))


class Regsync(Program):
    """regsync does what its file says; as it is, one image after the other."""

    name = "regsync"
    is_slow = True
    program = "regsync"
    module = "github.com/regclient/regclient/cmd/regsync"
    release = "v0.11.7"
    asking = ("version", "--format", "{{.VCSTag}}")
    parallel = 1
    settings: dict[str, object] = {}

    def prepare(self, hosts: list[str], env: dict[str, str]) -> None:
        self._hosts = hosts
        self._config = Path(env["HOME"], "regsync.yml")

    def command(self, source: str, destination: str) -> list[str]:
        return self.command_of([(source, destination)])

    def command_of(self, pairs: Pairs) -> list[str]:
        """As :meth:`command`, for several repositories."""
        config = {
            "version": 1,
            "creds": [{"registry": host, "tls": "disabled", **self.settings} for host in self._hosts],
            "defaults": {"parallel": self.parallel},
            "sync": [{"source": source, "target": destination, "type": "repository"} for source, destination in pairs],
        }
        self._config.write_text(json.dumps(config), encoding="ascii")  # YAML reads JSON
        return [self.path, "once", "--config", str(self._config)]


class FastRegsync(Regsync):
    """regsync with as many images at once as crane, and as many requests to a registry, of which it has 3 by itself."""

    name = f"regsync, parallel: {_BEST}"
    parallel = _BEST
    settings = {"reqConcurrent": _BEST}


class SkopeoOfSets(Skopeo):
    """skopeo copies one image after the other, and puts the last part of the source's name below the one it is given."""

    is_slow = True

    def command(self, source: str, destination: str) -> list[str]:
        above = destination.rpartition("/")[0]
        return [self.path, "sync", "--src", "docker", "--dest", "docker", *self.switches, source, above]


# regsync copies several repositories at once, but not several images of one.
FAST = (ImageSync, FastCrane)
FAST_WITH_REPOSITORIES = (ImageSync, FastCrane, FastRegsync)
SYNCERS = (ImageSync, CraneOfSets, FastCrane, Regsync, FastRegsync, SkopeoOfSets)
