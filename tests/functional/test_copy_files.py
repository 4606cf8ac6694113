# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images in directories, archives and layouts: the way through all of them, and other programs at both ends."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess

import pytest

from devtools import images, provision
from devtools.observe import digest_at
from devtools.places import ArchivePlace, DirectoryPlace

INDEX = images.index(attestations=True)
SINGLE = images.single()
TRANSPORTS = ("dir", "oci-archive")


def skopeo(*arguments):
    return subprocess.run([provision.program("skopeo"), *arguments], check=True, capture_output=True).stdout


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_way_through_all_places_keeps_the_digest(run_module, registry, repository, tmp_path):
    """At each station another program finds the same image."""
    images.push(INDEX, registry.host, repository, "1")
    here = f"{registry.host}/{repository}"
    way = [
        f"{here}:1",
        f"dir:{tmp_path}/dir",
        f"{here}/second:2",
        f"oci:{tmp_path}/layout:three",
        f"oci-archive:{tmp_path}/archive.tar:four",
        f"{here}/last:5",
    ]
    for source, dest in zip(way, way[1:]):
        result = run_module("image_copy", src=source, dest=dest)
        assert (result.changed, result.digest) == (True, INDEX.digest), dest
    assert digest_at(registry.host, f"{repository}/last", "5") == INDEX.digest
    for station in (way[1], way[3], way[4]):
        assert digest_of(skopeo("inspect", "--raw", station)) == INDEX.digest
        everything = tmp_path / ("by-skopeo-" + station.partition(":")[0])
        skopeo("copy", "--all", station, f"dir:{everything}")
        assert digest_of((everything / "manifest.json").read_bytes()) == INDEX.digest
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", f"{tmp_path}/archive.tar", "-C", f"{tmp_path}/unpacked"], check=True)
    for layout, name in (("layout", b"three"), ("unpacked", b"four")):
        command = [provision.program("umoci"), "ls", "--layout", f"{tmp_path}/{layout}"]
        assert subprocess.run(command, check=True, capture_output=True).stdout.split() == [name]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_images_by_skopeo(run_module, registry, repository, tmp_path, transport):
    images.push(INDEX, registry.host, repository, "1")
    there = f"{transport}:{tmp_path}/by-skopeo"
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{registry.host}/{repository}:1", there)
    dest = f"{registry.host}/{repository}/back:1"
    assert run_module("image_copy", src=there, dest=dest).digest == INDEX.digest
    assert digest_at(registry.host, f"{repository}/back", "1") == INDEX.digest
    again = run_module("image_copy", src=dest, dest=there)
    if transport == "dir":
        assert again.changed is False

    images.push(SINGLE, registry.host, repository, "2")
    assert run_module(
        "image_copy", src=f"{registry.host}/{repository}:2", dest=f"{transport}:{tmp_path}/by-skopeo"
    ).changed


class TestDirectory:
    @pytest.fixture
    def place(self, tmp_path):
        return DirectoryPlace(tmp_path)

    @pytest.fixture
    def layout(self, tmp_path):
        for image, name in ((INDEX, "index"), (SINGLE, "single")):
            images.write_layout(image, tmp_path / "layout", name)
        return f"oci:{tmp_path}/layout"

    def test_one_image_after_another(self, run_module, place, layout):
        """What both have stays as it is, and nothing is left of the first."""
        run_module("image_copy", src=f"{layout}:index", dest=place.reference())
        (place.path / "signature-1").write_bytes(b"of the index")
        (place.path / "notes").write_bytes(b"of the user")
        assert run_module("image_copy", src=f"{layout}:index", dest=place.reference(), force=True).changed is False
        assert (place.path / "signature-1").exists()
        shared = set(SINGLE.blobs) & set(INDEX.blobs)
        assert shared
        before = {digest: (place.path / digest[7:]).stat().st_ino for digest in shared}
        result = run_module("image_copy", src=f"{layout}:single", dest=place.reference())
        assert result.blobs == {"copied": len(SINGLE.blobs) - len(shared), "mounted": 0, "skipped": len(shared)}
        assert (result.dest, result.tags) == (place.reference(), [])
        assert {file.name for file in place.path.iterdir()} == {
            *("version", "notes", "manifest.json"),
            *(digest[7:] for digest in SINGLE.blobs),
        }
        assert {digest: (place.path / digest[7:]).stat().st_ino for digest in shared} == before

    def test_image_with_a_digest_of_another_algorithm(self, run_module, place, tmp_path):
        """There is no name in the directory that could tell by which one it is known."""
        source = tmp_path / "layout"
        images.write_layout(SINGLE, source, "1")
        blob = source / "blobs/sha256" / SINGLE.digest[7:]
        name = hashlib.sha512(blob.read_bytes()).hexdigest()
        (source / "blobs/sha512").mkdir()
        blob.rename(source / "blobs/sha512" / name)
        index = source / "index.json"
        index.write_text(index.read_text().replace(SINGLE.digest, f"sha512:{name}"))
        options = {"src": f"oci:{source}:1", "dest": place.reference()}
        for more in ({}, {"platforms": ["linux/amd64"]}, {"force": True}):
            first = run_module("image_copy", **options, **more)
            assert (first.changed, first.digest) == (not more, f"sha512:{name}"), more
            again = run_module("image_copy", **options, **more)
            assert (again.changed, again.digest) == (False, f"sha512:{name}"), more

    def test_what_makes_no_sense(self, run_module, place, layout):
        run_module("image_copy", src=f"{layout}:single", dest=place.reference())
        there = place.snapshot()
        one = f"{place.reference()}: images in directories have no tags."
        tagged = run_module("image_copy", src=f"{layout}:single", dest=place.reference(), tags=["x"])
        assert tagged.msg == f"{place.reference()}: images in directories have no tags. Remove the tags option."
        assert (
            run_module("image_tags", repository=place.reference()).msg
            == f"{one} Use a registry, an OCI layout, an archive or an engine."
        )
        assert run_module("image_inspect", image=place.reference(), tags=True).msg == f"{one} Remove the tags option."
        deleted = run_module("image_delete", image=place.reference())
        assert deleted.msg == f"{one} Set scope: manifest to delete the image."
        (place.directory / "other").mkdir()
        (place.directory / "other" / "thesis.txt").write_text("x")
        for check_mode in (True, False):
            other = run_module(
                "image_copy", src=f"{layout}:single", dest=f"dir:{place.directory}/other", check_mode=check_mode
            )
            assert f"{place.directory}/other contains files, but no image." in other.msg
        assert {name: place.snapshot()[name] for name in there} == there

    def test_image_is_deleted_with_its_directory(self, run_module, place, layout):
        run_module("image_copy", src=f"{layout}:single", dest=place.reference())
        options = {"image": place.reference(), "scope": "manifest"}
        foreseen = run_module("image_delete", **options, check_mode=True)
        assert (foreseen.changed, foreseen.digest, place.names()) == (True, SINGLE.digest, {"": SINGLE.digest})
        result = run_module("image_delete", **options)
        assert (result.changed, result.digest, result.removed_tags) == (True, SINGLE.digest, [])
        assert not place.path.exists()
        assert run_module("image_delete", **options).changed is False
        assert run_module("image_inspect", image=place.reference()).exists is False


