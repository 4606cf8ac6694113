# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The file names and the version of a directory with one image (containers-transports(5), dir)."""

from __future__ import annotations

import os
import re

from .._errors import InvalidContent, LocalFailure
from .._files import STAGING, read_regular
from .._image import digest as digests

_VERSION = b"Directory Transport Version: %s\n"
# The content of the file version. 1.2 differs in that other algorithms than sha256 are part of the names.
VERSIONS = (_VERSION % b"1.1", _VERSION % b"1.2")
_HEX = r"(?:[a-z0-9]+-)?[0-9a-f]{64,128}"
# dir-put-blob is what other tools call a blob under way.
_NAMES = re.compile(
    r"version|manifest\.json|signature-[0-9]+|dir-put-blob[0-9]+|%s(?:\.manifest\.json|\.signature-[0-9]+)?|%s.*"
    % (_HEX, re.escape(STAGING))
)


def is_file_of_image(name: str) -> bool:
    """Return whether a file with this name can be part of an image."""
    return _NAMES.fullmatch(name) is not None


def name_of(digest: str) -> str:
    """Return the file name of a blob."""
    algorithm, encoded = digests.split(digest)
    return encoded if algorithm == "sha256" else "%s-%s" % (algorithm, encoded)


def has_version(directory: str) -> bool:
    """Return whether the directory states its version; False for the empty file of a killed writer. Raises OSError.

    Raises LocalFailure if the version is unknown.
    """
    try:
        found = read_regular(os.path.join(directory, "version"), 100)
    except FileNotFoundError:
        return False
    except InvalidContent as error:
        raise LocalFailure(error.cause) from None
    if found and found.strip() not in [version.strip() for version in VERSIONS]:
        raise LocalFailure("the file %s/version has unexpected content" % directory, hint="Use another directory")
    return bool(found)


def write_version(directory: str, version: bytes) -> None:
    """Write the file in place, because it is locked. Raises OSError."""
    with open(os.path.join(directory, "version"), "r+b") as stream:
        if stream.read() != version:
            stream.seek(0)
            stream.truncate()
            stream.write(version)
            stream.flush()
            os.fsync(stream.fileno())
