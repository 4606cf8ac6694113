# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Connection settings for each registry: the entries of the ``registries`` option, and defaults for other hosts."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from .._errors import ImageError
from . import cert_dir
from .limits import Limits, Slots

_DOCKER_HUB_API = "registry-1.docker.io"
_DOCKER_HUB_ALIASES = ("index.docker.io", _DOCKER_HUB_API)
Trust = tuple[bool, t.Optional[str], tuple[str, ...], t.Optional[str], t.Optional[str]]
# Requests in a second; fewer would look like a task that hangs.
_SLOWEST = 0.01


@dataclasses.dataclass(frozen=True)
class RegistrySettings:
    """One entry of ``registries``. ``host`` is ``host[:port]``, optionally with a path prefix.

    ``ca_files`` is not an option. These CAs are trusted in addition to ``ca_path``, or to the CAs of the node if that
    is not set.
    """

    host: str
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    token: str | None = dataclasses.field(default=None, repr=False)
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    plain_http: bool | None = None
    max_connections: int | None = None
    requests_per_second: float | None = None
    ca_files: tuple[str, ...] = ()

    def completed(self, other: RegistrySettings) -> RegistrySettings:
        """Return this entry, with credentials and certificates from another entry where this one has none.

        Whether certificates are validated is not copied, because this entry may set it explicitly.
        """
        taken: dict[str, t.Any] = {}
        for names in _TOGETHER:
            if not any(getattr(self, name) for name in names):
                taken.update((name, getattr(other, name)) for name in names)
        return dataclasses.replace(self, **taken)

    def matches(self, host: str, repository: str) -> bool:
        """Return whether the entry applies to this repository: it matches whole path components from the left."""
        return ("%s/%s/" % (_canonical(host), repository)).startswith(_canonical(self.host) + "/")

    @property
    def trust(self) -> Trust:
        """The settings that decide whether TLS succeeds."""
        return (self.validate_certs, self.ca_path, self.ca_files, self.client_cert, self.client_key)

    def scheme(self, host: str) -> str:
        """Return ``http`` if it is set, or for a loopback host without any TLS option; else ``https``."""
        plain = self.plain_http
        if plain is None:
            is_for_tls = self.ca_path or self.ca_files or self.client_cert or not self.validate_certs
            plain = is_loopback(host) and not is_for_tls
        return "http" if plain else "https"


# What is taken from another entry as a whole or not at all.
_TOGETHER = (("username", "password", "token"), ("ca_path", "ca_files"), ("client_cert", "client_key"))


class Registries:
    """All entries. The entry with the longest match takes precedence. Raises :class:`ImageError` for an invalid entry."""

    def __init__(self, entries: t.Iterable[RegistrySettings]) -> None:
        self._entries: list[RegistrySettings] = []
        self._slots = Slots()
        self._unlimited = Limits(self._slots)
        self._limits: dict[RegistrySettings, Limits] = {}
        self._completed: dict[tuple[RegistrySettings, str], RegistrySettings] = {}
        self._take_in(entries)

    def extend(self, entries: t.Iterable[RegistrySettings]) -> None:
        """Add entries. If an entry for the same host (and path) exists, only complete it."""
        known = {_canonical(entry.host): entry for entry in self._entries}
        for entry in entries:
            host = _canonical(entry.host)
            former = known.get(host)
            if former:
                _check(entry)
                self._entries.remove(former)
            known[host] = former.completed(entry) if former else entry
            self._take_in([known[host]])

    def has_credentials(self, host: str) -> bool:
        """Return whether the entry for exactly this host (and path) has credentials."""
        entries = (entry for entry in self._entries if _canonical(entry.host) == _canonical(host))
        return any(entry.username or entry.password or entry.token for entry in entries)

    def _take_in(self, entries: t.Iterable[RegistrySettings]) -> None:
        for entry in entries:
            _check(entry)
            self._entries.append(entry)
            self._limits[entry] = Limits(self._slots, entry.requests_per_second, entry.max_connections)
        self._entries.sort(key=lambda entry: len(_canonical(entry.host)), reverse=True)

    def limits(self, settings: RegistrySettings) -> Limits:
        """Return the limits of an entry, which all callers share."""
        return self._limits.get(settings, self._unlimited)

    def of(self, host: str, repository: str) -> RegistrySettings:
        """Return the entry for a repository, or the defaults, completed from the certificate directory of the host (see cert_dir.py).

        Raises :class:`LocalFailure` for an invalid directory.
        """
        for entry in self._entries:
            if entry.matches(host, repository):
                return self._with_certificates(entry, host)
        return self._with_certificates(RegistrySettings(host), host)

    def _with_certificates(self, entry: RegistrySettings, host: str) -> RegistrySettings:
        if entry.plain_http:
            return entry
        key = (entry, host)
        if key not in self._completed:
            directory = cert_dir.find(host)
            found = entry.completed(RegistrySettings(host, **cert_dir.read(directory))) if directory else entry
            if entry in self._limits:
                self._limits[found] = self._limits[entry]
            self._completed[key] = found
        return self._completed[key]

    def of_other_port(self, host: str, repository: str) -> str:
        """If no entry matches, return the host of an entry with a different port or none; else an empty string."""
        if any(entry.matches(host, repository) for entry in self._entries):
            return ""
        names = (entry.host for entry in self._entries)
        return next((name for name in names if hostname(name.partition("/")[0]) == hostname(host)), "")

    def of_redirect(self, origin: RegistrySettings, origin_host: str, host: str) -> RegistrySettings:
        """Return the settings for a host that a registry redirects to.

        An entry for that host takes precedence. Otherwise, the CA of the registry is trusted as well, because storage
        often uses the same one. As with the certs.d of skopeo and podman, it is trusted in addition to the CAs of the
        node, and to those in the certificate directory of that host. Certificates are validated whatever the registry's
        entry says, and the client certificate is used only for its own host.
        """
        for entry in self._entries:
            if entry.matches(host, ""):
                return self._with_certificates(entry, host)
        if hostname(host) == hostname(origin_host):
            return origin
        authorities = (origin.ca_path,) if origin.ca_path else ()
        found = self._with_certificates(RegistrySettings(host), host)
        return dataclasses.replace(found, ca_files=found.ca_files + authorities + origin.ca_files)


def api_host(host: str) -> str:
    """Return the host that serves the API. It differs from the host only for Docker Hub."""
    return _DOCKER_HUB_API if host == "docker.io" else host


def hostname(host: str) -> str:
    """Return the host without its port."""
    return re.sub(r":[0-9]+$", "", host).strip("[]").lower()


def is_loopback(host: str) -> bool:
    """Return whether ``host[:port]`` is a loopback name or address."""
    name = hostname(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check(entry: RegistrySettings) -> None:
    if not re.fullmatch(r"[^\s/@]+(/[^\s@]+)?", entry.host.rstrip("/")) or "://" in entry.host:
        raise ImageError(
            "registries: %r is not a valid host" % entry.host.rpartition("@")[2],
            hint="Write host[:port], or host[:port]/path, without https:// or credentials",
        )
    for option, least in (("max_connections", 1), ("requests_per_second", _SLOWEST)):
        value = getattr(entry, option)
        if value is not None and not least <= value:
            raise ImageError("registries: %s for %s is %s, but must be %s or more" % (option, entry.host, value, least))


def _canonical(entry: str) -> str:
    host, slash, path = entry.rstrip("/").partition("/")
    host = host.lower()
    return ("docker.io" if host in _DOCKER_HUB_ALIASES else host) + slash + path
