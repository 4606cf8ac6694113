# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Simple signing with GPG, like ``skopeo standalone-sign``, for image directories and lookaside directories."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shutil
import tempfile
import time
import typing as t
from urllib.parse import quote

from .._errors import ImageError, InvalidReference, file_errors, naming
from .._files import read_regular, reserved
from .._image import reference as references
from .._image.graph import Graph
from .._image.policy import Requirement
from .._image.reference import LocalReference, Reference, RegistryReference
from .._image.signed_identity import IdentityRule
from .._image.simple_signing import ATOMIC, MAX_SIZE, Payload
from .._process import RunCommand
from .._stores.repository import Lockable, Store, exclusive
from .._stores.signature_files import append, check_room, numbered, remove
from .sign import Signed, SignedDigest, manifest_of
from .signing.gpg import GPG, MAX_OUTPUT, SECONDS, Stored, judge, keyring_of, location
from .signing.registries_d import RegistriesD
from .signing.signature import Verified
from .stores import Stores

_CREATOR = "drayage.registry"
# Expired, revoked and invalid keys.
_UNUSABLE = frozenset("eri")
# One of the capabilities of a disabled key, whose validity does not show this. gpg would sign with it.
_DISABLED = "D"


@dataclasses.dataclass(frozen=True)
class GpgOptions:
    """The options of image_sign for GPG. ``lookaside`` is a directory for signatures of images in registries."""

    image: str
    key: str
    home: str = ""
    passphrase: str = ""
    lookaside: str = ""
    identity: str = ""
    children: bool = True
    is_present: bool = True


class _AnyIdentity(IdentityRule):
    """Accept a signature for any name, because all signatures of a key are removed."""

    def accepts(self, image: Reference, signed: str) -> bool:
        return True


@dataclasses.dataclass(frozen=True)
class GpgSigned:
    """The result for an image, and the fingerprint and the ASCII-armored public key of the signer."""

    signed: Signed
    fingerprint: str
    public_key: str


def sign_with_gpg(options: GpgOptions, stores: Stores) -> GpgSigned:
    """Add the signatures of this GPG key, or remove them. Raises ImageError."""
    reference = references.parse(options.image)
    registries_d = _registries_d(reference, options.lookaside)
    store = stores.open(reference)
    program = _Program(options, stores.run.run_command)
    with naming(reference):
        identity = _identity(options.identity, reference)
        fingerprint, public = program.public_key()
        rule = IdentityRule("exactReference", {"dockerReference": identity}) if options.is_present else _AnyIdentity()
        requirement = Requirement("signedBy", (), (public.encode("ascii"),), rule)
        make = functools.partial(program.sign, fingerprint)
        settled = []
        with contextlib.nullcontext() if stores.run.dry_run else _lock(store, reference):
            found = _digests(store, reference, options.children)
            for digest in found:
                where = location(reference, digest, registries_d)
                payload = Payload(ATOMIC, identity, digest, {"creator": _CREATOR, "timestamp": int(time.time())})
                settled.append(_settle(reference, where, payload, requirement, make, options, stores))
    return GpgSigned(Signed(found[0], identity, settled), fingerprint, public)


def _lock(store: Store, reference: Reference) -> t.ContextManager[None]:
    """Return the lock of a directory, so that no other task changes its image or signatures; for a registry, a context manager without effect."""
    if isinstance(store, Lockable):
        manifest_of(store, reference)  # to lock a directory that does not exist would create it
    return exclusive(store)


def _digests(store: Store, reference: Reference, children: bool) -> list[str]:
    """Return the digests to sign, first that of the image itself. Raises ImageError."""
    top = manifest_of(store, reference)
    if not children:
        return [top.digest]
    graph = Graph([top], lambda level: [store.manifest(each.digest) if each.is_index else None for each in level])
    return list(dict.fromkeys([top.digest, *graph.manifests, *graph.skipped]))


def _settle(
    reference: Reference,
    where: tuple[str, str],
    payload: Payload,
    requirement: Requirement,
    make: t.Callable[[bytes], bytes],
    options: GpgOptions,
    stores: Stores,
) -> SignedDigest:
    """Add or remove the signatures of one manifest. In a lookaside directory, this takes a lock."""
    directory, name = where
    dry_run = stores.run.dry_run
    with file_errors("write", directory):
        if options.is_present and not dry_run:
            os.makedirs(directory, exist_ok=True)
        takes_lock = isinstance(reference, RegistryReference) and not dry_run and os.path.isdir(directory)
        with reserved(os.path.join(directory, name)) if takes_lock else contextlib.nullcontext():
            own = _own(reference, where, payload.digest, requirement, options, stores.run.run_command)
            before = ["gpg"] if own else []
            after = ["gpg"] if options.is_present else []
            if options.is_present and not own:
                check_room(*where)
                if not dry_run:
                    append(*where, make(payload.encode()))
            if not dry_run and not options.is_present:
                remove(*where, own)
    return SignedDigest(payload.digest, before, after)


