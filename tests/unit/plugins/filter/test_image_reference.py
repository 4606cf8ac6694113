# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.image_reference import FilterModule

image_reference = FilterModule().filters()["image_reference"]
DIGEST = "sha256:" + "0" * 64


def parts(**given):
    names = ("name", "transport", "host", "repository", "tag", "digest", "path", "ref")
    return {**dict.fromkeys(names), **given}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpine", {"name": "docker.io/library/alpine", "host": "docker.io", "repository": "library/alpine"}),
        (
            " docker://r.example:5000/a/b:1 ",
            {"name": "r.example:5000/a/b:1", "host": "r.example:5000", "repository": "a/b", "tag": "1"},
        ),
        (
            "localhost/a:1@" + DIGEST,
            {
                "name": "localhost/a:1@" + DIGEST,
                "host": "localhost",
                "repository": "a",
                "tag": "1",
                "digest": DIGEST,
            },
        ),
    ],
)
def test_parts_of_a_registry_reference(text, expected):
    assert image_reference(text) == parts(transport="docker", **expected)


@pytest.mark.parametrize(
    ("text", "path", "ref"),
    [
        ("oci:/srv/images:app-1.0", "/srv/images", "app-1.0"),
        ("oci:/srv/images", "/srv/images", None),
        ("oci:../images:r.example/a:1", "../images", "r.example/a:1"),
        ("oci:~/images", "~/images", None),
    ],
)
def test_the_path_of_a_layout_is_not_looked_up_here(text, path, ref):
    assert image_reference(text) == parts(name=text, transport="oci", path=path, ref=ref)


def test_images_of_engines_have_the_names_of_registries():
    found = image_reference("docker-daemon:alpine:3")
    assert found == parts(
        name="docker-daemon:docker.io/library/alpine:3",
        transport="docker-daemon",
        host="docker.io",
        repository="library/alpine",
        tag="3",
        ref="alpine:3",
    )
    found = image_reference("docker-archive:../a.tar:r.example/b:1")
    assert (found["path"], found["ref"], found["host"], found["tag"]) == ("../a.tar", "r.example/b:1", "r.example", "1")
    assert image_reference("docker-archive:../a.tar") == parts(
        name="docker-archive:../a.tar", transport="docker-archive", path="../a.tar"
    )


@pytest.mark.parametrize(
    "text", ["", "r.example/A", "https://r.example/a", "a@sha256:0", "oci:", "nothing:/x", "0" * 64]
)
def test_an_error_is_one_plain_sentence_with_the_text(text):
    with pytest.raises(AnsibleFilterError) as caught:
        image_reference(text)
    message = str(caught.value)
    assert message.startswith("image_reference: " + text)
    assert message.endswith(".")


@pytest.mark.parametrize("value", [None, 1, {}, ["a"], b"a"])
def test_only_text_is_split(value):
    with pytest.raises(AnsibleFilterError, match="^image_reference: the input is not a string"):
        image_reference(value)
