# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy with OCI layouts, judged by skopeo and umoci."""

from __future__ import annotations

import hashlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from devtools import images, provision
from devtools.observe import digest_at, layout_files, layout_names, tally

INDEX = images.index(attestations=True)
SINGLE = images.single()


@pytest.fixture
def stored(registry, repository):
    """Return the reference of INDEX in ``registry``."""
    images.push(INDEX, registry.host, repository, "1")
    registry.forget()
    return f"{registry.host}/{repository}:1"


def output(name, *arguments):
    return subprocess.run([provision.program(name), *arguments], check=True, capture_output=True).stdout


def test_other_tools_read_what_we_wrote(run_module, stored, tmp_path):
    layout = tmp_path / "layout"
    assert run_module("image_copy", src=stored, dest=f"oci:{layout}:v1").changed is True
    raw = output("skopeo", "inspect", "--raw", f"oci:{layout}:v1")
    assert "sha256:" + hashlib.sha256(raw).hexdigest() == INDEX.digest
    assert output("umoci", "ls", "--layout", str(layout)).split() == [b"v1"]

    everything = tmp_path / "by-skopeo"
    output("skopeo", "copy", "--all", f"oci:{layout}:v1", f"dir:{everything}")
    assert "sha256:" + hashlib.sha256((everything / "manifest.json").read_bytes()).hexdigest() == INDEX.digest


def test_umoci_unpacks_what_we_wrote(run_module, registry, repository, tmp_path):
    images.push(SINGLE, registry.host, repository, "1")
    run_module("image_copy", src=f"{registry.host}/{repository}:1", dest=f"oci:{tmp_path}/layout:s")
    output("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/layout:s", str(tmp_path / "bundle"))
    assert (tmp_path / "bundle/rootfs/file-0").stat().st_size == images.make.SIZES[0]


def test_layout_by_skopeo_keeps_its_digest(run_module, stored, registry, repository, tmp_path):
    layout = tmp_path / "layout"
    output("skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{stored}", f"oci:{layout}:taken")
    result = run_module("image_copy", src=f"oci:{layout}:taken", dest=f"{registry.host}/{repository}/back")
    assert result.digest == INDEX.digest
    assert digest_at(registry.host, repository + "/back", "taken") == INDEX.digest


def test_second_copy_is_one_head_and_changes_no_file(run_module, stored, registry, tmp_path):
    layout = tmp_path / "layout"
    run_module("image_copy", src=stored, dest=f"oci:{layout}:v1")
    before = {name: (layout / name).stat().st_mtime_ns for name in layout_files(layout)}
    registry.forget()
    assert run_module("image_copy", src=stored, dest=f"oci:{layout}:v1").changed is False
    assert tally(registry.requests()) == {"HEAD manifest": 1}
    assert {name: (layout / name).stat().st_mtime_ns for name in layout_files(layout)} == before


def test_check_mode_makes_no_file(run_module, stored, tmp_path):
    layout = tmp_path / "layout"
    result = run_module("image_copy", src=stored, dest=f"oci:{layout}:v1", check_mode=True)
    assert (result.changed, result.digest) == (True, INDEX.digest)
    assert not layout.exists()


@pytest.mark.parametrize("lost", ["child", "blob", "index"])
def test_layout_that_lost_a_file_is_repaired(run_module, stored, tmp_path, lost):
    layout = tmp_path / "layout"
    options = {"src": stored, "dest": f"oci:{layout}:v1"}
    run_module("image_copy", **options)
    digest = {"child": INDEX.child("linux/arm64"), "blob": next(iter(INDEX.blobs)), "index": INDEX.digest}[lost]
    file = layout / "blobs/sha256" / digest[7:]
    file.unlink()
    assert run_module("image_copy", **options, check_mode=True).changed is True
    assert not file.exists()
    assert run_module("image_copy", **options).changed is True
    assert digest[7:] in {name.rpartition("/")[2] for name in layout_files(layout)}
    assert run_module("image_copy", **options).changed is False


def test_full_copy_after_a_sparse_one_brings_the_rest(run_module, stored, tmp_path):
    options = {"src": stored, "dest": f"oci:{tmp_path}/layout:v1"}
    run_module("image_copy", **options, platforms=["linux/amd64"], platform_mode="sparse")
    assert run_module("image_copy", **options).changed is True
    assert len(layout_files(tmp_path / "layout")) == 2 + len(INDEX.blobs) + len(INDEX.manifests)


def test_replaced_name_leaves_nothing_behind(run_module, tmp_path):
    layout = tmp_path / "layout"
    old, new = (images.single(layers=[b"shared", seed.encode()], seed=seed) for seed in ("old", "new"))
    for image, name in ((old, "old"), (new, "new")):
        images.write_layout(image, tmp_path / "source", name)
    run_module("image_copy", src=f"oci:{tmp_path}/source:old", dest=f"oci:{layout}:latest")
    run_module("image_copy", src=f"oci:{tmp_path}/source:new", dest=f"oci:{layout}:latest")
    assert layout_names(layout) == {"latest": new.digest}
    digests = {new.digest, *new.blobs}
    assert layout_files(layout) == {"oci-layout", "index.json"} | {f"blobs/sha256/{digest[7:]}" for digest in digests}


