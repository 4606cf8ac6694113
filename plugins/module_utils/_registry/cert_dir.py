# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Certificate directories for one host, as in containers-certs.d(5) and in docker's /etc/docker/certs.d."""

from __future__ import annotations

import os
import typing as t

from .._errors import LocalFailure, local_failure

_SYSTEM = ("/etc/containers/certs.d", "/etc/docker/certs.d")


def read(directory: str) -> dict[str, t.Any]:
    """Return the options of RegistrySettings that a directory defines.

    ``*.crt`` are CAs, which are trusted in addition to those of the node. ``NAME.cert`` and ``NAME.key`` are a client
    certificate. Raises :class:`LocalFailure`.
    """
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        raise local_failure(error, "read the certificates in", directory) from None
    found: dict[str, t.Any] = _client_certificate(directory, names)
    authorities = tuple(os.path.join(directory, name) for name in names if name.endswith(".crt"))
    if authorities:
        found["ca_files"] = authorities
    return found


def find(host: str) -> str | None:
    """Return the first existing directory for ``host[:port]``. As in podman, docker's directory comes last."""
    if host in ("", ".", "..") or "/" in host:  # a registry may send us to whatever host it likes
        return None
    home = os.path.join(os.path.expanduser("~"), ".config", "containers", "certs.d")
    directories = (os.path.join(parent, host) for parent in (home, *_SYSTEM))
    return next(filter(_is_readable, directories), None)


def _is_readable(path: str) -> bool:
    """Return whether the user can read the directory. Like podman, skip it otherwise."""
    return os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)


def _client_certificate(directory: str, names: list[str]) -> dict[str, t.Any]:
    certificates = {os.path.splitext(name)[0] for name in names if name.endswith(".cert")}
    keys = {os.path.splitext(name)[0] for name in names if name.endswith(".key")}
    for name in sorted(certificates ^ keys):
        given, missing = (".cert", ".key") if name in certificates else (".key", ".cert")
        cause = "the directory %s contains %s, but not %s" % (directory, name + given, name + missing)
        raise LocalFailure(cause, hint="Add the missing file, or remove the other file")
    if len(certificates) > 1:
        cause = "the directory %s contains more than one client certificate" % directory
        raise LocalFailure(cause, hint="Keep only one client certificate in the directory")
    return {
        option: os.path.join(directory, name + suffix)
        for name in certificates
        for option, suffix in (("client_cert", ".cert"), ("client_key", ".key"))
    }
