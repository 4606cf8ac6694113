# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories and trees of them hold the signatures of images, as containers/image has them, and nothing else."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from devtools import attached, images, peers
from devtools.observe import tally
from devtools.provision import program
from devtools.signing import Key

FAMILY = attached.Family("referrers-directories")
# Of the index, and what is attached to that.
REFERRERS = {one.digest for one, _subject in FAMILY.referrers}


@pytest.fixture
def copy(run_module):
    def run(src, dest, **options):
        result = run_module("image_copy", src=src, dest=dest, **{"referrers": True, **options})
        assert not result.failed, result.msg
        return result

    return run


@pytest.fixture(params=["oci_registry", "registry"])
def source(request, repository):
    server = request.getfixturevalue(request.param)
    FAMILY.push(server.host, f"{repository}/source", "1", lists=request.param == "registry")
    return f"{server.host}/{repository}/source:1"


def by_action(result):
    found = {}
    for row in result.referrers:
        found.setdefault(row["action"], set()).add(row["digest"])
    return found


def test_signatures_from_a_registry_and_back(copy, run_module, source, modern_registry, repository, tmp_path):
    place = f"dir:{tmp_path}/image"
    foreseen = copy(source, place, check_mode=True)
    assert not (tmp_path / "image").exists()
    result = copy(source, place)
    assert foreseen.referrers == result.referrers
    signatures = {one.digest for one in FAMILY.tags.values()}
    assert by_action(result) == {"copied": signatures, "left_out": REFERRERS}
    [warning] = result.warnings
    assert warning.startswith(
        f"Directories can store only signatures, so these referrers were not copied to {place}: application/"
    )
    assert attached.SBOM_TYPE in warning
    names = {path.name for path in (tmp_path / "image").iterdir()}
    assert {"signature-1", f"{FAMILY.child.digest[7:]}.signature-1"} <= names
    assert names == {
        *("manifest.json", "version", "signature-1", f"{FAMILY.child.digest[7:]}.signature-1"),
        *(digest[7:] for digest in FAMILY.image.blobs),
        *(f"{entry['digest'][7:]}.manifest.json" for entry in FAMILY.image.document()["manifests"]),
    }
    again = copy(source, place)
    assert (again.changed, set(by_action(again))) == (False, {"unchanged", "left_out"})
    dest = f"{modern_registry.host}/{repository}/back:1"
    assert copy(place, dest).changed
    found = run_module("image_inspect", image=dest, referrers=True).referrers
    assert {one["tag"] for one in found} == set(FAMILY.tags)
    signature = run_module("image_inspect", image=f"{dest[:-2]}:{attached.cosign_tag(FAMILY.image)}", verify=True)
    original = FAMILY.tags[attached.cosign_tag(FAMILY.image)]
    assert signature.manifest["layers"] == original.document()["layers"]
    assert signature.missing == []
    assert copy(place, dest).changed is False


def test_an_unchanged_image_costs_little(copy, oci_registry, repository, tmp_path):
    images.push(FAMILY.image, oci_registry.host, repository, "1")
    images.push(
        FAMILY.tags[attached.cosign_tag(FAMILY.image)], oci_registry.host, repository, attached.cosign_tag(FAMILY.image)
    )
    copy(f"{oci_registry.host}/{repository}:1", f"dir:{tmp_path}/image")
    oci_registry.forget()
    assert copy(f"{oci_registry.host}/{repository}:1", f"dir:{tmp_path}/image").changed is False
    wanted = {"HEAD manifest": 2, "GET referrers": 1, "GET tags": 1, "GET manifest": 1}
    assert tally(oci_registry.requests()) == wanted


def test_gpg_signatures_go_to_other_directories_only(copy, run_module, registry, repository, tmp_path):
    images.push(FAMILY.image, registry.host, repository, "1")
    copy(f"{registry.host}/{repository}:1", f"dir:{tmp_path}/one")
    (tmp_path / "one/signature-1").write_bytes(b"\xa3\x01message")
    assert copy(f"dir:{tmp_path}/one", f"dir:{tmp_path}/two").changed
    assert (tmp_path / "two/signature-1").read_bytes() == b"\xa3\x01message"
    assert copy(f"dir:{tmp_path}/one", f"dir:{tmp_path}/two").changed is False
    result = copy(f"dir:{tmp_path}/one", f"{registry.host}/{repository}:2")
    [row] = result.referrers
    assert (row["action"], row["tag"]) == ("left_out", f"sha256-{FAMILY.image.digest[7:]}.gpg")
    assert "so these referrers were not copied" in result.warnings[0]
    [found] = run_module("image_inspect", image=f"dir:{tmp_path}/one", referrers=True).referrers
    assert found["tag"] == row["tag"]
    deleted = run_module("image_delete", image=f"dir:{tmp_path}/one", scope="manifest", referrers=True)
    assert [one["tag"] for one in deleted.referrers] == [row["tag"]], deleted.msg
    assert not (tmp_path / "one").exists()


