# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys: which are read, what they sign, and what is said of the others."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, MissingLibrary
from ansible_collections.drayage.registry.plugins.module_utils._image import crypto, secretbox
from ansible_collections.drayage.registry.plugins.module_utils._image.signing_key import (
    InvalidKey,
    load_private,
    load_public,
)
from tests.unit.support import signing_keys

_CONTENT = b"what is signed"


def _pem(key: object, passphrase: bytes | None = None, form: str = "PKCS8") -> bytes:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption)


def _public_pem(key: object, form: str = "SubjectPublicKeyInfo") -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, getattr(serialization.PublicFormat, form))


_KEYS = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", _KEYS)
@pytest.mark.parametrize("passphrase", ["", "correct horse"])
def test_every_kind_of_key_signs_what_its_public_half_verifies(kind, passphrase):
    made = _KEYS[kind]()
    key = load_private(_pem(made, passphrase.encode() or None), passphrase or None, "k.key")
    public = load_public(_public_pem(made), "k.pub")
    signature = key.sign(_CONTENT)
    assert public == key.public
    assert public.fingerprint == key.public.fingerprint
    assert public.pem.encode() == _public_pem(made)
    assert public.verify(_CONTENT, signature)
    assert not public.verify(_CONTENT + b".", signature)
    assert not public.verify(_CONTENT, signature[:-1])
    assert not public.verify(_CONTENT, b"")
    assert not load_public(_public_pem(_KEYS[kind]()), "other.pub").verify(_CONTENT, signature)


def test_older_notations_of_keys_are_read():
    made = ec.generate_private_key(ec.SECP256R1())
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    text = (parameters + _pem(made, form="TraditionalOpenSSL")).decode()
    assert load_private(text, None, "k").public == load_public(_public_pem(made), "k")
    made = rsa.generate_private_key(65537, 2048)
    assert load_private(_pem(made, form="TraditionalOpenSSL"), "unused", "k").public == load_public(
        _public_pem(made, "PKCS1"), "k"
    )


@pytest.mark.parametrize("label", ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"])
def test_keys_that_cosign_encrypted_open_with_their_passphrase(label):
    pem = signing_keys.COSIGN_KEY.replace("ENCRYPTED SIGSTORE PRIVATE KEY", label)
    key = load_private(pem, signing_keys.COSIGN_PASSPHRASE, "cosign.key")
    assert key.public == load_public(signing_keys.COSIGN_PUBLIC_KEY, "cosign.pub")
    for wrong in ("other", None):
        with pytest.raises(InvalidKey) as caught:
            load_private(pem, wrong, "cosign.key")
        assert str(caught.value) in (
            "cosign.key: the private key cannot be decrypted with this passphrase. Check the passphrase option.",
            "cosign.key: the private key is encrypted. Set the passphrase option.",
        )


def test_secretbox_agrees_with_the_vector_of_nacl():
    key = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
    nonce = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
    content = bytes.fromhex(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f4"
        "1db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52"
        "f0a089bc76897040e082f937763848645e0705"
    )
    box = bytes.fromhex(
        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b"
        "4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da"
        "99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"
    )
    assert secretbox.open_box(box, nonce, key) == content
    for position in range(len(box)):
        damaged = bytearray(box)
        damaged[position] ^= 1
        assert secretbox.open_box(bytes(damaged), nonce, key) is None
    assert secretbox.open_box(box, nonce, key[:-1] + b"\0") is None
    assert secretbox.open_box(box[:15], nonce, key) is None


def _damaged_cosign_key(old: bytes, new: bytes) -> str:
    return signing_keys.rewritten(signing_keys.COSIGN_KEY, old, new)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "k: the content is not a key in PEM format. Use a key that begins with -----BEGIN."),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "k: the private key is corrupt. Use an intact copy of the key.",
        ),
        (signing_keys.COSIGN_PUBLIC_KEY, "k: expected a private key, but found a public key. Use the private key."),
    ],
)
def test_what_is_no_private_key_is_refused_without_quoting_it(content, message):
    with pytest.raises(InvalidKey) as caught:
        load_private(content, "pass", "k")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"scrypt"', b'"argon2"'),
        (b'"N":', b'"N":9'),
        (b'"r":8', b'"r":"8"'),
        (b'"p":1', b'"p":17'),
        (b'"p":1', b'"p":0'),
        (b'"kdf"', b'"kdx"'),
    ],
)
def test_a_corrupt_cosign_key_is_refused_without_quoting_it(old, new):
    with pytest.raises(InvalidKey) as caught:
        load_private(_damaged_cosign_key(old, new), "pass", "k")
    assert str(caught.value) == "k: the cosign private key is corrupt. Use an intact copy of the key."


_SUPPORTED = "Use ECDSA on P-256, P-384 or P-521, Ed25519, or RSA with 2048 bits or more."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ec.generate_private_key(ec.SECP256K1()), "k: the key uses an unsupported ECDSA curve: secp256k1. "),
        (lambda: rsa.generate_private_key(65537, 1024), "k: the RSA key is too short (1024 bits). "),
        (lambda: dsa.generate_private_key(2048), "k: the key's algorithm is not supported for images. "),
        (ed448.Ed448PrivateKey.generate, "k: the key's algorithm is not supported for images. "),
        (x25519.X25519PrivateKey.generate, "k: the key's algorithm is not supported for images. "),
    ],
)
def test_keys_that_cosign_would_not_take_are_refused(make, message):
    made = make()
    with pytest.raises(InvalidKey) as caught:
        load_public(_public_pem(made), "k")
    assert str(caught.value) == message + _SUPPORTED
    with pytest.raises(InvalidKey):
        load_private(_pem(made), None, "k")


def test_a_file_of_verifiers_has_one_public_key_and_no_private_one():
    private = _pem(ed25519.Ed25519PrivateKey.generate())
    public = signing_keys.COSIGN_PUBLIC_KEY.encode()
    for content, message in (
        (
            private,
            "k: expected a public key, but found a private key. Use the public key, and keep private keys off hosts that only verify signatures.",
        ),
        (public * 2, "k: expected one key, but found 2 keys or certificates. Store each key in a separate file."),
        (b"-----BEGIN CERTIFICATE-----\n", "k: expected a public key, but found a certificate. "),
        (
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "k: the public key is corrupt. Use an intact copy of the key.",
        ),
    ):
        with pytest.raises(InvalidKey) as caught:
            load_public(content, "k")
        assert str(caught.value).startswith(message)


def test_without_the_library_or_with_an_old_one_a_key_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(crypto.cryptography, "__version__", "3.3.1")
    with pytest.raises(ImageError) as caught:
        load_public(signing_keys.COSIGN_PUBLIC_KEY, "k")
    assert str(caught.value) == (
        "the Python library cryptography 3.3.1 is too old. "
        "Install version 3.3.2 or later for the Python that runs the module."
    )
    monkeypatch.setattr(crypto, "_FAILURE", (ModuleNotFoundError("no", name="cryptography"), ""))
    with pytest.raises(MissingLibrary) as missing:
        load_public(signing_keys.COSIGN_PUBLIC_KEY, "k")
    assert missing.value.library == "cryptography"
    assert missing.value.is_absent
