# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Credential helpers: the programs ``docker-credential-NAME`` that auth files configure.

In their protocol, the argument is the action, standard input is a server name or a JSON document, and standard output
is a JSON document (https://github.com/docker/docker-credential-helpers).
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from .._errors import ImageError, reason_of
from .._image import document as documents
from .._process import ProgramStopped

# argv and standard input -> exit status, standard output, standard error; with bounds, see RunCommand.
RunHelper = t.Callable[["list[str]", str], "tuple[int, str, str]"]

# Bytes that a helper may write; a credential has some thousands.
MAX_OUTPUT = 1024 * 1024
_RUN_HINT = "Run the program as this user to see its output: echo %s | %s get"
_NOT_FOUND = "credentials not found in native keychain"


class HelperUnusable(ImageError):
    """The program of a helper is not installed or cannot be started."""


@dataclasses.dataclass(frozen=True)
class Helper:
    """The helper with this name, which the auth file ``path`` configures for ``server``."""

    name: str
    server: str
    path: str

    @property
    def program(self) -> str:
        """Return the name of the program."""
        return "docker-credential-" + self.name

    def get(self, run: RunHelper) -> tuple[str, str] | None:
        """Return the user name and secret for the server; None if the helper has none.

        Raises :class:`HelperUnusable`; :class:`ImageError` if the helper fails.
        """
        code, out, err = self._call(run, "get", self.server)
        if code != 0:
            if _NOT_FOUND in out or _NOT_FOUND in err:
                return None
            raise ImageError(
                "the credential helper %s failed with exit status %d" % (self, code),
                hint=_RUN_HINT % (self.server, self.program),
            )
        try:
            output = documents.decode(out)
            username, secret = output["Username"], output["Secret"]
        except (ValueError, LookupError, TypeError):
            username = secret = None
        if not isinstance(username, str) or not isinstance(secret, str):
            cause = "the credential helper %s did not return a user name and a secret" % self
            raise ImageError(cause, hint=_RUN_HINT % (self.server, self.program))
        return username, secret

    def store(self, run: RunHelper, username: str, secret: str) -> None:
        """Store a user name and secret for the server. Raises :class:`ImageError`."""
        self._tell(run, "store", json.dumps({"ServerURL": self.server, "Username": username, "Secret": secret}))

    def erase(self, run: RunHelper) -> None:
        """Erase the credentials for the server. Raises :class:`ImageError`."""
        self._tell(run, "erase", self.server)

    def _tell(self, run: RunHelper, action: str, stdin: str) -> None:
        code = self._call(run, action, stdin)[0]
        if code != 0:
            # Its output is not shown: it may quote the secret.
            raise ImageError(
                "the credential helper %s could not %s the credentials (exit status %d)" % (self, action, code),
                hint="Check that this user can access the keychain and that the keychain is unlocked",
            )

    def _call(self, run: RunHelper, action: str, stdin: str) -> tuple[int, str, str]:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", self.name):
            cause = "the auth file %s contains an invalid credential helper name: %r" % (self.path, self.name)
            raise ImageError(cause, hint="Correct credHelpers or credsStore in this file")
        try:
            return run([self.program, action], stdin)
        except FileNotFoundError:
            raise HelperUnusable(
                "the credential helper %s is not installed" % self,
                hint="Install the program in a directory on the task's PATH, or remove it from the auth file",
            ) from None
        except OSError as error:
            raise HelperUnusable(
                "cannot run the credential helper %s: %s" % (self, reason_of(error)),
                hint="Fix the program, or remove it from the auth file",
            ) from None
        except ProgramStopped as error:
            raise ImageError(
                "cannot run the credential helper %s: %s" % (self, error.cause),
                hint="The program may be waiting for someone to unlock a keychain. "
                + _RUN_HINT % (self.server, self.program),
            ) from None

    def __str__(self) -> str:
        return "%s (configured in %s for %s)" % (self.program, self.path, self.server)