def _own(
    reference: Reference,
    where: tuple[str, str],
    digest: str,
    requirement: Requirement,
    options: GpgOptions,
    run_command: RunCommand,
) -> list[str]:
    """Return the files with signatures of this digest that meet the requirement. To remove them, the key need not be valid."""
    files = numbered(*where)
    if not files:
        return []
    with keyring_of(requirement, run_command, requires_valid_keys=options.is_present) as keyring:
        outcomes = {path: judge(keyring, Stored.read(path), reference, requirement, digest) for path in files}
    return [path for path, outcome in outcomes.items() if isinstance(outcome, Verified)]


class _Program:
    """The program gpg, with the keyring of the user or the one in ``home``."""

    def __init__(self, options: GpgOptions, run_command: RunCommand) -> None:
        self._options = options
        self._run_command = run_command

    def public_key(self) -> tuple[str, str]:
        """Return the fingerprint of the key, and the ASCII-armored public key. Raises ImageError."""
        key = self._options.key
        listed = list(_primary_keys(self._run(["--with-colons", "--list-secret-keys", key])))
        if not listed:
            raise ImageError("gpg has no private key %s" % key, hint="Check gpg_key and gpg_home")
        usable = [fingerprint for fingerprint, is_usable in listed if is_usable]
        if not usable and not self._options.is_present:  # its signatures can still be removed
            usable = [fingerprint for fingerprint, _is_usable in listed]
        if not usable:
            raise ImageError(
                "the private key %s is expired, revoked or disabled" % key, hint="Set gpg_key to a valid key"
            )
        if len(usable) > 1:
            hint = "Set gpg_key to the fingerprint of one of them"
            raise ImageError("gpg has %d private keys for %s" % (len(usable), key), hint=hint)
        return usable[0], self._run(["--armor", "--export", usable[0]])

    def sign(self, fingerprint: str, content: bytes) -> bytes:
        """Return a message with this content, signed with the key that :meth:`public_key` found. Raises ImageError."""
        directory = tempfile.mkdtemp(prefix="drayage-gpg-")
        try:
            source, target = os.path.join(directory, "payload"), os.path.join(directory, "signature")
            with open(source, "wb") as stream:
                stream.write(content)
            secret: list[str] = []
            if self._options.passphrase:
                secret = ["--pinentry-mode", "loopback", "--passphrase-fd", "0"]
            # The exclamation mark selects one subkey.
            user = self._options.key if self._options.key.endswith("!") else fingerprint
            self._run([*secret, "--local-user", user, "--output", target, "--sign", source])
            return read_regular(target, MAX_SIZE)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _run(self, arguments: list[str]) -> str:
        home = ["--homedir", self._options.home] if self._options.home else []
        command = [GPG, "--batch", "--no-tty", *home, *arguments]
        try:
            status, out, err = self._run_command(command, self._options.passphrase, SECONDS, MAX_OUTPUT)
        except OSError:
            raise ImageError("gpg is not installed", hint="Install GnuPG on the managed node") from None
        if status:
            cause = "gpg failed (%s)" % (err.strip() or "no reason given").splitlines()[-1]
            raise ImageError(cause, hint="Check gpg_key, gpg_home and the passphrase")
        return out


def _primary_keys(listing: str) -> t.Iterator[tuple[str, bool]]:
    """Yield the fingerprints of the primary keys in a list of gpg, and whether they are usable."""
    is_usable: bool | None = None
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] == "sec" and len(fields) > 11:
            is_usable = fields[1] not in _UNUSABLE and _DISABLED not in fields[11]
        elif fields[0] == "fpr" and len(fields) > 9 and is_usable is not None:
            yield fields[9], is_usable
            is_usable = None  # the fingerprints of subkeys follow


def _registries_d(reference: Reference, lookaside: str) -> RegistriesD:
    """Return a configuration with one lookaside directory for all registries."""
    if isinstance(reference, RegistryReference):
        if not lookaside:
            raise InvalidReference(
                "GPG signatures for images in registries require a lookaside directory",
                reference,
                "Set the lookaside option",
            )
        return RegistriesD({"": {"lookaside": "file://%s" % quote(os.fsencode(os.path.abspath(lookaside)))}})
    if isinstance(reference, LocalReference) and reference.transport == "dir":
        return RegistriesD()
    raise InvalidReference(
        "GPG signatures are supported only for registries and directories", reference, "Use a registry or dir:PATH"
    )


def _identity(given: str, reference: Reference) -> str:
    """Return the name to sign. It includes the tag, because the default of policies requires one."""
    if given:
        named = references.parse_registry(given)
    elif isinstance(reference, RegistryReference):
        named = reference
    else:
        cause = "the signature needs an image name, but local images have none"
        raise ImageError(cause, hint="Set the identity option to the image name")
    if named.tag:  # policies accept no name with both, and the payload has the digest already
        return str(dataclasses.replace(named, digest=""))
    return str(named if named.digest else dataclasses.replace(named, tag="latest"))
