# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy and what users get wrong: one plain sentence each, and nothing done."""

from __future__ import annotations

import os
import subprocess

import pytest

from devtools import images
from devtools.observe import tags_at
from devtools.process import free_port
from devtools.servers import DockerRegistry
from devtools.toolchain.stacks import COLLECTIONS

INDEX = images.index()
ZEROS = "0" * 64


@pytest.fixture
def layout(tmp_path):
    """Return the path of a layout that holds INDEX as ``1``."""
    images.write_layout(INDEX, tmp_path / "layout", "1")
    return tmp_path / "layout"


@pytest.mark.parametrize(
    ("src", "said"),
    [
        ("Foo Bar", "Foo Bar: 'Foo Bar' is not a valid repository name. Write host[:port]/path[:tag][@digest]."),
        (
            "HOST/Team/app:1",
            "HOST/Team/app:1: 'Team/app' is not a valid repository name. Write the repository name in lower case.",
        ),
        ("HOST/app:not a tag", "HOST/app:not a tag: 'not a tag' is not a valid tag. Write a tag of up to 128 letters"),
        ("HOST/app@sha256:abc", "HOST/app@sha256:abc: 'sha256:abc' is not a valid digest. Write"),
        ("https://HOST/app:1", "https://HOST/app:1: expected an image reference, but found a URL. Write HOST/app:1."),
        ("ftp:/srv/image", "ftp:/srv/image: the transport 'ftp' is not supported. Use docker://"),
        ("oci:", "oci:: the reference has no path. Write oci:PATH[:REF]."),
        (
            ZEROS,
            f"{ZEROS}: expected a repository name, but found an image ID. Write a repository name.",
        ),
        (
            "HOST/none:1",
            "HOST/none:1: cannot read the manifest: HOST returned 404 MANIFEST_UNKNOWN (manifest unknown).",
        ),
        (f"HOST/none@sha256:{ZEROS}", f"HOST/none@sha256:{ZEROS}: cannot read the manifest: HOST returned 404"),
        ("oci:/nonexistent:1", "oci:/nonexistent:1: the OCI layout /nonexistent does not exist. Check the path."),
        ("oci:LAYOUT:2", "oci:LAYOUT:2: the layout contains no image named 2. Choose one of the available images: 1."),
    ],
)
def test_source(run_module, registry, repository, layout, src, said):
    def here(text):
        return text.replace("HOST", registry.host).replace("LAYOUT", str(layout))

    result = run_module("image_copy", src=here(src), dest=f"{registry.host}/{repository}:1")
    assert result.failed
    assert result.msg.startswith(here(said)), result.msg
    assert not [request for request in registry.requests() if request.method not in ("GET", "HEAD")]


def test_missing_tag_of_a_repository_that_is_there(run_module, registry, repository, tmp_path):
    images.push(INDEX, registry.host, repository, "1")
    result = run_module("image_copy", src=f"{registry.host}/{repository}:2", dest=f"oci:{tmp_path}/copy:2")
    assert result.msg.startswith(f"{registry.host}/{repository}:2: cannot read the manifest: ")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"platforms": ["amd64"]},
            "'amd64' is not a valid platform. Write os/architecture[/variant], for example linux/arm64.",
        ),
        ({"jobs": 0}, "the jobs option is 0, but must be from 1 to 256."),
        ({"timeout": 0}, "the timeout option is 0.0, but must be more than 0 and at most 86400 seconds."),
        ({"retries": -1}, "the retries option is -1, but must be 0 or more."),
        ({"tags": ["a/b"]}, "tags: 'a/b' is not a valid tag"),
        ({"platform_mode": "other"}, "value of platform_mode must be one of: strip, sparse, image, got: other"),
        ({"registries": [{"host": "https://example.com"}]}, "registries: 'https://example.com' is not a valid host."),
        ({"registries": [{"host": "x", "password": "tell-nobody"}]}, "parameters are required together"),
    ],
)
def test_options(run_module, registry, repository, layout, options, said):
    result = run_module("image_copy", src=f"oci:{layout}:1", dest=f"{registry.host}/{repository}:1", **options)
    assert result.failed
    assert said in result.msg
    assert "tell-nobody" not in result.stdout
    assert registry.requests() == []


def test_credentials_in_the_host_are_not_repeated(run_module, registry, repository, layout):
    registries = [{"host": "https://alice:tell-nobody@example.com"}]
    result = run_module(
        "image_copy", src=f"oci:{layout}:1", dest=f"{registry.host}/{repository}:1", registries=registries
    )
    assert "tell-nobody" not in result.msg


def test_nobody_listens(run_module, layout, repository):
    host = f"127.0.0.1:{free_port()}"
    result = run_module("image_copy", src=f"oci:{layout}:1", dest=f"{host}/{repository}:1", retries=1)
    assert (
        result.msg
        == f"{host}/{repository}:1: cannot reach {host}: connection refused. Check the host name, the port and the network."
    )


