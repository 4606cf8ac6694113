# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Simple signing with GPG: ``signature-N`` files in a directory or a lookaside location, verified with the program ``gpg``.

For their locations, see docs/signature-protocols.md of containers/image; for their content, see
containers-signature(5). Keys are imported to a temporary keyring for each check, so that keys of the user do not
count.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import shutil
import tempfile
import typing as t

from ..._errors import ImageError, InvalidContent, file_errors
from ..._files import is_missing, read_named, read_regular
from ..._image import digest as digests
from ..._image.policy import Requirement
from ..._image.reference import LocalReference, Reference
from ..._image.simple_signing import ATOMIC, MAX_SIZE, Payload
from ..._process import RunCommand
from ..._stores.signature_files import NAME, numbered
from .evidence import NOT_VERIFIED_HINT, NotVerified
from .registries_d import RegistriesD
from .signature import Claim, Reason, Rejection, Verified

GPG = "gpg"
SECONDS = 60.0
MAX_OUTPUT = 1024 * 1024
# A server must not keep a task busy.
_MAX_URLS = 100
_MAX_KEYRING = 4 * 1024 * 1024
_VALID = re.compile(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]{40,64}) .* ([0-9A-F]{40,64})\s*$", re.MULTILINE)
_GOOD = re.compile(r"^\[GNUPG:\] GOODSIG ", re.MULTILINE)
# Correct signatures, of which gpg reports one instead of a good signature if the signature or its key is no longer valid.
_INVALIDATED = re.compile(r"^\[GNUPG:\] (?:EXPSIG|EXPKEYSIG|REVKEYSIG) ", re.MULTILINE)
_BAD = re.compile(r"^\[GNUPG:\] (?:BADSIG|ERRSIG|NODATA|DECRYPTION_OKAY)", re.MULTILINE)
_IMPORTED = re.compile(r"^\[GNUPG:\] IMPORT_OK [0-9]+ ([0-9A-F]{40,64})", re.MULTILINE)


# Reads a URL, at most so many bytes of it; None for what is not there.
ReadURL = t.Callable[[str, int], t.Optional[bytes]]


class GpgSignatures:
    """Checks ``signedBy`` requirements."""

    def __init__(self, run_command: RunCommand, registries_d: RegistriesD, read_url: ReadURL) -> None:
        self._run_command = run_command
        self._registries_d = registries_d
        self._read_url = read_url

    def check(self, image: Reference, requirement: Requirement, digest: str) -> Verified:
        """Return the first signature of this digest by one of the keys. Raises :class:`NotVerified`, ImageError."""
        found = self._signatures(image, digest)
        first = next(found, None)
        if not first:
            raise NotVerified(
                "%s has no GPG signature" % digest, hint="Sign the image, for example with skopeo standalone-sign"
            )
        with keyring_of(requirement, self._run_command) as keyring:
            rejections = []
            for signature in itertools.chain([first], found):
                outcome = judge(keyring, signature, image, requirement, digest)
                if isinstance(outcome, Verified):
                    return outcome
                rejections.append(outcome)
        best = max(rejections, key=lambda rejection: rejection.reason)
        raise NotVerified("%s could not be verified: %s" % (digest, best.detail), hint=NOT_VERIFIED_HINT)

    def _signatures(self, image: Reference, digest: str) -> t.Iterator[Stored]:
        """Yield the signatures one by one, so that only as many as necessary are downloaded."""
        where, name = location(image, digest, self._registries_d)
        if where.startswith(("http:", "https:")):
            for number in range(1, _MAX_URLS + 1):
                url = "%s/%s%d" % (where, name, number)
                content = self._read_url(url, MAX_SIZE)
                if content is None:
                    return
                yield Stored(url, content)
        else:
            yield from map(Stored.read, numbered(where, name))


@dataclasses.dataclass(frozen=True)
class Stored:
    """A signature, and its path or URL."""

    name: str
    content: bytes

    @classmethod
    def read(cls, path: str) -> Stored:
        """Read a file. Raises ImageError."""
        return cls(path, read_named(path, MAX_SIZE, "the signature"))


def location(image: Reference, digest: str, registries_d: RegistriesD) -> tuple[str, str]:
    """Return the directory or URL with the signatures of a digest, and the prefix of their names. Raises ImageError."""
    if isinstance(image, LocalReference) and image.transport == "dir":
        return image.path, _prefix(image.path, digest) + NAME
    return registries_d.lookaside(image, digest), NAME


def _prefix(path: str, digest: str) -> str:
    """Return the prefix in a ``dir:`` image: empty for the image itself, and the digest for its children."""
    with file_errors("read", path):
        top = read_regular(os.path.join(path, "manifest.json"), MAX_SIZE)
    is_top = digests.of(top, digests.split(digest)[0]) == digest
    return "" if is_top else digests.split(digest)[1] + "."


