# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies of hypothesis for foreign content: what is valid, with a few things wrong with it."""

from __future__ import annotations

import json
import tarfile
import typing as t

from hypothesis import strategies as st

from ansible_collections.drayage.registry.tests.unit.support.archives import member, tar

Draw = t.Callable[[st.SearchStrategy], t.Any]

# With halves of surrogate pairs, which hypothesis leaves out.
_CHARACTERS = st.characters(exclude_categories=())
TEXT = st.text(_CHARACTERS, max_size=6)

_ODD_VALUES = (
    *("null", "true", "false", "0", "7", "-1", "1.5", "1e999", "9223372036854775808", "9" * 5000, "NaN", "-Infinity"),
    *("[]", "{}", "[null]", "[[]]", "[7]", "[{}]", '{"a":1}', '{"a":1,"a":2}', "[" * 600 + "]" * 600, "[" * 20000),
    *('""', '"x"', '"\\u0000"', '"\\ud800"', '"../../x"', '"sha256:"', '"%s"' % ("x" * 5000), '"1"', '"@0"', '"a/b:1"'),
)
_ODD_NAMES = ("", "\0", "\ud800", "Config", "LAYERS", "Digest", "manifests", "mediaType", "os", "rootfs")
_ACTIONS = ("put", "put", "remove", "repeat", "rename")
_FEW = st.integers(0, 4)


def text_of(*pieces: str) -> st.SearchStrategy[str]:
    """Text that is made of these pieces, and a few other characters."""
    return st.lists(st.one_of(st.sampled_from(pieces), st.sampled_from(pieces), TEXT), max_size=9).map("".join)


class _Object(list):
    """The members of a JSON object as pairs: it may have several of one name."""


class _Raw(str):
    """JSON as it is to be written."""


_VALUES = st.one_of(st.sampled_from(tuple(map(_Raw, _ODD_VALUES))), TEXT)
_CHOSEN_ACTIONS = st.sampled_from(_ACTIONS)
_NAMES_TO_BE = st.sampled_from((None, None, *_ODD_NAMES))


def json_like(*documents: object) -> st.SearchStrategy[bytes]:
    """The JSON of one of these documents, with up to four changes; now and then no JSON any more."""
    return _changed(st.sampled_from(documents))


@st.composite
def _changed(draw: Draw, documents: st.SearchStrategy[object]) -> bytes:
    root = [_tree(draw(documents))]
    places = list(_places(root))
    for _change in range(draw(_FEW)):
        container, position = places[draw(st.integers(0, len(places) - 1))]
        if position < len(container):
            _change_one(draw, container, position)
    content = "".join(map(_encode, root)).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)):
        return content
    start = draw(st.integers(0, len(content)))
    return content[:start] + draw(st.binary(max_size=4)) + content[start + draw(st.integers(0, 8)) :]


def _change_one(draw: Draw, container: list, position: int) -> None:
    action = draw(_CHOSEN_ACTIONS)
    if action == "remove":
        del container[position]
        return
    replaced = position + (action == "put")
    if not isinstance(container, _Object):
        container[position:replaced] = [draw(_VALUES)]
    elif action == "rename":
        name, value = container[position]
        odd = draw(_NAMES_TO_BE)
        container[position] = (name.swapcase() if odd is None else odd, value)
    else:
        container[position:replaced] = [(container[position][0], draw(_VALUES))]


def _tree(document: object) -> object:
    if isinstance(document, dict):
        return _Object((name, _tree(value)) for name, value in document.items())
    return [_tree(item) for item in document] if isinstance(document, (list, tuple)) else document


def _places(container: list) -> t.Iterator[tuple[list, int]]:
    for position, item in enumerate(container):
        yield container, position
        value = item[1] if isinstance(container, _Object) else item
        if isinstance(value, list):
            yield from _places(value)


def _encode(value: object) -> str:
    if isinstance(value, _Raw):
        return value
    if isinstance(value, _Object):
        return "{%s}" % ",".join("%s:%s" % (json.dumps(name), _encode(item)) for name, item in value)
    if isinstance(value, list):
        return "[%s]" % ",".join(map(_encode, value))
    return json.dumps(value)


_NAMES = (
    "a",
    "./a",
    "d/b",
    "d",
    "../a",
    "/a",
    "manifest.json",
    "index.json",
    "blobs/sha256/" + "a" * 64,
    "ü",
    "x" * 120,
)
_KINDS = (
    *(tarfile.REGTYPE, tarfile.REGTYPE, tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE),
    *(tarfile.LNKTYPE, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.GNUTYPE_SPARSE, tarfile.FIFOTYPE, b"Z"),
)
_CONTENTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        (b"long name", b"9 path=b\n", b"9 path=bc", b"10 size=99\n", b"8 size=\n", b"22 GNU.sparse.major=1\n")
    ),
)


@st.composite
def archive_like(draw: Draw) -> bytes:
    """A tar archive of a few members, with a few bytes changed, in half of the cases with right checksums."""
    members = [
        member(draw(st.sampled_from(_NAMES)), draw(_CONTENTS), draw(st.sampled_from(_KINDS)), linkname="a")
        for _member in range(draw(st.integers(0, 4)))
    ]
    content = bytearray(tar(*members)[: draw(st.sampled_from((700, 1500, 3000, 10240)))])
    for _patch in range(draw(st.integers(0, 3))):
        offset = draw(st.integers(0, len(content)))
        patch = draw(st.one_of(st.binary(max_size=12), st.sampled_from((b"\xff" * 12, b"\x80" + bytes(11), b"7" * 11))))
        content[offset : offset + len(patch)] = patch
    if draw(st.booleans()):
        for offset in range(0, len(content) - 511, 512):
            header = content[offset : offset + 512]
            header[148:156] = b" " * 8
            content[offset + 148 : offset + 156] = b"%06o\0 " % sum(header)
    return bytes(content)
