# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of docker save, written and read by docker, podman and skopeo at the other end."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile

import pytest

from devtools import images, provision
from devtools.observe import digest_at, tally

SHARED = b"in both images" * 100
ONE = images.single(layers=[SHARED, 2000], seed="one", labels={"which": "one"})
TWO = images.single(layers=[SHARED, 3000], seed="two", labels={"which": "two"})


def skopeo(*arguments):
    command = [provision.program("skopeo"), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def config_of(image):
    return image.document()["config"]["digest"]


@pytest.fixture
def layout(tmp_path):
    """Return a layout with ONE and TWO."""
    for name, image in (("one", ONE), ("two", TWO)):
        images.write_layout(image, tmp_path / "layout", name)
    return tmp_path / "layout"


@pytest.fixture
def archive(run_module, layout, tmp_path):
    """Return a file in which ONE has two names, and TWO one."""
    path = tmp_path / "images.tar"
    run_module("image_copy", src=f"oci:{layout}:one", dest=f"docker-archive:{path}:example.com/app:1", tags=["1.0"])
    run_module("image_copy", src=f"oci:{layout}:two", dest=f"docker-archive:{path}:app:2")
    return path


def test_docker_and_podman_load_what_we_wrote(archive, dockerd, podman):
    for engine in (dockerd, podman):
        engine.run("load", "--input", archive)
        assert engine.image_id("example.com/app:1.0") == config_of(ONE)
        assert engine.image_id("example.com/app:1") == config_of(ONE)
        assert engine.image_id("docker.io/library/app:2") == config_of(TWO)


def test_skopeo_reads_what_we_wrote(archive, tmp_path):
    for position, image in enumerate((ONE, TWO)):
        place = tmp_path / f"by-skopeo-{position}"
        skopeo("copy", f"docker-archive:{archive}:@{position}", f"dir:{place}")
        assert json.loads((place / "manifest.json").read_text())["config"]["digest"] == config_of(image)
    assert json.loads(skopeo("inspect", f"docker-archive:{archive}:docker.io/library/app:2"))["Labels"] == {
        "which": "two"
    }


@pytest.mark.parametrize("writer", ["dockerd", "podman", "skopeo"])
def test_what_others_wrote_is_read(run_module, request, archive, registry, repository, tmp_path, writer):
    """The ID that an image has in the archive is the digest of its config at the registry."""
    path = tmp_path / "theirs.tar"
    if writer == "skopeo":
        skopeo("copy", f"docker-archive:{archive}:example.com/app:1", f"docker-archive:{path}:example.com/app:1")
    else:
        engine = request.getfixturevalue(writer)
        engine.run("load", "--input", archive)
        several = ["--multi-image-archive"] if writer == "podman" else []
        engine.run("save", *several, "--output", path, "example.com/app:1", "docker.io/library/app:2")
        ambiguous = run_module("image_inspect", image=f"docker-archive:{path}")
        hint = "Choose one of the available images: docker.io/library/app:2, example.com/app:1."
        assert ambiguous.msg == f"docker-archive:{path}: the file contains several images. {hint}"
        assert run_module("image_inspect", image=f"docker-archive:{path}:app:2").labels == {"which": "two"}
    src, dest = f"docker-archive:{path}:example.com/app:1", f"{registry.host}/{repository}"
    first = run_module("image_copy", src=src, dest=dest)
    assert first.src_digest == config_of(ONE)
    assert digest_at(registry.host, repository, "1") == first.digest
    assert run_module("image_inspect", image=f"{dest}:1", verify=True).missing == []
    compressed = tmp_path / "theirs.tar.gz"
    compressed.write_bytes(gzip.compress(path.read_bytes()))
    registry.forget()
    again = run_module("image_copy", src=f"docker-archive:{compressed}:example.com/app:1", dest=f"{dest}:1")
    assert (again.changed, again.digest) == (False, first.digest)
    assert tally(registry.requests()) == {"GET manifest": 1, "HEAD manifest": 2}


@pytest.mark.parametrize("form", ["oci-archive", "docker-dir", "oci-dir"])
def test_other_forms_of_podman_save(run_module, archive, podman, tmp_path, form):
    podman.run("load", "--input", archive)
    podman.run("save", "--format", form, "--output", tmp_path / "theirs", "example.com/app:1")
    transport = {"oci-archive": "oci-archive", "docker-dir": "dir", "oci-dir": "oci"}[form]
    dest = f"docker-archive:{tmp_path}/ours.tar:example.com/app:1"
    assert run_module("image_copy", src=f"{transport}:{tmp_path}/theirs", dest=dest).digest == config_of(ONE)


def test_images_of_a_file_are_kept_replaced_and_removed(run_module, archive, layout):
    file = f"docker-archive:{archive}"
    names = ["docker.io/library/app:2", "example.com/app:1", "example.com/app:1.0"]
    assert sorted(run_module("image_tags", repository=file).tags) == names
    with tarfile.open(archive) as tar:
        members = tar.getnames()
    assert (len(members), len(set(members))) == (1 + 2 + 3, 6)  # the index, two configs, three layers
    before = archive.stat()
    unchanged = run_module("image_copy", src=f"oci:{layout}:one", dest=f"{file}:example.com/app:1")
    assert (unchanged.changed, archive.stat().st_ino) == (False, before.st_ino)

    archive.chmod(0o640)
    moved = run_module("image_copy", src=f"{file}:app:2", dest=f"{file}:example.com/app:1")
    assert (moved.changed, moved.bytes_copied) == (True, 0)
    assert archive.stat().st_mode & 0o777 == 0o640
    digests = run_module("image_tags", repository=f"{file}:example.com/app", digests=True).digests
    assert digests == {"1": config_of(TWO), "1.0": config_of(ONE)}
    swapped = run_module("image_tags", repository=f"{file}:example.com/app", tags={"1": "1.0", "1.0": "1"})
    assert swapped.changed is True
    digests = run_module("image_tags", repository=f"{file}:example.com/app", digests=True).digests
    assert digests == {"1": config_of(ONE), "1.0": config_of(TWO)}

    unnamed = run_module("image_delete", image=f"{file}:example.com/app", scope="manifest")
    assert (
        unnamed.msg
        == f"{file}:example.com/app: the reference has neither a tag nor a digest. Add the tag or digest of the image to delete."
    )
    assert run_module("image_delete", image=f"{file}:example.com/app:1").removed_tags == ["1"]
    assert run_module("image_inspect", image=f"{file}:{config_of(ONE)}").exists is False
    assert run_module("image_inspect", image=file).labels == {"which": "two"}
    run_module("image_delete", image=f"{file}:app:2")
    run_module("image_delete", image=f"{file}:example.com/app:1.0")
    assert not archive.exists()
    missing = run_module("image_copy", src=file, dest=f"oci:{layout}:x")
    assert missing.msg == f"{file}: the file {archive} does not exist. Check the path."


def test_damaged_layer_is_found_and_mended(run_module, archive, layout):
    options = {"src": f"oci:{layout}:one", "dest": f"docker-archive:{archive}:example.com/app:1"}
    inspect = {"image": options["dest"], "verify": True}
    whole = archive.read_bytes()
    assert run_module("image_inspect", **inspect).missing == []
    archive.write_bytes(whole.replace(SHARED, b"x" * len(SHARED)))
    (missing,) = run_module("image_inspect", **inspect).missing
    assert missing in [layer["digest"] for layer in run_module("image_inspect", **inspect).layers]
    assert run_module("image_copy", **options).changed is False
    predicted = run_module("image_copy", **options, force=True, check_mode=True)
    mended = run_module("image_copy", **options, force=True)
    assert predicted.changed is mended.changed is True
    assert run_module("image_inspect", **inspect).missing == []
    assert run_module("image_inspect", image=f"docker-archive:{archive}:app:2", verify=True).missing == []
    assert run_module("image_copy", **options, force=True).changed is False


def test_one_platform_must_be_named(run_module, tmp_path):
    image = images.index(attestations=True)
    images.write_layout(image, tmp_path / "layout", "v1")
    options = {"src": f"oci:{tmp_path}/layout:v1", "dest": f"docker-archive:{tmp_path}/a.tar:app:1"}
    assert run_module("image_copy", **options).msg == (
        f"oci:{tmp_path}/layout:v1: the image has 2 platforms, but this destination can store only one. Set platforms to one of: "
        "linux/amd64, linux/arm64."
    )
    assert not (tmp_path / "a.tar").exists()
    arm = image.document(image.child("linux/arm64"))["config"]["digest"]
    assert run_module("image_copy", **options, platforms=["linux/arm64"]).digest == arm
    assert run_module("image_inspect", image=options["dest"]).platforms == ["linux/arm64"]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("", " has an image name. Write docker-archive:FILE:NAME."),
        (
            ":app@sha256:" + "0" * 64,
            "the reference has a name and a digest, but an engine needs either a name or an image ID.",
        ),
    ],
)
def test_destination_needs_a_name(run_module, layout, tmp_path, name, cause):
    file = f"{tmp_path}/a.tar"
    result = run_module("image_copy", src=f"oci:{layout}:one", dest=f"docker-archive:{file}{name}")
    assert cause.replace("FILE", file) in result.msg


