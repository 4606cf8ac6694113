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


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the reference is empty"),
        ("   ", "the reference is empty"),
        ("docker://", "the reference is empty"),
        (":1", "not a valid repository name"),
        ("/x", "expected an image reference, but found a path"),
        ("x/", "not a valid repository name"),
        ("r.example/", "the reference has a registry, but no repository. Write r.example/REPOSITORY"),
        ("r.example//x", "not a valid repository name"),
        ("r.example/x//y", "not a valid repository name"),
        ("r.example/-x", "not a valid repository name"),
        ("r.example/x-", "not a valid repository name"),
        ("r.example/.x", "not a valid repository name"),
        ("r.example/x..y", "not a valid repository name"),
        ("r.example/x___y", "not a valid repository name"),
        ("r.example/x._y", "not a valid repository name"),
        ("r.example/../x", "not a valid repository name"),
        ("r.example/x y", "not a valid repository name"),
        ("r.example/x\ny", "not a valid repository name"),
        ("r.example/ä", "not a valid repository name"),
        ("r.example/x?y", "not a valid repository name"),
        ("Busybox", "in lower case"),
        ("foo/Bar", "in lower case"),
        ("r.example/Foo", "in lower case"),
        ("r.example/ns/FOO:1", "in lower case"),
        ("-r.example/x", "not a valid registry host"),
        ("r.example-/x", "not a valid registry host"),
        ("r..example/x", "not a valid registry host"),
        (".example/x", "not a valid registry host"),
        ("r.example:port/x", "not a valid registry host"),
        ("r.example:/x", "the transport .* is not supported"),
        ("r_x.example/x", "not a valid registry host"),
        ("user:secret@r.example/x", "must not contain credentials"),
        ("docker://user:secret@r.example/x:1", "must not contain credentials"),
        ("::1/x", "not a valid registry host"),
        ("[::1/x", "not a valid registry host"),
        ("[::g]:5000/x", "not a valid registry host"),
        ("r.example/x:", "not a valid tag"),
        ("r.example/x:.1", "not a valid tag"),
        ("r.example/x:-1", "not a valid tag"),
        ("r.example/x:a+b", "not a valid tag"),
        ("r.example/x:a b", "not a valid tag"),
        ("r.example/x:ä", "not a valid tag"),
        ("r.example/x:" + "t" * 129, "not a valid tag"),
        ("r.example/x@", "not a valid digest"),
        ("r.example/x@1.0", "not a valid digest"),
        ("r.example/x@sha256:" + HEX[1:], "not a valid digest"),
        ("r.example/x@sha256:" + HEX.upper(), "not a valid digest"),
        ("r.example/x@md5:" + HEX[:32], "not a valid digest"),
        ("r.example/x@%s@%s" % (DIGEST, DIGEST), "not a valid digest"),
        (HEX, "image ID"),
    ],
)
def test_what_is_not_a_reference_is_refused_with_the_reason(text, complaint):
    with pytest.raises(InvalidReference, match=complaint):
        references.parse(text)


@pytest.mark.parametrize(
    "text", ["r.example/Foo:1", "r.example/x:a+b", "-r.example/x", "r.example/x@1.0", "sif:/x.sif"]
)
def test_the_error_names_the_reference_as_it_was_written(text):
    with pytest.raises(InvalidReference) as caught:
        references.parse(text)
    assert str(caught.value).startswith(text + ": ")


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


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("oci:", "the reference has no path"),
        ("oci::1", "the reference has no path"),
        ("oci-archive:", "the reference has no path"),
        ("dir:", "the reference has no path"),
        ("oci:/srv/images:", "is not a valid image name"),
        ("oci:/srv/images:a b", "is not a valid image name"),
        ("oci:/srv/images:ä", "is not a valid image name"),
    ],
)
def test_a_malformed_local_reference_is_refused(text, complaint):
    with pytest.raises(InvalidReference, match=complaint):
        references.parse(text)


@pytest.mark.parametrize(("text", "shown"), [("oci:/srv/x", "oci:/srv/x"), ("oci:/srv/x:a:b", "oci:/srv/x:a:b")])
def test_a_local_reference_reads_back_as_itself(text, shown):
    assert str(references.parse(text)) == shown


