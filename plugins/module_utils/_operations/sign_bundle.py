# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Sign a bundle for an air-gapped site: write a statement about its checksums and images to a file in the bundle.

The checksums alone only protect against accidents, because whoever changes the bundle can change them as well. The
statement binds them to a key. Its subjects are SHA256SUMS, which has the checksums of all other files, and the
digests of all images.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
import typing as t

from .._errors import ImageError, InvalidContent, file_errors, naming, parsing
from .._files import is_missing, open_regular, read_named, write_file
from .._image import bundle as bundles
from .._image import digest as digests
from .._image import document as documents
from .._image.bundle import Bundle
from .._image.digest import CHUNK
from .._image.signing_key import PublicKey, SigningKey
from .._image.statement import Statement, Subject
from .._run import Run
from .._transfer.parallel import for_each
from .sign import Signed, SignedDigest
from .signing.evidence import NotVerified
from .signing.signature import BUNDLE, Claim, Verified
from .verify import VerifiedImage

SUMS = "SHA256SUMS"
INVENTORY = "inventory.json"
SIGNATURE = "SHA256SUMS.sigstore.json"
PREDICATE_TYPE = "https://github.com/drayage/registry/attestation/bundle/v1"

# Of 10,000 images with 100 files each, the lines and the inventory stay below this.
_MAX_FILE = 512 * 1024 * 1024
_LINE = re.compile(r"([0-9a-f]{64}) [ *]\./(.+)")
_HINT = "Nothing was imported. Transfer the bundle again"
_FOREIGN = "the file %s contains a signature that image_sign did not make" % SIGNATURE
_REPLACE_HINT = "To replace the signature, delete this file"


def sign_bundle(path: str, key: SigningKey, is_present: bool, run: Run) -> Signed:
    """Add the signature of this key to a bundle, or remove it. Raises ImageError."""
    target = os.path.join(path, SIGNATURE)
    with naming(path):
        subjects, images = _subjects(path)
        is_signed = _is_signed(path, key.public, subjects if is_present else None)
        if not run.dry_run and is_present and not is_signed:
            predicate = {"images": images, "signed": int(time.time())}
            statement = Statement(PREDICATE_TYPE, subjects, predicate)
            with file_errors("write", target):
                write_file(path, target, Bundle.sign(statement, key).encode())
        if not run.dry_run and is_signed and not is_present:
            with file_errors("remove", target):
                os.unlink(target)
    digest = _digest_of(subjects[0])
    before, after = ["bundle"] * is_signed, ["bundle"] * is_present
    return Signed(digest, "", [SignedDigest(digest, before, after)])


def _is_signed(path: str, key: PublicKey, subjects: tuple[Subject, ...] | None) -> bool:
    """Return whether this key has signed these subjects, or if they are None, anything.

    Raises ImageError if another key has signed these subjects, or if another program made the signature, because the
    file has room for only one signature.
    """
    if is_missing(os.path.join(path, SIGNATURE)):
        return False
    try:
        statement, signer = _read(path, [key])
    except NotVerified:
        return False
    if subjects is None:
        return statement is not None and signer is not None
    if not statement:
        raise ImageError(_FOREIGN, hint=_REPLACE_HINT)
    is_current = statement.subjects == subjects
    if is_current and not signer:
        cause = (
            "the bundle is already signed with another key, and the file %s can contain only one signature" % SIGNATURE
        )
        raise ImageError(cause, hint=_REPLACE_HINT)
    return is_current


def verify_bundle(path: str, keys: t.Sequence[PublicKey], run: Run) -> VerifiedImage:
    """Verify the signature, and that the bundle contains exactly the signed files, unchanged. Raises ImageError."""
    with naming(path):
        if is_missing(os.path.join(path, SIGNATURE)):
            raise NotVerified("the bundle is not signed: the file %s is missing" % SIGNATURE, hint=_HINT)
        statement, key = _read(path, keys)
        if not statement:
            raise NotVerified(_FOREIGN, hint="Nothing was imported. Sign the bundle with image_sign")
        if not key:
            names = ", ".join(key.name for key in keys)
            raise NotVerified("the bundle's signature was not made with %s" % names, hint=_HINT)
        subjects, _images = _subjects(path)
        if statement.subjects != subjects:
            raise NotVerified("the file %s or %s was changed after signing" % (SUMS, INVENTORY), hint=_HINT)
        _check_files(path, run)
        digest = _digest_of(subjects[0])
        claim = Claim(digest, predicate_type=statement.predicate_type, predicate=statement.predicate)
        return VerifiedImage(digest, [Verified(digest, key.name, key.fingerprint, BUNDLE, claim, SIGNATURE)])


