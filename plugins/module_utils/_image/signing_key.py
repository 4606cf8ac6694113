# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Keys that sign and verify images: PEM in the formats of OpenSSL, cosign and the sigstore libraries.

The algorithms are those that both cosign and containers/image support: ECDSA on P-256, P-384 and P-521, always with
SHA-256; Ed25519; RSA with PKCS #1 v1.5 and SHA-256. Errors never quote a key or a passphrase.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import re
import typing as t

from .._errors import ImageError
from . import crypto, encrypted_key

_BEGIN = re.compile("^-----BEGIN ([A-Z0-9 ]+)-----", re.MULTILINE)
_LEAST_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_SUPPORTED = "Use ECDSA on P-256, P-384 or P-521, Ed25519, or RSA with %d bits or more" % _LEAST_RSA_BITS

# What cryptography raises for content that is not a key, depending on its release.
_LOAD_ERRORS = (ValueError, TypeError)


class InvalidKey(ImageError):
    """A key cannot be read, or is of a kind that cannot sign images."""


@dataclasses.dataclass(frozen=True)
class PublicKey:
    """A public key; ``name`` is its origin for messages. Equal keys have equal ``der``."""

    der: bytes
    name: str = dataclasses.field(compare=False)

    @functools.cached_property
    def fingerprint(self) -> str:
        """``sha256:`` and the SHA-256 of the key (DER, SubjectPublicKeyInfo) in hexadecimal digits."""
        return "sha256:" + hashlib.sha256(self.der).hexdigest()

    @property
    def short_name(self) -> str:
        """The beginning of the fingerprint, for messages."""
        return "the key %s" % self.fingerprint[: len("sha256:") + 12]

    @property
    def hint(self) -> str:
        """The hint in a sigstore bundle: the same hash in base64."""
        return base64.b64encode(hashlib.sha256(self.der).digest()).decode("ascii")

    @property
    def pem(self) -> str:
        """The key as PEM (SubjectPublicKeyInfo)."""
        body = base64.encodebytes(self.der).decode("ascii").replace("\n", "")
        lines = [body[start : start + 64] for start in range(0, len(body), 64)]
        return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])

    def verify(self, content: bytes, signature: bytes) -> bool:
        """Return whether this key made the signature of this content."""
        key = crypto.serialization.load_der_public_key(self.der)
        try:
            if isinstance(key, crypto.ec.EllipticCurvePublicKey):
                key.verify(signature, content, crypto.ec.ECDSA(crypto.hashes.SHA256()))
            elif isinstance(key, crypto.rsa.RSAPublicKey):
                key.verify(signature, content, crypto.padding.PKCS1v15(), crypto.hashes.SHA256())
            elif isinstance(key, crypto.ed25519.Ed25519PublicKey):
                key.verify(signature, content)
            else:
                return False
        except crypto.cryptography.exceptions.InvalidSignature:
            return False
        return True


class SigningKey:
    """A private key."""

    def __init__(self, key: t.Any, public: PublicKey) -> None:
        self._key = key
        self.public = public

    def sign(self, content: bytes) -> bytes:
        """Return the signature of this content, with the algorithm for this key."""
        if isinstance(self._key, crypto.ec.EllipticCurvePrivateKey):
            return self._key.sign(content, crypto.ec.ECDSA(crypto.hashes.SHA256()))
        if isinstance(self._key, crypto.rsa.RSAPrivateKey):
            return self._key.sign(content, crypto.padding.PKCS1v15(), crypto.hashes.SHA256())
        signature: bytes = self._key.sign(content)
        return signature


def load_public(content: str | bytes, name: str) -> PublicKey:
    """Load a public key from PEM. ``name`` is its origin for messages. Raises :class:`InvalidKey`, ImageError."""
    crypto.require()
    pem = _bytes(content)
    kind = _kind(pem, name)
    if "PRIVATE" in kind:
        raise InvalidKey(
            "expected a public key, but found a private key",
            name,
            "Use the public key, and keep private keys off hosts that only verify signatures",
        )
    if kind not in ("PUBLIC KEY", "RSA PUBLIC KEY"):
        is_certificate = kind == "CERTIFICATE"
        hint = "Extract the key with openssl x509 -pubkey -noout" if is_certificate else "Use the public key"
        raise InvalidKey("expected a public key, but found a %s" % kind.lower(), name, hint)
    try:
        key = crypto.serialization.load_pem_public_key(pem)
    except _LOAD_ERRORS:
        raise InvalidKey("the public key is corrupt", name, "Use an intact copy of the key") from None
    except crypto.cryptography.exceptions.UnsupportedAlgorithm:
        raise InvalidKey("the key's algorithm is not supported", name, _SUPPORTED) from None
    return _public(key, name)


