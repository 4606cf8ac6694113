# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What can go wrong, in the words that the user reads.

Every error carries a cause (one plain clause), the reference it is about, and a hint: what to do next.
Lower layers raise without a reference; the layer that knows it adds it with :meth:`ImageError.about`.
No error text may hold a credential, a token or the query of a URL: queries carry signatures. What others say is cleaned
when the text of an error is made, so that no escape sequence reaches a terminal and no line of output is forged.
"""

from __future__ import annotations

import contextlib
import errno
import typing as t

from ._text import clean


class ImageError(Exception):
    """Base of all errors that end a task with a message rather than a traceback."""

    def __init__(self, cause: str, reference: object = None, hint: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.reference = reference
        self.hint = hint

    def about(self, reference: object) -> ImageError:
        """Name the reference this error is about, unless a nearer layer already did."""
        if self.reference is None:
            self.reference = reference
        return self

    def __str__(self) -> str:
        text = self.cause if self.reference is None else "%s: %s" % (self.reference, self.cause)
        text = clean(text).rstrip(".") + "."
        if self.hint:
            text += " %s." % clean(self.hint).rstrip(".")
        return text


@contextlib.contextmanager
def naming(reference: object) -> t.Iterator[None]:
    """Errors of the block are about this reference, unless they already name one."""
    try:
        yield
    except ImageError as error:
        error.about(reference)
        raise


# What code that takes foreign content apart raises where that is not of the shape it should be.
_PARSER_ERRORS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


@contextlib.contextmanager
def parsing(what: str, hint: str = "") -> t.Iterator[None]:
    """The boundary for foreign content: whatever parsing it raises in the block becomes :class:`InvalidContent`.

    ``what`` completes "... is malformed". Errors of ours pass as they are. The text of the original error is not shown:
    it may quote the content, and so a secret.
    """
    try:
        yield
    except _PARSER_ERRORS as error:
        raise InvalidContent("%s is malformed" % what, hint=hint) from error


class InvalidReference(ImageError):
    """The text of a reference does not follow the grammar of its transport."""


class InvalidContent(ImageError):
    """A manifest, index or layout file is not what its specification asks for."""


class NotConvertible(ImageError):
    """An image has something that cannot be said in the other format, or that another digest would invalidate."""


class NotFound(ImageError):
    """The manifest or blob is not there, or the registry says so to those without access."""


class AccessDenied(ImageError):
    """The registry refuses these credentials, or asks for some where none were given.

    ``status`` is the HTTP status of the refusal, 0 where there was none.
    """

    def __init__(self, cause: str, reference: object = None, hint: str = "", status: int = 0) -> None:
        super().__init__(cause, reference, hint)
        self.status = status


class LoginRefused(AccessDenied):
    """A registry or its token service refuses a password. This is about the registry, whatever image was wanted."""

    def about(self, reference: object) -> ImageError:
        """Name no reference: the cause names the host."""
        return self


class CredentialsNotSent(AccessDenied):
    """The credentials would go over plain HTTP to a host for which nobody has allowed that, and were not sent."""


class DigestMismatch(ImageError):
    """The content does not have the digest or size under which it was asked for."""


class ContentMissing(ImageError):
    """The destination refuses a manifest because content it refers to is not there."""


class Refused(ImageError):
    """The registry understood the request and refuses it with this HTTP status; asking again would not help."""

    def __init__(self, cause: str, reference: object = None, hint: str = "", status: int = 0) -> None:
        super().__init__(cause, reference, hint)
        self.status = status


class ImmutableTag(Refused):
    """The registry lets nobody move or remove this tag."""


class FormatRefused(Refused):
    """The registry does not take manifests of this kind."""


class DigestRefused(Refused):
    """The registry says that content is not what its digest says."""


class ConnectionFailed(ImageError):
    """The registry could not be reached, or the connection broke, on every attempt.

    ``reason`` is the last part of the cause, and ``system_errno`` what the system said; empty and 0 where
    that is not known.
    """

    def __init__(
        self, cause: str, reference: object = None, hint: str = "", reason: str = "", system_errno: int = 0
    ) -> None:
        super().__init__(cause, reference, hint)
        self.reason = reason
        self.system_errno = system_errno


class LocalFailure(ImageError):
    """A file of the managed node could not be read or written."""


class MissingLibrary(ImageError):
    """A Python library that this feature needs cannot be imported on the managed node."""

    def __init__(self, library: str, error: Exception | None = None, details: str = "") -> None:
        """``error`` is what the import raised, and ``details`` its traceback; none where the library is just missing."""
        is_absent = error is None or (isinstance(error, ModuleNotFoundError) and error.name == library)
        if is_absent:
            super().__init__("the Python library %s is missing" % library)
        else:
            cause = "the Python library %s is installed but cannot be imported: %s: %s"
            hint = "Reinstall it and its dependencies for the Python that runs the module"
            super().__init__(cause % (library, type(error).__name__, error), hint=hint)
        self.library = library
        self.is_absent = is_absent
        self.details = details


_HINTS = {
    errno.ENOSPC: "Free some space, or choose another location",
    errno.EDQUOT: "Free some space, or choose another location",
    errno.EACCES: "Check the permissions, or use become",
    errno.EPERM: "Check the permissions, or use become",
    errno.EROFS: "Choose a writable location",
}


# In words of our own: those of the system depend on the language of the user's environment.
_REASONS = {
    errno.EACCES: "permission denied",
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by peer",
    errno.EDQUOT: "disk quota exceeded",
    errno.EEXIST: "file exists",
    errno.EFBIG: "file too large",
    errno.EHOSTUNREACH: "no route to host",
    errno.EINVAL: "invalid argument",
    errno.EIO: "input/output error",
    errno.EISDIR: "is a directory",
    errno.ELOOP: "too many levels of symbolic links",
    errno.EMFILE: "too many open files",
    errno.ENAMETOOLONG: "file name too long",
    errno.ENETUNREACH: "network is unreachable",
    errno.ENOENT: "no such file or directory",
    errno.ENOSPC: "no space left on device",
    errno.ENOTDIR: "not a directory",
    errno.EPERM: "operation not permitted",
    errno.EPIPE: "broken pipe",
    errno.EROFS: "read-only file system",
}


def reason_of(error: OSError) -> str:
    """Why the system refused, the same in every language of the environment."""
    return _REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()


def local_failure(error: OSError, doing: str, path: str = "") -> LocalFailure:
    """The :class:`LocalFailure` that says what could not be done to which file, and why.

    ``path`` is what was being worked on, for errors that name no file themselves.
    """
    where = " %s" % (error.filename or path) if error.filename or path else ""
    return LocalFailure("cannot %s%s: %s" % (doing, where, reason_of(error)), hint=_HINTS.get(error.errno or 0, ""))


@contextlib.contextmanager
def file_errors(doing: str, path: str) -> t.Iterator[None]:
    """An OSError of the block is a :class:`LocalFailure` of doing this to that file."""
    try:
        yield
    except OSError as error:
        raise local_failure(error, doing, path) from None
