# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Write files so that readers, other writers and crashes never leave or see a partial file."""

from __future__ import annotations

import contextlib
import errno
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
_HINT = "Check that this is the right file"
_MAX_LINKS = 40  # as Linux follows


def temporary_directory() -> str:
    """Return the directory for content of any size: TMPDIR, else /var/tmp, because /tmp may be in memory."""
    return os.environ.get("TMPDIR") or ("/var/tmp" if os.path.isdir("/var/tmp") else tempfile.gettempdir())


@contextlib.contextmanager
def locked(path: str, flags: int = 0) -> t.Iterator[t.BinaryIO]:
    """Hold the exclusive lock of a file, which is created if it does not exist. The block receives the open file.

    ``flags`` are additional flags to open it with. Raises OSError, or InvalidContent for a pipe or device.
    """
    while True:
        with open(_regular(os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666), path), "r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if not _is_at(stream, path):  # who held it before removed it
                continue
            yield stream
            return


class ReentrantLock:
    """A lock between processes that a thread can take again while it holds it. Other threads wait."""

    def __init__(self) -> None:
        self._threads = threading.RLock()
        self._is_held = False

    @contextlib.contextmanager
    def hold(self, acquire: t.Callable[[], t.ContextManager[object]]) -> t.Iterator[None]:
        """Hold the lock that ``acquire`` takes, unless this thread already holds it. Raises the errors of ``acquire``."""
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

    def note_loss(self) -> None:
        """Take the lock again when it is needed next, because :func:`staged` removed a :func:`reserved` lock with its file."""
        self._is_held = False


@contextlib.contextmanager
def reserved(path: str) -> t.Iterator[None]:
    """Hold an exclusive lock for a file that will be replaced. The lock file exists only while the lock is held.

    Raises OSError.
    """
    lock = _reservation(path)
    with locked(lock, os.O_NOFOLLOW) as stream:  # through a link, another user could make root create any file
        try:
            yield
        finally:
            if _is_at(stream, lock):
                os.unlink(lock)


def _reservation(path: str) -> str:
    return os.path.join(os.path.dirname(path), prefix_for(path) + "lock")


@contextlib.contextmanager
def claimed(path: str) -> t.Iterator[bool]:
    """Hold the exclusive lock of a file that exists only meanwhile. The block receives False if another process holds it.

    The file contains the ID of the process. Raises LocalFailure.
    """
    with contextlib.ExitStack() as stack:
        try:
            stream = _claim(path, stack)
            if stream:  # unbuffered, because on a full disk, closing the file would try to write the rest again
                os.write(stream.fileno(), b"%d\n" % os.getpid())
        except OSError as error:
            raise local_failure(error, "create the lock", path) from None
        yield stream is not None


def _claim(path: str, stack: contextlib.ExitStack) -> t.BinaryIO | None:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW  # through a link, another user could make root empty any file
    while True:
        stream = stack.enter_context(open(_regular(os.open(path, flags, 0o666), path), "r+b"))
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
    """Return the prefix of temporary files for a file in a directory with other files."""
    return ".%s%s" % (os.path.basename(path)[:100], STAGING)


