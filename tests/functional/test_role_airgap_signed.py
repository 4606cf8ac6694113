# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed bundles: an import with a public key refuses what is not signed, or not as it was signed."""

from __future__ import annotations

import hashlib

import pytest

from devtools import images
from devtools.observe import digest_at
from devtools.signing import Key

IMAGE = images.index(seed="signed bundle")


@pytest.fixture
def export(run_playbook, registry, repository, tmp_path):
    images.push(IMAGE, registry.host, f"{repository}/app", "1")

    def run(**variables):
        given = {
            "airgap_export_src": registry.host,
            "airgap_export_images": [{"name": f"{repository}/app"}],
            "airgap_export_dest": str(tmp_path / "bundle"),
        }
        return run_playbook("drayage.registry.airgap_export", variables={**given, **variables})

    return run


@pytest.fixture
def bring(run_playbook, second_registry, tmp_path):
    def run(*keys, succeeds=True, **more):
        variables = {
            "airgap_import_src": str(tmp_path / "bundle"),
            "airgap_import_dest": second_registry.host,
            "airgap_import_inventory": str(tmp_path / "site.json"),
            "airgap_import_public_keys": [key.public for key in keys],
            **more,
        }
        second_registry.forget()
        return run_playbook("drayage.registry.airgap_import", variables=variables, succeeds=succeeds)

    return run


def test_only_bundles_that_are_signed_as_they_are_cross_the_gap(
    export, bring, run_module, second_registry, repository, tmp_path
):
    key, other = Key("Ed25519", "planted-bundle-passphrase"), Key()
    bundle = tmp_path / "bundle"

    export(airgap_export_key_content=key.private, airgap_export_passphrase="planted-bundle-passphrase")
    again = {"bundle": str(bundle), "key_content": key.private, "passphrase": "planted-bundle-passphrase"}
    assert run_module("image_sign", **again).raw["changed"] is False

    # Whoever changes a file can change its checksum, too.
    index, sums = bundle / "images" / "index.json", bundle / "SHA256SUMS"
    before = index.read_bytes(), sums.read_text()
    index.write_bytes(before[0] + b"\n")
    sums.write_text(
        before[1].replace(hashlib.sha256(before[0]).hexdigest(), hashlib.sha256(before[0] + b"\n").hexdigest())
    )
    assert "SHA256SUMS or inventory.json was changed after signing" in bring(key, succeeds=False)
    sums.write_text(before[1])
    assert not [request for request in second_registry.requests() if request.method not in ("GET", "HEAD")]
    index.write_bytes(before[0])

    assert bring(key, other)
    assert digest_at(second_registry.host, f"{repository}/app", "1") == IMAGE.digest


def test_an_empty_text_does_not_disable_the_verification(export, bring, second_registry):
    export()
    output = bring(airgap_import_public_keys="", succeeds=False)
    assert "cannot read the public key" in output
    assert not [request for request in second_registry.requests() if request.method not in ("GET", "HEAD")]
