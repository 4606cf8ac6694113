# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References that are refused, with the reason and, if it is clear, the reference that was meant."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidReference
from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse

HEX = "0123456789abcdef" * 4
DIGEST = "sha256:" + HEX


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


@pytest.mark.parametrize("text", ["sif:/srv/x.sif", "tarball:x.tar", "ostree:/x"])
def test_an_unknown_transport_is_not_taken_for_a_repository(text):
    with pytest.raises(InvalidReference, match="the transport '%s" % text.partition(":")[0]) as caught:
        references.parse(text)
    assert "docker://" in caught.value.hint
    assert "oci:" in caught.value.hint


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_url_is_not_a_reference(scheme):
    with pytest.raises(InvalidReference, match="found a URL") as caught:
        references.parse("%s://r.example/x" % scheme)
    assert "plain_http" in caught.value.hint


def test_a_password_in_a_url_is_not_repeated():
    with pytest.raises(InvalidReference) as caught:
        references.parse("https://alice:tell-nobody@r.example/app")
    assert "tell-nobody" not in str(caught.value)


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
