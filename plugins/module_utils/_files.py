# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writing files so that a reader, a second writer or a crash never meets half of one."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import secrets
import stat
import tempfile
import threading
import typing as t

from ._errors import InvalidContent, LocalFailure, local_failure

# Files under way carry this prefix, in the directory that is being written; none is ever part of a layout.
STAGING = ".staging-"


def temporary_directory() -> str:
    """The directory for content of any size: TMPDIR, else /var/tmp, because /tmp may be in memory."""
    return os.environ.get("TMPDIR") or ("/var/tmp" if os.path.isdir("/var/tmp") else tempfile.gettempdir())


@contextlib.contextmanager
def locked(path: str) -> t.Iterator[t.BinaryIO]:
    """Hold the exclusive lock of a file, which is made where it is missing; yields it open.

    Raises OSError, or InvalidContent for a pipe or device.
    """
    while True:
        with open(_regular(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), path), "r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if not _is_at(stream, path):  # who held it before removed it
                continue
            yield stream
            return


class ReentrantLock:
    """A lock between processes that the thread which holds it can take again; other threads wait."""

    def __init__(self) -> None:
        self._threads = threading.RLock()
        self._is_held = False

    @contextlib.contextmanager
    def hold(self, acquire: t.Callable[[], t.ContextManager[object]]) -> t.Iterator[None]:
        """Hold the lock that ``acquire`` takes, unless this thread already does. Raises what it raises."""
        with self._threads:
            if self._is_held:
                yield
                return
            with acquire():
                self._is_held = True
                try:
                    yield
                finally:
                    self._is_held = False


@contextlib.contextmanager
def reserved(path: str) -> t.Iterator[None]:
    """Hold the exclusive lock of a file that is replaced rather than rewritten, with a lock file that exists only as long.

    Raises OSError.
    """
    lock = _reservation(path)
    with locked(lock) as stream:
        try:
            yield
        finally:
            if _is_at(stream, lock):
                os.unlink(lock)


def _reservation(path: str) -> str:
    return os.path.join(os.path.dirname(path), prefix_for(path) + "lock")


@contextlib.contextmanager
def claimed(path: str) -> t.Iterator[bool]:
    """Hold the exclusive lock of a file that exists only as long; yields False if another process holds it.

    The file contains the ID of the process. Raises LocalFailure.
    """
    with contextlib.ExitStack() as stack:
        try:
            stream = _claim(path, stack)
        except OSError as error:
            raise local_failure(error, "create the lock", path) from None
        if stream:
            stream.write(b"%d\n" % os.getpid())
            stream.flush()
        yield stream is not None


def _claim(path: str, stack: contextlib.ExitStack) -> t.BinaryIO | None:
    while True:
        stream = stack.enter_context(open(_regular(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), path), "r+b"))
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if _is_at(stream, path):  # otherwise its last holder removed it
            stack.callback(_remove, path)
            stream.truncate()
            return stream


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def prefix_for(path: str) -> str:
    """What files under way start with, beside a file whose directory is not ours."""
    return ".%s%s" % (os.path.basename(path)[:100], STAGING)


@contextlib.contextmanager
def staged(
    directory: str, target: str, mode: int = 0o666, prefix: str = STAGING, syncs_directory: bool = True
) -> t.Iterator[t.BinaryIO]:
    """A file to write that becomes ``target`` on the disk, whole, when the block ends well. Raises OSError.

    Without ``syncs_directory`` a power failure may remove it again until :func:`sync_directory` is called for its directory.
    """
    stream, path = _create(directory, mode, prefix)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            _publish(path, target, prefix)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    if syncs_directory:
        with contextlib.suppress(FileNotFoundError):  # who may remove it need not wait
            sync_directory(os.path.dirname(target))


def _publish(path: str, target: str, prefix: str) -> None:
    """Rename a staged file to its target, and with the same rename remove the lock of :func:`reserved`.

    A writer that is killed after the rename would leave the lock behind, and a later run that changes nothing takes none.
    Who waits for the lock now waits for the staged file, which is locked as well, and then finds that the lock is gone.
    """
    lock = _reservation(target)
    if prefix != STAGING and os.path.exists(lock):
        os.rename(path, lock)
        path = lock
    os.rename(path, target)


