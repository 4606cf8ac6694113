# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks mirror_closure, export_closure and deploy_locked: from documents to a mirror, a bundle, and pinned documents."""

from __future__ import annotations

import os
import re

import pytest
import yaml

from devtools import images, peers
from devtools.observe import digest_at

APP, TOOL, NEXT = images.index(seed="app"), images.single(seed="tool"), images.index(seed="next")

MANIFEST = """\
# What the shop runs
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: app
          image: "PLACE/app:1.0"  # the release
          args: ["--tool-image=PLACE/tool:2", "--old-image=PLACE/tool:1"]
"""


@pytest.fixture
def manifest(registry, repository, tmp_path):
    """Push the images of a manifest, and return its path."""
    images.push(APP, registry.host, f"{repository}/app", "1.0")
    images.push(TOOL, registry.host, f"{repository}/tool", "2")
    path = tmp_path / "shop.yaml"
    path.write_text(MANIFEST.replace("PLACE", f"{registry.host}/{repository}"))
    return path


def mirrored(manifest, old, new):
    """Return the text that the rewritten copy should have: only the reference that does not exist stays."""
    text = manifest.read_text().replace(f"{old}/app:1.0", f"{new}/app:1.0@{APP.digest}")
    return text.replace(f"{old}/tool:2", f"{new}/tool:2@{TOOL.digest}")


def test_mirror_of_a_manifest(run_playbook, registry, second_registry, repository, manifest, tmp_path):
    variables = {
        "closure_files": [str(manifest)],
        "closure_dest": f"{second_registry.host}/mirror",
        "closure_output": str(tmp_path / "out"),
        "closure_lock_file": str(tmp_path / "shop.lock.yml"),
    }
    assert "changed=0" not in run_playbook("drayage.registry.mirror_closure", "--check", variables=variables)
    assert not (tmp_path / "out").exists()
    run_playbook("drayage.registry.mirror_closure", "--diff", variables=variables)
    old, new = f"{registry.host}/{repository}", f"{second_registry.host}/mirror/{repository}"
    assert digest_at(second_registry.host, new.partition("/")[2] + "/app", "1.0") == APP.digest
    assert (tmp_path / "out" / "shop.yaml").read_text() == mirrored(manifest, old, new)
    locked = yaml.safe_load((tmp_path / "shop.lock.yml").read_text())["images"]
    assert [each["image"] for each in locked] == [f"{old}/app:1.0@{APP.digest}", f"{old}/tool:2@{TOOL.digest}"]
    # The tag moves, the lock does not.
    images.push(NEXT, registry.host, f"{repository}/app", "1.0")
    assert "changed=0" in run_playbook("drayage.registry.mirror_closure", variables=variables)


