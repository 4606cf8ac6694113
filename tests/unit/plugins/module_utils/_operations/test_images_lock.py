# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
import yaml

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse_registry
from ansible_collections.drayage.registry.plugins.module_utils._operations.images_lock import (
    LockedImage,
    encode,
    origin_of,
    read_lock,
    save_lock,
)

DIGEST = "sha256:" + "a" * 64
HEAD = "apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\n"
APP = parse_registry("r.example/app:1.0@" + DIGEST)
WITHOUT_TAG = parse_registry("r.example/tool@" + DIGEST)
FILE = """\
---
apiVersion: imgpkg.carvel.dev/v1alpha1
kind: ImagesLock
images:
- image: r.example/app:1.0@%s
  annotations:
    drayage.registry/platforms: linux/amd64,linux/arm64
    drayage.registry/source: a.yaml
    kbld.carvel.dev/id: r.example/app:1.0
- image: r.example/tool@%s
""" % (DIGEST, DIGEST)
LOCKED = [
    LockedImage(
        APP,
        {
            "kbld.carvel.dev/id": "r.example/app:1.0",
            "drayage.registry/source": "a.yaml",
            "drayage.registry/platforms": "linux/amd64,linux/arm64",
        },
    ),
    LockedImage(WITHOUT_TAG),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.lock.yml"


def read(path, text):
    path.write_text(text)
    return read_lock(str(path))


def test_a_file_is_written_and_read_again(path):
    save_lock(str(path), LOCKED[::-1])
    assert path.read_text() == FILE
    assert read_lock(str(path)) == LOCKED


@pytest.mark.parametrize("text", [HEAD, HEAD + "images: []\n", HEAD + "images:\n"])
def test_a_file_may_contain_no_images(path, text):
    assert read(path, text) == []


@pytest.mark.parametrize("tag", ["1.10", "0x10", "1e3", "y", "NO", "N", "1_000", ".5", "+1", "true", "null"])
def test_annotations_stay_text_for_yaml_1_1_and_for_go(path, tag):
    content = encode([LockedImage(APP, {"a": tag})])
    assert yaml.safe_load(content)["images"][0]["annotations"] == {"a": tag}
    assert b"    a: '%s'\n" % tag.encode() in content
    path.write_bytes(content)
    assert read_lock(str(path))[0].annotations == {"a": tag}


@pytest.mark.parametrize("text", ["words " * 60 + "end", "latest", "v1", "e1"])
def test_other_texts_are_written_without_quotes_on_one_line(text):
    assert "    a: %s\n" % text in encode([LockedImage(APP, {"a": text})]).decode("utf-8")


@pytest.mark.parametrize(
    ("text", "where", "cause"),
    [
        ("kind: ImagesLock\n", "", "the file is not an ImagesLock: apiVersion must be imgpkg.carvel.dev/v1alpha1."),
        (HEAD.replace("ImagesLock", "Bundle"), "", "the file is not an ImagesLock: kind must be ImagesLock."),
        (HEAD.replace("alpha1", "alpha2"), "", "the file is not an ImagesLock: apiVersion must be imgpkg"),
        (HEAD + "image: []\n", "", "unknown key 'image'. Use one of the supported keys: apiVersion, kind, images."),
        (
            HEAD + "images:\n- image: a/b@%s\n- name: x\n" % DIGEST,
            ": images[1]",
            "unknown key 'name'. Use one of the supported keys: image, annotations.",
        ),
        (
            HEAD + "images:\n- {}\n",
            ": images[0]",
            "the key 'image' is missing. Write image: NAME:TAG@DIGEST, or image:",
        ),
        (
            HEAD + "images:\n- image: a/b:1\n",
            ": images[0]: image",
            "the reference a/b:1 has no digest. Write NAME:TAG@DIGEST, or",
        ),
        (HEAD + "images:\n- image: A/B@%s\n" % DIGEST, ": images[0]: image", "Write the repository name in lower case"),
    ],
)
def test_another_file_is_refused(path, text, where, cause):
    with pytest.raises(ImageError) as caught:
        read(path, text)
    assert str(caught.value).startswith("%s%s: " % (path, where))
    assert cause in str(caught.value)


@pytest.mark.parametrize(
    ("image", "annotations", "requested"),
    [
        (APP, {}, "r.example/app:1.0"),
        (WITHOUT_TAG, {}, "r.example/tool@" + DIGEST),
        (WITHOUT_TAG, {"kbld.carvel.dev/id": "busybox"}, "docker.io/library/busybox:latest"),
        (APP, {"kbld.carvel.dev/id": "no reference"}, "r.example/app:1.0"),
        (APP, {"kbld.carvel.dev/id": "oci:/x"}, "r.example/app:1.0"),
    ],
)
def test_an_entry_says_what_was_locked(image, annotations, requested):
    locked = LockedImage(image, annotations)
    assert str(locked.requested) == requested
    assert str(locked.reference) == "%s@%s" % (requested.partition("@")[0], DIGEST)


@pytest.mark.parametrize(
    ("locked", "entry"),
    [
        (
            LOCKED[0],
            {
                "name": "r.example/app",
                "tags": ["1.0"],
                "digest": DIGEST,
                "platforms": ["linux/amd64", "linux/arm64"],
            },
        ),
        (LOCKED[1], {"name": "r.example/tool", "tags": [DIGEST], "digest": "", "platforms": None}),
    ],
)
def test_an_entry_is_synchronized_to_exactly_its_image(locked, entry):
    assert locked.entry() == entry


def test_platforms_are_separated_by_commas():
    annotations = {"drayage.registry/platforms": " linux/amd64, linux/arm64 ,"}
    assert LockedImage(APP, annotations).platforms == ["linux/amd64", "linux/arm64"]
    assert LockedImage(APP).platforms == []


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("busybox", '- resolved:\n    tag: "latest"\n    url: docker.io/library/busybox:latest\n'),
        ("r.example/app@" + DIGEST, "- resolved:\n    url: r.example/app@%s\n" % DIGEST),
    ],
)
def test_the_origin_is_noted_as_kbld_does(text, origin):
    assert origin_of(text) == {"kbld.carvel.dev/id": text, "kbld.carvel.dev/origins": origin}
    assert yaml.safe_load(origin)[0]["resolved"]["url"]


def test_a_file_has_the_mode_of_any_new_file_and_later_keeps_its_own(path):
    before = os.umask(0o027)
    try:
        save_lock(str(path), LOCKED)
        assert path.stat().st_mode & 0o7777 == 0o640
        path.chmod(0o664)
        save_lock(str(path), LOCKED[:1])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o7777 == 0o664
    assert os.listdir(path.parent) == [path.name]


def test_a_link_to_the_file_stays_a_link(path, tmp_path):
    save_lock(str(path), LOCKED)
    path.chmod(0o640)
    link = tmp_path / "link.yml"
    link.symlink_to(path)
    save_lock(str(link), LOCKED[:1])
    assert link.is_symlink()
    assert read_lock(str(path)) == LOCKED[:1]
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    path = tmp_path / "none" / "images.lock.yml"
    with pytest.raises(LocalFailure) as caught:
        save_lock(str(path), LOCKED)
    assert str(caught.value) == "cannot write the lock file %s: no such file or directory." % path
