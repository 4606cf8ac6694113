# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The credentials for the repositories of one registry, and which of them it or its token services refused.

Refused credentials are looked up once more: the password of a credential helper may be valid for an hour only, and
another program may have logged in again since. If they have not changed, they are not sent again, because some
registries lock an account after a few attempts. This does not apply to a credential that was accepted before, because
some registries also return 401 if a user has no permission for a repository.
"""

from __future__ import annotations

import threading
import typing as t

from .._errors import ImageError, LoginRefused
from .credentials import Credential

Find = t.Callable[[str], Credential]
Forget = t.Callable[[Credential], None]
# What checks a credential: the realm and name of a token service, or the registry itself.
Service = tuple[str, str]
REGISTRY: Service = ("", "")


def keep(_identity: Credential) -> None:
    """Forget nothing: for credentials that cannot change."""


class Identities:
    """``find`` returns the credential for a repository, and ``forget`` makes it read one from its source again. Thread-safe."""

    def __init__(self, find: Find, forget: Forget) -> None:
        self._find = find
        self._forget = forget
        self._lock = threading.Lock()
        self._found: dict[str, Credential] = {}
        self._renewed: set[Credential] = set()
        self._accepted: set[tuple[Credential, Service]] = set()
        self._suspicions: dict[Credential, str] = {}
        self._refusals: dict[tuple[Credential, Service], str] = {}

    def of(self, repository: str) -> Credential:
        """Return the credential for a repository. Raises :class:`ImageError`."""
        with self._lock:
            return self._of(repository)

    def _of(self, repository: str) -> Credential:
        if repository not in self._found:
            self._found[repository] = _text_only(self._find(repository))
        return self._found[repository]

    def renewed(self, repository: str, refused: Credential) -> Credential:
        """Return the credential for a repository after it was refused, which may be the same one. Raises :class:`ImageError`."""
        with self._lock:
            if refused not in self._renewed:
                self._renewed.add(refused)
                self._forget(refused)
                self._found = {name: each for name, each in self._found.items() if each != refused}
            return self._of(repository)

    def accept(self, identity: Credential, service: Service) -> None:
        """Remember that a credential is valid: whatever is refused from now on, its password is not the cause."""
        if (identity, service) in self._accepted:
            return
        with self._lock:
            self._accepted.add((identity, service))
            self._refusals.pop((identity, service), None)
            if service == REGISTRY:
                self._suspicions.pop(identity, None)

    def refuse(self, identity: Credential, service: Service, reason: str) -> None:
        """Remember that a credential was refused, and why, unless it was accepted before."""
        with self._lock:
            if (identity, service) not in self._accepted:
                self._refusals[identity, service] = reason

    def refusal(self, identity: Credential, service: Service) -> str:
        """Return why a credential was refused; empty if it was not."""
        return self._refusals.get((identity, service), "")

    def suspect(self, identity: Credential, reason: str) -> None:
        """Remember that a request to the registry was refused, because of the password or of a missing permission."""
        with self._lock:
            if (identity, REGISTRY) not in self._accepted:
                self._suspicions[identity] = reason

    def suspicion(self, identity: Credential) -> str:
        """Return why a credential may be wrong; empty if this is known, or if there is no sign of it."""
        return "" if self.refusal(identity, REGISTRY) else self._suspicions.get(identity, "")


def login_refused(host: str, identity: Credential, reason: str) -> LoginRefused:
    """Return the error for a credential that a registry or its token service refused."""
    return LoginRefused(
        "cannot log in to %s as %s: %s" % (host, identity, reason),
        hint="Check the user name and password for %s in registries or authfile" % host,
    )


def _text_only(identity: Credential) -> Credential:
    """Check that names and secrets can be encoded. If they cannot, they are misread bytes and not text."""
    try:
        "".join((identity.username, identity.password, identity.identity_token)).encode("utf-8")
    except UnicodeEncodeError:
        cause = "the user name, the password or the token contains characters that are not valid Unicode"
        raise ImageError(cause, hint="Specify the credentials as UTF-8 text") from None
    return identity