def _digest_of(subject: Subject) -> str:
    return "sha256:" + subject.digests["sha256"]


def _read(path: str, keys: t.Sequence[PublicKey]) -> tuple[Statement | None, PublicKey | None]:
    """Return the statement of image_sign in the signature, and the key that signed it, if it is one of these.

    Without a statement, another program made the signature: ``cosign sign-blob --bundle`` writes a file with the same
    name. Raises NotVerified if the signature is corrupt.
    """
    try:
        bundle = Bundle.parse(read_named(os.path.join(path, SIGNATURE), bundles.MAX_SIZE, "the signature"))
        statement = bundle.statement()
        is_ours = statement is not None and statement.predicate_type == PREDICATE_TYPE
        return (statement, bundle.signer(keys, b"")) if is_ours else (None, None)
    except InvalidContent as error:
        raise NotVerified("the bundle's signature is corrupt: %s" % error.cause, hint=_HINT) from None


def _subjects(path: str) -> tuple[tuple[Subject, ...], list[dict[str, str]]]:
    """Return the subjects to sign, and the images of the inventory."""
    sums = read_named(os.path.join(path, SUMS), _MAX_FILE, "the checksums")
    inventory = read_named(os.path.join(path, INVENTORY), _MAX_FILE, "the inventory")
    document = documents.read(inventory, "the inventory")
    with parsing("the inventory"):
        images = [
            {name: str(image[name]) for name in ("ref", "src", "digest") if image.get(name)}
            for image in document["images"]
        ]
        named = [Subject.of(digests.check(image["digest"]), image["ref"]) for image in images]
    files = (Subject.of(digests.of(sums), SUMS), Subject.of(digests.of(inventory), INVENTORY))
    return (*files, *named), images


def _check_files(path: str, run: Run) -> None:
    """Compare all files with SHA256SUMS. Raises :class:`NotVerified` for one that differs, is missing or is not listed."""
    listed = _listed(read_named(os.path.join(path, SUMS), _MAX_FILE, "the checksums"))
    present = _present(path) - {SUMS, SIGNATURE}
    missing, unlisted = sorted(set(listed) - present), sorted(present - set(listed))
    if missing:
        raise NotVerified("the file %s is missing from the bundle" % missing[0], hint=_HINT)
    if unlisted:
        raise NotVerified("the bundle contains the file %s, which is not signed" % unlisted[0], hint=_HINT)
    names = sorted(listed)
    with file_errors("read", path):
        run.enter("checking", path, sum(os.path.getsize(os.path.join(path, name)) for name in names))
    hashes = for_each(lambda name: _hash(os.path.join(path, name), run), names, run.jobs)
    for name, found in zip(names, hashes):
        if found != listed[name]:
            raise NotVerified("the file %s was changed after signing" % name, hint=_HINT)


def _listed(content: bytes) -> dict[str, str]:
    found = {}
    for line in content.decode("utf-8", "surrogateescape").splitlines():
        match = _LINE.fullmatch(line)
        if not match or ".." in match.group(2).split("/"):
            raise NotVerified("the file %s contains a line that is not a checksum" % SUMS, hint=_HINT)
        found[match.group(2)] = match.group(1)
    return found


def _present(path: str) -> set[str]:
    """Return the names of all files below a directory. Raises NotVerified for a link or a special file."""
    found = set()
    with file_errors("read", path):
        for directory, directories, files in os.walk(path, onerror=_raise):
            for name in [*directories, *files]:
                full = os.path.join(directory, name)
                mode = os.lstat(full).st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    cause = "the bundle contains %s, which is neither a file nor a directory" % full
                    raise NotVerified(cause, hint=_HINT)
                if stat.S_ISREG(mode):
                    found.add(os.path.relpath(full, path))
    return found


def _raise(error: OSError) -> t.NoReturn:
    raise error


def _hash(path: str, run: Run) -> str:
    hashed = hashlib.sha256()
    with file_errors("read", path), open_regular(path) as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            hashed.update(chunk)
            run.advance(len(chunk))
    return hashed.hexdigest()
