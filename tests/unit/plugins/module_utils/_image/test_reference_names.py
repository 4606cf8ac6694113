# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of images that references have, may have, or get by default."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidReference
from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse

ID = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "tag", "may_be"),
    [
        ("r.example/app", "1.0", True),
        ("r.example/app", "a/b", False),
        ("oci:/layout", "r.example/app:1", True),
        ("oci:/layout", "@0", False),
        ("oci:/layout", "two words", False),
        ("oci:/layout", "", False),
        ("dir:/image", "1.0", False),
        ("docker-daemon:app", "1.0", True),
        ("docker-daemon:app", "a/b", False),
        ("docker-archive:/file.tar", "1.0", False),
        ("docker-archive:/file.tar", "", False),
    ],
)
def test_which_tags_an_image_may_have(text, tag, may_be):
    assert parse(text).may_be_named(tag) is may_be


@pytest.mark.parametrize(
    ("text", "has_names"),
    [("r.example/app", True), ("oci:/layout", True), ("dir:/image", False), ("docker-daemon:app", True)],
)
def test_only_a_directory_has_no_names(text, has_names):
    assert parse(text).has_names is has_names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("r.example/app", "latest"),
        ("r.example/app:1", "1"),
        ("r.example/app:1@" + ID, ID),
        ("docker-daemon:app", "latest"),
        ("docker-daemon:app:1", "1"),
        ("docker-daemon:" + ID, ID),
        ("docker-archive:/file.tar", ""),
        ("docker-archive:/file.tar:@1", "@1"),
        ("oci:/layout", ""),
        ("oci:/layout:1", "1"),
        ("dir:/image", ""),
    ],
)
def test_a_repository_without_a_name_means_latest(text, name):
    assert references.name_or_default(parse(text)) == name


@pytest.mark.parametrize(
    ("text", "is_prefix"),
    [
        ("r.example", True),
        ("r.example:5000", True),
        ("r.example/team", True),
        ("r.example/team/app", True),
        ("r.example/", False),
        ("r.example/Team", False),
        ("r.example/app:1", False),
        ("-r.example", False),
        ("", False),
    ],
)
def test_prefixes_of_repositories(text, is_prefix):
    assert references.is_prefix(text) is is_prefix


@pytest.mark.parametrize("transport", ["oci", "oci-archive", "dir", "docker-archive", "docker-daemon"])
def test_a_transport_alone_is_a_short_name(transport):
    assert str(parse(transport)) == "docker.io/library/" + transport


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("@0", 0),
        ("@12", 12),
        ("@999999999", 999_999_999),
        ("@" + "9" * 5000, None),
        ("@", None),
        ("@1a", None),
        ("1", None),
    ],
)
def test_positions(name, position):
    assert references.position(name) == position


def test_positions_beyond_all_files_are_names():
    with pytest.raises(InvalidReference, match="Write sha256: followed by 64"):
        parse("docker-archive:/file.tar:@" + "9" * 5000)
    assert parse("oci:/layout:@" + "9" * 5000).tag == "@" + "9" * 5000


@pytest.mark.parametrize("transport", ["tarball", "sif"])
def test_transports_that_are_not_supported_are_refused_by_name(transport):
    for path in ("image", "/image"):
        with pytest.raises(InvalidReference, match="the transport '%s' is not supported" % transport):
            parse("%s:%s" % (transport, path))


def test_the_error_for_an_engine_without_a_name_has_its_reference():
    with pytest.raises(InvalidReference, match="^docker-daemon:: the reference has no image name"):
        parse("docker-daemon:")
