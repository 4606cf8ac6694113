# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every place that image_copy can write to and read from: the same tests for all of them."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from devtools import images
from devtools.places import (
    ENGINE_PLACES,
    FILE_PLACES,
    ArchivePlace,
    DockerArchivePlace,
    EnginePlace,
    RegistryPlace,
)

INDEX = images.index(attestations=True)
SINGLE = images.single(layers=[3000, 70_000])
OTHER = images.single(layers=[3000, 70_000], seed="other")
# What no other test copies: an engine that has an image does not read it again.
DAMAGED = images.single(layers=[3000, 70_000], seed="damaged")


@pytest.fixture(params=["registry", *FILE_PLACES, *ENGINE_PLACES])
def place(request, tmp_path):
    """Return a place in which there is nothing yet."""
    if request.param == "registry":
        return RegistryPlace(request.getfixturevalue("registry"), request.getfixturevalue("repository"))
    if request.param in ENGINE_PLACES:
        return EnginePlace(request.getfixturevalue(ENGINE_PLACES[request.param]), request.getfixturevalue("repository"))
    (tmp_path / "place").mkdir()
    return FILE_PLACES[request.param](tmp_path / "place")


@pytest.fixture
def run_module(run_module, place):
    """Return a function that runs a module where it can find the place."""
    return partial(run_module, env=place.environment)


@pytest.fixture
def source(tmp_path):
    """Return a function that puts an image into a layout of its own and returns the layout's path."""

    def write(image):
        path = tmp_path / "sources" / image.digest[7:19]
        images.write_layout(image, path, "1")
        return path

    return write


def test_round_trip(run_module, place, source, tmp_path):
    image = INDEX if place.keeps_indexes else SINGLE
    options = {"src": f"oci:{source(image)}:1", "dest": place.reference()}
    nothing = place.snapshot()
    foreseen = run_module("image_copy", **options, check_mode=True)
    assert foreseen.changed is True
    assert place.snapshot() == nothing

    result = run_module("image_copy", **options)
    assert (result.changed, result.digest, result.bytes_copied) == (True, foreseen.digest, foreseen.bytes_copied)
    assert list(place.names().values()) == [place.identity(image)]
    assert place.strays() == []

    there = place.snapshot()
    again = run_module("image_copy", **options)
    assert (again.changed, again.digest, again.bytes_copied) == (False, result.digest, 0)
    assert run_module("image_copy", **options, check_mode=True).changed is False
    assert place.snapshot() == there

    found = run_module("image_inspect", image=place.reference(), verify=True)
    assert (found.changed, found.exists, found.digest, found.missing) == (False, True, result.digest, [])

    back = run_module("image_copy", src=place.reference(), dest=f"oci:{tmp_path}/back:1")
    assert back.src_digest == result.digest
    if place.keeps_manifests:
        assert back.digest == image.digest
    again = run_module("image_copy", src=place.reference(), dest=f"oci:{tmp_path}/back:1")
    assert (again.changed, again.digest) == (False, back.digest)
    assert run_module("image_inspect", image=f"oci:{tmp_path}/back:1", verify=True).missing == []


def test_image_grows_into_an_index_and_that_into_another(run_module, place, source, tmp_path):
    """Each lists what was there before, which is not moved again and must not be lost with the name that it had."""
    if not place.keeps_indexes:
        pytest.skip("only images for one platform go there")
    for image in (images.single(), images.index(), images.nested()):
        options = {"src": f"oci:{source(image)}:1", "dest": place.reference()}
        assert run_module("image_copy", **options).changed is True
        assert list(place.names().values()) == [image.digest]
        assert run_module("image_inspect", image=place.reference(), verify=True).missing == []
        assert run_module("image_copy", src=place.reference(), dest=f"oci:{tmp_path}/back:1").digest == image.digest
        assert run_module("image_copy", **options).changed is False
    assert place.strays() == []


