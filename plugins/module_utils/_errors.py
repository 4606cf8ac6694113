# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Errors, with the messages that the user reads.

Every error has a cause (one plain clause), the reference it is about, and a hint at what to do next. Lower layers
raise errors without a reference. The layer that knows the reference adds it with :meth:`ImageError.about`. No message
may contain a credential, a token or the query of a URL, because queries may contain signatures. Text from other
systems is cleaned when a message is built, so that it can neither send escape sequences to a terminal nor forge lines
of output.
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
        """Set the reference of this error, unless a lower layer has already set it."""
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
    """Set the reference of errors in the block, unless they already have one."""
    try:
        yield
    except ImageError as error:
        error.about(reference)
        raise


# What code that takes foreign content apart raises where that is not of the shape it should be.
_PARSER_ERRORS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


@contextlib.contextmanager
def parsing(what: str, hint: str = "") -> t.Iterator[None]:
    """Convert any error from parsing untrusted content to :class:`InvalidContent`.

    ``what`` completes "... is malformed". Errors of this collection are raised unchanged. The text of the original
    error is not shown, because it may quote the content and thus a secret.
    """
    try:
        yield
    except _PARSER_ERRORS as error:
        raise InvalidContent("%s is malformed" % what, hint=hint) from error


class InvalidReference(ImageError):
    """A reference does not follow the syntax of its transport."""


class InvalidContent(ImageError):
    """A manifest, index or layout file does not follow its specification."""


class NotConvertible(ImageError):
    """The other format does not support a part of the image, or the new digest would invalidate it."""


class NotFound(ImageError):
    """The manifest or blob does not exist, or the registry says so because access is denied."""


class AccessDenied(ImageError):
    """The registry refuses these credentials, or requires credentials and there are none.

    ``status`` is the HTTP status of the refusal; 0 if there was none.
    """

    def __init__(self, cause: str, reference: object = None, hint: str = "", status: int = 0) -> None:
        super().__init__(cause, reference, hint)
        self.status = status


class LoginRefused(AccessDenied):
    """A registry or its token service refuses a password. The error is about the registry, not about an image."""

    def about(self, reference: object) -> ImageError:
        """Set no reference, because the cause contains the host."""
        return self


class CredentialsNotSent(AccessDenied):
    """Credentials were not sent, because a host uses plain HTTP and nobody has allowed this."""


class DigestMismatch(ImageError):
    """The content does not have the expected digest or size."""


class ContentMissing(ImageError):
    """The destination rejects a manifest because content that it refers to is missing."""


class Refused(ImageError):
    """The registry refuses a request with this HTTP status, and a retry would not help."""

    def __init__(self, cause: str, reference: object = None, hint: str = "", status: int = 0) -> None:
        super().__init__(cause, reference, hint)
        self.status = status


class ImmutableTag(Refused):
    """The registry does not allow this tag to be moved or deleted."""


class FormatRefused(Refused):
    """The registry does not accept manifests in this format."""


class DigestRefused(Refused):
    """The registry reports that content does not match its digest."""


class ConnectionFailed(ImageError):
    """The registry could not be reached, or the connection broke, in all attempts.

    ``reason`` is the last part of the cause, and ``system_errno`` is the errno of the system; they are empty and 0 if
    unknown.
    """

    def __init__(
        self, cause: str, reference: object = None, hint: str = "", reason: str = "", system_errno: int = 0
    ) -> None:
        super().__init__(cause, reference, hint)
        self.reason = reason
        self.system_errno = system_errno


class LocalFailure(ImageError):
    """A file on the managed node could not be read or written."""


def tag_moved(digest: str) -> ImageError:
    """Return the error for a tag that another client has moved to this digest, so that it must not be deleted."""
    return ImageError("the tag moved to %s during this run, so it was not deleted" % digest, hint="Run the task again")


class MissingLibrary(ImageError):
    """A Python library that this feature needs cannot be imported on the managed node."""

    def __init__(self, library: str, error: Exception | None = None, details: str = "") -> None:
        """``error`` is the error of the import, and ``details`` its traceback; both are missing if the library is not installed."""
        is_absent = error is None or (isinstance(error, ModuleNotFoundError) and error.name == library)
        if is_absent:
            super().__init__("the Python library %s is missing" % library)
        else:
            cause = "the Python library %s is installed but cannot be imported: %s: %s"
            hint = "Reinstall the library and its dependencies for the Python that runs the module"
            super().__init__(cause % (library, type(error).__name__, error), hint=hint)
        self.library = library
        self.is_absent = is_absent
        self.details = details


_HINTS = {
    errno.ENOSPC: "Free up some space, or choose another location",
    errno.EDQUOT: "Free up some space, or choose another location",
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
    """Return the reason for an error of the system, in English regardless of the locale."""
    return _REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()


def local_failure(error: OSError, action: str, path: str = "") -> LocalFailure:
    """Return a :class:`LocalFailure` that says what could not be done with which file, and why.

    ``path`` is used for errors that do not contain a file name.
    """
    where = " %s" % (error.filename or path) if error.filename or path else ""
    return LocalFailure("cannot %s%s: %s" % (action, where, reason_of(error)), hint=_HINTS.get(error.errno or 0, ""))


@contextlib.contextmanager
def file_errors(action: str, path: str) -> t.Iterator[None]:
    """Convert an OSError in the block to a :class:`LocalFailure` about this action and file."""
    try:
        yield
    except OSError as error:
        raise local_failure(error, action, path) from None
