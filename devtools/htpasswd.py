# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the htpasswd file that gives a registry its users."""

from __future__ import annotations

import importlib
import subprocess
import warnings
from pathlib import Path

from devtools import provision

# The lowest cost that bcrypt knows: a registry checks the password again on every request.
COST = 4


def write(path: Path, users: dict[str, str]) -> None:
    """Write ``users`` (name to password) with bcrypt hashes, the only ones that docker-registry accepts."""
    path.write_text("".join(f"{user}:{_hash(password)}\n" for user, password in users.items()))


def _hash(password: str) -> str:
    bcrypt = _module("bcrypt")
    if bcrypt:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(COST)).decode()
    crypt = _module("crypt")
    if crypt and crypt.METHOD_BLOWFISH in crypt.methods:
        return crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2**COST))
    command = [provision.program("htpasswd", "apache2-utils"), "-niB", "-C", str(COST), "user"]
    result = subprocess.run(command, input=password, stdout=subprocess.PIPE, text=True, check=True)
    return result.stdout.strip().split(":", 1)[1]


def _module(name: str):
    """Import an optional module; crypt left the standard library with Python 3.13."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return importlib.import_module(name)
        except ImportError:
            return None
