# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!


"""The config of an image (OCI image spec, config.md; Docker image spec v1.2): platform, labels, history and layers."""

from __future__ import annotations

import typing as t

from .._errors import InvalidContent
from . import document as documents

# Bytes; configs of real images have some 10 KiB.
MAX_CONFIG = 8 * 1024 * 1024

_FIELDS = frozenset(("created", "author", "architecture", "os", "os.version", "variant", "config", "rootfs", "history"))
_RUN_FIELDS = frozenset(
    ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "Healthcheck")
)
_ROOTFS_FIELDS = frozenset(("type", "diff_ids"))


def read(content: bytes | str, what: str = "the image config") -> dict[str, t.Any]:
    """Decode the config of an image. Raises :class:`InvalidContent` if it is invalid, or if engines would read it differently."""
    document = documents.read(content, what, hint="Rebuild the image with an up-to-date build tool")
    if not isinstance(document, dict):
        raise InvalidContent("%s is not a JSON object" % what, hint="Rebuild the image with an up-to-date build tool")
    documents.check_fields(document, _FIELDS, what, lone=False)
    for name, fields in (("config", _RUN_FIELDS), ("rootfs", _ROOTFS_FIELDS)):
        if isinstance(document.get(name), dict):
            documents.check_fields(document[name], fields, "the %s of %s" % (name, what), lone=False)
    return document
