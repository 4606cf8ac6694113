# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_sign and image_verify against real registries; cosign judges what it finds, where it is installed."""

from __future__ import annotations

import base64
import json
import threading

import pytest
import requests

from devtools import images
from devtools.observe import digest_at
from devtools.servers import DockerRegistry
from devtools.signing import Key
from devtools.toolchain.stacks import COLLECTIONS

_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE = images.index(seed="sign")


@pytest.fixture
def run(run_module):
    """Return a function that runs a module and returns all that it printed."""
    return lambda module, **options: run_module(module, **options).raw


@pytest.fixture(scope="module")
def key():
    return Key()


@pytest.fixture(scope="module")
def other_key():
    return Key("Ed25519")


@pytest.fixture(params=["registry", "oci_registry", "ggcr_registry"])
def server(request):
    return request.getfixturevalue(request.param)


def _push(server, repository, image=IMAGE, tag="1"):
    images.push(image, server.host, repository, tag)
    return f"{server.host}/{repository}:{tag}"


def test_signs_index_and_platforms_in_both_formats_once(run, server, repository, key):
    image = _push(server, repository)
    server.forget()
    planned = run("image_sign", image=image, key_content=key.private, check_mode=True, diff=True)
    assert not [request for request in server.requests() if request.method not in ("GET", "HEAD")]
    signed = run("image_sign", image=image, key_content=key.private, diff=True)
    for result in (planned, signed):
        assert result["changed"]
        assert result["digest"] == IMAGE.digest
        assert set(result["digests"]) == set(IMAGE.manifests)
        assert len(result["signatures"]) == 2 * len(IMAGE.manifests)
        assert result["identity"] == f"{server.host}/{repository}"
        assert result["diff"]["before"][IMAGE.digest] == []
        assert result["diff"]["after"][IMAGE.digest] == ["tag", "bundle"]
    server.forget()
    again = run("image_sign", image=image, key_content=key.private)
    assert not again["changed"]
    assert again["signatures"] == []
    # The image, and a request for each format and manifest; without the API one more, which finds that out.
    reads = [request for request in server.requests() if request.method == "GET"]
    assert len(reads) == 1 + 2 * len(IMAGE.manifests) + isinstance(server, DockerRegistry), reads
    for digest in IMAGE.manifests:
        verified = run("image_verify", image=f"{server.host}/{repository}@{digest}", public_keys=[key.public])
        assert {found["format"] for found in verified["signatures"]} == {"tag", "bundle"}
        assert {found["digest"] for found in verified["signatures"]} == {digest}


def test_a_second_key_keeps_the_first_and_withdraws_only_its_own(run, registry, repository, key, other_key):
    image = _push(registry, repository)
    for each in (key, other_key):
        assert run("image_sign", image=image, key_content=each.private)["changed"]
    for each in (key, other_key):
        assert not run("image_sign", image=image, key_content=each.private)["changed"]
        assert len(run("image_verify", image=image, public_keys=[each.public])["signatures"]) == 2
    withdrawn = run("image_sign", image=image, key_content=key.private, state="absent", check_mode=True)
    assert len(withdrawn["signatures"]) == 2 * len(IMAGE.manifests)
    assert run("image_sign", image=image, key_content=key.private, state="absent")["changed"]
    assert not run("image_sign", image=image, key_content=key.private, state="absent")["changed"]
    assert len(run("image_verify", image=image, public_keys=[other_key.public])["signatures"]) == 2
    failed = run("image_verify", image=image, public_keys=[key.public])
    assert failed["failed"]
    assert (
        f"{IMAGE.digest} could not be verified: none of its signatures (2 found) was made with the key sha256:"
        in failed["msg"]
    )
    assert run("image_sign", image=image, key_content=other_key.private, state="absent")["changed"]
    failed = run("image_verify", image=image, public_keys=[other_key.public])
    assert failed["msg"] == f"{image}: {IMAGE.digest} has no signature. Sign the image, for example with image_sign."
    assert run("image_inspect", image=image)["digest"] == IMAGE.digest


