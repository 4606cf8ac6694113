# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that are broken, or were made to do harm: each is one plain error, and nothing is left of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest

from devtools import images

IMAGE = images.single(layers=[2000])
LAYER = max(IMAGE.blobs, key=lambda digest: len(IMAGE.blobs[digest]))
CONTENT = {
    "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
    "index.json": json.dumps({"schemaVersion": 2, "manifests": [IMAGE.descriptor()]}).encode(),
    **{f"blobs/sha256/{digest[7:]}": content for digest, content in IMAGE.blobs.items()},
    f"blobs/sha256/{IMAGE.digest[7:]}": IMAGE.manifests[IMAGE.digest][1],
}
LAYER_NAME = f"blobs/sha256/{LAYER[7:]}"
MANIFEST_NAME = f"blobs/sha256/{IMAGE.digest[7:]}"


def archive(*special: tarfile.TarInfo, manifest_name: str = MANIFEST_NAME, **changes: bytes | None) -> bytes:
    """Return an archive of IMAGE with further members, and with other content (None: without it) for some names."""
    names = {"index": "index.json", "layer": LAYER_NAME, "manifest": manifest_name}
    contents = {**CONTENT, **{names[key]: content for key, content in changes.items()}}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info in special:
            tar.addfile(info)
        for name, content in contents.items():
            if content is not None:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def special(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def huge() -> bytes:
    """Declare a layer of 8 GiB - 1, the most that a plain header can say."""
    info = tarfile.TarInfo(LAYER_NAME)
    info.size = 8**11 - 1
    return info.tobuf() + bytes(1024)


def index(**entry: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": [{**IMAGE.descriptor(), **entry}]}).encode()


def with_layer(**changes: object) -> bytes:
    """Describe the layer otherwise, in a manifest that has the digest it is entered with."""
    document = IMAGE.document()
    document["layers"][0].update(changes)
    raw = json.dumps(document).encode()
    digest = hashlib.sha256(raw).hexdigest()
    entered = index(digest=f"sha256:{digest}", size=len(raw))
    return archive(index=entered, manifest=raw, manifest_name=f"blobs/sha256/{digest}")


WHOLE = archive()
OTHER_BYTES = bytes(reversed(IMAGE.blobs[LAYER]))

BROKEN = {
    "empty": (b"", "the archive ARCHIVE does not exist"),
    "no archive": (b"#!/bin/sh\n" * 100, "the file is not a tar archive"),
    "cut off in a file": (WHOLE[:3000], "the archive is too short to contain the "),
    "cut off in a header": (WHOLE[:1300], "the archive has a corrupt header"),
    "cut off when compressed": (
        gzip.compress(WHOLE)[:-500],
        "the archive is corrupt: its content cannot be decompressed",
    ),
    "path that climbs": (archive(special("../../etc/cron.d/x")), "contains '../../etc/cron.d/x', which points outside"),
    "absolute path": (archive(special("/etc/cron.d/x")), "contains '/etc/cron.d/x', which points outside"),
    "symbolic link out": (archive(special(LAYER_NAME, tarfile.SYMTYPE, "/etc/passwd"), layer=None), "points outside"),
    "hard link out": (
        archive(special(LAYER_NAME, tarfile.LNKTYPE, "../x"), layer=None),
        "contains '../x', which points",
    ),
    "link to itself": (
        archive(special(LAYER_NAME, tarfile.LNKTYPE, LAYER_NAME), layer=None),
        "does not resolve to a file",
    ),
    "device": (archive(special("dev/sda", tarfile.BLKTYPE)), "contains 'dev/sda', which is not a file"),
    "fifo": (archive(special("pipe", tarfile.FIFOTYPE)), "contains 'pipe', which is not a file"),
    "huge member": (huge(), "the archive is too short to contain the "),
    "bomb": (gzip.compress(bytes(70 * 1024 * 1024)), "decompresses to more than 67108864 bytes"),
    "no index": (archive(index=None), "the archive has no index.json, so it is not an OCI layout"),
    "index that is no JSON": (archive(index=b"{"), "index.json in the archive is not valid JSON"),
    "index that is no index": (
        archive(index=b'{"manifests": {}}'),
        "index.json in the archive is not a valid OCI index",
    ),
    "digest that climbs": (archive(index=index(digest="sha256:../../x")), "is not a valid digest"),
    "no manifest": (archive(manifest=None), f"manifest {IMAGE.digest} is missing from the archive"),
    "another manifest": (archive(manifest=b"{}"), "digest mismatch: "),
    "no layer": (archive(layer=None), f"blob {LAYER} is missing from the archive"),
    "another layer": (archive(layer=OTHER_BYTES), f"digest mismatch: blob {LAYER} has content with the digest "),
    "layer that is too long": (archive(layer=IMAGE.blobs[LAYER] + b"x"), "digest mismatch: "),
    "huge layer in the manifest": (with_layer(size=2**60), "digest mismatch: "),
    "layer of a negative size": (with_layer(size=-1), "has no valid size"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_archive(run_module, tmp_path, case):
    content, said = BROKEN[case]
    file = tmp_path / "archive.tar"
    file.write_bytes(content)
    (tmp_path / "spool").mkdir()
    src = f"oci-archive:{file}"
    env = {"TMPDIR": str(tmp_path / "spool")}
    result = run_module("image_copy", src=src, dest=f"oci-archive:{tmp_path}/copy.tar:1", env=env)
    assert result.failed
    assert result.msg.startswith(f"{src}: "), result.msg
    assert said.replace("ARCHIVE", str(file)) in result.msg
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["archive.tar", "home", "spool"]
    assert list((tmp_path / "spool").iterdir()) == []
    assert file.read_bytes() == content


def test_whole_archive(run_module, tmp_path):
    """The archive that the others are made from is read, also where links, directories and other names are in it."""
    (tmp_path / "archive.tar").write_bytes(
        archive(special("./"), special("blobs", tarfile.DIRTYPE), special("l", tarfile.SYMTYPE, "index.json"))
    )
    result = run_module("image_copy", src=f"oci-archive:{tmp_path}/archive.tar", dest=f"oci:{tmp_path}/copy:1")
    assert result.digest == IMAGE.digest
