# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidReference
from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import (
    LocalReference,
    RegistryReference,
    parse,
    pinned,
)

HEX = "0123456789abcdef" * 4
DIGEST = "sha256:" + HEX


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("busybox", "docker.io", "library/busybox", "", ""),
        ("busybox:1.36", "docker.io", "library/busybox", "1.36", ""),
        ("bitnami/redis", "docker.io", "bitnami/redis", "", ""),
        ("a/b/c", "docker.io", "a/b/c", "", ""),
        ("docker.io/busybox", "docker.io", "library/busybox", "", ""),
        ("docker.io/bitnami/redis:7", "docker.io", "bitnami/redis", "7", ""),
        ("index.docker.io/busybox", "docker.io", "library/busybox", "", ""),
        ("index.docker.io/library/busybox", "docker.io", "library/busybox", "", ""),
        ("docker://busybox", "docker.io", "library/busybox", "", ""),
        ("docker://quay.io/org/app:1", "quay.io", "org/app", "1", ""),
        ("quay.io/app", "quay.io", "app", "", ""),
        ("localhost/x", "localhost", "x", "", ""),
        ("localhost:5000/x", "localhost:5000", "x", "", ""),
        ("localhost:5000/x:1", "localhost:5000", "x", "1", ""),
        ("registry/x", "docker.io", "registry/x", "", ""),
        ("registry:5000/x", "registry:5000", "x", "", ""),
        ("127.0.0.1:5000/ns/x", "127.0.0.1:5000", "ns/x", "", ""),
        ("[::1]/x", "[::1]", "x", "", ""),
        ("[::1]:5000/x", "[::1]:5000", "x", "", ""),
        ("[2001:db8::F]:443/ns/x:1", "[2001:db8::F]:443", "ns/x", "1", ""),
        ("Foo/x", "Foo", "x", "", ""),
        ("FOO.example:5000/x", "FOO.example:5000", "x", "", ""),
        ("xn--n3h.example/x", "xn--n3h.example", "x", "", ""),
        ("a-b.example/x", "a-b.example", "x", "", ""),
        ("r.example/a.b/c_d/e__f/g---h", "r.example", "a.b/c_d/e__f/g---h", "", ""),
        ("r.example/x:Upper_Case.Tag-1", "r.example", "x", "Upper_Case.Tag-1", ""),
        ("r.example/x:_", "r.example", "x", "_", ""),
        ("r.example/x:" + "t" * 128, "r.example", "x", "t" * 128, ""),
        ("r.example/x@" + DIGEST, "r.example", "x", "", DIGEST),
        ("r.example/x:1@" + DIGEST, "r.example", "x", "1", DIGEST),
        ("r.example/x@sha512:" + HEX * 2, "r.example", "x", "", "sha512:" + HEX * 2),
        ("busybox@" + DIGEST, "docker.io", "library/busybox", "", DIGEST),
        ("  r.example/x:1\n", "r.example", "x", "1", ""),
        ("docker.io/" + HEX, "docker.io", "library/" + HEX, "", ""),
        (HEX + "/x", "docker.io", HEX + "/x", "", ""),
        (HEX[:-1], "docker.io", "library/" + HEX[:-1], "", ""),
        ("oci", "docker.io", "library/oci", "", ""),
        ("oci/x:1", "docker.io", "oci/x", "1", ""),
    ],
)
def test_registry_references_are_spelled_out(text, host, repository, tag, digest):
    assert references.parse(text) == RegistryReference(host, repository, tag, digest)


@pytest.mark.parametrize(("host", "prefix"), [("r.example", "r.example/"), ("docker.io", "")])
def test_a_name_may_have_255_characters_with_its_host(host, prefix):
    added = len(host) + 1 + (len("library/") if not prefix else 0)
    longest = prefix + "x" * (255 - added)
    assert len(references.parse(longest).context) == 255
    with pytest.raises(InvalidReference, match="longer than 255"):
        references.parse(longest + "x")


def test_the_tag_does_not_count_as_part_of_the_name():
    assert references.parse("r.example/%s:%s" % ("x" * 245, "t" * 128)).tag == "t" * 128