def test_unknown_host(run_module, layout):
    result = run_module("image_copy", src=f"oci:{layout}:1", dest="no-such-host.invalid/app:1", retries=0)
    assert (
        result.msg
        == "no-such-host.invalid/app:1: cannot reach no-such-host.invalid: the host name cannot be resolved. Check the host name, the port and the network."
    )


def test_readonly_registry(run_module, readonly_registry, repository, layout):
    dest = f"{readonly_registry.host}/{repository}:1"
    result = run_module("image_copy", src=f"oci:{layout}:1", dest=dest)
    assert result.msg.startswith(f"{dest}: cannot push to the repository: {readonly_registry.host} returned 405")
    assert "read-only" in result.msg
    assert tags_at(readonly_registry.host, repository) == []


def test_destination_that_is_something_else(run_module, layout, tmp_path):
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/letter").write_text("dear")
    result = run_module("image_copy", src=f"oci:{layout}:1", dest=f"oci:{tmp_path}/documents:1")
    assert "contains files, but is not an OCI layout" in result.msg
    assert os.listdir(tmp_path / "documents") == ["letter"]
    result = run_module("image_copy", src=f"oci:{layout}:1", dest=f"oci:{tmp_path}/documents/letter:1")
    assert "not a directory" in result.msg


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{oops", "index.json is not valid JSON"),
        ('{"manifests": 3}', "index.json is not a valid OCI index"),
        ('{"manifests": [{"size": 1}]}', "no mediaType"),
    ],
)
def test_broken_layout(run_module, registry, repository, layout, text, said):
    (layout / "index.json").write_text(text)
    result = run_module("image_copy", src=f"oci:{layout}", dest=f"{registry.host}/{repository}:1")
    assert said in result.msg
    assert str(layout) in result.msg


def test_missing_and_damaged_blobs_of_a_layout(run_module, registry, repository, layout):
    blob = layout / "blobs/sha256" / next(iter(INDEX.blobs))[7:]
    content = blob.read_bytes()
    options = {"src": f"oci:{layout}:1", "dest": f"{registry.host}/{repository}:1"}
    blob.unlink()
    assert f"blob sha256:{blob.name} is missing from the layout" in run_module("image_copy", **options).msg
    blob.write_bytes(content[:-1] + b"?")
    assert "digest mismatch" in run_module("image_copy", **options).msg
    blob.write_bytes(content[:-1])
    assert "digest mismatch" in run_module("image_copy", **options).msg
    assert tags_at(registry.host, repository) == []


@pytest.fixture
def small_disk(tmp_path):
    """Return a directory on a disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_full_disk_of_a_layout(run_module, tmp_path, small_disk):
    small, large = images.single(seed="small"), images.single(layers=[3_000_000])
    for image, name in ((small, "small"), (large, "large")):
        images.write_layout(image, tmp_path / "source", name)
    layout = small_disk / "copy"
    assert run_module("image_copy", src=f"oci:{tmp_path}/source:small", dest=f"oci:{layout}:1").changed is True
    result = run_module("image_copy", src=f"oci:{tmp_path}/source:large", dest=f"oci:{layout}:1")
    assert result.msg.startswith(f"oci:{layout}:1: cannot write {layout}: no space left on device. Free up some space")
    assert not list(layout.glob(".staging-*"))
    again = run_module("image_copy", src=f"oci:{tmp_path}/source:small", dest=f"oci:{layout}:1")
    assert (again.changed, again.digest) == (False, small.digest)


def test_full_disk_of_a_registry(run_module, repository, tmp_path, small_disk):
    images.write_layout(images.single(layers=[3_000_000]), tmp_path / "source", "1")
    with DockerRegistry(small_disk) as server:
        dest = f"{server.host}/{repository}:1"
        result = run_module("image_copy", src=f"oci:{tmp_path}/source:1", dest=dest, retries=1)
        assert result.msg.startswith(f"{dest}: cannot push ")
        assert f"{server.host} returned 500" in result.msg
        assert tags_at(server.host, repository) == []


def test_unwritable_directory(run_module, layout, tmp_path):
    target = "/proc/layout"
    result = run_module("image_copy", src=f"oci:{layout}:1", dest=f"oci:{target}:1")
    assert result.failed
    assert result.msg.startswith(f"oci:{target}:1: cannot write {target}")


def test_missing_library(run_module, layout, tmp_path):
    """Without the library only what needs it fails, and says so."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "urllib3.py").write_text("raise ImportError('hidden for a test')\n")
    env = {"PYTHONPATH": os.pathsep.join([str(hidden), str(COLLECTIONS)])}
    result = run_module("image_copy", src=f"oci:{layout}:1", dest="127.0.0.1:5000/app:1", env=env)
    assert "the Python library urllib3 is installed but cannot be imported" in result.msg
    local = run_module("image_copy", src=f"oci:{layout}:1", dest=f"oci:{tmp_path}/copy:1", env=env)
    assert local.digest == INDEX.digest
