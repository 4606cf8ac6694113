# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_lock: what is in the file, when it is written, and who else can read it."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
import yaml

from ansible_collections.drayage.registry.plugins.filter.rewrite_images import rewrite_images
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse_registry
from ansible_collections.drayage.registry.plugins.module_utils._operations.images_lock import (
    LockedImage,
    origin_of,
    read_lock,
    save_lock,
)
from devtools import images, provision
from devtools.observe import digest_at

APP, NEXT = images.index(seed="app"), images.index(seed="next")
TOOL = images.single(seed="tool")
DIGEST = "sha256:" + "0" * 64
HEAD = "apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\n"
REFUSED = [
    ("kind: Pod\n", "PATH: the file is not an ImagesLock: apiVersion must be imgpkg.carvel.dev/v1alpha1."),
    (
        HEAD + "image: []\n",
        "PATH: unknown key 'image'. Use one of the supported keys: apiVersion, kind, images.",
    ),
    (
        HEAD + "images:\n- image: a/b:1\n",
        "PATH: images[0]: image: the reference a/b:1 has no digest. Write NAME:TAG@DIGEST, or NAME@DIGEST.",
    ),
    (
        HEAD + f"images:\n- image: a/b@{DIGEST}\n  name: b\n",
        "PATH: images[0]: unknown key 'name'. Use one of the supported keys: image, annotations.",
    ),
    (
        HEAD + f"images:\n- image: a/b@{DIGEST}\n  image: c\n",
        "PATH, line 5: a mapping contains the same key twice. Remove one of the keys.",
    ),
]


@pytest.fixture
def pushed(registry, repository):
    """Push two images, and return the place of their repositories."""
    images.push(APP, registry.host, f"{repository}/app", "1.0")
    images.push(TOOL, registry.host, f"{repository}/tool", "latest")
    registry.forget()
    return f"{registry.host}/{repository}"


@pytest.fixture(scope="module")
def judge():
    """Return a function that reads a lock file as imgpkg does."""
    path = provision.own_go_program("lockjudge")
    if not path:
        pytest.skip("Go is not installed, so that nothing reads lock files as imgpkg does")

    def read(file):
        return json.loads(subprocess.run([path, str(file)], capture_output=True, check=True, timeout=60).stdout)

    return read


def test_locking_twice_changes_nothing(run_module, registry, pushed, tmp_path):
    path = tmp_path / "images.lock.yml"
    wanted = [
        f"{pushed}/tool",
        {"reference": f"{pushed}/app:1.0", "kind": "container", "certain": True, "file": "a.yaml"},
    ]
    options = {"path": str(path), "images": wanted, "platforms": ["linux/amd64"]}
    planned = run_module("image_lock", check_mode=True, diff=True, **options)
    assert (planned.raw["changed"], path.exists()) == (True, False)
    locked = run_module("image_lock", **options)
    assert (locked.raw["changed"], locked.raw["images"]) == (True, planned.raw["images"])
    assert locked.raw["msg"] == f"Locked 2 images in {path}: 2 added, 0 moved, 0 removed."
    assert [request.method for request in registry.requests()] == ["GET"] * 4
    content = path.read_bytes()
    document = yaml.safe_load(content)
    assert (document["apiVersion"], document["kind"]) == ("imgpkg.carvel.dev/v1alpha1", "ImagesLock")
    assert [each["image"] for each in document["images"]] == [
        f"{pushed}/app:1.0@{APP.digest}",
        f"{pushed}/tool:latest@{TOOL.digest}",
    ]
    app, tool = (each["annotations"] for each in document["images"])
    assert app["drayage.registry/source"] == "a.yaml"
    assert app["drayage.registry/platforms"] == "linux/amd64"
    assert tool["kbld.carvel.dev/id"] == f"{pushed}/tool"
    registry.forget()
    again = run_module("image_lock", **options)
    assert (again.raw["changed"], again.raw["requests"], path.read_bytes()) == (False, 0, content)
    assert registry.requests() == []
    again = run_module("image_lock", **{**options, "images": list(reversed(wanted)), "update": "all"})
    assert (again.raw["changed"], path.read_bytes()) == (False, content)


