# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The inventory: a JSON file that lists the images of a destination with their blobs.

An export for an air-gapped site compares images with it, so it contains everything that is needed to know what exists
there.
"""

from __future__ import annotations

import collections
import functools
import io
import json
import re
import typing as t

from ..._errors import ImageError, file_errors, local_failure
from ..._files import check_named, is_missing, open_regular, read_named, replaced, reserved, target_of
from ..._image import digest as digests
from ..._image import document as documents

_VERSION = 1
# Bytes; 100,000 images need about a third of that.
_MAX_SIZE = 1024**3
_REFERRERS = ("referrers", "artifact_types")
_HOST = re.compile(r"\A(?:[^/.:]*[.:][^/]*|localhost)/")

Record = dict[str, t.Any]


class Inventory:
    """The records of one file, by reference."""

    def __init__(self, records: t.Iterable[Record] = ()) -> None:
        self.records = {record["ref"]: record for record in records}

    # Each of these is as large as the records, and most tasks need one of them.

    @functools.cached_property
    def _digests(self) -> dict[str, Record]:
        """Records of images without referrers, whose ``attached`` is thus what the image itself contains."""
        found = (record for record in self.records.values() if not record.get("referrers"))
        return {record["digest"]: {key: record[key] for key in record if key not in _REFERRERS} for record in found}

    @functools.cached_property
    def _names(self) -> dict[tuple[str, str], list[Record]]:
        names: dict[tuple[str, str], list[Record]] = collections.defaultdict(list)
        for ref, record in self.records.items():
            names[_bare(ref), record["digest"]].append(record)
        return names

    @functools.cached_property
    def _bare_names(self) -> set[str]:
        return {name for name, _digest in self._names}

    @functools.cached_property
    def _holders(self) -> dict[str, list[str]]:
        holders: dict[str, list[str]] = collections.defaultdict(list)
        for ref, record in self.records.items():
            for blob in record["blobs"]:
                holders[str(blob)].append(ref)
        return holders

    @classmethod
    def load(cls, option: str, path: str, must_exist: bool) -> Inventory:
        """Read the file. If it does not exist and need not, return an empty inventory. Raises ImageError."""
        if not must_exist and is_missing(path):
            return cls()
        records = _records(read_named(path, _MAX_SIZE, "the inventory"))
        if records is None:
            hint = "Use a file that image_sync wrote with the inventory option"
            raise ImageError("%s: the file %s is not an image inventory" % (option, path), hint=hint)
        return cls(records)

    def differs(self, path: str) -> bool:
        """Return whether the content differs from the file. Raises ImageError."""
        if is_missing(path):
            return True
        check_named(path, "the inventory")
        with file_errors("read the inventory", path), io.BufferedReader(open_regular(path)) as stream:
            return any(stream.read(len(piece)) != piece for piece in self.encode()) or stream.read(1) != b""

    def merged(self, records: t.Iterable[Record], deleted: t.Collection[str]) -> Inventory:
        """Return an inventory with these records added or replaced, and deleted references removed."""
        kept = [record for ref, record in self.records.items() if ref not in deleted]
        return Inventory([*kept, *records])

    @classmethod
    def update(cls, option: str, path: str, records: t.Iterable[Record], deleted: t.Collection[str]) -> bool:
        """Merge records into a file, which others may change at the same time. Return whether it changed. Raises ImageError."""
        try:
            with reserved(target_of(path)):
                return cls.load(option, path, must_exist=False).merged(records, deleted).save(path)
        except OSError as error:  # which names the file that stands for the lock
            raise local_failure(OSError(error.errno, error.strerror), "write the inventory", path) from None

    def save(self, path: str) -> bool:
        """Replace the file atomically if its content changes. Return whether it does. Raises ImageError."""
        if not self.differs(path):
            return False
        try:
            with replaced(path) as stream:
                stream.writelines(self.encode())
        except OSError as error:
            raise local_failure(error, "write the inventory", path) from None
        return True

    def encode(self) -> t.Iterator[bytes]:
        """Yield the content of the file in pieces, as it may be large. Equal records give equal content."""
        yield b'{\n "version": %d,\n "images": [' % _VERSION
        separator = "\n  "
        for ref in sorted(self.records):
            text = json.dumps(self.records[ref], indent=1).replace("\n", "\n  ")
            yield (separator + text).encode("utf-8")
            separator = ",\n  "
        yield b"\n ]\n}\n" if self.records else b"]\n}\n"

    def of_image(self, reference: str, digest: str) -> Record | None:
        """Return the record of an image, or one of the same digest under another reference, without its referrers.

        Each repository has its own referrers. Everything else in a record follows from the digest.
        """
        own = self.records.get(reference)
        return own if own and own["digest"] == digest else self._digests.get(digest)

    def lists(self, reference: str) -> bool:
        """Return whether there is an image with the same name in any location, whatever its digest."""
        return _bare(reference) in self._bare_names

    def has(self, reference: str, digest: str) -> bool:
        """Return whether the image exists under the same name in any location."""
        return (_bare(reference), digest) in self._names

    def referrers(self, reference: str, digest: str) -> set[str]:
        """Return the digests of the referrers that the image has in all locations where it exists under the same name."""
        found = [set(record.get("referrers") or ()) for record in self._names.get((_bare(reference), digest), ())]
        return set.intersection(*found) if found else set()

    def blobs(self) -> frozenset[str]:
        """Return the digests of all blobs."""
        return frozenset(self._holders)

    def references(self, blob: str) -> list[str]:
        """Return the references of the images that contain a blob."""
        return self._holders.get(blob, [])


def _bare(reference: str) -> str:
    """Return the name without its layout or registry, and without the registry that it was copied from."""
    if reference.startswith("oci:"):
        reference = reference.split(":", 2)[-1]
    return _HOST.sub("", reference, count=1)


def _records(content: bytes) -> list[Record] | None:
    """Return the records; None if the content is not an inventory."""
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
