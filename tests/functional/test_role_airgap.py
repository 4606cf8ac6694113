# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks airgap_export and airgap_import: what is in a bundle, what arrives, and what is refused.

extensions/molecule/airgap has the roles' usual course.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess

import pytest

from devtools import images
from devtools.observe import digest_at, layout_files, layout_names
from devtools.servers import DockerRegistry

BASE = b"the layer that releases share"
FIRST = images.index(layers=[BASE, b"first"], attestations=True, seed="first")
SECOND = images.index(layers=[BASE, b"second"], attestations=True, seed="second")
TOOL = images.single(layers=[BASE, b"tool"], seed="tool")


@pytest.fixture
def push(registry, repository):
    def run(name, tag, image):
        images.push(image, registry.host, f"{repository}/{name}", tag)

    return run


@pytest.fixture
def export(run_playbook, registry, repository, tmp_path):
    """Return a function that exports all tags of two repositories to a bundle of that name, and keeps a base."""

    def run(bundle, base=None):
        variables = {
            "airgap_export_src": registry.host,
            "airgap_export_images": [{"name": f"{repository}/{name}"} for name in ("app", "tool")],
            "airgap_export_dest": str(tmp_path / bundle),
            **({"airgap_export_base": str(base), "airgap_export_update_base": True} if base else {}),
        }
        return run_playbook("drayage.registry.airgap_export", variables=variables)

    return run


@pytest.fixture
def bring(run_playbook, tmp_path):
    """Return a function that imports a bundle of that name into a registry."""

    def run(bundle, registry, inventory="site.json", succeeds=True):
        variables = {
            "airgap_import_src": str(tmp_path / bundle),
            "airgap_import_dest": registry.host,
            "airgap_import_inventory": str(tmp_path / "state" / inventory),
        }
        registry.forget()
        return run_playbook("drayage.registry.airgap_import", variables=variables, succeeds=succeeds)

    return run


@pytest.fixture
def empty_registry():
    with DockerRegistry() as server:
        yield server


def blobs_in(bundle):
    return {path.rpartition("/")[2] for path in layout_files(bundle / "images") if path.startswith("blobs/")}


def blobs_of(*releases):
    """Return all that images are made of, as the file names of a layout; their manifests included."""
    found = {digest for release in releases for digest in (*release.blobs, *release.manifests)}
    return {digest.split(":")[1] for digest in found}


def records(inventory):
    """Return the digest for each last part of a name."""
    return {image["ref"].rpartition("/")[2]: image["digest"] for image in json.loads(inventory.read_text())["images"]}


def damage(path):
    """Change a byte, and return what the file was."""
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    return content


def test_what_is_new_crosses_the_gap(
    export, bring, push, run_module, registry, second_registry, empty_registry, repository, tmp_path
):
    site, known = tmp_path / "state" / "site.json", tmp_path / "known.json"
    push("app", "1.0", FIRST)
    push("app", "latest", FIRST)
    push("tool", "stable", TOOL)
    site.parent.mkdir()
    declared = [{"name": f"{repository}/{name}"} for name in ("app", "tool")]
    run_module("image_sync", src=registry.host, dest=second_registry.host, images=declared, inventory=str(site))
    known.write_bytes(site.read_bytes())

    # One tag is new and one has moved: neither the other images nor the shared layer go along.
    push("app", "1.1", SECOND)
    push("app", "latest", SECOND)
    exported = export("delta", known)
    assert "changed=4 " in exported
    bundle = tmp_path / "delta"
    assert f"{bundle}: 2 created, 2 unchanged; " in exported
    assert "The bundle contains 2 images (" in exported
    assert "WARNING" not in exported
    assert {name.rpartition("/")[2] for name in layout_names(bundle / "images")} == {"app:1.1", "app:latest"}
    assert blobs_in(bundle) == blobs_of(SECOND) - blobs_of(FIRST, TOOL)
    assert records(bundle / "inventory.json") == {"app:1.1": SECOND.digest, "app:latest": SECOND.digest}
    assert records(known) == {
        **records(bundle / "inventory.json"),
        "app:1.0": FIRST.digest,
        "tool:stable": TOOL.digest,
    }

    # Where the base is missing, nothing is pushed.
    refused = bring("delta", empty_registry, inventory="empty.json", succeeds=False)
    assert next(digest for digest in FIRST.blobs if digest in SECOND.blobs) in refused
    assert {request.method for request in empty_registry.requests()} <= {"GET", "HEAD"}

    # A damaged file is noticed before the registry hears of anything.
    blob = next(iter(bundle.glob("images/blobs/sha256/*")))
    content = damage(blob)
    refused = bring("delta", second_registry, succeeds=False)
    assert f"{blob.relative_to(bundle)}: FAILED" in refused
    assert second_registry.requests() == []
    blob.write_bytes(content)

    imported = bring("delta", second_registry)
    assert "changed=1 " in imported
    assert f"{second_registry.host}: 1 created, 1 updated; " in imported
    assert digest_at(second_registry.host, f"{repository}/app", "1.1") == SECOND.digest
    assert digest_at(second_registry.host, f"{repository}/app", "latest") == SECOND.digest
    assert digest_at(second_registry.host, f"{repository}/app", "1.0") == FIRST.digest
    assert records(site) == records(known)

    # What has been carried is not carried again. A bundle of nothing can be brought all the same.
    assert "changed=3 " in export("nothing", known)
    assert not (tmp_path / "nothing" / "images").exists()
    assert "changed=0 " in bring("nothing", second_registry)