def test_empty_file_is_a_place_too(run_module, place, source):
    """As ansible.builtin.tempfile makes it; it stays as private as it was."""
    if not isinstance(place, (ArchivePlace, DockerArchivePlace)):
        pytest.skip("it is no file")
    place.path.touch(mode=0o600)
    options = {"src": f"oci:{source(SINGLE)}:1", "dest": place.reference()}
    assert run_module("image_copy", **options, check_mode=True).changed is True
    assert run_module("image_copy", **options).changed is True
    assert list(place.names().values()) == [place.identity(SINGLE)]
    assert place.path.stat().st_mode & 0o777 == 0o600


def test_failing_sources_leave_what_was_there(run_module, place, source):
    first, second = source(SINGLE), source(DAMAGED)
    assert run_module("image_copy", src=f"oci:{first}:none", dest=place.reference()).failed
    assert place.names() == {}
    run_module("image_copy", src=f"oci:{first}:1", dest=place.reference())
    there = place.snapshot()
    missing = run_module("image_copy", src=f"oci:{second}:none", dest=place.reference())
    assert (
        missing.msg
        == f"oci:{second}:none: the layout contains no image named none. Choose one of the available images: 1."
    )
    assert place.snapshot() == there

    blob = largest_blob(second, DAMAGED)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    corrupt = run_module("image_copy", src=f"oci:{second}:1", dest=place.reference())
    assert corrupt.msg.startswith(f"oci:{second}:1: digest mismatch: ")
    assert list(place.names().values()) == [place.identity(SINGLE)]
    assert run_module("image_inspect", image=place.reference(), verify=True).missing == []
    assert place.strays() == []


def test_killed_writer_leaves_what_was_there(run_module, place, source, kill_copy):
    run_module("image_copy", src=f"oci:{source(SINGLE)}:1", dest=place.reference())
    whole = kill_copy(OTHER, place.reference(), env=place.environment)
    assert list(place.names().values()) == [place.identity(SINGLE)]
    assert run_module("image_inspect", image=place.reference(), verify=True).missing == []

    assert run_module("image_copy", src=whole, dest=place.reference()).changed is True
    assert list(place.names().values()) == [place.identity(OTHER)]
    assert place.strays() == []


def test_eight_writers_at_once(run_module, place, source):
    """Each has a name of its own, or where there are none the last one to finish has written the image."""
    made = [images.single(layers=[b"shared" * 5000, seed * 3000], seed=str(seed)) for seed in range(8)]
    sources = [source(image) for image in made]

    def copy(number):
        return run_module("image_copy", src=f"oci:{sources[number]}:1", dest=place.reference(f"v{number}"))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(copy, range(8)))
    assert [result.msg for result in results if result.failed] == []
    if place.has_names:
        assert place.names() == {f"v{number}": place.identity(image) for number, image in enumerate(made)}
    else:
        (winner,) = place.names().values()
        assert winner in [place.identity(image) for image in made]
    assert run_module("image_inspect", image=place.reference("v0"), verify=True).missing == []
    assert place.strays() == []


def test_full_disk_leaves_what_was_there(run_module, place, source, tmp_path):
    if not place.is_local:
        pytest.skip("the disk of a registry is not ours")
    large = source(images.single(layers=[600_000], seed="large"))
    with small_disk(place.directory, 400_000) as said:
        run_module("image_copy", src=f"oci:{source(SINGLE)}:1", dest=place.reference())
        there = place.snapshot()
        result = run_module("image_copy", src=f"oci:{large}:1", dest=place.reference())
        assert result.msg.startswith(f"{place.reference()}: cannot write ")
        assert said in result.msg
        assert {name: place.snapshot().get(name) for name in there} == there
        assert place.strays() == []
        assert run_module("image_copy", src=f"oci:{source(OTHER)}:1", dest=place.reference()).changed is True
        assert list(place.names().values()) == [place.identity(OTHER)]


def largest_blob(layout, image):
    return layout / "blobs/sha256" / max(image.blobs, key=lambda digest: len(image.blobs[digest]))[7:]


@contextlib.contextmanager
def small_disk(directory, size):
    """Make this directory a file system of so many bytes, or where that is not allowed limit all files to that size.

    Yields what the system then says when something does not fit.
    """
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "drayage", str(directory)]
    if shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield "no space left on device. Free up some space"
        finally:
            subprocess.run(["umount", str(directory)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield "file too large"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
