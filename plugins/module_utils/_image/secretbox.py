# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""XSalsa20-Poly1305 (NaCl's secretbox), with which cosign encrypts private keys.

``cryptography`` has Poly1305 but not Salsa20, and PyNaCl would be another dependency for the few hundred bytes of a
key. So the stream cipher is implemented here: Salsa20 as specified by D. J. Bernstein ("Salsa20 specification",
2005), extended to long nonces ("Extending the Salsa20 nonce", 2011). It is used only to decrypt a key with a
passphrase.
"""

from __future__ import annotations

import hmac
import struct

from . import crypto

KEY_BYTES = 32
NONCE_BYTES = 24
_TAG_BYTES = 16
_BLOCK_BYTES = 64
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
_MASK = 0xFFFFFFFF

# The quarter rounds of a column round and of a row round: positions in the 4 x 4 matrix of words.
_QUARTERS = (
    (0, 4, 8, 12),
    (5, 9, 13, 1),
    (10, 14, 2, 6),
    (15, 3, 7, 11),
    (0, 1, 2, 3),
    (5, 6, 7, 4),
    (10, 11, 8, 9),
    (15, 12, 13, 14),
)
_DIAGONAL = (0, 5, 10, 15)


def open_box(box: bytes, nonce: bytes, key: bytes) -> bytes | None:
    """Return the content of a box; None if key, nonce and box do not match."""
    if len(nonce) != NONCE_BYTES or len(key) != KEY_BYTES or len(box) < _TAG_BYTES:
        return None
    tag, encrypted = box[:_TAG_BYTES], box[_TAG_BYTES:]
    stream = _stream(len(encrypted) + KEY_BYTES, nonce, key)
    if not hmac.compare_digest(crypto.poly1305.Poly1305.generate_tag(stream[:KEY_BYTES], encrypted), tag):
        return None
    return bytes(a ^ b for a, b in zip(encrypted, stream[KEY_BYTES:]))


def _stream(length: int, nonce: bytes, key: bytes) -> bytes:
    """Return the key stream of XSalsa20."""
    mixed = _doubled(_matrix(key, nonce[:16]))
    subkey = struct.pack("<8I", *(mixed[position] for position in (*_DIAGONAL, 6, 7, 8, 9)))
    blocks = range((length + _BLOCK_BYTES - 1) // _BLOCK_BYTES)
    return b"".join(_block(subkey, nonce[16:] + struct.pack("<Q", number)) for number in blocks)[:length]


def _block(key: bytes, nonce_and_counter: bytes) -> bytes:
    words = _matrix(key, nonce_and_counter)
    return struct.pack("<16I", *((a + b) & _MASK for a, b in zip(words, _doubled(words))))


def _matrix(key: bytes, middle: bytes) -> list[int]:
    """Return the initial matrix: constants on the diagonal, the key around it, nonce and counter in the middle."""
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", middle)
    c = _CONSTANTS
    return [c[0], *k[:4], c[1], *n, c[2], *k[4:], c[3]]


def _doubled(words: list[int]) -> list[int]:
    """Return the words after ten double rounds."""
    x = list(words)
    for _double_round in range(10):
        for a, b, c, d in _QUARTERS:
            x[b] ^= _rotated(x[a] + x[d], 7)
            x[c] ^= _rotated(x[b] + x[a], 9)
            x[d] ^= _rotated(x[c] + x[b], 13)
            x[a] ^= _rotated(x[d] + x[c], 18)
    return x


def _rotated(word: int, bits: int) -> int:
    word &= _MASK
    return ((word << bits) | (word >> (32 - bits))) & _MASK
