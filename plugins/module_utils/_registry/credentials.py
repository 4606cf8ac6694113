# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Credentials from the files and helpers that docker, podman and skopeo use.

Order of files: containers-auth.json(5), then Docker's config.json. Within a file: a helper for the host, the entry
with the longest matching name, then the file's credential store (which skopeo does not ask, but docker does).
"""

from __future__ import annotations

import base64
import dataclasses
import os
import re
import threading
import typing as t

from .._errors import ImageError, LocalFailure, local_failure
from .._files import read_named
from .._image import document as documents

# argv and standard input -> return code, standard output, standard error; AnsibleModule.run_command behind it.
RunCommand = t.Callable[["list[str]", str], "tuple[int, str, str]"]

_NOT_FOUND = "credentials not found in native keychain"
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"
_MAX_SIZE = 16 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Credential:
    """What proves who we are: a password, an identity token (OAuth2 refresh token), or a bearer token as it is."""

    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    identity_token: str = dataclasses.field(default="", repr=False)
    bearer: str = dataclasses.field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.username or self.password or self.identity_token or self.bearer)

    def __str__(self) -> str:
        if self.username and self.username != _TOKEN_USER:
            return "user %s" % self.username
        return "the holder of the given token" if self else "anonymous users"


ANONYMOUS = Credential()


class AuthFiles:
    """The auth files of this user; helpers are asked once a host and the answers kept."""

    def __init__(self, authfile: str | None, run_command: RunCommand) -> None:
        self._explicit = authfile or os.environ.get("REGISTRY_AUTH_FILE")
        self._run_command = run_command
        self._lock = threading.Lock()
        self._documents: list[tuple[str, dict[str, t.Any]]] | None = None
        self._helped: dict[tuple[str, str], Credential] = {}

    def find(self, host: str, repository: str) -> Credential:
        """The credential of the first file that has one for this repository, or :data:`ANONYMOUS`.

        Raises :class:`ImageError` where a file cannot be read or a helper fails.
        """
        host = host.lower()
        with self._lock:
            if self._documents is None:
                self._documents = list(self._load())
            for path, document in self._documents:
                credential = self._find_in(path, document, host, repository)
                if credential:
                    return credential
        return ANONYMOUS

    def _load(self) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
        if self._explicit:
            path = os.path.expanduser(self._explicit)
            yield path, _read(path)
            return
        for path in default_files():
            if os.path.exists(path):
                document = _read(path)
                legacy = os.path.basename(path) == ".dockercfg"
                yield path, {"auths": document} if legacy else document

    def _find_in(self, path: str, document: dict[str, t.Any], host: str, repository: str) -> Credential:
        helpers = mapping(document, "credHelpers")
        for name, helper in helpers.items():
            if helper and canonical(name) == host:
                return self.ask(str(helper), name, path)
        entries: dict[str, object] = {}
        for name, entry in mapping(document, "auths").items():
            if entry:  # docker leaves empty ones for hosts whose credentials are in a store
                entries.setdefault(canonical(name), entry)
        for name in _names(host, repository):
            credential = decode(entries.get(name), name, path)
            if credential:
                return credential
        store = document.get("credsStore")
        return self.ask(str(store), server_of(host), path) if store else ANONYMOUS

    def ask(self, helper: str, server: str, path: str) -> Credential:
        """What a helper that ``path`` names has for a server.

        The credential helper protocol: ``docker-credential-NAME get``, the server on standard input.
        """
        key = (helper, server)
        if key not in self._helped:
            self._helped[key] = self._run_helper(helper, server, path)
        return self._helped[key]

    def _run_helper(self, helper: str, server: str, path: str) -> Credential:
        program = program_of(helper)
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", helper):
            raise ImageError("%s names a credential helper that cannot be one: %r" % (path, helper))
        try:
            code, out, err = self._run_command([program, "get"], server)
        except OSError as error:
            raise local_failure(error, "run %s, which %s names for %s:" % (program, path, server)) from None
        if code != 0:
            if _NOT_FOUND in out or _NOT_FOUND in err:
                return ANONYMOUS
            raise ImageError(
                "%s, which %s names for %s, failed with exit status %d" % (program, path, server, code),
                hint="Run it by hand as this user to see why: echo %s | %s get" % (server, program),
            )
        try:
            answer = documents.decode(out)
            username, secret = answer["Username"], answer["Secret"]
        except (ValueError, LookupError, TypeError):
            username = secret = None
        if not isinstance(username, str) or not isinstance(secret, str):
            raise ImageError("%s answered something that is not a credential" % program)
        return credential_of(username, secret)


def program_of(helper: str) -> str:
    """The program that a helper's name stands for."""
    return "docker-credential-" + helper


