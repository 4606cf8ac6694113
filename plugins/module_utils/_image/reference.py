# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Image references, in the syntax of their transports.

Registry references follow the grammar of the Docker reference library (distribution/reference, regexp.go), including
its expansion of Docker Hub's short names. Local references follow containers-transports(5).
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from .._errors import ImageError, InvalidReference
from .._text import without_userinfo
from . import digest as digests

DOCKER_HUB = "docker.io"
LOCAL_TRANSPORTS = ("oci", "oci-archive", "dir")
ENGINES = ("docker-daemon", "containers-storage")
ENGINE_TRANSPORTS = ("docker-archive", *ENGINES)
_OTHER_TRANSPORTS = ("tarball", "sif")

_DOMAIN_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(r"(?:%s(?:\.%s)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?" % (_DOMAIN_COMPONENT, _DOMAIN_COMPONENT))
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(r"%s(?:/%s)*" % (_PATH_COMPONENT, _PATH_COMPONENT))
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MAX_NAME = 255
# NUL, and halves of surrogate pairs but for those that stand for bytes of a path which is not UTF-8 (os.fsencode).
_NO_PATH = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")


@dataclasses.dataclass(frozen=True)
class RegistryReference:
    """A full reference ``host[:port]/repository[:tag][@digest]``. Tag and digest are empty if they are not given."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    has_names: t.ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The name to request: the digest if there is one, else the tag."""
        return self.digest or self.tag

    def may_be_named(self, tag: str) -> bool:
        """Return whether this is a valid tag here."""
        return is_tag(tag)

    @property
    def context(self) -> str:
        """The host and repository, without tag and digest."""
        return "%s/%s" % (self.host, self.repository)

    def __str__(self) -> str:
        return self.context + (":" + self.tag if self.tag else "") + ("@" + self.digest if self.digest else "")


@dataclasses.dataclass(frozen=True)
class LocalReference:
    """An image in a file or directory on the managed node: ``transport:path[:name]``."""

    transport: str
    path: str
    tag: str = ""

    digest: t.ClassVar[str] = ""

    @property
    def has_names(self) -> bool:
        """Whether there can be several images with names."""
        return self.transport != "dir"

    @property
    def name(self) -> str:
        """The name to look up; empty for the only image."""
        return self.tag

    def may_be_named(self, tag: str) -> bool:
        """Return whether an image can have this name here; ``@N`` is a position and not a name."""
        return self.has_names and re.fullmatch(r"[\x21-\x3f\x41-\x7e][\x21-\x7e]*", tag) is not None

    def __str__(self) -> str:
        separator = ":" if self.has_names else "/"  # below a directory there may be more of them
        return "%s:%s%s" % (self.transport, self.path, separator + self.tag if self.tag else "")


@dataclasses.dataclass(frozen=True)
class EngineReference:
    """An image in an engine or file: ``docker-daemon:NAME``, ``containers-storage:NAME`` or ``docker-archive:FILE[:NAME]``.

    These identify an image by its full name (``repository`` includes the host) or by its ID, which is ``digest``
    here. Without a repository, a file contains only one image, or ``tag`` is the position ``@N``.
    """

    transport: str
    path: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""

    has_names: t.ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The name to look up: the ID if there is one, else the tag."""
        return self.digest or self.tag

    def may_be_named(self, tag: str) -> bool:
        """Return whether this is a valid tag here. Without a repository, no tag is valid."""
        return bool(self.repository) and is_tag(tag)

    @property
    def context(self) -> str:
        """The reference without tag and ID."""
        return ":".join(part for part in (self.transport, self.path, self.repository) if part)

    def __str__(self) -> str:
        return ":".join(part for part in (self.context, self.tag, self.digest) if part)


Reference = t.Union[RegistryReference, LocalReference, EngineReference]


def parse(text: str) -> Reference:
    """Parse a reference of any transport. Raises :class:`InvalidReference`."""
    text = text.strip()
    if _NO_PATH.search(text):
        raise InvalidReference(
            "the reference contains an invalid character", repr(text), "Remove the NUL or non-Unicode character"
        )
    if text.startswith("docker://"):
        return parse_registry(text[len("docker://") :])
    refuse_other_notations(text)
    transport, separator, rest = text.partition(":")
    if separator and transport in LOCAL_TRANSPORTS:
        return _parse_local(transport, rest)
    if separator and transport in ENGINE_TRANSPORTS:
        return _parse_engine(transport, rest)
    if separator and (rest.startswith("/") or transport in _OTHER_TRANSPORTS):
        raise InvalidReference(
            "the transport %r is not supported" % transport,
            without_userinfo(text),
            "Use docker:// (or no prefix) for a registry, or one of: %s"
            % ", ".join(x + ":" for x in LOCAL_TRANSPORTS + ENGINE_TRANSPORTS),
        )
    return parse_registry(text)


def refuse_other_notations(text: str) -> None:
    """Raise InvalidReference for URLs and paths, which are likely mistakes, with a hint at the correct reference."""
    shown = without_userinfo(text)
    url = re.match(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//(.*)", shown)
    if url:
        scheme, rest = url.groups()
        raise InvalidReference(
            "expected an image reference, but found a URL", shown, _hint_of_url((scheme or "").lower(), rest)
        )
    if re.match(r"\.{0,2}/|~", text):
        hint = "Write oci:%s for an OCI layout, dir:%s for a directory with one image, or docker-archive:%s for a file"
        raise InvalidReference("expected an image reference, but found a path", shown, hint % (shown, shown, shown))
    if text.startswith("docker:") and "/" in text:
        cause = "the transport for registries is docker://, not docker:"
        raise InvalidReference(cause, shown, "Write docker://%s" % shown[len("docker:") :])


def _hint_of_url(scheme: str, rest: str) -> str:
    """Return the likely meaning of a URL: tools for Helm charts use oci:// for registries, and other tools use it for layouts."""
    if scheme in ("http", "https"):
        return "Write %s. For a registry without TLS, set plain_http: true for its host in registries" % rest
    is_local = scheme in LOCAL_TRANSPORTS or scheme in ENGINE_TRANSPORTS
    if is_local and (rest.startswith("/") or scheme in ENGINES):
        return "Write %s:%s" % (scheme, rest)
    if scheme == "oci" and "/" in rest and is_host(rest.partition("/")[0]):
        return "Write %s" % rest
    if is_local:
        return "Write %s:/%s for a path, or the registry's host[:port]/path[:tag]" % (scheme, rest)
    return "Write host[:port]/path[:tag] for a registry, or a transport such as oci:PATH"


