# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Podman as a program, if none of its services is running. It has the same methods as the client of an engine."""

from __future__ import annotations

import os
import typing as t

from .._errors import ConnectionFailed, ImageError, NotFound, Refused, file_errors, parsing
from .._image import document as documents
from .._image.digest import CHUNK
from .._process import RunCommand
from .workplace import Workplace


class PodmanProgram:
    """Each call runs ``podman`` as the user of the task."""

    location = "podman"

    def __init__(self, run_command: RunCommand) -> None:
        self._run_command = run_command
        self._workplace = Workplace()

    def version(self) -> dict[str, t.Any]:
        """Return ``Os``, ``Arch`` and ``Machine``."""
        system, _slash, architecture = self._run("info", "--format", "{{.Host.OS}}/{{.Host.Arch}}").partition("/")
        return {"Os": system.strip(), "Arch": architecture.strip(), "Machine": os.uname().machine}

    def has_other_ids(self) -> bool:
        """Return False: IDs are the digests of configs here."""
        return False

    def images(self) -> list[dict[str, t.Any]]:
        """Return ``Id`` and ``RepoTags`` of all images. The latter contain all names, also those with a digest."""
        try:
            listed = documents.decode(self._run("images", "--no-trunc", "--format", "json"))
        except ValueError:
            hint = "Run podman images --format json as the task's user"
            raise ConnectionFailed("podman images did not return valid JSON", hint=hint) from None
        with parsing("the output of podman images"):
            return [{"Id": _digest(item["Id"]), "RepoTags": item.get("Names")} for item in listed]

    def inspect(self, name: str) -> dict[str, t.Any] | None:
        """Return the ``Id`` of the image with a name or ID; None if it does not exist."""
        name = _known_as(name)
        if self._call("image", "exists", name)[0] == 1:
            return None
        return {"Id": _digest(self._run("image", "inspect", "--format", "{{.Id}}", name).strip())}

    def export(self, name: str) -> t.Iterator[bytes]:
        """Yield an image as a ``podman save`` archive."""
        path = self._workplace.new_path()
        self._run("save", "--quiet", "--format", "docker-archive", "--output", path, _known_as(name))
        with file_errors("read", path), open(path, "rb", buffering=0) as stream:
            os.unlink(path)
            while True:
                chunk = stream.read(CHUNK)
                if not chunk:
                    return
                yield chunk

    def load(self, chunks: t.Iterator[bytes]) -> None:
        """Load such an archive."""
        path = self._workplace.new_path()
        with file_errors("write", path), open(path, "wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
        self._run("load", "--quiet", "--input", path)
        with file_errors("remove", path):
            os.unlink(path)

    def tag(self, image_id: str, name: str) -> None:
        """Give an image a name. Raises NotFound if the image does not exist."""
        if not self.inspect(image_id):
            raise NotFound("podman has no image %s" % image_id, hint="Run the task again")
        self._run("tag", _known_as(image_id), name)

    def remove(self, name: str) -> bool:
        """Remove a name, and the image with its last name. Return False if it does not exist."""
        if not self.inspect(name):
            return False
        self._run("rmi", _known_as(name))
        return True

    def close(self) -> None:
        """Remove the files that were written for podman."""
        self._workplace.close()

    def _run(self, *arguments: str) -> str:
        code, output, errors = self._call(*arguments)
        if code:
            lines = errors.strip().splitlines() or ["exit status %d" % code]
            cause = "podman %s failed (%s)" % (arguments[0], lines[-1].replace("Error: ", "")[:300])
            raise Refused(cause, hint="Run the command as the task's user to see the full output")
        return output

    def _call(self, *arguments: str) -> tuple[int, str, str]:
        try:
            return self._run_command(["podman", *arguments], "")
        except OSError:
            hint = "Install podman, or set CONTAINER_HOST to the address of the Podman service"
            raise ImageError(
                "podman is not available: the node has neither a Podman socket nor the podman program", hint=hint
            ) from None


def _digest(image_id: str) -> str:
    return image_id if image_id.startswith("sha256:") else "sha256:" + image_id


def _known_as(name: str) -> str:
    """Return an ID without its algorithm, as the program expects it."""
    return name[len("sha256:") :] if name.startswith("sha256:") else name
