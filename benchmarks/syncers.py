# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that copy all images of a repository, ours first. Both names are of repositories."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.programs import Crane, ImageCopy, Program, Skopeo

OURS = "image_sync"

# As many images at once as crane is told to.
_PARALLEL = 8


class ImageSync(ImageCopy):
    """The module by itself, with no option but what to copy."""

    name = OURS

    def stdin(self, source: str, destination: str) -> str:
        return json.dumps({"ANSIBLE_MODULE_ARGS": {"images": [{"name": source, "dest": destination}]}})


class CraneOfSets(Crane):
    """crane with twice the jobs that it has by itself."""

    def command(self, source: str, destination: str) -> list[str]:
        return [self.path, "copy", "--all-tags", "--jobs", str(_PARALLEL), source, destination]


class Regsync(Program):
    """regsync does what its file says."""

    name = "regsync"
    is_slow = True
    module = "github.com/regclient/regclient/cmd/regsync"
    release = "v0.11.7"
    asking = ("version", "--format", "{{.VCSTag}}")

    def prepare(self, hosts: list[str], env: dict[str, str]) -> None:
        self._hosts = hosts
        self._config = Path(env["HOME"], "regsync.yml")

    def command(self, source: str, destination: str) -> list[str]:
        config = {
            "version": 1,
            "creds": [{"registry": host, "tls": "disabled"} for host in self._hosts],
            "defaults": {"parallel": _PARALLEL},
            "sync": [{"source": source, "target": destination, "type": "repository"}],
        }
        self._config.write_text(json.dumps(config), encoding="ascii")  # YAML reads JSON
        return [self.path, "once", "--config", str(self._config)]


class SkopeoOfSets(Skopeo):
    """skopeo copies one image after the other, and puts the last part of the source's name below the one it is given."""

    is_slow = True

    def command(self, source: str, destination: str) -> list[str]:
        above = destination.rpartition("/")[0]
        return [self.path, "sync", "--src", "docker", "--dest", "docker", *self.switches, source, above]


SYNCERS = (ImageSync, CraneOfSets, Regsync, SkopeoOfSets)
