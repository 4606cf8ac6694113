# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage to an input, as a bad disk or a careless program does it: thousands of variants at the price of one input."""

from __future__ import annotations

import random
import typing as t
import zlib

# What parsers stumble over more often than over random bytes.
_TOKENS = (
    b"null",
    b"-1",
    b"{}",
    b"[]",
    b'"',
    b"\\",
    b"\0",
    b"\xff",
    b"1e999",
    b"9" * 30,
    b"\n",
    b",",
    b":",
    b"\xed\xa0\x80",
)


def mutated(content: object, count: int) -> t.Iterator[object]:
    """So many variants of a text or of bytes, the same ones for the same content; none of anything else."""
    if isinstance(content, str):
        raw = content.encode("utf-8", "surrogatepass")
    elif isinstance(content, bytes):
        raw = content
    else:
        return
    chance = random.Random(zlib.crc32(raw))
    for _variant in range(count):
        damaged = bytearray(raw)
        for _change in range(chance.randint(1, 4)):
            _damage(damaged, chance)
        yield bytes(damaged) if isinstance(content, bytes) else damaged.decode("utf-8", "surrogateescape")


def _damage(content: bytearray, chance: random.Random) -> None:
    start = chance.randint(0, len(content))
    end = min(len(content), start + chance.randint(1, 16))
    kind = chance.randrange(5)
    if kind == 0 and start < len(content):
        content[start] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del content[start:end]
    elif kind == 2:
        content[start:start] = content[start:end]
    elif kind == 3:
        content[start:end] = chance.choice(_TOKENS)
    else:
        content[start:start] = chance.choice(_TOKENS)