def load_private(content: str | bytes, passphrase: str | None, name: str) -> SigningKey:
    """Load a private key: PEM (PKCS #8, SEC 1, PKCS #1), or a key that cosign encrypted. Raises InvalidKey, ImageError."""
    crypto.require()
    pem = _bytes(content)
    kind = _kind(pem, name)
    if "PRIVATE" not in kind:
        raise InvalidKey("expected a private key, but found a %s" % kind.lower(), name, "Use the private key")
    secret = passphrase.encode("utf-8") if passphrase else None
    if kind in encrypted_key.KINDS:
        key = _load_cosign(pem, secret or b"", name)
    else:
        key = _load_pem(pem, kind, secret, name)
    if not hasattr(key, "sign"):
        raise InvalidKey("the key cannot create signatures", name, _SUPPORTED)
    return SigningKey(key, _public(key.public_key(), name))


def _load_cosign(pem: bytes, passphrase: bytes, name: str) -> t.Any:
    try:
        der = encrypted_key.decrypt(pem, passphrase)
    except ValueError:
        raise InvalidKey("the cosign private key is corrupt", name, "Use an intact copy of the key") from None
    if der is None:
        raise _wrong_passphrase(name, bool(passphrase))
    try:
        return crypto.serialization.load_der_private_key(der, None)
    except (*_LOAD_ERRORS, crypto.cryptography.exceptions.UnsupportedAlgorithm):
        raise InvalidKey("the decrypted content is not a private key", name, "Use an intact copy of the key") from None


def _load_pem(pem: bytes, kind: str, passphrase: bytes | None, name: str) -> t.Any:
    is_encrypted = kind == "ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in pem
    if is_encrypted and not passphrase:
        raise _wrong_passphrase(name, False)
    try:
        # A passphrase for a key without one is not an error: the same task may sign with either.
        return crypto.serialization.load_pem_private_key(pem, passphrase if is_encrypted else None)
    except _LOAD_ERRORS:
        if is_encrypted:
            raise _wrong_passphrase(name, True) from None
        raise InvalidKey("the private key is corrupt", name, "Use an intact copy of the key") from None
    except crypto.cryptography.exceptions.UnsupportedAlgorithm:
        raise InvalidKey("the key's algorithm is not supported", name, _SUPPORTED) from None


def _wrong_passphrase(name: str, was_given: bool) -> InvalidKey:
    if was_given:
        return InvalidKey(
            "the private key cannot be decrypted with this passphrase", name, "Check the passphrase option"
        )
    return InvalidKey("the private key is encrypted", name, "Set the passphrase option")


def _public(key: t.Any, name: str) -> PublicKey:
    if isinstance(key, crypto.ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise InvalidKey("the key uses an unsupported ECDSA curve: %s" % key.curve.name, name, _SUPPORTED)
    elif isinstance(key, crypto.rsa.RSAPublicKey):
        if key.key_size < _LEAST_RSA_BITS:
            raise InvalidKey("the RSA key is too short (%d bits)" % key.key_size, name, _SUPPORTED)
    elif not isinstance(key, crypto.ed25519.Ed25519PublicKey):
        raise InvalidKey("the key's algorithm is not supported for images", name, _SUPPORTED)
    der = key.public_bytes(crypto.serialization.Encoding.DER, crypto.serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(der, name)


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8", "replace") if isinstance(content, str) else content


def _kind(pem: bytes, name: str) -> str:
    """Return the label of the only PEM block, ignoring the EC parameters that openssl writes before a key."""
    kinds: list[str] = [kind for kind in _BEGIN.findall(pem.decode("utf-8", "replace")) if kind != "EC PARAMETERS"]
    if not kinds:
        raise InvalidKey("the content is not a key in PEM format", name, "Use a key that begins with -----BEGIN")
    if len(kinds) > 1:
        raise InvalidKey(
            "expected one key, but found %d keys or certificates" % len(kinds),
            name,
            "Store each key in a separate file",
        )
    return kinds[0]