@pytest.mark.parametrize(("server", "given"), [("registry", ["tag", "bundle"]), ("oci_registry", ["bundle"])])
def test_signers_at_once_keep_what_others_have_signed(request, run, repository, server, given):
    """No registry can swap a tag for another: who loses a race that nobody could see signs again.

    Bundles in a registry with the referrers API share no tag, so that none is ever lost.
    """
    image = _push(request.getfixturevalue(server), repository, images.single(seed="concurrent"))
    keys = [Key("Ed25519") for _number in range(4)]
    failures = []

    def sign(each):
        result = run("image_sign", image=image, key_content=each.private, formats=given)
        if result.get("failed"):
            failures.append(result)

    def formats(each):
        return {found["format"] for found in run("image_verify", image=image, public_keys=[each.public])["signatures"]}

    threads = [threading.Thread(target=sign, args=[each]) for each in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in keys if "tag" in given else ():
        sign(each)
    assert not failures
    assert all(formats(each) == set(given) for each in keys)


def test_identity_annotations_and_attestations_are_what_is_signed(run, registry, repository, key):
    image = _push(registry, repository)
    common = {"image": image, "key_content": key.private, "children": False}
    assert run("image_sign", **common, annotations={"env": "prod"})["changed"]
    assert not run("image_sign", **common, annotations={"env": "prod"})["changed"]
    assert not run("image_sign", **common)["changed"]
    keys = {"image": image, "public_keys": [key.public]}
    found = run("image_verify", **keys, annotations={"env": "prod"}, identity={"type": "matchRepository"})
    assert [signature["identity"] for signature in found["signatures"]] == [f"{registry.host}/{repository}"]
    assert found["signatures"][0]["annotations"] == {"env": "prod"}
    failed = run("image_verify", **keys, annotations={"env": "test"})
    assert (
        f"{image}: {IMAGE.digest} could not be verified: the signature has different annotations. Check"
        in failed["msg"]
    )
    rule = {"type": "exactRepository", "dockerRepository": "registry.example.com/prod/app"}
    failed = run("image_verify", **keys, identity=rule)
    assert failed["msg"] == (
        f"{image}: {IMAGE.digest} could not be verified: the signature is for {registry.host}/{repository}, "
        "which does not match the identity. Check the keys and the identity, or sign the image again."
    )
    assert run("image_sign", **common, identity="registry.example.com/prod/app")["changed"]
    assert not run("image_verify", **keys, identity=rule).get("failed")

    claim = {"predicate_type": "cyclonedx", "predicate": {"bomFormat": "CycloneDX", "components": [{"a": 1.5}]}}
    failed = run("image_verify", **keys, attestations=["cyclonedx"])
    assert failed["msg"] == (
        f"{image}: {IMAGE.digest} has no attestation of type https://cyclonedx.org/bom. "
        "Attest the image, for example with image_sign."
    )
    assert run("image_sign", **common, **claim)["changed"]
    assert not run("image_sign", **common, **claim)["changed"]
    found = run("image_verify", **keys, attestations=["cyclonedx"])["signatures"]
    attested = [signature for signature in found if signature["predicate_type"]]
    assert {signature["format"] for signature in attested} == {"tag", "bundle"}
    assert all(signature["predicate"] == claim["predicate"] for signature in attested)
    assert run("image_sign", **common, predicate_type="cyclonedx", state="absent")["changed"]
    assert run("image_verify", **keys, attestations=["cyclonedx"])["failed"]
    assert not run("image_verify", **keys).get("failed")


def test_the_signature_of_another_image_is_told_apart(run, registry, repository, key):
    image = _push(registry, repository)
    run("image_sign", image=image, key_content=key.private, children=False, formats=["tag"])
    other = _push(registry, repository, images.single(seed="another"), "2")
    digest = requests.head(f"{registry.url}/v2/{repository}/manifests/2", headers={"Accept": _OCI_MANIFEST}).headers[
        "Docker-Content-Digest"
    ]
    source = f"{registry.url}/v2/{repository}/manifests/sha256-{IMAGE.digest[7:]}.sig"
    manifest = requests.get(source, headers={"Accept": _OCI_MANIFEST})
    target = f"{registry.url}/v2/{repository}/manifests/sha256-{digest[7:]}.sig"
    headers = {"Content-Type": _OCI_MANIFEST}
    assert requests.put(target, data=manifest.content, headers=headers).status_code == 201
    failed = run("image_verify", image=other, public_keys=[key.public])
    assert failed["msg"] == (
        f"{other}: {digest} could not be verified: the signature is for a different digest, {IMAGE.digest}."
        " Check the keys and the identity, or sign the image again."
    )


def test_damaged_signatures_are_never_verified(run, registry, repository, key):
    image = _push(registry, repository, images.single(seed="damaged"))
    signed = run("image_sign", image=image, key_content=key.private, formats=["tag"])
    tag = f"{registry.url}/v2/{repository}/manifests/sha256-{signed['digest'][7:]}.sig"
    manifest = requests.get(tag, headers={"Accept": _OCI_MANIFEST}).json()
    annotations = manifest["layers"][0]["annotations"]
    signature = annotations["dev.cosignproject.cosign/signature"]
    damaged = bytearray(base64.b64decode(signature))
    damaged[-1] ^= 1
    for text, cause in (
        (base64.b64encode(damaged).decode(), "none of its signatures (1 found) was made with the key sha256:"),
        ("*", "the signature is corrupt: a signature is not valid base64."),
    ):
        annotations["dev.cosignproject.cosign/signature"] = text
        content = json.dumps(manifest)
        assert requests.put(tag, data=content, headers={"Content-Type": _OCI_MANIFEST}).status_code == 201
        failed = run("image_verify", image=image, public_keys=[key.public])
        assert f"{image}: {signed['digest']} could not be verified: {cause}" in failed["msg"]


def test_verifying_costs_one_request_where_the_payload_can_be_foreseen(run, registry, repository, key):
    image = _push(registry, repository)
    run("image_sign", image=image, key_content=key.private)
    registry.forget()
    policy_free = run("image_verify", image=image, public_keys=[key.public])
    assert policy_free["requests"] == len(registry.requests())
    assert [request.path.rpartition("/")[2] for request in registry.requests()][:2] == [
        "1",
        f"sha256-{IMAGE.digest[7:]}.sig",
    ]


def test_layouts_keep_signatures_too(run, tmp_path, registry, repository, key):
    image = _push(registry, repository)
    layout = f"oci:{tmp_path}/layout:app"
    assert run("image_copy", src=image, dest=layout)["changed"]
    failed = run("image_sign", image=layout, key_content=key.private)
    assert (
        failed["msg"]
        == f"{layout}: the signature needs an image name, but local images have none. Set the identity option to the image name."
    )
    options = {"image": layout, "key_content": key.private, "identity": "registry.example.com/prod/app"}
    assert run("image_sign", **options)["changed"]
    assert not run("image_sign", **options)["changed"]
    found = run("image_verify", image=layout, public_keys=[key.public])["signatures"]
    assert {signature["format"] for signature in found} == {"tag", "bundle"}


def test_keys_and_passphrases_appear_nowhere(play, registry, repository, tmp_path):
    image = _push(registry, repository)
    passphrase = "planted-Passphrase-of-the-Harbour"
    secret, plain = Key("Ed25519", passphrase), Key("P-256")
    (tmp_path / "plain.key").write_text(plain.private)
    broken = secret.private.replace("A", "B", 3)
    given = [
        {"key_content": secret.private, "passphrase": passphrase},
        {"key_content": secret.private, "passphrase": passphrase + "-wrong"},
        {"key_content": secret.private},
        {"key_content": broken, "passphrase": passphrase},
        {"key_content": plain.private, "image": "127.0.0.1:1/nowhere/app:1"},
        {"key_content": plain.private, "predicate_type": "cyclonedx", "predicate": {"a": 1}},
        {"key_content": plain.private[:-60], "passphrase": passphrase},
        {"key": str(tmp_path / "plain.key"), "passphrase": passphrase},
        {"key": str(tmp_path / "absent.key"), "passphrase": passphrase},
    ]
    tasks = [
        {"drayage.registry.image_sign": {"image": image, "retries": 0, **options}, "ignore_errors": True}
        for options in given
    ]
    wrong = {"drayage.registry.image_verify": {"image": image, "public_keys": [plain.private]}, "ignore_errors": True}
    output = play([*tasks, wrong], "-vvvv", "--diff")
    assert output.count("fatal:") == 7
    secrets = [passphrase]
    for text in (secret.private, broken, plain.private):
        secrets += [line for line in text.splitlines() if "-----" not in line]
    assert not [secret for secret in secrets if secret in output]


def test_without_cryptography_only_what_needs_it_asks_for_it(run, registry, second_registry, repository, tmp_path, key):
    image = _push(registry, repository)
    package = tmp_path / "absent" / "cryptography"
    package.mkdir(parents=True)
    cause = "raise ModuleNotFoundError(\"No module named 'cryptography'\", name='cryptography')\n"
    (package / "__init__.py").write_text(cause)
    environment = {"PYTHONPATH": f"{package.parent}:{COLLECTIONS}"}
    copy = {"src": image, "dest": f"{second_registry.host}/{repository}:1"}
    assert run("image_copy", **copy, env=environment)["changed"]
    for module, options in (
        ("image_sign", {"image": image, "key_content": key.private}),
        ("image_verify", {"image": image, "public_keys": [key.public]}),
        ("image_copy", {**copy, "signed_by": {"public_keys": [key.public]}}),
    ):
        failed = run(module, **options, env=environment)
        assert failed["msg"].startswith("Failed to import the required Python library (cryptography) on"), failed


def test_changed_bytes_in_the_storage_of_the_registry_are_never_verified(registry, repository, run, key):
    """The signature in the manifest of its tag, and payload and signature of the bundle in the list of referrers."""
    image = _push(registry, repository, images.single(seed="storage"))
    signed = run("image_sign", image=image, key_content=key.private, annotations={"env": "prod"})
    verify = {"image": image, "public_keys": [key.public]}
    found = run("image_verify", **verify)["signatures"]
    assert {signature["format"] for signature in found} == {"tag", "bundle"}
    blobs = registry.storage / "docker" / "registry" / "v2" / "blobs" / "sha256"
    subject = signed["digest"].replace(":", "-")
    for tag, text, left in (
        (f"{subject}.sig", b'cosign/signature":"', "bundle"),
        (subject, rb"payload\":\"", "tag"),
        (subject, rb"sig\":\"", "tag"),
    ):
        digest = digest_at(registry.host, repository, tag)[7:]
        path = blobs / digest[:2] / digest / "data"
        whole = path.read_bytes()
        for distance in (0, 40):
            position = whole.index(text) + len(text) + distance
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            found = run("image_verify", **verify)["signatures"]
            assert [signature["format"] for signature in found] == [left], (tag, text, distance)
        path.write_bytes(whole)
    assert len(run("image_verify", **verify)["signatures"]) == 2