def test_file_that_is_something_else_is_not_replaced(run_module, layout, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("not an archive")
    result = run_module("image_copy", src=f"oci:{layout}:one", dest=f"docker-archive:{file}:app:1")
    assert "is not a tar archive" in result.msg
    assert file.read_text() == "not an archive"


WHOLE = {
    "manifest.json": json.dumps([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l/layer.tar"]}]).encode(),
    "c.json": b"",
    "l/layer.tar": b"",
}


NAMED = "0" * 64 + ".json"


def saved(*, named=None, **changes):
    """Return an archive of one image with other content for a member (None: without it), and ``named`` under NAMED."""
    with tarfile.open(fileobj=(layer := io.BytesIO()), mode="w"):
        pass
    digest = images.value.digest_of(layer.getvalue())
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest]}}
    content = {**WHOLE, "c.json": json.dumps(config).encode(), "l/layer.tar": layer.getvalue(), NAMED: named}
    content.update(
        {{"index": "manifest.json", "config": "c.json", "layer": "l/layer.tar"}[k]: v for k, v in changes.items()}
    )
    with tarfile.open(fileobj=(out := io.BytesIO()), mode="w") as tar:
        for name, data in content.items():
            if data is not None:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def index(**entry):
    return json.dumps([{"Config": "c.json", "RepoTags": None, "Layers": ["l/layer.tar"], **entry}]).encode()