def test_a_replaced_image_that_has_another_name_stays(run_module, tmp_path):
    layout = tmp_path / "layout"
    images.write_layout(INDEX, tmp_path / "source", "a")
    images.write_layout(SINGLE, tmp_path / "source", "b")
    run_module("image_copy", src=f"oci:{tmp_path}/source:a", dest=f"oci:{layout}:a", tags=["kept"])
    run_module("image_copy", src=f"oci:{tmp_path}/source:b", dest=f"oci:{layout}:a")
    assert layout_names(layout) == {"a": SINGLE.digest, "kept": INDEX.digest}
    assert set(INDEX.blobs) <= {"sha256:" + name.rpartition("/")[2] for name in layout_files(layout)}


def test_eight_writers_leave_eight_names(run_module, tmp_path):
    layout = tmp_path / "layout"
    made = [images.index(layers=[b"shared" * 5000, seed * 3000], seed=str(seed)) for seed in range(8)]
    for number, image in enumerate(made):
        images.write_layout(image, tmp_path / f"source-{number}", "x")

    def copy(number):
        return run_module("image_copy", src=f"oci:{tmp_path}/source-{number}", dest=f"oci:{layout}:v{number}")

    with ThreadPoolExecutor(8) as pool:
        assert [result.changed for result in pool.map(copy, range(8))] == [True] * 8
    assert layout_names(layout) == {f"v{number}": image.digest for number, image in enumerate(made)}
    assert set(layout_files(layout)) == {"oci-layout", "index.json"} | {
        f"blobs/sha256/{digest[7:]}" for image in made for digest in (*image.blobs, *image.manifests)
    }


def test_eight_writers_of_one_name_leave_one_whole_image(run_module, tmp_path):
    layout = tmp_path / "layout"
    made = [images.single(layers=[b"shared" * 5000, seed * 3000], seed=str(seed)) for seed in range(8)]
    for number, image in enumerate(made):
        images.write_layout(image, tmp_path / f"source-{number}", "x")

    def copy(number):
        return run_module("image_copy", src=f"oci:{tmp_path}/source-{number}", dest=f"oci:{layout}:v")

    with ThreadPoolExecutor(8) as pool:
        assert not any(result.failed for result in pool.map(copy, range(8)))
    (digest,) = layout_names(layout).values()
    (winner,) = (image for image in made if image.digest == digest)
    assert layout_files(layout) == {"oci-layout", "index.json"} | {
        f"blobs/sha256/{digest[7:]}" for digest in (winner.digest, *winner.blobs)
    }


def test_killed_writer_leaves_what_was_there(run_module, kill_copy, tmp_path):
    layout = tmp_path / "layout"
    images.write_layout(SINGLE, tmp_path / "source", "x")
    run_module("image_copy", src=f"oci:{tmp_path}/source:x", dest=f"oci:{layout}:x")
    before = layout_files(layout)
    other = images.single(seed="other")
    whole = kill_copy(other, f"oci:{layout}:x")
    assert any("staging" in name for name in layout_files(layout))
    assert layout_names(layout) == {"x": SINGLE.digest}

    assert run_module("image_copy", src=whole, dest=f"oci:{layout}:x").changed is True
    assert layout_names(layout) == {"x": other.digest}
    assert not [name for name in layout_files(layout) if "staging" in name]
    assert len(layout_files(layout)) == len(before)


class TestNames:
    def test_the_only_image_needs_no_name(self, run_module, registry, repository, tmp_path):
        images.write_layout(INDEX, tmp_path / "layout", "only")
        result = run_module("image_copy", src=f"oci:{tmp_path}/layout", dest=f"{registry.host}/{repository}:1")
        assert result.digest == INDEX.digest

    def test_several_images_do(self, run_module, registry, repository, tmp_path):
        images.write_layout(INDEX, tmp_path / "layout", "one")
        images.write_layout(SINGLE, tmp_path / "layout", "two")
        result = run_module("image_copy", src=f"oci:{tmp_path}/layout", dest=f"{registry.host}/{repository}:1")
        assert (
            result.msg
            == f"oci:{tmp_path}/layout: the layout contains several images. Choose one of the available images: one, two."
        )

    def test_full_reference_as_a_name(self, run_module, registry, repository, tmp_path):
        images.write_layout(INDEX, tmp_path / "layout", "docker.io/library/app:1.2")
        source = f"oci:{tmp_path}/layout:docker.io/library/app:1.2"
        result = run_module("image_copy", src=source, dest=f"{registry.host}/{repository}")
        assert result.dest == f"{registry.host}/{repository}:1.2"

    def test_of_several_with_one_name_none_is_taken(self, run_module, registry, repository, tmp_path):
        layout = tmp_path / "layout"
        images.write_layout(SINGLE, layout, "x")
        images.write_layout(INDEX, layout, "y")
        index = json.loads((layout / "index.json").read_text())
        for entry in index["manifests"]:
            entry["annotations"] = {"org.opencontainers.image.ref.name": "x"}
        (layout / "index.json").write_text(json.dumps(index))
        result = run_module("image_copy", src=f"oci:{layout}:x", dest=f"{registry.host}/{repository}:1")
        assert (
            result.msg
            == f"oci:{layout}:x: the layout contains several images named x. Use one of these positions: @0, @1."
        )
