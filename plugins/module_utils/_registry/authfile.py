# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writing credentials where docker, podman and skopeo look for them: an auth file, or the helper that it names.

What is read from these files, and how, is the subject of credentials.py.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import fcntl
import json
import os
import typing as t

from .._errors import ImageError, LocalFailure, local_failure
from .._files import is_missing, remove_abandoned_of, replaced
from .._image import json_text
from .credentials import (
    ANONYMOUS,
    AuthFiles,
    Credential,
    RunCommand,
    canonical,
    decode,
    default_files,
    mapping,
    parse,
    program_of,
    read_text,
    server_of,
)


@dataclasses.dataclass(frozen=True)
class Change:
    """What it takes to make a file say something: a new text, and an order for a helper. Neither where it does so."""

    before: Credential
    text: str | None
    order: _Order | None

    def __bool__(self) -> bool:
        return self.text is not None or self.order is not None


class AuthFile:
    """One auth file that is to be changed: the given one, that of REGISTRY_AUTH_FILE, or the first default place."""

    def __init__(self, path: str | None, run_command: RunCommand) -> None:
        self.path = os.path.expanduser(path or os.environ.get("REGISTRY_AUTH_FILE") or default_files()[0])
        # What a link leads to is replaced, and not the link.
        self._target = os.path.realpath(self.path)
        self._run_command = run_command
        self._files = AuthFiles(self.path, run_command)

    def change(self, name: str, wanted: Credential, dry_run: bool) -> Change:
        """Make ``wanted`` the credential for ``name`` (``host[:port][/path]``), or forget it where it is anonymous.

        Returns what was done; with ``dry_run`` what would be. Raises :class:`ImageError`.
        """
        change = self._plan(name, wanted)
        if not dry_run:
            remove_abandoned_of(self._target)
        if not change or dry_run:
            return change
        with self._locked():
            change = self._plan(name, wanted)
            if change.order:
                self._give(change.order)
            if change.text is not None:
                self._write(change.text)
        return change

    def _plan(self, name: str, wanted: Credential) -> Change:
        text = self._read()
        document = parse(text, self.path)
        helper = self._helper(document, name, wanted)
        entries = {key: entry for key, entry in mapping(document, "auths").items() if canonical(key) == name}
        if helper:
            before = self._files.ask(helper.name, helper.server, self.path)
        else:
            before = next(filter(None, map(self._credential, entries.values())), ANONYMOUS)
        order = _Order(helper, wanted) if helper and before != wanted else None
        if wanted:
            # An empty entry says that the store has it. docker leaves one, and drops secrets from the file.
            kept = ANONYMOUS if helper else wanted
            changed = self._with_entries(text, name, entries, kept, bool(order and order.helper.is_store))
        else:
            changed = self._without_entries(text, entries)
        return Change(before, changed if changed != text else None, order)

    def _with_entries(self, text: str, name: str, entries: t.Mapping[str, t.Any], kept: Credential, mark: bool) -> str:
        """All keys that stand for the name get the same entry, so that every program finds the same."""
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
        """What an entry holds; None where that cannot be read, which is as good as anything else to replace."""
        try:
            return decode(entry, "", self.path)
        except LocalFailure:
            return None

    def _helper(self, document: dict[str, t.Any], name: str, wanted: Credential) -> _Helper | None:
        host, _slash, path = name.partition("/")
        store = document.get("credsStore")
        found = _Helper(str(store), server_of(host), True) if store else None
        for server, helper in mapping(document, "credHelpers").items():
            if canonical(server) == host:
                found = _Helper(str(helper), server, False)
        if found and path and wanted:
            raise ImageError(
                "%s keeps the credentials for %s in %s, which cannot keep any for a part of a registry"
                % (self.path, host, program_of(found.name)),
                hint="Give the host without a path, or another authfile",
            )
        return None if path else found

    def _give(self, order: _Order) -> None:
        program = program_of(order.helper.name)
        action, stdin = order.message()
        try:
            code, _out, _err = self._run_command([program, action], stdin)
        except OSError as error:
            raise local_failure(error, "run %s, which %s names:" % (program, self.path)) from None
        if code != 0:
            # What it says is not shown: it may quote what it was given.
            raise ImageError(
                "%s, which %s names, failed to %s the credentials for %s with exit status %d"
                % (program, self.path, action, order.helper.server, code),
                hint="Check that its keychain can be used, and is unlocked, for this user",
            )

    def _read(self) -> str:
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
        """Keep out others that change files here: the lock is on the directory, as the file itself is replaced."""
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
class _Helper:
    """A credential helper, the name by which it knows the host, and whether it is the store of a whole file."""

    name: str
    server: str
    is_store: bool


@dataclasses.dataclass(frozen=True)
class _Order:
    """What to tell a helper: to keep a credential, or to forget it where that is anonymous."""

    helper: _Helper
    credential: Credential

    def message(self) -> tuple[str, str]:
        """The action and the standard input of the credential helper protocol."""
        if not self.credential:
            return "erase", self.helper.server
        secret = self.credential.password or self.credential.identity_token
        document = {"ServerURL": self.helper.server, "Username": self.credential.username, "Secret": secret}
        return "store", json.dumps(document)


def _entry(credential: Credential) -> dict[str, str]:
    if not credential:
        return {}
    pair = "%s:%s" % (credential.username, credential.password)
    entry = {"auth": base64.b64encode(pair.encode("utf-8")).decode("ascii")}
    if credential.identity_token:
        entry["identitytoken"] = credential.identity_token
    return entry


def _make_private(directory: str) -> None:
    """Make a directory and those above it that are missing, for this user only."""
    if not os.path.isdir(directory):
        _make_private(os.path.dirname(directory))
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o700)