BOMB = gzip.compress(bytes(100_000_000))
BROKEN = {
    "no index": (saved(index=None), "the archive has no manifest.json, so it is not from docker save"),
    "index that is no JSON": (saved(index=b"{"), "manifest.json is not valid JSON"),
    "index that is no list": (saved(index=b"{}"), "manifest.json is not a list of images"),
    "entry that is nothing": (saved(index=b"[1]"), "an entry in manifest.json is not a JSON object"),
    "config out of the archive": (
        saved(index=index(Config="/etc/passwd")),
        "the image config /etc/passwd is missing from",
    ),
    "layer out of the archive": (saved(index=index(Layers=["../../etc/passwd"])), "../../etc/passwd is missing from"),
    "no config": (saved(config=None), "the image config c.json is missing from the archive"),
    "config that is none": (saved(config=b"[]"), "the image config is not a JSON object"),
    "config of another digest": (
        saved(index=index(Config=NAMED), named=b'{"rootfs": {"diff_ids": []}}'),
        f"digest mismatch: the image config {NAMED} has content with the digest sha256:",
    ),
    "no layer": (saved(layer=None), "the layer l/layer.tar is missing from the archive"),
    "too few layers": (saved(index=index(Layers=[])), "an image has 0 layers in manifest.json, but 1"),
    "too many layers": (saved(index=index(Layers=["l/layer.tar"] * 2000)), "has more than 1000 layers"),
    "another layer": (saved(layer=b"something else" * 100), "digest mismatch: "),
    "another compressed layer": (
        saved(layer=gzip.compress(b"something else")),
        "digest mismatch: the image config specifies ",
    ),
    "layer that bursts": (saved(layer=BOMB), "decompresses to more than 100 times its size"),
    "damaged compressed layer": (saved(layer=gzip.compress(b"x" * 999)[:-9]), "a layer is corrupt: its compressed"),
    "digest that is none": (
        saved(config=b'{"rootfs": {"diff_ids": ["sha256:../../x"]}}'),
        "is not a valid digest",
    ),
    "cut off": (saved()[:1400], "the archive has a corrupt header"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_archive(run_module, tmp_path, case):
    content, said = BROKEN[case]
    file = tmp_path / "archive.tar"
    file.write_bytes(content)
    (tmp_path / "spool").mkdir()
    src, env = f"docker-archive:{file}", {"TMPDIR": str(tmp_path / "spool")}
    result = run_module("image_copy", src=src, dest=f"docker-archive:{tmp_path}/copy.tar:copy:1", env=env)
    assert result.failed
    assert result.msg.startswith(f"{src}: "), result.msg
    assert said in result.msg
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["archive.tar", "home", "spool"]
    assert list((tmp_path / "spool").iterdir()) == []
    assert file.read_bytes() == content


def test_whole_archive(run_module, tmp_path):
    """The archive that the others are made from is read."""
    (tmp_path / "archive.tar").write_bytes(saved())
    result = run_module("image_copy", src=f"docker-archive:{tmp_path}/archive.tar", dest=f"oci:{tmp_path}/copy:1")
    assert result.changed is True