class TestArchive:
    @pytest.fixture
    def place(self, tmp_path):
        (tmp_path / "archives").mkdir()
        return ArchivePlace(tmp_path / "archives")

    def test_names_come_move_and_go(self, run_module, place, tmp_path):
        for image, name in ((INDEX, "index"), (SINGLE, "single")):
            images.write_layout(image, tmp_path / "layout", name)
            run_module("image_copy", src=f"oci:{tmp_path}/layout:{name}", dest=place.reference(name))
        assert place.names() == {"index": INDEX.digest, "single": SINGLE.digest}
        listed = run_module("image_tags", repository=f"oci-archive:{place.path}", digests=True)
        assert listed.digests == place.names()
        moved = {"stable": "single", "single": "index"}
        assert run_module("image_tags", repository=f"oci-archive:{place.path}", tags=moved).changed is True
        assert run_module("image_tags", repository=f"oci-archive:{place.path}", tags=moved).changed is True
        assert place.names() == {"index": INDEX.digest, "single": INDEX.digest, "stable": INDEX.digest}

        assert run_module("image_delete", image=place.reference("stable")).changed is True
        assert run_module("image_delete", image=place.reference("stable")).changed is False
        deleted = run_module("image_delete", image=place.reference("index"), scope="manifest")
        assert deleted.removed_tags == ["index", "single"]
        assert (place.names(), place.strays()) == ({}, [])
        assert run_module("image_inspect", image=place.reference("index")).exists is False

    def test_same_images_make_the_same_bytes(self, run_module, place, tmp_path):
        images.write_layout(INDEX, tmp_path / "layout", "1")
        contents = []
        for umask in (0o022, 0o077):
            before = os.umask(umask)
            try:
                run_module("image_copy", src=f"oci:{tmp_path}/layout:1", dest=place.reference("x"), tags=["y"])
            finally:
                os.umask(before)
            contents.append(place.path.read_bytes())
            place.path.unlink()
        assert contents[0] == contents[1]

    def test_another_file_is_not_replaced(self, run_module, place, tmp_path):
        images.write_layout(SINGLE, tmp_path / "layout", "1")
        place.path.write_bytes(b"a thesis\n" * 100)
        there = place.snapshot()
        for check_mode in (True, False):
            options = {"src": f"oci:{tmp_path}/layout:1", "dest": place.reference(), "check_mode": check_mode}
            assert (
                run_module("image_copy", **options).msg
                == f"{place.reference()}: the file is not a tar archive. Check the path."
            )
        assert place.snapshot() == there

    def test_archive_that_cannot_be_finished_is_not_begun(self, run_module, place, tmp_path):
        """What is new fits, but not together with what is there."""
        for name in ("a", "b"):
            images.write_layout(images.single(layers=[70_000], seed=name), tmp_path / "layout", name)
        run_module("image_copy", src=f"oci:{tmp_path}/layout:a", dest=place.reference("a"))
        there = place.snapshot()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            result = run_module("image_copy", src=f"oci:{tmp_path}/layout:b", dest=place.reference("b"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert result.msg == f"{place.reference('b')}: cannot write {place.path}: file too large."
        assert place.snapshot() == there

    def test_lost_content_is_repaired(self, run_module, place, tmp_path):
        """The archive names the image, but was packed without one of its layers."""
        images.write_layout(SINGLE, tmp_path / "layout", "1")
        options = {"src": f"oci:{tmp_path}/layout:1", "dest": place.reference()}
        run_module("image_copy", **options)
        lost = next(iter(SINGLE.blobs))[7:]
        subprocess.run(["tar", "--delete", "-f", str(place.path), f"blobs/sha256/{lost}"], check=True)
        assert run_module("image_inspect", image=place.reference(), verify=True).missing == [f"sha256:{lost}"]
        assert run_module("image_copy", **options, check_mode=True).changed is True
        assert run_module("image_copy", **options).blobs["copied"] == 1
        assert run_module("image_inspect", image=place.reference(), verify=True).missing == []
        assert run_module("image_copy", **options).changed is False
