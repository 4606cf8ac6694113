# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.location import FilterModule

location = FilterModule().filters()["location"]
DIGEST = "sha256:" + "0" * 64
TEXTS = ("kind", "root", "full_name", "host", "name", "repository", "tag", "digest")


def parts(kind, root, **given):
    expected = {**dict.fromkeys(TEXTS), "kind": kind, "root": root, "is_local": kind != "docker", "is_loopback": False}
    return {**expected, **given}


@pytest.mark.parametrize(
    ("text", "host", "is_loopback"),
    [
        ("registry.example.com", "registry.example.com", False),
        (" docker://registry:5000/ ", "registry:5000", False),
        ("localhost", "localhost", True),
        ("127.0.0.1:5000", "127.0.0.1:5000", True),
        ("docker://[::1]:5000", "[::1]:5000", True),
        ("127.example.com", "127.example.com", False),
    ],
)
def test_a_registry_as_a_whole(text, host, is_loopback):
    assert location(text) == parts("docker", host, host=host, is_loopback=is_loopback)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r.example/team", {"repository": "team", "name": "team", "full_name": "r.example/team"}),
        (
            "r.example/team/app:1.0@" + DIGEST,
            {
                "repository": "team/app",
                "tag": "1.0",
                "digest": DIGEST,
                "name": "team/app:1.0@" + DIGEST,
                "full_name": "r.example/team/app:1.0@" + DIGEST,
            },
        ),
    ],
)
def test_a_path_or_an_image_of_a_registry(text, expected):
    assert location(text) == parts("docker", "r.example", host="r.example", **expected)


def test_a_short_name_is_an_image_of_docker_hub():
    expected = {"repository": "library/alpine", "name": "library/alpine", "full_name": "docker.io/library/alpine"}
    assert location("alpine") == parts("docker", "docker.io", host="docker.io", **expected)


@pytest.mark.parametrize(
    ("text", "kind", "root", "expected"),
    [
        ("oci:/srv/images", "oci", "/srv/images", {}),
        ("oci:../images", "oci", "../images", {}),
        ("dir:~/tree", "dir", "~/tree", {}),
        (
            "oci:/srv/images:r.example:5000/app:1",
            "oci",
            "/srv/images",
            {
                "host": "r.example:5000",
                "repository": "app",
                "tag": "1",
                "name": "app:1",
                "full_name": "r.example:5000/app:1",
            },
        ),
        (
            "oci:/srv/images:team/app@" + DIGEST,
            "oci",
            "/srv/images",
            {
                "repository": "team/app",
                "digest": DIGEST,
                "name": "team/app@" + DIGEST,
                "full_name": "team/app@" + DIGEST,
            },
        ),
        (
            "docker-archive:/srv/a.tar:alpine:3",
            "docker-archive",
            "/srv/a.tar",
            {"repository": "alpine", "tag": "3", "name": "alpine:3", "full_name": "alpine:3"},
        ),
        (
            "docker-daemon:alpine:3",
            "docker-daemon",
            None,
            {
                "host": "docker.io",
                "repository": "library/alpine",
                "tag": "3",
                "name": "library/alpine:3",
                "full_name": "docker.io/library/alpine:3",
            },
        ),
        (
            "containers-storage:" + DIGEST,
            "containers-storage",
            None,
            {"name": DIGEST, "full_name": DIGEST, "digest": DIGEST},
        ),
    ],
)
def test_places_on_the_node(text, kind, root, expected):
    assert location(text) == parts(kind, root, **expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (5, "location: the input is not a string. Pass one image reference, or src or dest of image_sync."),
        ("https://r.example/app", "location: https://r.example/app: expected an image reference, but found a URL."),
        ("", "location: the reference is empty."),
        ("r_.example", "'r_.example' is not a valid registry host"),
    ],
)
def test_other_texts_are_refused(text, message):
    with pytest.raises(AnsibleFilterError) as raised:
        location(text)
    assert message in str(raised.value)