@pytest.fixture
def helm(tmp_path, monkeypatch):
    """Put helm on the PATH: the program itself where it is built, else a script that returns what is in the templates."""
    program = tmp_path / "bin" / "helm"
    program.parent.mkdir()
    built = peers.find("helm")
    if built:
        program.symlink_to(built)
    else:
        program.write_text('#!/bin/sh\n[ "$1 $2" = "template shop" ] && cat "$3"/templates/*\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("helm")
def test_mirror_of_a_chart(request, registry, second_registry, repository, manifest, tmp_path):
    chart = tmp_path / "shop"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (chart / "templates" / "deployment.yaml").write_text(manifest.read_text())
    run_playbook = request.getfixturevalue("run_playbook")  # it takes PATH as it finds it
    variables = {
        "closure_charts": [{"chart": str(chart), "release": "shop", "namespace": "prod"}],
        "closure_dest": f"{second_registry.host}/charts",
        "closure_output": str(tmp_path / "out"),
    }
    run_playbook("drayage.registry.mirror_closure", variables=variables)
    new = f"{second_registry.host}/charts/{repository}"
    text = (tmp_path / "out" / "shop.yaml").read_text()
    # helm puts the name of the template before it.
    text = text.replace("---\n# Source: shop/templates/deployment.yaml\n", "")
    assert text == mirrored(manifest, f"{registry.host}/{repository}", new)


def test_bundle_for_a_site(run_playbook, registry, second_registry, repository, manifest, tmp_path):
    bundle, site = tmp_path / "bundle", second_registry.host
    variables = {
        "closure_files": [str(manifest)],
        "closure_output": str(tmp_path / "out"),
        "closure_site": site,
        "airgap_export_dest": str(bundle),
    }
    run_playbook("drayage.registry.export_closure", variables=variables)
    imported = {"airgap_import_src": str(bundle), "airgap_import_dest": site}
    run_playbook("drayage.registry.airgap_import", variables=imported)
    assert digest_at(site, f"{repository}/app", "1.0") == APP.digest
    text = manifest.read_text().replace(registry.host, site)
    assert (tmp_path / "out" / "shop.yaml").read_text() == text
    assert "changed=0" in run_playbook("drayage.registry.export_closure", variables=variables)


@pytest.fixture
def locked_elsewhere(registry, repository, manifest, tmp_path):
    """Write a lock file as other tools do, and return its path.

    kbld writes the tag of an image only to an annotation, and Renovate updates the tag only in the image.
    """
    images.push(NEXT, registry.host, f"{repository}/tool", "3")
    place = f"{registry.host}/{repository}"
    entries = [
        {"image": f"{place}/app@{APP.digest}", "annotations": {"kbld.carvel.dev/id": f"{place}/app:1.0"}},
        {"image": f"{place}/tool:3@{NEXT.digest}", "annotations": {"kbld.carvel.dev/id": f"{place}/tool:2"}},
    ]
    path = tmp_path / "lock.yml"
    document = {"apiVersion": "imgpkg.carvel.dev/v1alpha1", "kind": "ImagesLock", "images": entries}
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("platforms", [[], ["linux/amd64"]])
def test_mirror_with_a_lock_file_of_other_tools(
    run_playbook, registry, second_registry, repository, manifest, locked_elsewhere, tmp_path, platforms
):
    dest = f"{second_registry.host}/mirror{len(platforms)}"
    variables = {
        "closure_files": [str(manifest)],
        "closure_dest": dest,
        "closure_output": str(tmp_path / "out"),
        "closure_lock_file": str(locked_elsewhere),
        "closure_platforms": platforms,
    }
    run_playbook("drayage.registry.mirror_closure", variables=variables)
    text, old = (tmp_path / "out" / "shop.yaml").read_text(), f"{registry.host}/{repository}"
    deployed = re.findall(rf"{dest}/{repository}/(app|tool:3)@(sha256:[0-9a-f]+)", text)
    assert [name for name, _digest in deployed] == ["app", "tool:3"]
    assert ([digest for _name, digest in deployed] == [APP.digest, NEXT.digest]) is not bool(platforms)
    for name, digest in deployed:
        path = f"mirror{len(platforms)}/{repository}/{name.partition(':')[0]}"
        assert digest_at(second_registry.host, path, digest) == digest
    assert re.findall(rf"{old}/\S+:\S+\b", text) == [f"{old}/tool:1"]
    assert "changed=0" in run_playbook("drayage.registry.mirror_closure", variables=variables)


def test_bundle_with_a_lock_file_of_other_tools(
    run_playbook, registry, second_registry, repository, manifest, locked_elsewhere, tmp_path
):
    """The bundle has the images under the names that the documents for the site refer to."""
    bundle, site = tmp_path / "bundle", second_registry.host
    variables = {
        "closure_files": [str(manifest)],
        "closure_output": str(tmp_path / "out"),
        "closure_lock_file": str(locked_elsewhere),
        "closure_site": site,
        "airgap_export_dest": str(bundle),
    }
    run_playbook("drayage.registry.export_closure", variables=variables)
    imported = {"airgap_import_src": str(bundle), "airgap_import_dest": site}
    run_playbook("drayage.registry.airgap_import", variables=imported)
    assert (tmp_path / "out" / "shop.yaml").read_text() == manifest.read_text().replace(registry.host, site)
    assert digest_at(site, f"{repository}/app", "1.0") == APP.digest
    assert digest_at(site, f"{repository}/tool", "2") == NEXT.digest
    assert "changed=0" in run_playbook("drayage.registry.export_closure", variables=variables)


def test_deployment_by_lock_file(run_playbook, run_module, registry, second_registry, repository, manifest, tmp_path):
    lock, old = tmp_path / "lock.yml", f"{registry.host}/{repository}"
    assert not run_module("image_lock", path=str(lock), images=[f"{old}/app:1.0", f"{old}/tool:2"]).failed
    variables = {
        "closure_lock_file": str(lock),
        "closure_files": [str(manifest)],
        "closure_output": str(tmp_path / "out"),
        "closure_command": ["cp", str(tmp_path / "out" / "shop.yaml"), str(tmp_path / "applied")],
    }
    run_playbook("drayage.registry.deploy_locked", variables=variables)
    assert (tmp_path / "applied").read_text() == mirrored(manifest, old, old)
    variables["closure_dest"] = f"{second_registry.host}/prod"
    images.push(NEXT, registry.host, f"{repository}/app", "1.0")
    run_playbook("drayage.registry.deploy_locked", variables=variables)
    new = f"{second_registry.host}/prod/{repository}"
    assert (tmp_path / "applied").read_text() == mirrored(manifest, old, new)
    assert digest_at(second_registry.host, new.partition("/")[2] + "/app", "1.0") == APP.digest
    assert "changed=0" in run_playbook("drayage.registry.deploy_locked", variables=variables)
    output = run_playbook(
        "drayage.registry.deploy_locked", variables={**variables, "closure_verify": True}, succeeds=False
    )
    assert f"these images have moved: {old}/app:1.0 ({NEXT.digest}, locked as {APP.digest})" in output


def test_deployment_by_a_lock_file_of_kbld(run_playbook, registry, second_registry, repository, manifest, tmp_path):
    """kbld writes the tag only to an annotation."""
    lock, old = tmp_path / "lock.yml", f"{registry.host}/{repository}"
    entries = [
        {"image": f"{old}/{name}@{image.digest}", "annotations": {"kbld.carvel.dev/id": f"{old}/{name}:{tag}"}}
        for name, tag, image in (("app", "1.0", APP), ("tool", "2", TOOL))
    ]
    document = {"apiVersion": "imgpkg.carvel.dev/v1alpha1", "kind": "ImagesLock", "images": entries}
    lock.write_text(yaml.safe_dump(document))
    variables = {
        "closure_lock_file": str(lock),
        "closure_files": [str(manifest)],
        "closure_output": str(tmp_path / "out"),
    }
    dest = f"{second_registry.host}/prod"
    for new, more in ((old, {}), (f"{dest}/{repository}", {"closure_dest": dest})):
        variables.update(more)
        run_playbook("drayage.registry.deploy_locked", variables=variables)
        text = (tmp_path / "out" / "shop.yaml").read_text()
        assert text == mirrored(manifest, old, new).replace("/app:1.0@", "/app@").replace("/tool:2@", "/tool@")
    assert "changed=0 " in run_playbook("drayage.registry.deploy_locked", variables=variables)


def test_deployment_to_the_mirror_of_some_platforms(run_playbook, second_registry, repository, manifest, tmp_path):
    variables = {
        "closure_lock_file": str(tmp_path / "lock.yml"),
        "closure_files": [str(manifest)],
        "closure_output": str(tmp_path / "out"),
        "closure_dest": second_registry.host,
    }
    run_playbook("drayage.registry.mirror_closure", variables={**variables, "closure_platforms": ["linux/amd64"]})
    digest = digest_at(second_registry.host, f"{repository}/app", "1.0")
    assert digest != APP.digest
    assert "changed=0 " in run_playbook("drayage.registry.deploy_locked", variables=variables)
    assert digest_at(second_registry.host, f"{repository}/app", "1.0") == digest
    assert f"{second_registry.host}/{repository}/app:1.0@{digest}" in (tmp_path / "out" / "shop.yaml").read_text()


@pytest.fixture
def deployment(run_module, registry, repository, manifest, tmp_path):
    """Return the variables of deploy_locked for a manifest, with a command that lists its runs in a file."""
    lock, place = tmp_path / "lock.yml", f"{registry.host}/{repository}"
    assert not run_module("image_lock", path=str(lock), images=[f"{place}/app:1.0", f"{place}/tool:2"]).failed
    script = f"echo run >> {tmp_path}/runs && test -e {tmp_path}/up"
    return {
        "closure_lock_file": str(lock),
        "closure_files": [str(manifest)],
        "closure_output": str(tmp_path / "out"),
        "closure_command": ["sh", "-c", script],
    }


def test_a_deployment_that_failed_is_repeated(run_playbook, deployment, manifest, tmp_path):
    """The documents are written before the command runs, so the next run finds them unchanged."""

    def run(*arguments, succeeds=True, **more):
        return run_playbook(
            "drayage.registry.deploy_locked", *arguments, variables={**deployment, **more}, succeeds=succeeds
        )

    def runs():
        return (tmp_path / "runs").read_text().count("run")

    run(succeeds=False)
    run(succeeds=False)
    assert runs() == 2
    (tmp_path / "up").touch()
    run("--check")
    assert runs() == 2
    assert "changed=1 " in run()
    assert runs() == 3
    assert "changed=0 " in run()
    assert "changed=0 " in run("--check")
    assert runs() == 3

    # A return to documents that were deployed before is a deployment too, even if it does not get to the command at once.
    text = manifest.read_text()
    (tmp_path / "up").unlink()
    manifest.write_text(text + "# changed\n")
    run(succeeds=False)
    manifest.write_text(text)
    run(succeeds=False)
    run(succeeds=False)
    assert runs() == 6

    # Another set of documents in the same directory has its own deployments.
    (tmp_path / "up").touch()
    run()
    other = tmp_path / "other.yaml"
    other.write_text(text)
    run(closure_files=[str(other)])
    assert runs() == 8
    assert "changed=0 " in run()
    assert "changed=0 " in run(closure_files=[str(other)])


def test_documents_of_the_same_name_are_not_deployed(run_playbook, deployment, manifest, tmp_path):
    other = tmp_path / "other" / manifest.name
    other.parent.mkdir()
    other.write_text(manifest.read_text())
    variables = {**deployment, "closure_files": [str(manifest), str(other)]}
    output = run_playbook("drayage.registry.deploy_locked", variables=variables, succeeds=False)
    assert (
        f"Two documents have the same file name, so one would replace the other in {tmp_path / 'out'}. "
        "No document was written. Rename one of them." in output
    )
    assert not (tmp_path / "out").exists()


def test_documents_with_images_that_are_not_locked(run_playbook, run_module, registry, repository, manifest, tmp_path):
    lock = tmp_path / "lock.yml"
    place = f"{registry.host}/{repository}"
    assert not run_module("image_lock", path=str(lock), images=[f"{place}/tool:2"]).failed
    variables = {
        "closure_lock_file": str(lock),
        "closure_files": [str(manifest)],
        "closure_output": str(tmp_path / "out"),
    }
    output = run_playbook("drayage.registry.deploy_locked", variables=variables, succeeds=False)
    assert (
        f"{lock} has no entry for {place}/app:1.0. No document was written. Add these images with image_lock." in output
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("playbook", ["mirror_closure", "export_closure"])
def test_nothing_is_declared(run_playbook, playbook):
    output = run_playbook(f"drayage.registry.{playbook}", variables={"airgap_export_dest": "/nowhere"}, succeeds=False)
    assert "No documents are declared: closure_files and closure_charts are empty. Nothing was changed." in output


def test_roles_take_lock_files(run_playbook, run_module, registry, second_registry, repository, tmp_path):
    lock, place, site = tmp_path / "lock.yml", f"{registry.host}/{repository}", second_registry.host
    images.push(APP, registry.host, f"{repository}/app", "1.0")
    assert not run_module("image_lock", path=str(lock), images=[f"{place}/app:1.0"]).failed
    promote = {
        "promote_src": f"{place}/app:1.0",
        "promote_dest": f"{site}/{repository}/prod",
        "promote_lock_file": str(lock),
    }
    run_playbook("drayage.registry.promote", variables=promote)
    assert digest_at(site, f"{repository}/prod", "stable") == APP.digest
    images.push(NEXT, registry.host, f"{repository}/app", "1.0")
    output = run_playbook("drayage.registry.promote", variables=promote, succeeds=False)
    assert f"its digest is {NEXT.digest}, but the expected digest is {APP.digest}. Nothing was changed." in output
    images.push(APP, registry.host, f"{repository}/app", "2.0")
    output = run_playbook(
        "drayage.registry.promote", variables={**promote, "promote_src": f"{place}/app:2.0"}, succeeds=False
    )
    assert f"and {lock} has no entry for it. Nothing was changed. Check promote_src and promote_lock_file." in output
    mirror = {
        "mirror_dest": site,
        "mirror_lock_file": str(lock),
        "mirror_inventory": str(tmp_path / "state" / "mirror.json"),
    }
    run_playbook("drayage.registry.mirror", variables=mirror)
    assert digest_at(site, f"{repository}/app", "1.0") == APP.digest
    export = {"airgap_export_dest": str(tmp_path / "bundle"), "airgap_export_lock_file": str(lock)}
    run_playbook("drayage.registry.airgap_export", variables=export)
    assert APP.digest in (tmp_path / "bundle" / "images" / "index.json").read_text()
