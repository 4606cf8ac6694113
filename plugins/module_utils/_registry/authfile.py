# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Store credentials where docker, podman and skopeo look for them: in an auth file, or with the helper that it configures.

For how these files are read, see credentials.py.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import fcntl
import os
import typing as t

from .._errors import ImageError, LocalFailure, local_failure
from .._files import is_missing, remove_abandoned_of, replaced, target_of
from .._image import json_text
from .credentials import (
    ANONYMOUS,
    Credential,
    ask,
    canonical,
    decode,
    default_path,
    exact_last,
    mapping,
    parse,
    read_text,
    server_of,
    warn_if_shared,
)
from .helper_program import Helper, RunHelper


@dataclasses.dataclass(frozen=True)
class Change:
    """The changes that a file needs: its new text, and an order for a helper. Both are None if nothing has to change."""

    before: Credential
    text: str | None
    order: _Order | None

    def __bool__(self) -> bool:
        return self.text is not None or self.order is not None


class AuthFile:
    """An auth file to change: the given one, the one in REGISTRY_AUTH_FILE, or the first default path."""

    def __init__(self, path: str | None, run_helper: RunHelper, warn: t.Callable[[str], None]) -> None:
        self.path = os.path.expanduser(path or os.environ.get("REGISTRY_AUTH_FILE") or default_path())
        self._target = target_of(self.path)
        self._run_helper = run_helper
        self._warn = warn

    def change(self, name: str, wanted: Credential, dry_run: bool) -> Change:
        """Store ``wanted`` as the credential for ``name`` (``host[:port][/path]``), or remove the credential if it is anonymous.

        Returns the change, which a ``dry_run`` only predicts. Raises :class:`ImageError`.
        """
        change = self._plan(name, wanted)
        if not dry_run:
            remove_abandoned_of(self._target)
            if change:
                change = self._carry_out(name, wanted)
        if change.text is None:  # else its mode becomes 0600
            warn_if_shared(self._target, parse(self._read(), self.path), self._warn)
        return change

    def _carry_out(self, name: str, wanted: Credential) -> Change:
        with self._locked():
            # Another task may have changed the file or the helper's keychain since the first plan.
            change = self._plan(name, wanted)
            if change.order:
                change.order.give(self._run_helper)
            if change.text is not None:
                self._write(change.text)
        return change

    def _plan(self, name: str, wanted: Credential) -> Change:
        text = self._read()
        document = parse(text, self.path)
        helper, is_store = self._helper(document, name, wanted)
        auths = mapping(document, "auths")
        entries = {key: auths[key] for key in reversed(exact_last(auths)) if canonical(key) == name}
        if helper:
            before = ask(helper, self._run_helper)
        else:
            before = next(filter(None, map(self._credential, entries.values())), ANONYMOUS)
        order = _Order(helper, wanted) if helper and before != wanted else None
        if wanted:
            # An empty entry says that the store has it. docker leaves one, and drops secrets from the file.
            kept = ANONYMOUS if helper else wanted
            changed = self._with_entries(text, name, entries, kept, bool(order and is_store))
        else:
            changed = self._without_entries(text, entries)
        return Change(before, changed if changed != text else None, order)

    def _with_entries(self, text: str, name: str, entries: t.Mapping[str, t.Any], kept: Credential, mark: bool) -> str:
        """Set the same entry for all keys that are equivalent to the name, so that all programs use the same credential."""
        for key, entry in entries.items():
            if self._credential(entry) != kept:
                text = json_text.put(text, ("auths", key), _entry(kept))
        if not entries and (kept or mark):
            is_docker = mark or os.path.basename(self.path) == "config.json"
            text = json_text.put(text, ("auths", server_of(name) if is_docker else name), _entry(kept))
        return text

    @staticmethod
    def _without_entries(text: str, entries: t.Mapping[str, t.Any]) -> str:
        for key in entries:
            text = json_text.remove(text, ("auths", key))
        return text

    def _credential(self, entry: object) -> Credential | None:
        """Return the credential in an entry. None if it cannot be read; such an entry is simply replaced."""
        try:
            return decode(entry, "", self.path)
        except LocalFailure:
            return None

    def _helper(self, document: dict[str, t.Any], name: str, wanted: Credential) -> tuple[Helper | None, bool]:
        """Return the helper that has the credentials, and whether it is the store for the whole file."""
        host, _slash, path = name.partition("/")
        helpers = mapping(document, "credHelpers")
        server = next((key for key in reversed(exact_last(helpers)) if helpers[key] and canonical(key) == host), None)
        store = document.get("credsStore")
        found = None
        if server is not None:
            found = Helper(str(helpers[server]), server, self.path)
        elif store:
            found = Helper(str(store), server_of(host), self.path)
        if found and path and wanted:
            raise ImageError(
                "the credential helper %s (configured in %s for %s) cannot store credentials for a path"
                % (found.program, self.path, host),
                hint="Use the host without a path, or another authfile",
            )
        return (None if path else found), server is None

    def _read(self) -> str:
        if self._target != os.path.realpath(self.path):
            # Through it, its owner could choose which file is written, or get a copy of the secrets in another one.
            cause = "the auth file %s is a symbolic link of another user" % self.path
            raise LocalFailure(cause, hint="Set authfile to the target of the link")
        return "" if is_missing(self._target) else read_text(self.path)

    def _write(self, text: str) -> None:
        try:
            with replaced(self._target, 0o600) as stream:
                self._keep_owner(stream.fileno())
                stream.write(text.encode("utf-8"))
        except OSError as error:
            raise self._unwritable(error) from None

    def _keep_owner(self, descriptor: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(self._target)
            if status.st_uid != os.geteuid():
                os.fchown(descriptor, status.st_uid, status.st_gid)

    @contextlib.contextmanager
    def _locked(self) -> t.Iterator[None]:
        """Lock out concurrent writers. The lock is on the directory, because the file itself is replaced."""
        try:
            _make_private(os.path.dirname(self._target))
            descriptor = os.open(os.path.dirname(self._target), os.O_RDONLY)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _unwritable(self, error: OSError) -> LocalFailure:
        return local_failure(OSError(error.errno, error.strerror), "write the auth file", self.path)


@dataclasses.dataclass(frozen=True)
class _Order:
    """An order for a helper: to store a credential, or to erase it if the credential is anonymous."""

    helper: Helper
    credential: Credential

    def give(self, run_helper: RunHelper) -> None:
        """Run the helper. Raises :class:`ImageError`."""
        if not self.credential:
            self.helper.erase(run_helper)
        else:
            secret = self.credential.password or self.credential.identity_token
            self.helper.store(run_helper, self.credential.username, secret)


def _entry(credential: Credential) -> dict[str, str]:
    if not credential:
        return {}
    pair = "%s:%s" % (credential.username, credential.password)
    entry = {"auth": base64.b64encode(pair.encode("utf-8")).decode("ascii")}
    if credential.identity_token:
        entry["identitytoken"] = credential.identity_token
    return entry


def _make_private(directory: str) -> None:
    """Create a directory and its missing parents, with access for this user only."""
    if not os.path.isdir(directory):
        _make_private(os.path.dirname(directory))
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o700)