@contextlib.contextmanager
def staged(
    directory: str, target: str, mode: int = 0o666, prefix: str = STAGING, syncs_directory: bool = True
) -> t.Iterator[t.BinaryIO]:
    """Open a temporary file that replaces ``target`` atomically if the block succeeds. Raises OSError.

    Without ``syncs_directory``, a power failure may undo this until :func:`sync_directory` is called for the
    directory.
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
    """Rename a staged file to its target, and remove the lock of :func:`reserved` with the same rename.

    Otherwise, a writer that is killed after the rename would leave the lock behind, and a later run that changes
    nothing would not remove it. Other processes that wait for the lock then wait for the staged file, which is locked
    as well, and notice that the lock is gone.
    """
    lock = _reservation(target)
    if prefix != STAGING and os.path.exists(lock):
        os.rename(path, lock)
        path = lock
    os.rename(path, target)


def replaced(target: str, mode: int = 0o666) -> t.ContextManager[t.BinaryIO]:
    """Replace a file like :func:`staged`, in a directory with other files. For symbolic links, see :func:`target_of`.

    Temporary files of killed writers of the same file are removed, because they may contain secrets. Raises OSError.
    """
    target = target_of(target)
    remove_abandoned_of(target)
    return staged(os.path.dirname(target), target, mode, prefix_for(target))


def target_of(path: str) -> str:
    """Return the real path of the file to replace. A symbolic link stays, and its target is replaced.

    A link that belongs to neither root nor this user is replaced itself. Otherwise, a user who owns the directory could
    choose which file root replaces.
    """
    for _link in range(_MAX_LINKS):
        directory, name = os.path.split(path)
        if name in ("", os.curdir, os.pardir):
            break
        path = os.path.join(os.path.realpath(directory), name)
        try:
            status = os.lstat(path)
        except (OSError, ValueError):  # writing the file will report the reason
            return path
        if not stat.S_ISLNK(status.st_mode) or status.st_uid not in (0, os.geteuid()):
            return path
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return os.path.realpath(path)


def keep_access(stream: t.BinaryIO, target: str) -> None:
    """Give a staged file the mode of the file that it replaces, and its owner if this user may set it.

    A link that is replaced itself, see :func:`target_of`, has neither.
    """
    with contextlib.suppress(FileNotFoundError, PermissionError):
        before = os.lstat(target)
        if stat.S_ISLNK(before.st_mode):
            return
        os.fchmod(stream.fileno(), before.st_mode & 0o777)
        os.fchown(stream.fileno(), before.st_uid, before.st_gid)


def write_file(directory: str, target: str, content: bytes, syncs_directory: bool = True) -> None:
    """Replace ``target`` with this content, using a temporary file in ``directory``, see :func:`staged`. Raises OSError."""
    with staged(directory, target, syncs_directory=syncs_directory) as stream:
        stream.write(content)


def open_regular(path: str) -> io.FileIO:
    """Open a file for unbuffered reading. A pipe or device is rejected, because reading it might never end.

    Raises OSError, InvalidContent.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError:  # a NUL, or half of a surrogate pair
        raise InvalidContent("%r is not a valid path" % path, hint=_HINT) from None
    return open(_regular(descriptor, path), "rb", buffering=0)


def status_of_regular(path: str) -> os.stat_result:
    """Return the status of a file. Raises OSError, or InvalidContent if it is not a regular file: a device must not be replaced."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidContent("%s is not a regular file" % path, hint=_HINT)
    return status


def _regular(descriptor: int, path: str) -> int:
    """Return the descriptor if it is a regular file."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidContent("%s is not a regular file" % path, hint=_HINT)
    return descriptor


def read_regular(path: str, limit: int) -> bytes:
    """Read a file whose name comes from a user or from untrusted content, see :func:`open_regular`.

    Raises OSError, or InvalidContent if it is not a regular file or has more than ``limit`` bytes.
    """
    with io.BufferedReader(open_regular(path)) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise InvalidContent("%s is larger than %d bytes" % (path, limit), hint=_HINT)
    return content


def read_named(path: str, limit: int, what: str) -> bytes:
    """Read a file from an option or the environment; ``what`` completes "cannot read ...".

    Raises :class:`LocalFailure` if it cannot be read, is not a regular file or has more than ``limit`` bytes.
    """
    with _named(path, what):
        return read_regular(path, limit)


def check_named(path: str, what: str) -> None:
    """Raise :class:`LocalFailure` like :func:`read_named`, for a file that a library reads."""
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
        raise LocalFailure("cannot read %s %s: %s" % (what, path, reason), hint=_HINT) from None


def is_missing(path: str) -> bool:
    """Return whether nothing has this name. Also False if this cannot be determined; reading it then reports the reason."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def status_of(path: str) -> os.stat_result | None:
    """Return the status of a file or directory; None only if it certainly does not exist, unlike :func:`os.path.exists`.

    Raises LocalFailure if this cannot be determined, for example without permission for a directory above it.
    """
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # no name contains a NUL, or half of a surrogate pair
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that leads to itself leads to no file
            return None
        raise local_failure(error, "read", path) from None


def sync_directory(path: str) -> None:
    """Make a rename in this directory survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_abandoned(directory: str, prefix: str = STAGING) -> None:
    """Remove staged files of killed writers. An active writer holds a lock on its file."""
    for name in os.listdir(directory):
        if not name.startswith(prefix):
            continue
        path = os.path.join(directory, name)
        with contextlib.suppress(OSError), open(path, "r+b") as stream:  # NFS wants it so, see _create()
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)


def remove_abandoned_of(target: str) -> None:
    """Remove the temporary files that killed writers of this file left next to it, see :func:`replaced`."""
    with contextlib.suppress(OSError):
        remove_abandoned(os.path.dirname(os.path.abspath(target)), prefix_for(target))


def _create(directory: str, mode: int, prefix: str) -> tuple[t.BinaryIO, str]:
    """Create a file with a shared lock on it.

    On NFS, a shared lock requires a file that is open for reading, and an exclusive lock one that is open for
    writing.
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
    """Return whether this open file has this name."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
