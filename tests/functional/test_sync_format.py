# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_sync and the roles of the air gap with images in another format."""

from __future__ import annotations

import json
import subprocess

import pytest

from devtools import images
from devtools.observe import digest_at, tags_at, tally
from devtools.provision import program

DOCKER = images.single(docker=True)
OCI = images.index()
ATTESTED = images.index(attestations=True)


@pytest.fixture
def sync(run_module, registry, repository):
    """Return a function that syncs the repository ``app`` of ``registry``."""

    def run(**options):
        options.setdefault("images", [{"name": f"{registry.host}/{repository}/app"}])
        registry.forget()
        return run_module("image_sync", **options)

    return run


def media_type(place):
    """Return the media type of an image by name, which old programs find only if it has OCI's format."""
    output = subprocess.run([program("skopeo"), "inspect", "--raw", place], capture_output=True, check=True).stdout
    return json.loads(output)["mediaType"]


def test_a_layout_in_the_format_that_every_program_reads(sync, registry, repository, tmp_path):
    images.push(DOCKER, registry.host, f"{repository}/app", "1")
    options = {"dest": f"oci:{tmp_path}/layout", "format": "oci", "inventory": str(tmp_path / "inventory.json")}
    predicted = sync(**options, check_mode=True)
    result = sync(**options)
    assert result.images == predicted.images
    assert result.summary["created"] == 1
    name = f"oci:{tmp_path}/layout:{registry.host}/{repository}/app:1"
    assert media_type(name) == "application/vnd.oci.image.manifest.v1+json"
    assert not sync(**options).changed
    assert "GET blob" not in tally(registry.requests())


def test_artifacts_keep_their_format(sync, registry, second_registry, repository):
    chart = images.artifact()
    for tag, image in (("1", OCI), ("chart", chart)):
        images.push(image, registry.host, f"{repository}/app", tag)
    result = sync(dest=second_registry.host, format="docker")
    assert not result.failed, result
    assert digest_at(second_registry.host, f"{repository}/app", "chart") == chart.digest
    assert digest_at(second_registry.host, f"{repository}/app", "1") != OCI.digest
    assert not sync(dest=second_registry.host, format="docker").changed


def test_what_the_message_says_about_attestations_helps(sync, registry, second_registry, repository):
    images.push(ATTESTED, registry.host, f"{repository}/app", "1")
    refused = sync(dest=second_registry.host, format="docker")
    assert "Set attestations: drop" in refused.msg
    assert sync(dest=second_registry.host, format="docker", attestations="drop").changed
    assert not sync(dest=second_registry.host, format="docker", attestations="drop").changed


def test_a_signed_image_is_converted_only_if_asked_for(sync, registry, second_registry, repository):
    images.push(DOCKER, registry.host, f"{repository}/app", "1")
    images.push(images.artifact(), registry.host, f"{repository}/app", f"sha256-{DOCKER.digest[7:]}.sig")
    declared = [{"name": f"{registry.host}/{repository}/app", "tags": ["1"]}]
    refused = sync(dest=second_registry.host, format="oci", images=declared)
    assert "would invalidate its signature" in refused.msg
    assert "remove_signatures: true" in refused.msg
    assert sync(dest=second_registry.host, format="oci", images=declared, remove_signatures=True).changed
    assert tags_at(second_registry.host, f"{repository}/app") == ["1"]


def test_over_the_air_gap_and_back_to_the_first_format(play, registry, second_registry, repository, tmp_path):
    images.push(DOCKER, registry.host, f"{repository}/app", "1")
    name = f"{registry.host}/{repository}/app"
    variables = {
        "airgap_export_images": [f"{name}:1"],
        "airgap_export_dest": f"{tmp_path}/bundle",
        "airgap_export_format": "oci",
        "airgap_import_src": f"{tmp_path}/bundle",
        "airgap_import_dest": second_registry.host,
        "airgap_import_format": "docker",
        "airgap_import_inventory": f"{tmp_path}/site.json",
    }
    play(
        [
            {"ansible.builtin.include_role": {"name": f"drayage.registry.{role}"}, "vars": variables}
            for role in ("airgap_export", "airgap_import")
        ]
    )
    assert media_type(f"oci:{tmp_path}/bundle/images:{name}:1") == "application/vnd.oci.image.manifest.v1+json"
    assert digest_at(second_registry.host, f"{repository}/app", "1") == DOCKER.digest
