# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Directories of certificates for one registry, as in containers-certs.d(5)."""

from __future__ import annotations

import os
import tempfile

from ..._errors import local_failure
from .plain_document import Node


def read_cert_dir(node: Node, beside: str, tmpdir: str) -> dict[str, str]:
    """The settings that a directory stands for: ``*.crt`` are CAs, ``NAME.cert`` and ``NAME.key`` a client certificate.

    A relative path begins where the file ``beside`` it is. Several CAs become one file in ``tmpdir``, which has to stay as
    long as the settings are used. Raises ImageError.
    """
    directory = os.path.join(os.path.dirname(os.path.abspath(beside)), os.path.expanduser(node.text()))
    try:
        names = sorted(os.listdir(directory))
        found = _client_certificate(node, directory, names)
        authorities = [os.path.join(directory, name) for name in names if name.endswith(".crt")]
        if authorities:
            found["ca_path"] = authorities[0] if len(authorities) == 1 else _bundle(authorities, tmpdir)
    except OSError as error:
        raise local_failure(error, "read cert-dir", directory).about(node.where) from None
    return found


def _client_certificate(node: Node, directory: str, names: list[str]) -> dict[str, str]:
    certificates = {os.path.splitext(name)[0] for name in names if name.endswith(".cert")}
    keys = {os.path.splitext(name)[0] for name in names if name.endswith(".key")}
    for name in sorted(certificates ^ keys):
        given, missing = (".cert", ".key") if name in certificates else (".key", ".cert")
        raise node.wrong("%s has %s%s, but not %s%s" % (directory, name, given, name, missing))
    if len(certificates) > 1:
        raise node.wrong("%s has more than one client certificate" % directory, "Leave the one that is to be shown")
    return {
        option: os.path.join(directory, name + suffix)
        for name in certificates
        for option, suffix in (("client_cert", ".cert"), ("client_key", ".key"))
    }


def _bundle(paths: list[str], tmpdir: str) -> str:
    """One file with the content of all. Raises OSError."""
    descriptor, bundle = tempfile.mkstemp(suffix=".pem", dir=tmpdir)
    with open(descriptor, "wb") as target:
        for path in paths:
            with open(path, "rb") as source:
                target.write(source.read() + b"\n")
    return bundle