def test_images_without_a_platform_are_not_locked(run_module, registry, repository, pushed, tmp_path):
    """One GET in place of the HEAD shows the platforms; what is noted with them is not asked for again."""
    path = tmp_path / "images.lock.yml"
    options = {"path": str(path), "images": [f"{pushed}/app:1.0", f"{pushed}/tool"]}
    failed = run_module("image_lock", **options, platforms=["linux/amd64", "linux/s390x"])
    assert failed.raw["msg"] == (
        f"{pushed}/app:1.0: the image is not available for platform linux/s390x. Choose one of the available platforms: linux/amd64, linux/arm64."
    )
    assert not path.exists()
    registry.forget()
    assert run_module("image_lock", **options, platforms=["linux/arm64"]).raw["changed"]
    assert [request.method for request in registry.requests()] == ["GET", "GET"]
    registry.forget()
    assert not run_module("image_lock", **options, platforms=["linux/arm64"]).raw["changed"]
    assert registry.requests() == []
    content = path.read_bytes()
    failed = run_module("image_lock", **options, platforms=["linux/s390x"])
    assert failed.raw["msg"].startswith(
        f"{pushed}/app:1.0@{APP.digest}: the image is not available for platform linux/s390x."
    )
    single = images.index(platforms=["linux/amd64"], seed="next")
    images.push(single, registry.host, f"{repository}/app", "1.0")
    failed = run_module("image_lock", path=str(path), update="all")
    assert (
        failed.raw["msg"]
        == f"{pushed}/app:1.0: the image is not available for platform linux/arm64. Choose one of the available platforms: linux/amd64."
    )
    assert path.read_bytes() == content


def test_pins_move_when_they_are_told_to(run_module, registry, repository, pushed, tmp_path):
    path = tmp_path / "images.lock.yml"
    run_module("image_lock", path=str(path), images=[f"{pushed}/app:1.0", f"{pushed}/tool:latest"])
    assert not run_module("image_lock", path=str(path), update="none").failed
    path.chmod(0o640)
    content = path.read_bytes()
    images.push(NEXT, registry.host, f"{repository}/app", "1.0")
    moved = [{"image": f"{pushed}/app:1.0", "before": APP.digest, "after": NEXT.digest}]
    assert not run_module("image_lock", path=str(path)).raw["changed"]
    failed = run_module("image_lock", path=str(path), update="none")
    assert failed.raw["moved"] == moved
    assert failed.raw["msg"] == (
        f"{path} is out of date: the tags of these images have moved: {pushed}/app:1.0 ({NEXT.digest}, locked as {APP.digest}). "
        "Run the task with update: all, and review the difference."
    )
    planned = run_module("image_lock", check_mode=True, diff=True, path=str(path), update="all")
    assert planned.raw["diff"]["before"][f"{pushed}/app:1.0"] == APP.digest
    assert planned.raw["diff"]["after"][f"{pushed}/app:1.0"] == NEXT.digest
    assert (planned.raw["moved"], path.read_bytes()) == (moved, content)
    updated = run_module("image_lock", path=str(path), update="all")
    assert (updated.raw["changed"], updated.raw["moved"]) == (True, moved)
    assert path.read_bytes() == content.replace(APP.digest.encode(), NEXT.digest.encode())
    assert path.stat().st_mode & 0o777 == 0o640
    assert [name for name in os.listdir(tmp_path) if "staging" in name] == []


def as_kbld(document, lock):
    """Replace values of keys named image as kbld does: those that equal the annotation with the first reference."""
    overrides = {each["annotations"]["kbld.carvel.dev/id"]: each["image"] for each in lock["images"]}
    if isinstance(document, list):
        return [as_kbld(each, lock) for each in document]
    if isinstance(document, dict):
        return {
            key: overrides.get(value, value) if key == "image" else as_kbld(value, lock)
            for key, value in document.items()
        }
    return document