def replaced(target: str, mode: int = 0o666) -> t.ContextManager[t.BinaryIO]:
    """As :func:`staged`, for a file in a directory that is not ours.

    Removes what killed writers of the same file left there: it may hold secrets. Raises OSError.
    """
    remove_abandoned_of(target)
    return staged(os.path.dirname(os.path.abspath(target)), target, mode, prefix_for(target))


def keep_access(stream: t.BinaryIO, target: str) -> None:
    """Give a staged file the mode of the file that it will replace, and its owner if this user may do that."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        before = os.stat(target)
        os.fchmod(stream.fileno(), before.st_mode & 0o777)
        os.fchown(stream.fileno(), before.st_uid, before.st_gid)


def write_file(directory: str, target: str, content: bytes, syncs_directory: bool = True) -> None:
    """Replace ``target`` by this content, through a file in ``directory``, see :func:`staged`. Raises OSError."""
    with staged(directory, target, syncs_directory=syncs_directory) as stream:
        stream.write(content)


def open_regular(path: str) -> io.FileIO:
    """Open a file for reading, without a buffer. A pipe or device is refused: reading it might never end.

    Raises OSError, InvalidContent.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError:  # a NUL, or half of a surrogate pair
        raise InvalidContent("%r is not a valid path" % path) from None
    return open(_regular(descriptor, path), "rb", buffering=0)


def status_of_regular(path: str) -> os.stat_result:
    """What the system tells of a file. Raises OSError, or InvalidContent for what is none: a device must not be replaced."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidContent("%s is not a regular file" % path)
    return status


def _regular(descriptor: int, path: str) -> int:
    """The descriptor, if it is that of a file."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidContent("%s is not a regular file" % path)
    return descriptor


def read_regular(path: str, limit: int) -> bytes:
    """Read a file that a user or foreign content named, see :func:`open_regular`.

    Raises OSError, or InvalidContent if it is no regular file or has more than ``limit`` bytes.
    """
    with io.BufferedReader(open_regular(path)) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise InvalidContent("%s is larger than %d bytes" % (path, limit))
    return content


def read_named(path: str, limit: int, what: str) -> bytes:
    """Read a file that an option or the environment names; ``what`` it is completes "cannot read ...".

    Raises :class:`LocalFailure` if it cannot be read, is no regular file or has more than ``limit`` bytes.
    """
    with _named(path, what):
        return read_regular(path, limit)


def check_named(path: str, what: str) -> None:
    """Raise :class:`LocalFailure` as :func:`read_named` does, for a file that a library reads."""
    with _named(path, what), open_regular(path):
        pass


@contextlib.contextmanager
def _named(path: str, what: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise local_failure(error, "read %s" % what, path) from None
    except InvalidContent as error:
        reason = error.cause.rpartition(" is ")[2]
        hint = "Check that this is the right file"
        raise LocalFailure("cannot read %s %s: %s" % (what, path, reason), hint=hint) from None


def is_missing(path: str) -> bool:
    """Whether nothing has this name. False as well where that cannot be seen: reading it then says why."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def sync_directory(path: str) -> None:
    """Make a rename in this directory survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_abandoned(directory: str, prefix: str = STAGING) -> None:
    """Remove staged files whose writer was killed: a living writer holds a lock on its own."""
    for name in os.listdir(directory):
        if not name.startswith(prefix):
            continue
        path = os.path.join(directory, name)
        with contextlib.suppress(OSError), open(path, "r+b") as stream:  # NFS wants it so, see _create()
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)


def remove_abandoned_of(target: str) -> None:
    """Remove what killed writers of this file left beside it, see :func:`replaced`."""
    with contextlib.suppress(OSError):
        remove_abandoned(os.path.dirname(os.path.abspath(target)), prefix_for(target))


def _create(directory: str, mode: int, prefix: str) -> tuple[t.BinaryIO, str]:
    """A new file, with a shared lock on it.

    NFS gives shared locks only on what is open for reading, and exclusive ones only on what is open for writing.
    """
    while True:
        path = os.path.join(directory, prefix + secrets.token_hex(8))
        stream = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode), "wb")
        try:
            fcntl.flock(stream, fcntl.LOCK_SH)
        except BaseException:
            stream.close()
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        # Before it was locked, remove_abandoned() of another process may have taken it for abandoned.
        if os.path.exists(path):
            return stream, path
        stream.close()


def _is_at(stream: t.BinaryIO, path: str) -> bool:
    """Whether this open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
