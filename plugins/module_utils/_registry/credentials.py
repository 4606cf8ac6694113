# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Credentials from the files and helpers that docker, podman and skopeo use.

The order of files is that of containers-auth.json(5), followed by Docker's config.json. Within a file, the order is a
helper for the host, the entry with the longest matching name, and the credential store of the file. skopeo does not
use this store, but docker does.
"""

from __future__ import annotations

import base64
import dataclasses
import os
import re
import stat
import threading
import typing as t

from .._errors import LocalFailure
from .._files import read_named
from .._image import document as documents
from .._image import json_text
from .helper_program import Helper, HelperUnusable, RunHelper

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
# What docker keeps beside the entry of Docker Hub after a login in the browser: no credentials for the registry.
_DOCKER_HUB_SESSION = re.compile(r"https://index\.docker\.io/v1/(?:access|refresh)-token/?")
# The URL of an API without its scheme. Docker Hub has no namespaces with such names, but other registries do.
_API_URL = re.compile(r"[^/]+/v[12]/|(?i:(?:index\.|registry-1\.)?docker\.io)/v[12]")
_TOKEN_USER = "<token>"
_MAX_SIZE = 16 * 1024 * 1024
_FILE_HINT = "Correct the file, or remove it and log in again"


@dataclasses.dataclass(frozen=True)
class Credential:
    """A password, an identity token (OAuth2 refresh token), or a bearer token.

    The user name may be the secret as well, as with some API tokens. ``remark`` is what the user should know if the
    registry refuses it: a sentence without its full stop.
    """

    username: str = dataclasses.field(default="", repr=False)
    password: str = dataclasses.field(default="", repr=False)
    identity_token: str = dataclasses.field(default="", repr=False)
    bearer: str = dataclasses.field(default="", repr=False)
    remark: str = dataclasses.field(default="", compare=False)

    def __bool__(self) -> bool:
        return bool(self.username or self.password or self.identity_token or self.bearer)

    @property
    def shown_name(self) -> str:
        """The user name for messages and results: three asterisks if it is also the secret."""
        return "***" if self.username and self.username in (self.password, self.identity_token) else self.username

    def __str__(self) -> str:
        if self.username and self.username != _TOKEN_USER:
            return "user %s" % self.shown_name
        return "the configured token" if self else "anonymous users"


ANONYMOUS = Credential()


@dataclasses.dataclass(frozen=True)
class _File:
    """An auth file: its helpers and entries by canonical name, and the name of its credential store, or an empty string."""

    path: str
    helpers: t.Mapping[str, Helper]
    entries: t.Mapping[str, object]
    store: str

    @classmethod
    def of(cls, path: str, document: dict[str, t.Any]) -> _File:
        """Ignore empty entries, which docker writes for hosts whose credentials are in a store."""
        helpers = {name: str(helper) for name, helper in mapping(document, "credHelpers").items() if helper}
        auths = {name: entry for name, entry in mapping(document, "auths").items() if entry}
        return cls(
            path,
            {canonical(name): Helper(helpers[name], name, path) for name in exact_last(helpers)},
            {canonical(name): auths[name] for name in exact_last(auths)},
            str(document.get("credsStore") or ""),
        )


class AuthFiles:
    """The auth files of this user. Each helper is asked once for each host, until its credential is forgotten."""

    def __init__(self, authfile: str | None, run_helper: RunHelper, warn: t.Callable[[str], None]) -> None:
        self._explicit = authfile or os.environ.get("REGISTRY_AUTH_FILE")
        self._run_helper = run_helper
        self._warn = warn
        self._lock = threading.Lock()
        self._paths: list[str] | None = None
        self._files: dict[str, _File] = {}
        self._found: dict[tuple[str, str], Credential] = {}

    def find(self, host: str, repository: str) -> Credential:
        """Return the credential from the first file that has one for this repository, or :data:`ANONYMOUS`.

        A helper that cannot be run counts as one without credentials, because the image may be public. The credential
        then has a remark about it. Later files are not read, so a broken one matters only if it is needed. Raises
        :class:`ImageError` if a file cannot be read or a helper fails.
        """
        host = canonical(host)
        remark = ""
        with self._lock:
            for path in self._existing():
                credential = self._find_in(self._load(path), host, repository)
                if credential:
                    return credential
                remark = remark or credential.remark
        return dataclasses.replace(ANONYMOUS, remark=remark)

    def forget(self, credential: Credential) -> None:
        """Ask the helpers that returned this credential again if they are needed, and read the files again."""
        with self._lock:
            self._found = {key: found for key, found in self._found.items() if found != credential}
            self._files.clear()

    def _existing(self) -> list[str]:
        if self._paths is None:
            explicit = [os.path.expanduser(self._explicit)] if self._explicit else []
            self._paths = explicit or list(filter(os.path.exists, default_files()))
        return self._paths

    def _load(self, path: str) -> _File:
        if path not in self._files:
            document = parse(read_text(path), path)
            if not self._explicit and os.path.basename(path) == ".dockercfg":
                document = {"auths": document}
            warn_if_shared(path, document, self._warn)
            self._files[path] = _File.of(path, document)
        return self._files[path]

    def _find_in(self, file: _File, host: str, repository: str) -> Credential:
        if host in file.helpers:
            return self._ask(file.helpers[host])
        for name in _names(host, repository):
            credential = decode(file.entries.get(name), name, file.path)
            if credential:
                return credential
        return self._ask(Helper(file.store, server_of(host), file.path)) if file.store else ANONYMOUS

    def _ask(self, helper: Helper) -> Credential:
        key = (helper.name, helper.server)
        if key not in self._found:
            try:
                self._found[key] = ask(helper, self._run_helper)
            except HelperUnusable as error:
                remark = "%s. %s" % (error.cause.rstrip("."), error.hint)
                self._found[key] = Credential(remark=remark[:1].upper() + remark[1:])
        return self._found[key]


def ask(helper: Helper, run_helper: RunHelper) -> Credential:
    """Return the credential that a helper has for its server. Raises :class:`ImageError`."""
    pair = helper.get(run_helper)
    return credential_of(*pair) if pair else ANONYMOUS


def default_files() -> list[str]:
    """Return the default paths of auth files in order: those of containers-auth.json(5), then those of docker."""
    return [*_containers_files(), *_docker_files()]


def default_path() -> str:
    """Return the default file for new credentials: the first one in containers-auth.json(5).

    Directories that this user cannot write to are skipped: /run/containers belongs to root.
    """
    files = _containers_files()
    return next(filter(_may_be_written, files), files[0])


def _containers_files() -> list[str]:
    runtime = _xdg_directory("XDG_RUNTIME_DIR")
    if runtime:
        directories = [runtime + "/containers"]
    else:
        # become leaves no XDG_RUNTIME_DIR, but podman finds the directory of the user's session all the same.
        directories = ["/run/user/%d/containers" % os.getuid(), "/run/containers/%d" % os.getuid()]
        if os.getuid() == 0:
            directories.reverse()
    config = _xdg_directory("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return [os.path.join(directory, "auth.json") for directory in (*directories, config + "/containers")]


def _xdg_directory(name: str) -> str:
    """Return the value of an environment variable; empty for a relative path, which the XDG specification says to ignore."""
    path = os.environ.get(name, "")
    return path if os.path.isabs(path) else ""


def _docker_files() -> list[str]:
    home = os.path.expanduser("~")
    docker = os.environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    return [os.path.join(docker, "config.json"), os.path.join(home, ".dockercfg")]


def _may_be_written(path: str) -> bool:
    """Return whether this user can write a file with this path, including missing directories."""
    directory = os.path.dirname(os.path.abspath(path))
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    return os.access(directory, os.W_OK | os.X_OK)


def warn_if_shared(path: str, document: dict[str, t.Any], warn: t.Callable[[str], None]) -> None:
    """Warn about an auth file that users other than its owner can change, or whose secrets all users can read."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return
    has_secrets = any(mapping(document, "auths").values())
    done = "change" if mode & 0o022 else "read" if mode & 0o004 and has_secrets else ""
    if done:
        warn(
            "Other users can %s the auth file %s, because its mode is %04o. Set the mode to 0600." % (done, path, mode)
        )