# The lines that Renovate's manager "kubernetes" reads: the reference, and what it replaces.
RENOVATE = re.compile(r"^(\s*-?\s*image:\s*['\"]?)([^\s'\"@]+)@(sha256:[0-9a-f]{64})(['\"]?\s*)$", re.MULTILINE)


def test_other_tools_read_and_write_the_file(run_module, registry, repository, pushed, tmp_path):
    """kbld replaces images as we do, and Renovate replaces digests on lines; what it writes holds, and is no difference."""
    path = tmp_path / "images.lock.yml"
    run_module("image_lock", path=str(path), images=[f"{pushed}/app:1.0", f"{pushed}/tool"])
    text = path.read_text()
    lock = yaml.safe_load(text)
    manifest = f"kind: Pod\nspec: {{containers: [{{image: '{pushed}/app:1.0'}}, {{image: {pushed}/tool}}, {{image: a/b:1}}]}}\n"
    replaced = as_kbld(yaml.safe_load(manifest), lock)
    images_there = [each["image"] for each in replaced["spec"]["containers"]]
    assert images_there == [f"{pushed}/app:1.0@{APP.digest}", f"{pushed}/tool:latest@{TOOL.digest}", "a/b:1"]
    assert yaml.safe_load(rewrite_images(manifest, lock)["content"]) == replaced
    origins = yaml.safe_load(lock["images"][0]["annotations"]["kbld.carvel.dev/origins"])
    assert origins == [{"resolved": {"tag": "1.0", "url": f"{pushed}/app:1.0"}}]
    # Renovate reads documents with these keys, and writes no line but those of digests that have moved.
    assert {"apiVersion", "kind"} <= set(lock)
    assert [match[1:3] for match in RENOVATE.findall(text)] == [
        (f"{pushed}/app:1.0", APP.digest),
        (f"{pushed}/tool:latest", TOOL.digest),
    ]
    images.push(NEXT, registry.host, f"{repository}/app", "1.0")
    renovated = RENOVATE.sub(lambda found: found[0].replace(APP.digest, NEXT.digest), text)
    path.write_text("# ours\n" + renovated.replace("  annotations:\n", "  annotations:\n    a: b\n"))
    for update in ("missing", "none", "all"):
        assert not run_module("image_lock", path=str(path), update=update).raw["changed"]
    assert path.read_text().startswith("# ours\n")
    updated = run_module("image_lock", path=str(path), platforms=["linux/amd64"])
    assert updated.raw["images"][0]["annotations"]["a"] == "b"


def test_sync_of_a_lock_file(run_module, registry, second_registry, repository, pushed, tmp_path):
    """The digest in the file decides, and its platforms; where the tag points to by now does not matter."""
    path = str(tmp_path / "images.lock.yml")
    run_module("image_lock", path=path, images=[f"{pushed}/app:1.0"])
    images.push(NEXT, registry.host, f"{repository}/app", "1.0")
    options = {"dest": second_registry.host, "lock_file": path, "images": [f"{pushed}/tool"]}
    synced = run_module("image_sync", **options)
    assert [image["action"] for image in synced.raw["images"]] == ["created", "created"]
    assert digest_at(second_registry.host, f"{repository}/app", "1.0") == APP.digest
    assert run_module("image_sync", **options).changed is False
    run_module("image_lock", path=path, update="all", platforms=["linux/arm64"])
    assert run_module("image_sync", **options).changed is True
    shown = run_module("image_inspect", image=f"{second_registry.host}/{repository}/app:1.0")
    assert shown.raw["platforms"] == ["linux/arm64"]