@pytest.mark.parametrize("text", ["sif:/srv/x.sif", "tarball:x.tar", "ostree:/x"])
def test_an_unknown_transport_is_not_taken_for_a_repository(text):
    with pytest.raises(InvalidReference, match="the transport '%s" % text.partition(":")[0]) as caught:
        references.parse(text)
    assert "docker://" in caught.value.hint
    assert "oci:" in caught.value.hint


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


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_url_is_not_a_reference(scheme):
    with pytest.raises(InvalidReference, match="found a URL") as caught:
        references.parse("%s://r.example/x" % scheme)
    assert "plain_http" in caught.value.hint


def test_64_hexadecimal_digits_with_a_tag_are_a_name():
    assert references.parse("a" * 64 + ":1") == RegistryReference("docker.io", "library/" + "a" * 64, "1")


def test_a_password_in_a_url_is_not_repeated():
    with pytest.raises(InvalidReference) as caught:
        references.parse("https://alice:tell-nobody@r.example/app")
    assert "tell-nobody" not in str(caught.value)


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
    ("text", "said"),
    [
        ("docker-daemon:", "the reference has no image name. Write docker-daemon:NAME[:TAG] or an image ID."),
        ("docker-daemon:A", "'A' is not a valid repository name"),
        (
            "docker-daemon:a@sha256:" + "0" * 64,
            "the reference has a name and a digest, but an engine needs either a name or an image ID",
        ),
        ("docker-daemon:" + "0" * 64, "found an image ID"),
        ("docker-archive:", "the reference has no file name. Write docker-archive:FILE[:NAME]."),
        ("docker-archive:/x:", "the reference has no image name. Write docker-archive:FILE[:NAME]."),
        ("docker-archive:/x:@a", "@a: 'a' is not a valid digest"),
    ],
)
def test_what_names_no_image_of_an_engine(text, said):
    with pytest.raises(InvalidReference) as caught:
        references.parse(text)
    assert said in str(caught.value)


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


@pytest.mark.parametrize("other", ["oci:/layout:v1", "docker-archive:/y"])
def test_source_that_tells_no_name(other):
    with pytest.raises(InvalidReference, match="neither dest nor src .* has an image name"):
        references.named_after(references.parse("docker-archive:/x"), references.parse(other))


@pytest.mark.parametrize(
    "text",
    [
        "HTTPS://alice:hunter2@r.example/app",
        "docker://alice:hun/hunter2@r.example/app",
        "//alice:hunter2@r.example/app",
        "alice:hun/hunter2@r.example/app:1",
        "alice:/hunter2@r.example/app",
        "docker-daemon:alice:hunter2@r.example/app",
    ],
)
def test_credentials_of_any_odd_url_are_not_repeated(text):
    with pytest.raises(InvalidReference) as caught:
        references.parse(text)
    assert "hunter2" not in str(caught.value)
    assert "alice:" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("localhost", "the reference has a registry, but no repository. Write localhost/REPOSITORY[:TAG]."),
        ("r.example:5000", "the reference has a registry, but no repository. Write r.example:5000/REPOSITORY[:TAG]."),
        ("[::1]:5000", "the reference has a registry, but no repository. Write [::1]:5000/REPOSITORY[:TAG]."),
        ("oci:///srv/x:1", "expected an image reference, but found a URL. Write oci:/srv/x:1."),
        (
            "oci://srv/x",
            "expected an image reference, but found a URL. Write oci:/srv/x for a path, or the registry's host",
        ),
        ("oci://r.example/charts/app:1", "expected an image reference, but found a URL. Write r.example/charts/app:1."),
        ("oci-archive:///srv/x.tar", "expected an image reference, but found a URL. Write oci-archive:/srv/x.tar."),
        ("dir://srv/x", "expected an image reference, but found a URL. Write dir:/srv/x for a path"),
        ("docker-daemon://app:1", "expected an image reference, but found a URL. Write docker-daemon:app:1."),
        (
            "https://r.example/app:1",
            "expected an image reference, but found a URL. Write r.example/app:1. For a registry without TLS",
        ),
        (
            "s3://bucket/x",
            "expected an image reference, but found a URL. Write host[:port]/path[:tag] for a registry, or a transport",
        ),
        (
            "docker:r.example/app:1",
            "the transport for registries is docker://, not docker:. Write docker://r.example/app:1.",
        ),
        (
            "./x",
            "expected an image reference, but found a path. Write oci:./x for an OCI layout, dir:./x for a directory with one",
        ),
        ("~/x", "expected an image reference, but found a path. Write oci:~/x for"),
    ],
)
def test_the_hint_is_the_reference_that_was_meant(text, message):
    with pytest.raises(InvalidReference) as raised:
        parse(text)
    assert str(raised.value).startswith("%s: %s" % (text, message))


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
