# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles carry what is attached to images: across an air gap, to a mirror, and from staging to production."""

from __future__ import annotations

import json

import pytest

from devtools import attached, images
from devtools.observe import layout_files

FAMILY = attached.Family("role-referrers")


@pytest.fixture
def found(run_module):
    def look(image):
        return {one["digest"] for one in run_module("image_inspect", image=image, referrers=True).referrers}

    return look


def test_new_signatures_of_old_images_cross_the_gap(run_playbook, found, oci_registry, registry, repository, tmp_path):
    name = f"{repository}/app"
    FAMILY.push(oci_registry.host, name, "1", lists=False)

    def export(bundle):
        variables = {
            "airgap_export_src": oci_registry.host,
            "airgap_export_images": [{"name": name}],
            "airgap_export_dest": str(tmp_path / bundle),
            "airgap_export_base": str(tmp_path / "known.json"),
            "airgap_export_update_base": True,
            "airgap_export_referrers": True,
        }
        run_playbook("drayage.registry.airgap_export", variables=variables)

    def bring(bundle):
        variables = {
            "airgap_import_src": str(tmp_path / bundle),
            "airgap_import_dest": registry.host,
            "airgap_import_inventory": str(tmp_path / "site.json"),
            "airgap_import_referrers": True,
        }
        run_playbook("drayage.registry.airgap_import", variables=variables)

    export("first")
    bring("first")
    assert found(f"{registry.host}/{name}:1") == set(FAMILY.digests)
    later = images.artifact("application/later", content=b"later", subject=FAMILY.image)
    images.push(later, oci_registry.host, name, later.digest)
    export("second")
    files = layout_files(tmp_path / "second" / "images")
    carried = {path.rpartition("/")[2] for path in files if path.startswith("blobs/")}
    assert later.digest.partition(":")[2] in carried
    assert not carried.intersection(digest.partition(":")[2] for digest in FAMILY.image.blobs)
    bring("second")
    assert found(f"{registry.host}/{name}:1") == {later.digest, *FAMILY.digests}


def test_mirror(run_playbook, found, registry, oci_registry, repository, tmp_path):
    FAMILY.push(registry.host, f"{repository}/app", "1", lists=True)
    inventory, report = tmp_path / "mirror.json", tmp_path / "mirror.html"
    variables = {
        "mirror_src": registry.host,
        "mirror_dest": oci_registry.host,
        "mirror_images": [{"name": f"{repository}/app"}],
        "mirror_inventory": str(inventory),
        "mirror_report": str(report),
        "mirror_referrers": True,
    }
    run_playbook("drayage.registry.mirror", variables=variables)
    assert found(f"{oci_registry.host}/{repository}/app:1") == set(FAMILY.digests)
    [record] = json.loads(inventory.read_text())["images"]
    assert set(record["referrers"]) == set(FAMILY.digests)
    assert attached.SBOM_TYPE in record["artifact_types"]
    assert record["attached"] == ["attestation", "sbom", "signature"]  # the bundles do not say what they attest
    assert "signed, SBOM, attested" in report.read_text()
    assert "changed=0 " in run_playbook("drayage.registry.mirror", variables=variables)


def test_promotion(run_playbook, found, registry, repository):
    FAMILY.push(registry.host, f"{repository}/staging", "candidate", lists=True)
    variables = {
        "promote_src": f"{registry.host}/{repository}/staging:candidate",
        "promote_dest": f"{registry.host}/{repository}/prod",
        "promote_referrers": True,
    }
    run_playbook("drayage.registry.promote", variables=variables)
    assert found(f"{registry.host}/{repository}/prod:stable") == set(FAMILY.digests)
    assert "changed=0 " in run_playbook("drayage.registry.promote", variables=variables)
