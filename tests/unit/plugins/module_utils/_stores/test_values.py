# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._stores import (
    decompression,
    directory_format,
    docker_save,
    layers,
    oci_images,
    oci_index,
    signature_files,
    tar_reader,
    tar_writer,
)
from ansible_collections.drayage.registry.tests.unit.support.values import changeable


def test_values_that_threads_share_cannot_be_changed():
    assert changeable("_stores") == set()


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        (decompression.ALWAYS_ALLOWED, 67_108_864),
        (decompression.MAX_RATIO, 100),
        (docker_save._MAX_CONFIGS, 67_108_864),
        (oci_index.MAX_INDEX, 67_108_864),
        (oci_index.MAX_ENTRIES, 100_000),
        (signature_files.MOST, 1000),
        (tar_reader._MAX_MEMBERS, 100_000),
        (tar_reader._MAX_EXTENDED, 65_536),
        (tar_reader._MAX_LINKS, 8),
    ],
)
def test_what_others_write_cannot_keep_a_task_busy(limit, value):
    assert limit == value


def test_formats_are_those_of_their_specifications():
    assert oci_images.VERSION == {"imageLayoutVersion": "1.0.0"}
    assert oci_index.new_index() == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [],
    }
    assert (oci_index._REF_NAME, oci_index._FULL_NAME) == (
        "org.opencontainers.image.ref.name",
        "io.containerd.image.name",
    )
    assert directory_format.VERSIONS[1] == b"Directory Transport Version: 1.2\n"
    assert bytes(1024) == tar_writer.END
    assert layers._LEVEL == 6  # as Docker compresses, so that digests match
    magics = {module: magic for magic, module in decompression._MODULES}
    assert magics == {"gzip": b"\x1f\x8b", "bz2": b"BZh", "lzma": b"\xfd7zXZ\0"}
    assert decompression._ZSTD == layers._ZSTD == b"\x28\xb5\x2f\xfd"