def test_sync_of_a_regsync_file(run_module, registry, second_registry, repository, pushed, tmp_path):
    path = tmp_path / "regsync.yml"
    target = f"{second_registry.host}/{repository}"
    path.write_text(
        f"""\
version: 1
defaults: {{parallel: 2}}
creds: [{{registry: {second_registry.host}, tls: disabled}}]
sync:
  - {{source: "{pushed}/app", target: "{target}/copy", type: repository, tags: {{allow: ['1\\..*']}}}}
  - {{source: "{pushed}/tool:latest", target: "{target}/tool:latest", type: image}}
"""
    )
    synced = run_module("image_sync", source_file=str(path))
    assert [image["dest"] for image in synced.raw["images"]] == [f"{target}/copy:1.0", f"{target}/tool:latest"]
    assert digest_at(second_registry.host, f"{repository}/copy", "1.0") == APP.digest
    assert run_module("image_sync", source_file=str(path)).changed is False
    failed = run_module("image_sync", source_file=str(path), dest=second_registry.host)
    assert (
        failed.raw["msg"]
        == f"dest cannot be set, because {path} already contains a target for each image. Remove the dest option."
    )
    path.write_text(
        "kind: ImageSetConfiguration\napiVersion: mirror.openshift.io/v2alpha1\n"
        f"mirror: {{additionalImages: [{{name: '{pushed}/app:1.0'}}]}}\n"
    )
    synced = run_module("image_sync", source_file=str(path), dest=f"{second_registry.host}/oc")
    assert [image["dest"] for image in synced.raw["images"]] == [f"{second_registry.host}/oc/{repository}/app:1.0"]
    failed = run_module("image_sync", source_file=str(path), dest=second_registry.host, src=registry.host)
    assert (
        failed.raw["msg"]
        == f"src cannot be set, because the names in {path} already include a registry. Remove the src option."
    )


def test_imgpkg_refuses_what_is_refused(judge, tmp_path):
    path = tmp_path / "images.lock.yml"
    for text, _message in REFUSED:
        path.write_text(text)
        assert "error" in judge(path), text


# To Go's YAML these are booleans and numbers, or they are to Python's.
TEXTS = (
    "y",
    "N",
    "on",
    "null",
    "~",
    "1e3",
    "1_0",
    "08",
    "0x1f",
    "0o17",
    "0b1",
    ".5",
    "1.",
    "12:30",
    "2001-01-01",
    "a: b",
)


def test_imgpkg_reads_what_is_written(judge, tmp_path):
    image = parse_registry(f"registry.example.com/app:1.0@{DIGEST}")
    annotations = {f"text {number}": text for number, text in enumerate(TEXTS)}
    annotations.update(origin_of("nginx"), **{"1.5": "", "y": "a"})
    path = tmp_path / "images.lock.yml"
    save_lock(str(path), [LockedImage(image, annotations), LockedImage(parse_registry(f"a/b@{DIGEST}"))])
    expected = {str(image): annotations, f"docker.io/a/b@{DIGEST}": None}
    assert judge(path) == {"images": expected}
    assert {str(each.image): dict(each.annotations) or None for each in read_lock(str(path))} == expected


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_files_that_imgpkg_refuses_are_refused(run_module, tmp_path, text, message):
    path = tmp_path / "images.lock.yml"
    path.write_text(text)
    failed = run_module("image_lock", path=str(path))
    assert failed.raw["msg"] == message.replace("PATH", str(path))
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": []}, "there are no images to lock. Add image references to the images option."),
        ({}, "there are no images to lock. Add image references to the images option."),
        (
            {"images": ["oci:/srv/app"]},
            "oci:/srv/app: only images in a registry are supported here. Write host[:port]/path[:tag].",
        ),
        (
            {"images": [7]},
            "images[0] is neither an image reference nor a mapping with the key 'reference'. "
            "Write an image reference, or use the result of the images_of lookup.",
        ),
        (
            {"images": ["PUSHED/app:2.0", "PUSHED/app:3.0"]},
            "PUSHED/app:2.0, PUSHED/app:3.0: these images do not exist. Check the name, the tag and the credentials.",
        ),
        ({"images": ["PUSHED/app:1.0"], "update": "none"}, "cannot read the file PATH: no such file or directory."),
    ],
)
def test_bad_input(run_module, pushed, tmp_path, options, message):
    path = tmp_path / "images.lock.yml"
    given = yaml.safe_load(yaml.safe_dump(options).replace("PUSHED", pushed))
    failed = run_module("image_lock", path=str(path), **given)
    assert failed.raw["msg"] == message.replace("PUSHED", pushed).replace("PATH", str(path))
    assert not path.exists()