@contextlib.contextmanager
def keyring_of(
    requirement: Requirement, run_command: RunCommand, requires_valid_keys: bool = True
) -> t.Iterator[Keyring]:
    """Open a keyring with the keys of a requirement. Raises ImageError."""
    with _keyring(run_command, requires_valid_keys) as keyring:
        for number, path in enumerate(requirement.paths):
            keyring.add(read_named(path, _MAX_KEYRING, "the GPG key"), "path-%d" % number)
        for number, content in enumerate(requirement.data):
            keyring.add(content, "data-%d" % number)
        yield keyring


def judge(
    keyring: Keyring, stored: Stored, image: Reference, requirement: Requirement, digest: str
) -> Verified | Rejection:
    """Verify or reject a signature."""
    name = stored.name
    try:
        content, fingerprint = keyring.open(stored.content)
        payload = Payload.parse(content) if fingerprint else None
    except InvalidContent as error:
        return Rejection(Reason.DAMAGED, "the signature %s is corrupt: %s" % (name, error.cause))
    if not payload:
        return Rejection(Reason.OTHER_KEY, "the signature %s was not made with any of the given GPG keys" % name)
    if payload.type != ATOMIC or payload.digest != digest:
        return Rejection(Reason.OTHER_DIGEST, "the signature %s is for a different digest, %s" % (name, payload.digest))
    if not requirement.identity.accepts(image, payload.identity):
        cause = "the signature %s is for %s, which does not match the identity" % (name, payload.identity)
        return Rejection(Reason.OTHER_IDENTITY, cause)
    claim = Claim(payload.digest, payload.identity, payload.optional or {})
    return Verified(digest, "GPG key %s" % fingerprint, fingerprint, "gpg", claim, name)


class Keyring:
    """Public keys in a separate directory. Unless ``requires_valid_keys`` is set, signatures of expired and revoked keys count as well."""

    def __init__(self, directory: str, run_command: RunCommand, requires_valid_keys: bool) -> None:
        self._requires_valid_keys = requires_valid_keys
        self._directory = directory
        self._run_command = run_command
        self._fingerprints: set[str] = set()

    def add(self, content: bytes, name: str) -> None:
        """Import the keys in a file. Raises ImageError if it contains none."""
        path = os.path.join(self._directory, name)
        with file_errors("write", path), open(path, "wb") as stream:
            stream.write(content)
        status, out, err = self._gpg("--status-fd", "1", "--import", path)
        found = _IMPORTED.findall(out)
        if status or not found:
            cause = "cannot import a GPG key (%s)" % (err.strip() or "the file contains no key").splitlines()[-1]
            raise ImageError(cause, hint="Check the GPG keys in the policy")
        self._fingerprints.update(found)

    def open(self, signature: bytes) -> tuple[bytes, str]:
        """Return the signed content, and the fingerprint of the key that signed it; empty if it is not one of these keys."""
        path, target = (os.path.join(self._directory, name) for name in ("signature", "payload"))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
        with file_errors("write", path), open(path, "wb") as stream:
            stream.write(signature)
        # A few hundred bytes may decompress to gigabytes, which gpg writes before it checks the signature.
        limit = ("--max-output", str(MAX_SIZE))
        _status, out, _err = self._gpg("--status-fd", "1", *limit, "--output", target, "--decrypt", path)
        valid = _VALID.findall(out)
        if len(valid) != 1 or not self._accepts(out) or is_missing(target):
            return b"", ""
        primary = valid[0][1]
        with file_errors("read", target):
            return read_regular(target, MAX_SIZE), primary if primary in self._fingerprints else ""

    def _accepts(self, status: str) -> bool:
        if _BAD.search(status):
            return False
        if _INVALIDATED.search(status):
            return not self._requires_valid_keys
        return _GOOD.search(status) is not None

    def _gpg(self, *arguments: str) -> tuple[int, str, str]:
        command = [GPG, "--batch", "--no-tty", "--homedir", self._directory, "--no-autostart", *arguments]
        try:
            return self._run_command(command, "", SECONDS, MAX_OUTPUT)
        except OSError:
            raise ImageError("gpg is not installed", hint="Install GnuPG on the managed node") from None


@contextlib.contextmanager
def _keyring(run_command: RunCommand, requires_valid_keys: bool) -> t.Iterator[Keyring]:
    directory = tempfile.mkdtemp(prefix="drayage-gpg-")
    try:
        yield Keyring(directory, run_command, requires_valid_keys)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
