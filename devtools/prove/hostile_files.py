# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile files: archives and layouts that were damaged, or made to do harm."""

from __future__ import annotations

import io
import json
import os
import random
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

from devtools import images, module_runner
from devtools.places import FILE_PLACES
from devtools.prove.hostile_responses import NASTY, responses
from devtools.prove.operations import KNOWN, SINGLE
from devtools.prove.report import Row
from devtools.prove.state import at_place
from devtools.prove.sweep import THREADS, not_plain

_SECRET = "only root may read this"
_SETTINGS = {"jobs": 2}

# Makes a source in a directory, and returns its reference.
Make = Callable[[Path], str]


def run(seed: int, damaged: int, most: int | None) -> list[Row]:
    """Copy from every hostile file, or from ``most`` of them, and from archives with random damage.

    Returns a row for each kind.
    """
    chance = random.Random(seed)
    cases: list[tuple[str, str, Make]] = [("made", name, make) for name, make in _made()]
    if most is not None and most < len(cases):
        cases = chance.sample(cases, most)
    cases += [("damaged archive", str(number), _damaged(chance.random())) for number in range(damaged)]
    with tempfile.TemporaryDirectory(prefix="drayage-") as directory:
        (Path(directory) / "secret").write_text(_SECRET)
        numbered = list(enumerate(cases))
        with ThreadPoolExecutor(THREADS) as pool:
            verdicts = list(pool.map(lambda pair: _try(Path(directory) / str(pair[0]), pair[1][2]), numbered))
    rows: dict[str, Row] = {}
    for (kind, name, _make), verdict in zip(cases, verdicts):
        row = rows.setdefault(kind, Row(f"hostile file, {kind}", "exact, or one sentence"))
        row.add(f"{name}: {verdict}" if verdict else "")
    return list(rows.values())


def _try(directory: Path, make: Make) -> str:
    """Return what is not as promised; empty where all is."""
    source = directory / "source"
    source.mkdir(parents=True)
    target = directory / "target"
    target.mkdir()
    home = directory / "home"
    (home / "run").mkdir(parents=True)
    place = FILE_PLACES["oci"](target)
    try:
        options = {"src": make(source), "dest": place.reference("1"), **_SETTINGS}
        result = module_runner.run("image_copy", options, home=home)
        found = dict(at_place(place, KNOWN)) if (place.path / "index.json").exists() else {}
    except AssertionError as error:
        return str(error)
    if _SECRET in result.stdout or any(
        _SECRET.encode() in file.read_bytes() for file in target.rglob("*") if file.is_file()
    ):
        return "a file outside the source was read"
    outside = sorted(str(file) for file in directory.rglob("*") if "owned" in file.name)
    if outside:
        return f"wrote {outside}"
    if not result.failed:
        return ""
    fault = not_plain(result.raw["msg"])
    if fault:
        return f"{fault}: {result.raw['msg']!r}"
    return f"failed, and left {found}" if found else ", ".join(place.strays())


def _tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _layout_members() -> dict[str, bytes]:
    contents = dict(SINGLE.blobs)
    contents.update({digest: content for digest, (_type, content) in SINGLE.manifests.items()})
    entry = SINGLE.descriptor(annotations={"org.opencontainers.image.ref.name": "1"})
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(),
        **{f"blobs/sha256/{digest[7:]}": content for digest, content in contents.items()},
    }


def _archive(changes: dict[str, bytes], *more: tuple[tarfile.TarInfo, bytes]) -> Make:
    def make(source: Path) -> str:
        contents = {**_layout_members(), **changes}
        members = [(tarfile.TarInfo(name), content) for name, content in contents.items()]
        (source / "image.tar").write_bytes(_tar([*members, *more]))
        return f"oci-archive:{source / 'image.tar'}:1"

    return make


def _layout(change: Callable[[Path], None]) -> Make:
    def make(source: Path) -> str:
        images.write_layout(SINGLE, source / "layout", "1")
        change(source / "layout")
        return f"oci:{source / 'layout'}:1"

    return make


def _special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def _made() -> Iterator[tuple[str, Make]]:
    manifest = f"blobs/sha256/{SINGLE.digest[7:]}"
    for response in responses():
        if response.kind == "GET manifest" and response.status == "200 OK":
            yield f"archive, index.json: {response.name}", _archive({"index.json": response.body})
            yield f"archive, {response.name}", _archive({manifest: response.body})
            yield f"layout, index.json: {response.name}", _layout(_write("index.json", response.body))
    names = {
        "a name with a path": "../../../etc/passwd",
        "a nasty name": NASTY,
        "a NUL in a name": "a\0b",
        "a surrogate": "\ud800",
    }
    for name, text in names.items():
        entry = SINGLE.descriptor(annotations={"org.opencontainers.image.ref.name": text})
        body = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        yield f"archive, {name}", _archive({"index.json": body})
        yield f"layout, {name}", _layout(_write("index.json", body))
    for name, member in {
        "a member above": _special("../owned", tarfile.REGTYPE),
        "an absolute member": _special("/tmp/owned", tarfile.REGTYPE),
        "a link out": _special("blobs/sha256/" + "1" * 64, tarfile.SYMTYPE, "/etc/passwd"),
        "a hard link out": _special("blobs/sha256/" + "1" * 64, tarfile.LNKTYPE, "/etc/passwd"),
        "a device": _special("blobs/sha256/" + "1" * 64, tarfile.CHRTYPE),
        "a pipe": _special("index.json", tarfile.FIFOTYPE),
        "a second index.json": (tarfile.TarInfo("index.json"), b'{"schemaVersion":2,"manifests":[]}'),
    }.items():
        yield f"archive, {name}", _archive({}, member)
    for name in ("index.json", "oci-layout", manifest):
        yield f"layout, {name} is a pipe", _layout(_pipe(name))
        yield f"layout, {name} is a link out", _layout(_link(name))
        yield f"layout, {name} is a directory", _layout(_directory(name))


def _write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda layout: (layout / name).write_bytes(content) and None


def _pipe(name: str) -> Callable[[Path], None]:
    def change(layout: Path) -> None:
        (layout / name).unlink()
        os.mkfifo(layout / name)

    return change


def _link(name: str) -> Callable[[Path], None]:
    def change(layout: Path) -> None:
        (layout / name).unlink()
        (layout / name).symlink_to(layout.parent.parent.parent / "secret")

    return change


def _directory(name: str) -> Callable[[Path], None]:
    def change(layout: Path) -> None:
        (layout / name).unlink()
        (layout / name).mkdir()

    return change


def _damaged(number: float) -> Make:
    """Some bytes of an archive are other ones, or it ends early."""

    def make(source: Path) -> str:
        chance = random.Random(number)
        content = bytearray(_tar([(tarfile.TarInfo(name), data) for name, data in _layout_members().items()]))
        for _change in range(chance.randint(1, 8)):
            # Headers begin at multiples of 512; most of the damage goes there.
            start = 512 * chance.randrange(len(content) // 512)
            content[min(len(content) - 1, start + chance.randrange(512))] = chance.randrange(256)
        if chance.random() < 0.3:
            del content[chance.randrange(len(content)) :]
        (source / "image.tar").write_bytes(content)
        return f"oci-archive:{source / 'image.tar'}:1"

    return make