@pytest.mark.parametrize(
    ("text", "spelled_out"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("busybox:1", "docker.io/library/busybox:1"),
        ("[::1]:5000/x:1@" + DIGEST, "[::1]:5000/x:1@" + DIGEST),
        ("localhost/x@" + DIGEST, "localhost/x@" + DIGEST),
    ],
)
def test_a_registry_reference_reads_back_as_itself(text, spelled_out):
    reference = references.parse(text)
    assert str(reference) == spelled_out
    assert references.parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("r.example/x", ""),
        ("r.example/x:1", "1"),
        ("r.example/x:1@" + DIGEST, DIGEST),
        ("r.example/x@" + DIGEST, DIGEST),
    ],
)
def test_a_registry_is_asked_for_the_digest_before_the_tag(text, asked):
    assert references.parse(text).name == asked


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        ("oci:/srv/images", "/srv/images", ""),
        ("oci:/srv/images/", "/srv/images", ""),
        ("oci:/srv/images:1.0", "/srv/images", "1.0"),
        ("oci:/srv/images:docker.io/library/x:1", "/srv/images", "docker.io/library/x:1"),
        ("oci:/srv/images:localhost:5000/x:1", "/srv/images", "localhost:5000/x:1"),
        ("oci:/srv/images:@2", "/srv/images", "@2"),
        ("oci:/srv/im ages:x", "/srv/im ages", "x"),
        ("oci:/srv/../images:x", "/images", "x"),
    ],
)
def test_the_first_colon_ends_the_path_of_a_layout(text, path, name):
    reference = references.parse(text)
    assert reference == LocalReference("oci", path, name)
    assert reference.name == name


def test_an_archive_is_named_as_a_layout_is():
    reference = references.parse("oci-archive:/srv/images.tar:docker.io/library/x:1")
    assert reference == LocalReference("oci-archive", "/srv/images.tar", "docker.io/library/x:1")
    assert reference.has_names
    assert reference.may_be_named("a/b:1")


@pytest.mark.parametrize("path", ["/srv/image", "/srv/mirror/127.0.0.1:5000/app:1.0", "/srv/app@sha256:" + "0" * 64])
def test_all_of_a_directory_is_its_path(path):
    reference = references.parse("dir:" + path)
    assert reference == LocalReference("dir", path, "")
    assert str(reference) == "dir:" + path
    assert not reference.has_names
    assert not reference.may_be_named("1")


def test_a_relative_path_starts_in_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert references.parse("oci:images:1").path == os.path.join(os.getcwd(), "images")


def test_a_tilde_is_the_home_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert references.parse("oci:~/images:1").path == str(tmp_path / "images")


@pytest.mark.parametrize(("text", "shown"), [("oci:/srv/x", "oci:/srv/x"), ("oci:/srv/x:a:b", "oci:/srv/x:a:b")])
def test_a_local_reference_reads_back_as_itself(text, shown):
    assert str(references.parse(text)) == shown


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("1.0", True),
        ("_x", True),
        ("t" * 128, True),
        ("", False),
        ("t" * 129, False),
        (".x", False),
        ("a/b", False),
        ("a:b", False),
        ("x\n", False),
    ],
)
def test_tags(text, valid):
    assert references.is_tag(text) is valid


def test_64_hexadecimal_digits_with_a_tag_are_a_name():
    assert references.parse("a" * 64 + ":1") == RegistryReference("docker.io", "library/" + "a" * 64, "1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker-daemon:busybox", ("", "docker.io/library/busybox", "", "")),
        ("docker-daemon:r.example:5000/a/b:1", ("", "r.example:5000/a/b", "1", "")),
        ("containers-storage:localhost/a:1", ("", "localhost/a", "1", "")),
        ("docker-daemon:sha256:" + "a" * 64, ("", "", "", "sha256:" + "a" * 64)),
        ("docker-archive:/x.tar", ("/x.tar", "", "", "")),
        ("docker-archive:/x.tar:a:1", ("/x.tar", "docker.io/library/a", "1", "")),
        ("docker-archive:/x.tar:@12", ("/x.tar", "", "@12", "")),
        ("docker-archive:/x.tar:sha256:" + "a" * 64, ("/x.tar", "", "", "sha256:" + "a" * 64)),
    ],
)
def test_images_of_engines(text, expected):
    reference = references.parse(text)
    assert (reference.path, reference.repository, reference.tag, reference.digest) == expected
    assert references.parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("other", "repository"),
    [
        ("r.example/a:1", "r.example/a"),
        ("docker-daemon:a:1", "docker.io/library/a"),
        ("oci:/layout:r.example/a:1", "r.example/a"),
    ],
)
def test_file_without_a_name_takes_that_of_the_source(other, repository):
    file = references.parse("docker-archive:/x")
    assert references.named_after(file, references.parse(other)).repository == repository
    for named in map(references.parse, ("docker-archive:/x:b:1", "docker-archive:/x:@1", "r.example/b")):
        assert references.named_after(named, references.parse(other)) == named


def test_a_short_name_with_a_port_for_its_tag_is_still_one():
    assert str(parse("registry:5000")) == "docker.io/library/registry:5000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r.example/team/app:1", "r.example/team/app@" + DIGEST),
        ("docker-daemon:app:1", "docker-daemon:" + DIGEST),
        ("docker-archive:/x.tar:app:1", "docker-archive:/x.tar:" + DIGEST),
        ("oci:/x:1", ""),
        ("dir:/x", ""),
    ],
)
def test_pinned(text, expected):
    assert pinned(parse(text), DIGEST) == expected
    assert not expected or parse(expected).digest == DIGEST