def refuse_official(text: str, reference: Reference) -> None:
    """Reject a destination without a registry: it would mean an official image, which only Docker can push. Raises InvalidReference."""
    name = text.strip()
    name = name[len("docker://") :] if name.startswith("docker://") else name
    if not isinstance(reference, RegistryReference) or "/" in name:
        return
    if reference.repository.startswith("library/") and reference.host == DOCKER_HUB:
        hint = "Write host[:port]/REPOSITORY[:TAG], or docker.io/USER/REPOSITORY[:TAG] for Docker Hub"
        raise InvalidReference("dest has no registry, so it would refer to an official image on Docker Hub", text, hint)


def parse_registry(text: str) -> RegistryReference:
    """Parse ``[host[:port]/]path[:tag][@digest]``, and expand short names: ``busybox`` is ``docker.io/library/busybox``."""
    shown = without_userinfo(text)
    if shown != text:
        raise InvalidReference(
            "a reference must not contain credentials", shown, "Set the credentials in registries or authfile"
        )
    rest, _at, digest = text.partition("@")
    if _at and not digests.is_digest(digest):
        raise InvalidReference(
            "%r is not a valid digest" % digest, text, "Write sha256: followed by 64 hexadecimal digits"
        )
    name, tag = _split_tag(rest)
    if tag is not None and not is_tag(tag):
        hint = "Write a tag of up to 128 letters, digits, '_', '.' and '-'"
        raise InvalidReference("%r is not a valid tag" % tag, text, hint)
    host, path = _split_host(name)
    _check_name(text, name, host, path)
    return RegistryReference(host, path, tag or "", digest)


def name_or_default(reference: Reference) -> str:
    """Return the name to look up. For a repository without tag and digest, it is the tag ``latest``."""
    has_repository = not isinstance(reference, LocalReference) and reference.repository
    return reference.name or ("latest" if has_repository else "")


def check_digest(reference: Reference, digest: str) -> None:
    """Raise ImageError if the reference specifies a digest, and the image has a different one."""
    if reference.digest and digest != reference.digest:
        cause = "the image has the digest %s, but the reference specifies %s" % (digest, reference.digest)
        raise ImageError(cause, hint="Correct or remove the digest in the reference")


def pinned(reference: Reference, digest: str) -> str:
    """Return the reference of the image by its digest, or by its ID in an engine; empty for files, which do not support this."""
    if isinstance(reference, RegistryReference):
        return "%s@%s" % (reference.context, digest)
    if isinstance(reference, EngineReference):
        return ":".join(part for part in (reference.transport, reference.path, digest) if part)
    return ""


def named_after(reference: Reference, other: Reference) -> Reference:
    """If a file is given without a name for the image, return it with the name of ``other``, if that has one."""
    if not isinstance(reference, EngineReference) or reference.repository or reference.name:
        return reference
    if isinstance(other, RegistryReference):
        return dataclasses.replace(reference, repository=other.context)
    if isinstance(other, EngineReference) and other.repository:
        return dataclasses.replace(reference, repository=other.repository)
    if isinstance(other, LocalReference) and "/" in other.tag:
        return dataclasses.replace(reference, repository=parse_registry(other.tag).context)
    cause = "neither dest nor src (%s) has an image name" % other
    raise InvalidReference(cause, reference, "Write %s:NAME" % reference)


