# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny Linux executables, assembled by hand, that print a message and exit with status 0."""

from __future__ import annotations

import struct
from typing import Callable

_BASE = 0x400000
_HEADER_SIZE = 64
_SEGMENT_SIZE = 56


def executable(platform: str, message: bytes) -> bytes:
    """Return a static ELF executable for ``linux/amd64`` or ``linux/arm64``."""
    machine, code_for = _MACHINES[platform]
    return _elf(machine, code_for(len(message)) + message)


def _elf(machine: int, text: bytes) -> bytes:
    """Wrap machine code, and the data after it, in an ELF file of one readable and executable segment."""
    start = _HEADER_SIZE + _SEGMENT_SIZE
    size = start + len(text)
    parts = [
        b"\x7fELF" + bytes([2, 1, 1]) + bytes(9),  # 64 bits, little endian, version 1
        struct.pack("<HHI", 2, machine, 1),  # an executable for this machine, version 1
        struct.pack("<QQQ", _BASE + start, _HEADER_SIZE, 0),  # entry point, offset of the segments, no sections
        struct.pack("<IHHHHHH", 0, _HEADER_SIZE, _SEGMENT_SIZE, 1, 0, 0, 0),  # no flags, sizes, one segment
        struct.pack("<II", 1, 5),  # the segment: to be loaded, to be read and executed
        struct.pack("<QQQQQQ", 0, _BASE, _BASE, size, size, 0x10000),  # the whole file, from its first byte on
        text,
    ]
    return b"".join(parts)


def _x86_64(length: int) -> bytes:
    rest = [
        b"\xba" + struct.pack("<I", length),  # mov edx, length
        b"\x0f\x05",  # syscall
        b"\xb8\x3c\x00\x00\x00",  # mov eax, 60 (exit)
        b"\x31\xff",  # xor edi, edi
        b"\x0f\x05",  # syscall
    ]
    message = len(b"".join(rest))  # how far it is from the end of the third instruction
    start = [
        b"\xb8\x01\x00\x00\x00",  # mov eax, 1 (write)
        b"\xbf\x01\x00\x00\x00",  # mov edi, 1 (standard output)
        b"\x48\x8d\x35" + struct.pack("<i", message),  # lea rsi, [rip + message]
    ]
    return b"".join(start + rest)


def _aarch64(length: int) -> bytes:
    instructions = (
        0xD2800020,  # mov x0, #1 (standard output)
        0x10000001 | 7 << 5,  # adr x1, message: seven instructions from here
        0xD2800002 | length << 5,  # mov x2, #length
        0xD2800008 | 64 << 5,  # mov x8, #64 (write)
        0xD4000001,  # svc #0
        0xD2800000,  # mov x0, #0
        0xD2800008 | 93 << 5,  # mov x8, #93 (exit)
        0xD4000001,  # svc #0
    )
    return struct.pack("<8I", *instructions)


_MACHINES: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "linux/amd64": (62, _x86_64),
    "linux/arm64": (183, _aarch64),
}
