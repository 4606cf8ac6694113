# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles say to mistakes in their variables, and that obeying the message leads to success."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess

import pytest

from devtools.refusals import refusals

NO_IMAGES = '{"version": 1, "images": []}'


@pytest.fixture
def bundle(tmp_path):
    """Return a bundle without images, and beside it the archive that the guide makes of it."""
    directory = tmp_path / "media" / "release-1.4"
    (directory / "images").mkdir(parents=True)
    (directory / "inventory.json").write_text(NO_IMAGES)
    digest = hashlib.sha256(NO_IMAGES.encode()).hexdigest()
    (directory / "SHA256SUMS").write_text(f"{digest}  ./inventory.json\n")
    subprocess.run(["tar", "-C", directory.parent, "-cf", f"{directory}.tar", directory.name], check=True)
    return directory


def test_roles_refuse_to_run_when_nothing_is_declared(play, tmp_path):
    """A misspelt variable made an empty mirror, and an empty bundle."""
    images = [{"name": "docker.io/library/alpine"}]
    bundle = tmp_path / "bundle"
    mirror = {"mirror_dest": "127.0.0.1:1", "mirror_inventory": str(tmp_path / "state" / "mirror.json")}
    outputs = []

    def run(tasks):
        outputs.append(play(tasks))

    messages = refusals(
        run,
        tmp_path / "messages.json",
        ("mirror", {**mirror, "mirror_image": images}),
        ("mirror", {**mirror, "mirror_images": [], "mirror_source_file": ""}),
        ("airgap_export", {"airgap_export_dest": str(bundle), "airgap_export_image": images}),
    )
    nothing = (
        "No images are declared for 127.0.0.1:1: mirror_images is empty, and neither mirror_source_file nor mirror_lock_file is set. Nothing was changed. "
        "Declare the images in mirror_images."
    )
    assert messages == [
        nothing,
        nothing,
        f"No images are declared for the bundle {bundle}: "
        "airgap_export_images is empty, and neither airgap_export_source_file nor airgap_export_lock_file is set. "
        "Nothing was changed. Declare the images in airgap_export_images.",
    ]
    assert not bundle.exists()
    assert not (tmp_path / "state").exists()
    warnings = re.findall(
        r"WARNING: the drayage\.registry\.(\w+) role ignores these unknown variables: (.*?)\. Check", outputs[0]
    )
    assert warnings == [("mirror", "mirror_image"), ("airgap_export", "airgap_export_image")]


def test_a_promotion_needs_tags_and_an_image_in_a_registry(play, tmp_path):
    given = {"promote_dest": "127.0.0.1:1/app", "promote_src": "127.0.0.1:1/staging:1"}
    wrong = [
        {"promote_tags": []},
        {"promote_tags": [], "promote_rollback": True},
        {"promote_src": "oci:/srv/images:app"},
    ]
    messages = refusals(play, tmp_path / "messages.json", *(("promote", {**given, **each}) for each in wrong))
    assert [message.partition(". ")[0] for message in messages] == [
        "promote_tags is empty",
        "promote_tags is empty",
        "promote_src oci:/srv/images:app is not in a registry",
    ]


def test_the_import_says_where_the_bundle_is(play, bundle, tmp_path):
    place = {"airgap_import_dest": "127.0.0.1:1", "airgap_import_inventory": str(tmp_path / "site.json")}
    media, archive, empty = bundle.parent, bundle.with_name("release-1.4.tar"), tmp_path / "empty" / "here"
    empty.mkdir(parents=True)
    wrong = [archive, bundle.with_name("release-1.5"), media, bundle / "images", empty]

    def run(*paths):
        attempts = [("airgap_import", {**place, "airgap_import_src": str(path)}) for path in paths]
        return refusals(play, tmp_path / "messages.json", *attempts)

    given = "On localhost, airgap_import_src"
    found = f"Nothing was changed. Set airgap_import_src to {bundle}."
    no_sums = "contains no SHA256SUMS file, so it is not a bundle directory."
    (mistyped,) = run(f"{wrong[1]}/")
    assert mistyped == f"{given} {wrong[1]}/ does not exist. {found}"
    assert run(*wrong) == [
        f"{given} {archive} is a file, not a bundle directory. {found}",
        f"{given} {wrong[1]} does not exist. {found}",
        f"{given} {media} {no_sums} {found}",
        f"{given} {bundle / 'images'} {no_sums} {found}",
        f"{given} {empty} {no_sums} Nothing was changed. Set airgap_import_src to the directory that "
        "the airgap_export role created, which contains images, inventory.json and SHA256SUMS.",
    ]

    # An archive alone: obeyed literally, the message leads to the bundle.
    away = tmp_path / "far away"
    away.mkdir()
    archive.rename(away / archive.name)
    (message,) = run(away / archive.name)
    unpack = re.search(
        r'Unpack the file with "(tar .*?)", then set airgap_import_src to the directory that this creates\.$', message
    )
    subprocess.run(shlex.split(unpack[1]), check=True)
    assert run(away / bundle.name) == [""]
