# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys for tests of signatures. The encrypted one was written by the Go library that cosign uses; it guards nothing."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from ansible_collections.drayage.registry.plugins.module_utils._image.signing_key import SigningKey, load_private

COSIGN_PASSPHRASE = "planted passphrase"

COSIGN_KEY = """\
-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJkMlorNVgvUzhzYW5ibHdXMWlIMjFQVHRqRGRnc0x0
bUQxSFcxdWl6UVNnPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJ5Sm45SnNUcTllS0grNjJiRm53d3FESk5sZmp3bGt2diJ9LCJj
aXBoZXJ0ZXh0IjoiTmNSRUZ4TVJETHFVS2FtZmk3ZzRMWUVXMEdTcUpmWXFOTlpC
eEVzUkN6UGkvdW13Ny81Q2IzbTVLcjBCMThVdVhHNTdSZ1NkTmpFTU1yWStMbHN5
ZVRuU2d4RTFCamE5VmJiYSt4YlRleUpET3VzUlVRNm9LV045TU1ZWnkxdjV4QjZC
UkxQQkdkcy9yajFmTW5CaXFzdFJpbVRRem8yQ1liRGxQZTlES0VEMmtWMWVBR05r
SDczTXVrWXdFaUUvNkZrSWxqWGEzU1VFckE9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
"""

COSIGN_PUBLIC_KEY = """\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAJyD93D1d7xA2GX9mfZdtIr5EmZ4
Sj88dJ9YVAH+zW7n7z6AhkJkybQge59iqskqwbxBGvYVZ5YwkXPRxEStBw==
-----END PUBLIC KEY-----
"""


def rewritten(pem: str, old: bytes, new: bytes) -> str:
    """Return the PEM block with a part of its content replaced."""
    lines = pem.splitlines()
    content = base64.b64decode("".join(lines[1:-1])).replace(old, new)
    return "\n".join([lines[0], base64.b64encode(content).decode(), lines[-1], ""])


def new_key(name: str = "k") -> SigningKey:
    """Return a new key with this name."""
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return load_private(pem, None, name)
