# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores that go through all content once more, and count it as they do: that may take minutes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_archive import DockerArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.engine_images import EngineImages
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.staging import Staging
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.containerd_engine import ContainerdEngine
from ansible_collections.drayage.registry.tests.unit.support.engines import saved, store
from ansible_collections.drayage.registry.tests.unit.support.layouts import publish

NAME = "r.example/app:1"
LAYERS = b"low" * 5000, b"high" * 3000
SIZE = sum(map(len, LAYERS))


class Counter:
    """What is announced and what passes, by phase and object."""

    def __init__(self):
        self.announced = {}
        self.passed = {}

    def __call__(self, phase, current, size, chunks):
        key = (phase, current)
        self.announced[key] = self.announced.get(key, 0) + size
        return self._passing(key, chunks)

    def _passing(self, key, chunks):
        for chunk in chunks:
            self.passed[key] = self.passed.get(key, 0) + len(chunk)
            yield chunk


@pytest.fixture
def counter():
    return Counter()


def test_an_oci_archive_counts_what_it_writes(counter, tmp_path):
    image = images.image("linux/amd64", *LAYERS)
    path = str(tmp_path / "images.tar")
    publish(OciArchive(path, print, counter), image, "1")
    size = sum(map(len, image.blobs)) + image.manifest.size
    assert counter.announced == counter.passed == {("writing", path): size}


def test_a_docker_archive_counts_what_it_writes(counter, tmp_path):
    path = str(tmp_path / "images.tar")
    DockerArchive(path, counter).add(saved(*LAYERS, LAYERS[0], names=(NAME,)))
    assert counter.announced == {("writing", path): SIZE}
    assert counter.passed[("writing", path)] > SIZE


def test_an_engine_counts_what_it_loads(counter):
    EngineImages("docker-daemon", ContainerdEngine(), counter).add(saved(*LAYERS, names=(NAME,)))
    assert counter.announced == {("loading", NAME): SIZE}
    assert counter.passed[("loading", NAME)] > SIZE


def test_layers_are_counted_as_they_are_compressed(counter, tmp_path):
    path = tmp_path / "images.tar"
    DockerArchive(str(path)).add(saved(*LAYERS, names=(NAME,)))
    source = store(path, staging=Staging(counter))
    with ThreadPoolExecutor(2) as pool:
        source.registry_form(source.manifest("1"), pool)
    assert counter.announced == counter.passed == {("compressing", source.reference("")): SIZE}
