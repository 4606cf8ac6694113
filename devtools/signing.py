# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys to sign images with, and cosign as a judge of signatures."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from devtools import peers

KINDS = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


class Key:
    """A new key pair in PEM."""

    def __init__(self, kind: str = "P-256", passphrase: str = "") -> None:
        made = KINDS[kind]()
        encoding = serialization.Encoding.PEM
        protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            protection = serialization.BestAvailableEncryption(passphrase.encode())
        self.private = made.private_bytes(encoding, serialization.PrivateFormat.PKCS8, protection).decode()
        public = made.public_key()
        self.public = public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


class Cosign(peers.Peer):
    """cosign without a transparency log; passphrases are empty."""

    def generate(self, name: str) -> tuple[str, str]:
        """Make NAME.key and NAME.pub, and return their contents."""
        self.run("generate-key-pair", "--output-key-prefix", name)
        return (self._home / f"{name}.key").read_text(), (self._home / f"{name}.pub").read_text()

    def sign(self, key: str, image: str, bundle: bool, *arguments: str) -> None:
        """Sign ``HOST/REPOSITORY@DIGEST`` as a bundle, or under cosign's tag."""
        how = ["--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false"]
        self.run("sign", "--key", key, *(self._offline() if bundle else how), "-y", *arguments, image)

    def attest(self, key: str, image: str, kind: str, predicate: object) -> None:
        """Attest a claim about ``HOST/REPOSITORY@DIGEST``."""
        (self._home / "predicate.json").write_text(json.dumps(predicate))
        claim = ["--type", kind, "--predicate", "predicate.json"]
        self.run("attest", "--key", key, *self._offline(), *claim, "-y", image)

    def verify(self, key: str, image: str, *arguments: str) -> object:
        """Return what cosign prints of an image that is signed with this public key (PEM)."""
        return json.loads(self.run("verify", *self._given(key), *arguments, image))

    def verify_attestation(self, key: str, image: str, kind: str) -> str:
        """Return the attestations of this type that are signed with this public key (PEM)."""
        return self.run("verify-attestation", *self._given(key), "--type", kind, image)

    def _offline(self) -> list[str]:
        self.run("signing-config", "create", "--out", "signing-config.json")
        return ["--signing-config", "signing-config.json"]

    def _given(self, key: str) -> list[str]:
        (self._home / "given.pub").write_text(key)
        return ["--key", "given.pub", "--insecure-ignore-tlog=true"]
