# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large blobs of real registries that limit each connection, in this process: what is large here is small for a test."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._image.digest import collect
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._registry import ranges
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from devtools import faults, images
from devtools.servers import Haproxy

RATE = 1_000_000
IMAGE = images.single(layers=[3_000_000])
LAYER = max(IMAGE.blobs, key=lambda digest: len(IMAGE.blobs[digest]))


@pytest.fixture
def read_layer(monkeypatch, tmp_path, repository):
    """Return a function that pushes the image to a registry and reads its layer through another server."""
    monkeypatch.setattr(ranges, "_LARGE", 1_000_000)
    monkeypatch.setattr(ranges, "_PIECE", 200_000)
    monkeypatch.setattr(ranges, "_SAMPLE", 400_000)
    (tmp_path / "auth.json").write_text("{}")

    def read(registry, host):
        images.push(IMAGE, registry.host, repository, "1")
        registry.forget()
        with Stores([], str(tmp_path / "auth.json"), Policy(30.0, 0), Run(no_program)) as stores:
            store = stores.open(references.parse(f"{host}/{repository}")).open("1")
            (layer,) = store.manifest("1").layers
            return collect(store.open_blob(layer)), [request.status for request in registry.requests()]

    return read


def no_program(argv, stdin, seconds=None, limit=None):
    raise AssertionError(f"no program is needed here: {argv}")


def slow(registry):
    return faults.slow_blob(registry, LAYER, RATE)


@pytest.mark.parametrize("kind", ["registry", "modern_registry"])
def test_a_slow_blob_is_read_over_several_connections(request, read_layer, kind):
    registry = request.getfixturevalue(kind)
    with slow(registry) as server:
        content, statuses = read_layer(registry, server.host)
    assert content == IMAGE.blobs[LAYER]
    assert statuses.count(206) >= 5


def test_a_server_that_ignores_ranges_sends_one_stream(read_layer, registry):
    with Haproxy(registry, "http-request del-header Range") as whole, slow(whole) as server:
        content, statuses = read_layer(registry, server.host)
    assert content == IMAGE.blobs[LAYER]
    assert 206 not in statuses
