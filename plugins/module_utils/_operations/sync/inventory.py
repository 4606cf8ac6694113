# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The inventory: a JSON file that lists the images of a destination, with their blobs.

It is what an export for an air-gapped site is compared with, so it has all that is needed to know what is there.
"""

from __future__ import annotations

import collections
import functools
import io
import json
import os
import re
import typing as t

from ..._errors import ImageError, file_errors, local_failure
from ..._files import check_named, is_missing, open_regular, read_named, replaced, reserved
from ..._image import digest as digests
from ..._image import document as documents

_VERSION = 1
# Bytes; 100,000 images need about a third of that.
_MAX_SIZE = 1024**3
_HOST = re.compile(r"(?:[^/]*[.:][^/]*|localhost)/")

Record = dict[str, t.Any]


class Inventory:
    """The records of one file, by reference."""

    def __init__(self, records: t.Iterable[Record] = ()) -> None:
        self.records = {record["ref"]: record for record in records}

    # Each of these is as large as the records, and most tasks need one of them.

    @functools.cached_property
    def _digests(self) -> dict[str, Record]:
        return {record["digest"]: record for record in self.records.values()}

    @functools.cached_property
    def _names(self) -> set[tuple[str, str]]:
        return {(_bare(ref), record["digest"]) for ref, record in self.records.items()}

    @functools.cached_property
    def _holders(self) -> dict[str, list[str]]:
        holders: dict[str, list[str]] = collections.defaultdict(list)
        for ref, record in self.records.items():
            for blob in record["blobs"]:
                holders[str(blob)].append(ref)
        return holders

    @classmethod
    def load(cls, option: str, path: str, must_exist: bool) -> Inventory:
        """Read the file; an empty inventory where it may be missing and is. Raises ImageError."""
        if not must_exist and is_missing(path):
            return cls()
        records = _records(read_named(path, _MAX_SIZE, "the inventory"))
        if records is None:
            hint = "Use a file that the option inventory wrote"
            raise ImageError("%s: %s is not an image inventory" % (option, path), hint=hint)
        return cls(records)

    def differs(self, path: str) -> bool:
        """Whether the file has, or lacks, anything. Raises ImageError."""
        if is_missing(path):
            return True
        check_named(path, "the inventory")
        with file_errors("read the inventory", path), io.BufferedReader(open_regular(path)) as stream:
            return any(stream.read(len(piece)) != piece for piece in self.encode()) or stream.read(1) != b""

    def merged(self, records: t.Iterable[Record], deleted: t.Collection[str]) -> Inventory:
        """With these records, in place of those of the same references, and without what was deleted."""
        kept = [record for ref, record in self.records.items() if ref not in deleted]
        return Inventory([*kept, *records])

    @classmethod
    def update(cls, option: str, path: str, records: t.Iterable[Record], deleted: t.Collection[str]) -> bool:
        """Do the same to a file, which others may be changing; returns whether that changes it. Raises ImageError."""
        try:
            with reserved(os.path.abspath(path)):
                return cls.load(option, path, must_exist=False).merged(records, deleted).save(path)
        except OSError as error:  # which names the file that stands for the lock
            raise local_failure(OSError(error.errno, error.strerror), "write the inventory", path) from None

    def save(self, path: str) -> bool:
        """Write the file, whole or not at all, if that changes it; returns whether it does. Raises ImageError."""
        if not self.differs(path):
            return False
        try:
            with replaced(path) as stream:
                stream.writelines(self.encode())
        except OSError as error:
            raise local_failure(error, "write the inventory", path) from None
        return True

    def encode(self) -> t.Iterator[bytes]:
        """The content of the file, the same for the same records; in pieces, as it may be large."""
        yield b'{\n "version": %d,\n "images": [' % _VERSION
        separator = "\n  "
        for ref in sorted(self.records):
            text = json.dumps(self.records[ref], indent=1).replace("\n", "\n  ")
            yield (separator + text).encode("utf-8")
            separator = ",\n  "
        yield b"\n ]\n}\n" if self.records else b"]\n}\n"

    def of_digest(self, digest: str) -> Record | None:
        """What is known of an image, under whatever reference."""
        return self._digests.get(digest)

    def has(self, reference: str, digest: str) -> bool:
        """Whether the image is there under the same name, in whatever place."""
        return (_bare(reference), digest) in self._names

    def blobs(self) -> frozenset[str]:
        """The digests of all blobs."""
        return frozenset(self._holders)

    def references(self, blob: str) -> list[str]:
        """The images that a blob belongs to."""
        return self._holders.get(blob, [])


def _bare(reference: str) -> str:
    """The name without the layout or registry that it is in, and without the registry it came from."""
    if reference.startswith("oci:"):
        reference = reference.split(":", 2)[-1]
    return _HOST.sub("", reference, count=1)


def _records(content: bytes) -> list[Record] | None:
    """The records, None where this is something else."""
    try:
        document = documents.decode(content)
        records = document["images"] if document["version"] == _VERSION else None
    except (ValueError, LookupError, TypeError):
        return None
    return records if isinstance(records, list) and all(map(_is_record, records)) else None


def _is_record(record: object) -> bool:
    return (
        isinstance(record, dict)
        and isinstance(record.get("ref"), str)
        and digests.is_digest(str(record.get("digest")))
        and all(isinstance(record.get(key), list) for key in ("blobs", "manifests"))
    )