def read_text(path: str) -> str:
    """Return the text of an auth file with unchanged line endings. Raises :class:`LocalFailure`."""
    try:
        return read_named(path, _MAX_SIZE, "the auth file").decode("utf-8")
    except ValueError:
        raise LocalFailure("the auth file %s is not valid JSON" % path, hint=_FILE_HINT) from None


def parse(text: str, path: str) -> dict[str, t.Any]:
    """Parse the text of an auth file; empty text is an empty document. Raises :class:`LocalFailure`."""
    try:
        document = documents.decode(text) if text.strip(json_text.BLANKS) else {}
    except ValueError:
        raise LocalFailure("the auth file %s is not valid JSON" % path, hint=_FILE_HINT) from None
    if not isinstance(document, dict):
        raise LocalFailure("the auth file %s is not a JSON object" % path, hint=_FILE_HINT)
    return document


def mapping(document: dict[str, t.Any], key: str) -> dict[str, t.Any]:
    """Return the mapping under this key; empty if the value is not a mapping."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def canonical(name: str) -> str:
    """Return the key of an entry as ``host[:port][/path]``. Old keys are URLs with an API version."""
    url = re.match(r"https?://", name)
    is_session = _DOCKER_HUB_SESSION.fullmatch(name)
    name = re.sub(r"^https?://", "", name)
    if (url and not is_session) or _API_URL.fullmatch(name):
        name = name.partition("/")[0]
    host, slash, path = name.rstrip("/").partition("/")
    host = host.lower()
    return ("docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host) + slash + path


def exact_last(names: t.Iterable[str]) -> list[str]:
    """Return the keys with canonical ones last: docker, podman and skopeo prefer ``HOST`` to ``https://HOST``."""
    return sorted(names, key=lambda name: canonical(name) == name)


def _names(host: str, repository: str) -> t.Iterator[str]:
    """Yield ``host/a/b``, ``host/a``, ``host``."""
    parts = repository.split("/") if repository else []
    for length in range(len(parts), -1, -1):
        yield "/".join([host] + parts[:length])


def server_of(host: str) -> str:
    """Return docker's name for a host."""
    return _DOCKER_HUB_KEY if host == "docker.io" else host


def decode(entry: object, name: str, path: str) -> Credential:
    """Return the credential in an entry of ``auths``. Raises :class:`LocalFailure`."""
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
            cause = "cannot decode the entry for %s in the auth file %s" % (name, path)
            raise LocalFailure(cause, hint="Log in again, or remove the entry") from None
        username, colon, password = decoded.partition(":")
        if not colon and not texts.get("identitytoken"):
            return ANONYMOUS
    if texts.get("identitytoken"):
        return Credential(username=username, identity_token=texts["identitytoken"])
    return credential_of(username, password.rstrip("\0"))


def credential_of(username: str, secret: str) -> Credential:
    """Return the credential for a user name and a secret. For one special user name, the secret is an identity token."""
    if username == _TOKEN_USER:
        return Credential(username=username, identity_token=secret)
    return Credential(username=username, password=secret)