def is_tag(text: str) -> bool:
    """Return whether this is a valid tag: OCI distribution spec, "Pulling manifests"."""
    return _TAG.fullmatch(text) is not None


def position(name: str) -> int | None:
    """Return the position of an image in a file for ``@N``, counting from 0; None for a name. No file has as many images as nine digits can count."""
    return int(name[1:]) if re.fullmatch("@[0-9]{1,9}", name) else None


def is_prefix(text: str) -> bool:
    """Return whether this can be the beginning of repository names up to a slash: a host, or a host and a path."""
    host, slash, path = text.partition("/")
    return _DOMAIN.fullmatch(host) is not None and (not slash or _PATH.fullmatch(path) is not None)


def is_host(first: str) -> bool:
    """Return whether the first component of a name is a registry, because it cannot be a namespace on Docker Hub."""
    return bool(re.search("[.:]", first)) or first == "localhost" or first.lower() != first


def _split_tag(text: str) -> tuple[str, str | None]:
    name, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        return text, None
    return name, tag


def _split_host(name: str) -> tuple[str, str]:
    """Split a name. Its first component is a host if it cannot be a namespace on Docker Hub."""
    first, slash, rest = name.partition("/")
    host, path = (first, rest) if slash and is_host(first) else (DOCKER_HUB, name)
    if host == "index.docker.io":
        host = DOCKER_HUB
    if host == DOCKER_HUB and "/" not in path:
        path = "library/" + path
    return host, path


def _check_name(text: str, name: str, host: str, path: str) -> None:
    if re.fullmatch("[a-f0-9]{64}", text):
        raise InvalidReference("expected a repository name, but found an image ID", text, "Write a repository name")
    # Docker Hub's own images have neither dots in their names nor that of this machine.
    is_bare_host = "/" not in name and (re.search(r"[.:]", name) or name == "localhost")
    if (is_bare_host and _DOMAIN.fullmatch(name)) or (host != DOCKER_HUB and not path and _DOMAIN.fullmatch(host)):
        hint = "Write %s/REPOSITORY[:TAG]" % text.rstrip("/")
        raise InvalidReference("the reference has a registry, but no repository", text, hint)
    if not text:
        raise InvalidReference("the reference is empty", hint="Write host[:port]/path[:tag][@digest]")
    if not _DOMAIN.fullmatch(host):
        raise InvalidReference("%r is not a valid registry host" % host, text, "Write host[:port]/path[:tag][@digest]")
    if not _PATH.fullmatch(path):
        hint = "Write host[:port]/path[:tag][@digest]"
        if _PATH.fullmatch(path.lower()):
            hint = "Write the repository name in lower case"
        given = name[len(host) + 1 :] if name.startswith(host + "/") else name
        raise InvalidReference("%r is not a valid repository name" % given, text, hint)
    if len(host) + 1 + len(path) > _MAX_NAME:
        cause = "the repository name is longer than %d characters" % _MAX_NAME
        raise InvalidReference(cause, text, "Use a shorter name")


def _parse_local(transport: str, rest: str) -> LocalReference:
    """Parse a local reference. A directory contains only one image, so everything after ``dir:`` is its path."""
    path, _colon, name = (rest, "", "") if transport == "dir" else rest.partition(":")
    if not path:
        form = "dir:PATH" if transport == "dir" else "%s:PATH[:REF]" % transport
        raise InvalidReference("the reference has no path", "%s:%s" % (transport, rest), "Write " + form)
    if _colon and not re.fullmatch(r"[\x21-\x7e]+", name):
        hint = "Use only printable ASCII characters without spaces"
        raise InvalidReference("%r is not a valid image name" % name, "%s:%s" % (transport, rest), hint)
    return LocalReference(transport, os.path.abspath(os.path.expanduser(path)), name)


def _parse_engine(transport: str, rest: str) -> EngineReference:
    path, name = "", rest
    if transport not in ENGINES:
        path, _colon, name = rest.partition(":")
        if not path or (_colon and not name):
            hint = "Write %s:FILE[:NAME]" % transport
            raise InvalidReference(
                "the reference has no image name" if path else "the reference has no file name",
                "%s:%s" % (transport, rest),
                hint,
            )
        path = os.path.abspath(os.path.expanduser(path))
        if not name or position(name) is not None:
            return EngineReference(transport, path, tag=name)
    if digests.is_digest(name):
        return EngineReference(transport, path, digest=name)
    if not name:
        raise InvalidReference(
            "the reference has no image name", transport + ":", "Write %s:NAME[:TAG] or an image ID" % transport
        )
    named = parse_registry(name)
    if named.digest:
        hint = "Write NAME[:TAG], or only the image ID, which begins with sha256:"
        raise InvalidReference(
            "the reference has a name and a digest, but an engine needs either a name or an image ID",
            "%s:%s" % (transport, rest),
            hint,
        )
    return EngineReference(transport, path, named.context, named.tag)