def default_files() -> list[str]:
    """Where credentials are looked for, in order."""
    home = os.path.expanduser("~")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    run_dir = os.path.join(runtime, "containers") if runtime else "/run/containers/%d" % os.getuid()
    return [
        os.path.join(run_dir, "auth.json"),
        os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "containers", "auth.json"),
        os.path.join(os.environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json"),
        os.path.join(home, ".dockercfg"),
    ]


def _read(path: str) -> dict[str, t.Any]:
    return parse(read_text(path), path)


def read_text(path: str) -> str:
    """The text of an auth file, with its line ends as they are. Raises :class:`LocalFailure`."""
    try:
        return read_named(path, _MAX_SIZE, "the auth file").decode("utf-8")
    except ValueError:
        raise LocalFailure("the auth file %s is not JSON" % path) from None


def parse(text: str, path: str) -> dict[str, t.Any]:
    """The document that an auth file is; one without any text is empty. Raises :class:`LocalFailure`."""
    try:
        document = documents.decode(text) if text.strip() else {}
    except ValueError:
        raise LocalFailure("the auth file %s is not JSON" % path) from None
    if not isinstance(document, dict):
        raise LocalFailure("the auth file %s is not a JSON object" % path)
    return document


def mapping(document: dict[str, t.Any], key: str) -> dict[str, t.Any]:
    """What stands under this key, empty where that is nothing of the kind."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def canonical(name: str) -> str:
    """The key of an entry as ``host[:port][/path]``: old ones are URLs of an API version."""
    url = re.match(r"https?://", name)
    name = re.sub(r"^https?://", "", name)
    if url or re.fullmatch(r"[^/]+/v[12]/?", name):
        name = name.partition("/")[0]
    host, slash, path = name.rstrip("/").partition("/")
    host = host.lower()
    return ("docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host) + slash + path


def _names(host: str, repository: str) -> t.Iterator[str]:
    """``host/a/b``, ``host/a``, ``host``."""
    parts = repository.split("/") if repository else []
    for length in range(len(parts), -1, -1):
        yield "/".join([host] + parts[:length])


def server_of(host: str) -> str:
    """The name of a host that docker uses."""
    return _DOCKER_HUB_KEY if host == "docker.io" else host


def decode(entry: object, name: str, path: str) -> Credential:
    """What an entry of ``auths`` holds. Raises :class:`LocalFailure`."""
    if not isinstance(entry, dict):
        return ANONYMOUS
    texts = {key: value for key, value in entry.items() if isinstance(value, str)}
    if texts.get("registrytoken"):
        return Credential(bearer=texts["registrytoken"])
    username, password = texts.get("username", ""), texts.get("password", "")
    if texts.get("auth"):
        try:
            decoded = base64.b64decode("".join(texts["auth"].split()), validate=True).decode("utf-8").rstrip("\0")
        except ValueError:
            raise LocalFailure("the auth file %s has an entry for %s that cannot be decoded" % (path, name)) from None
        username, colon, password = decoded.partition(":")
        if not colon and not texts.get("identitytoken"):
            return ANONYMOUS
    if texts.get("identitytoken"):
        return Credential(username=username, identity_token=texts["identitytoken"])
    return credential_of(username, password.rstrip("\0"))


def credential_of(username: str, secret: str) -> Credential:
    """A user name and what came with it, which for one name is an identity token."""
    if username == _TOKEN_USER:
        return Credential(username=username, identity_token=secret)
    return Credential(username=username, password=secret)