def test_checksums_that_an_interrupted_export_left_are_computed_again(export, push, tmp_path):
    sums = tmp_path / "bundle" / "SHA256SUMS"
    push("app", "1.0", FIRST)
    push("tool", "stable", TOOL)
    export("bundle")
    before = sums.read_text()
    push("app", "1.1", SECOND)
    export("bundle")
    after = sums.read_text()

    # As if the second run had been interrupted after it had copied the images.
    assert before != after
    sums.write_text(before)
    assert "changed=1 " in export("bundle")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", sums.name], cwd=sums.parent, check=True)
    assert sums.read_text() == after
    assert "changed=0 " in export("bundle")

    # A blob that belongs to no image is in the bundle, too.
    content = b"left behind"
    digest = hashlib.sha256(content).hexdigest()
    (sums.parent / "images" / "blobs" / "sha256" / digest).write_bytes(content)
    assert "changed=1 " in export("bundle")
    assert f"{digest}  ./images/blobs/sha256/{digest}\n" in sums.read_text()


def test_a_bundle_that_leads_elsewhere_is_refused_unread(bring, registry, tmp_path):
    """Nobody writes to the pipes: whoever opens one for reading hangs."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "inventory.json").write_text('{"version": 1, "images": []}')
    digest = hashlib.sha256((bundle / "inventory.json").read_bytes()).hexdigest()
    names = ["./inventory.json", "../fifo", "/etc/passwd", "./images/../../fifo"]
    lines = [*(f"{digest}  {name}" for name in names), f"SHA256 (../fifo) = {digest}"]
    (bundle / "SHA256SUMS").write_text("".join(f"{line}\n" for line in lines))
    os.mkfifo(tmp_path / "fifo")
    said = " ".join(bring("bundle", registry, succeeds=False).split())
    for name in (*names[1:], f"(../fifo) = {digest}"):
        assert name in said.partition("has wrong or missing entries for")[2]
    (bundle / "SHA256SUMS").unlink()
    os.mkfifo(bundle / "SHA256SUMS")
    said = " ".join(bring("bundle", registry, succeeds=False).split())
    assert f"The bundle contains links or special files: {bundle}/SHA256SUMS." in said
    assert registry.requests() == []


def test_names_that_differ_in_their_host_alone(run_playbook, second_registry, repository, tmp_path):
    """They would be one name at the site, which the courier would learn there, unless the import keeps the hosts."""
    names = [f"{host}/{repository}/app:1" for host in ("docker.io", "quay.io")]
    for name, image in zip(names, (FIRST, SECOND)):
        images.write_layout(image, tmp_path / "sources", name)
    exported = {
        "airgap_export_src": f"oci:{tmp_path / 'sources'}",
        "airgap_export_images": [{"name": "*"}],
        "airgap_export_dest": str(tmp_path / "bundle"),
        "airgap_export_base": str(tmp_path / "misspelt.json"),
    }
    for arguments in (["--check"], []):
        output = run_playbook("drayage.registry.airgap_export", *arguments, variables=exported, succeeds=False)
        assert f"the same name after the import: {' and '.join(names)}." in output
        assert f"WARNING: airgap_export_base {tmp_path / 'misspelt.json'} does not exist on localhost" in output
    assert not (tmp_path / "bundle" / "SHA256SUMS").exists()

    run_playbook("drayage.registry.airgap_export", "-e", "airgap_export_scoped=true", variables=exported)
    imported = {
        "airgap_import_src": str(tmp_path / "bundle"),
        "airgap_import_dest": second_registry.host,
        "airgap_import_inventory": str(tmp_path / "site.json"),
    }
    run_playbook("drayage.registry.airgap_import", variables=imported, succeeds=False)
    run_playbook("drayage.registry.airgap_import", "-e", "airgap_import_scoped=true", variables=imported)
    for host, image in (("docker.io", FIRST), ("quay.io", SECOND)):
        assert digest_at(second_registry.host, f"{host}/{repository}/app", "1") == image.digest