def test_skopeo_keeps_what_we_write(copy, registry, repository, tmp_path):
    images.push(FAMILY.image, registry.host, repository, "1")
    copy(f"{registry.host}/{repository}:1", f"dir:{tmp_path}/one")
    (tmp_path / "one/signature-1").write_bytes(b"\xa3\x01message")
    copy(f"dir:{tmp_path}/one", f"dir:{tmp_path}/two")
    policy = tmp_path / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    command = [program("skopeo"), "--policy", policy, "copy", "--all", f"dir:{tmp_path}/two", f"dir:{tmp_path}/three"]
    subprocess.run(command, check=True, timeout=60)
    assert (tmp_path / "three/signature-1").read_bytes() == b"\xa3\x01message"


def test_containers_image_accepts_signatures_in_a_directory(copy, run_module, registry, repository, tmp_path):
    judge = peers.find_policy_judge()
    if not judge:
        pytest.skip("policyjudge has to be built, which takes minutes")
    key = Key()
    images.push(images.single(), registry.host, repository, "1")
    image, name = f"{registry.host}/{repository}:1", "registry.example.com/prod/app"
    run_module("image_sign", image=image, key_content=key.private, formats=["tag"], identity=name)
    copy(image, f"dir:{tmp_path}/copied")
    copy(image, f"dir:{tmp_path}/signed", referrers=False)
    run_module("image_sign", image=f"dir:{tmp_path}/signed", key_content=key.private, formats=["tag"], identity=name)
    copy(image, f"dir:{tmp_path}/unsigned", referrers=False)
    attested = run_module(
        "image_sign",
        image=f"dir:{tmp_path}/signed",
        key_content=key.private,
        formats=["tag"],
        identity=name,
        predicate_type="spdx",
        predicate={},
        check_mode=True,
    )
    assert (
        attested.msg
        == f"dir:{tmp_path}/signed: this destination cannot store attestations. Use a registry or an OCI layout."
    )
    identity = {"type": "exactRepository", "dockerRepository": name}
    rule = {
        "type": "sigstoreSigned",
        "keyData": base64.b64encode(key.public.encode()).decode(),
        "signedIdentity": identity,
    }
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"default": [rule]}))
    places = ["copied", "signed", "unsigned"]
    questions = [
        json.dumps({"policy": str(policy), "registriesd": str(tmp_path), "image": f"dir:{tmp_path}/{place}"})
        for place in places
    ]
    process = subprocess.run(
        [judge], input="\n".join(questions), capture_output=True, text=True, check=True, timeout=60
    )
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    ours = [
        not run_module("image_verify", image=f"dir:{tmp_path}/{place}", policy=str(policy)).failed for place in places
    ]
    assert [answer["allowed"] for answer in answers] == ours == [True, True, False], answers


def test_trees(run_module, source, ggcr_registry, repository, tmp_path):
    def sync(src, dest, name):
        images_ = [{"name": name, "dest": "app"}]
        return run_module("image_sync", src=src, dest=dest, images=images_, referrers=True)

    host, tree = source.rpartition("/")[0], f"dir:{tmp_path}/tree"
    result = sync(host, tree, "source")
    assert [image["action"] for image in result.images] == ["created"], result.msg
    assert (tmp_path / "tree/app:1/signature-1").exists()
    assert "so these referrers were not copied" in result.warnings[0]
    assert [image["action"] for image in sync(host, tree, "source").images] == ["unchanged"]
    back = sync(tree, f"{ggcr_registry.host}/{repository}/back", "app")
    assert [image["action"] for image in back.images] == ["created"], back.msg
    found = run_module("image_inspect", image=back.images[0]["dest"], referrers=True).referrers
    assert {one["tag"] for one in found} == set(FAMILY.tags)
    again = sync(tree, f"{ggcr_registry.host}/{repository}/back", "app")
    assert [image["action"] for image in again.images] == ["unchanged"]


def test_trees_of_skopeo_have_what_is_attached_in_directories(
    run_module, registry, modern_registry, repository, tmp_path
):
    """skopeo sync copies the tags of a registry without the API, those of cosign and of lists too."""
    source = f"{repository}/source"
    referrers = [(one, subject) for one, subject in FAMILY.referrers if one is not FAMILY.index]  # skopeo refuses that
    images.push(FAMILY.image, registry.host, source, "1")
    attached.attach(referrers, registry.host, source, lists=True)
    for tag, signature in FAMILY.tags.items():
        images.push(signature, registry.host, source, tag)
    policy = tmp_path / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    options = ["--all", "--src", "docker", "--dest", "dir", "--src-tls-verify=false", f"{registry.host}/{source}"]
    command = [program("skopeo"), "--policy", policy, "sync", *options, tmp_path / "tree"]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    dest = f"{modern_registry.host}/{repository}/dst"
    result = run_module(
        "image_sync", src=f"dir:{tmp_path}/tree", dest=dest, images=[{"name": "source"}], referrers=True
    )
    assert [image["action"] for image in result.images] == ["created"], result.msg
    found = run_module("image_inspect", image=f"{dest}/source:1", referrers=True).referrers
    assert {one["digest"] for one in found} == set(FAMILY.digests) - {FAMILY.index.digest}
