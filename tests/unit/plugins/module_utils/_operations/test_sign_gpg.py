# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures with GPG, and the policies that require signatures. The program gpg is needed for its own signatures."""

from __future__ import annotations

import fcntl
import json
import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidReference, Refused
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign import SignedDigest
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.evidence import NotVerified
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.rules import PolicyRule
from ansible_collections.drayage.registry.plugins.module_utils._operations.verify import VerifyOptions, verify
from ansible_collections.drayage.registry.plugins.module_utils._stores import signature_files
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.tests.unit.support.files import files
from ansible_collections.drayage.registry.tests.unit.support.gpg_signing import (
    AMD64,
    APP,
    ARM64,
    INDEX,
    add_images,
    lookaside,
    needs_gpg,
    run_command,
    signing,
)
from ansible_collections.drayage.registry.tests.unit.support.images import descriptor


@pytest.fixture
def place(place):
    return add_images(place)


@pytest.fixture
def run(stores, tmp_path):
    return signing(stores, tmp_path / "sigs")


@needs_gpg
class TestGpg:
    @pytest.fixture(params=[0, 1], ids=["passphrase", "no passphrase"])
    def home(self, request, homes):
        return homes[request.param]

    @pytest.fixture
    def sign(self, run, home):
        def signed(name=APP, by=home, **more):
            return run(name, by.fingerprint, home=by.path, passphrase=by.passphrase, **more)

        return signed

    @pytest.fixture
    def check(self, stores, tmp_path):
        """Verify an image with a policy that requires a signature of a key."""

        def verified(name, signed, identity=None):
            key = tmp_path / "key.asc"
            key.write_text(signed.public_key)
            identity = {"signedIdentity": identity} if identity else {}
            required = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(key), **identity}
            (tmp_path / "policy.json").write_text(json.dumps({"default": [required]}))
            (tmp_path / "d").mkdir(exist_ok=True)
            settings = {"default-docker": {"lookaside": "file://%s" % (tmp_path / "sigs")}}
            (tmp_path / "d" / "x.yaml").write_text(json.dumps(settings))
            rule = PolicyRule.from_options(
                str(tmp_path / "policy.json"), str(tmp_path / "d"), stores.run.run_command, lambda _url, _limit: None
            )
            return verify(VerifyOptions(name, policy=rule), stores).signatures

        return verified

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_a_signature_that_would_not_be_read_is_refused(self, run, place, homes, tmp_path, monkeypatch, dry_run):
        monkeypatch.setattr(signature_files, "MOST", 1)
        first, second = ({"key": home.fingerprint, "home": home.path, "passphrase": home.passphrase} for home in homes)
        for _run in range(2):
            run(**first)
        before = files(tmp_path / "sigs")
        with pytest.raises(Refused, match="would contain more than 1 signatures of one image"):
            run(**second, dry_run=dry_run)
        assert files(tmp_path / "sigs") == before

    def test_an_image_in_a_registry_is_signed_once(self, sign, check, home, place, tmp_path):
        planned = sign(dry_run=True)
        assert not (tmp_path / "sigs").exists()
        signed = sign()
        for each in (planned, signed):
            assert (each.signed.digest, each.signed.identity) == (AMD64.digest, APP)
            assert each.signed.manifests == [SignedDigest(AMD64.digest, [], ["gpg"])]
            assert each.fingerprint == home.fingerprint
            assert each.public_key.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
        assert files(tmp_path / "sigs") == [lookaside(AMD64.digest)]
        [found] = check(APP, signed)
        assert (found.format, found.fingerprint, found.claim.identity) == ("gpg", home.fingerprint, APP)
        assert found.claim.annotations["creator"] == "drayage.registry"
        assert isinstance(found.claim.annotations["timestamp"], int)
        assert sign().signed.manifests == [SignedDigest(AMD64.digest, ["gpg"], ["gpg"])]
        assert files(tmp_path / "sigs") == [lookaside(AMD64.digest)]

    def test_only_signatures_of_the_key_are_removed(self, sign, check, homes, home, place, tmp_path):
        other = homes[home is homes[0]]
        sign()
        theirs = sign(by=other)
        assert files(tmp_path / "sigs") == [lookaside(AMD64.digest, number) for number in (1, 2)]
        removed = [SignedDigest(AMD64.digest, ["gpg"], [])]
        assert sign(is_present=False, dry_run=True).signed.manifests == removed
        assert len(files(tmp_path / "sigs")) == 2
        assert sign(is_present=False).signed.manifests == removed
        assert files(tmp_path / "sigs") == [lookaside(AMD64.digest)]
        assert check(APP, theirs)[0].fingerprint == other.fingerprint
        assert sign(is_present=False).signed.manifests == [SignedDigest(AMD64.digest, [], [])]

    def test_signatures_for_any_name_are_removed(self, sign, homes, home, place, tmp_path):
        for identity in (APP, "r.example/other:2", "r.example/app@" + AMD64.digest):
            sign(identity=identity)
        sign(by=homes[home is homes[0]])
        removed = [SignedDigest(AMD64.digest, ["gpg"], [])]
        assert sign(is_present=False, dry_run=True).signed.manifests == removed
        assert sign(is_present=False).signed.manifests == removed
        assert files(tmp_path / "sigs") == [lookaside(AMD64.digest)]

    def test_nothing_is_written_to_remove_nothing(self, sign, place, tmp_path):
        assert sign(is_present=False).signed.manifests == [SignedDigest(AMD64.digest, [], [])]
        assert not (tmp_path / "sigs").exists()

    def test_an_image_with_a_tag_and_a_digest_is_signed_as_its_tag(self, sign, check, place):
        name = "%s@%s" % (APP, AMD64.digest)
        signed = sign(name)
        assert signed.signed.identity == APP
        for verified in (APP, name):
            assert check(verified, signed)[0].claim.identity == APP
        assert sign().signed.manifests[0].added == []
        assert sign(identity=name).signed.identity == APP
        only_digest = "r.example/app@" + AMD64.digest
        signed = sign(only_digest)
        assert (signed.signed.identity, signed.signed.manifests[0].added) == (only_digest, ["gpg"])


@needs_gpg
class TestNames:
    @pytest.fixture
    def sign(self, run, homes):
        def signed(name=APP, **more):
            return run(name, homes[1].fingerprint, home=homes[1].path, **more)

        return signed

    @pytest.mark.parametrize("children", [True, False])
    def test_an_index_is_signed_with_its_children(self, sign, place, tmp_path, children):
        signed = sign("r.example/app:all", children=children).signed
        digests = [INDEX.digest, AMD64.digest, ARM64.digest][: 3 if children else 1]
        assert [each.digest for each in signed.manifests] == digests
        assert files(tmp_path / "sigs") == sorted(map(lookaside, digests))

    def test_a_signature_for_another_name_is_not_enough(self, sign, place, tmp_path):
        sign()
        signed = sign(identity="busybox").signed
        assert (signed.identity, signed.manifests[0].added) == ("docker.io/library/busybox:latest", ["gpg"])
        assert len(files(tmp_path / "sigs")) == 2

    def test_a_repository_is_signed_as_its_latest_tag(self, sign, place):
        place.add(AMD64, tag="latest")
        assert sign("r.example/app").signed.identity == "r.example/app:latest"

    @pytest.fixture
    def directory(self, stores, tmp_path):
        """Return the path of a directory with an image."""
        path = tmp_path / "d"
        store = Directory(str(path), print)
        for content in AMD64.blobs:
            store.put_blob(descriptor(content), lambda content=content: [content], "")
        store.publish(AMD64.manifest, [""], None)
        stores.open = lambda reference: Directory(reference.path, print)
        return path

    def test_a_directory_has_its_signatures_itself(self, sign, directory):
        with pytest.raises(ImageError) as caught:
            sign("dir:%s" % directory)
        assert str(caught.value) == (
            "dir:%s: the signature needs an image name, but local images have none. Set the identity option to the image name."
            % directory
        )
        assert sign("dir:%s" % directory, identity=APP).signed.manifests[0].added == ["gpg"]
        assert (directory / "signature-1").is_file()
        assert sign("dir:%s" % directory, identity=APP).signed.manifests[0].added == []

    def test_a_directory_is_locked_as_for_copies(self, sign, directory):
        before, waited = files(directory), []

        def check_lock(argv, *arguments):
            if "--sign" in argv:
                with (directory / "version").open("r+b") as stream:
                    try:
                        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        waited.append(files(directory))
            return run_command(argv, *arguments)

        sign("dir:%s" % directory, identity=APP, command=check_lock)
        assert waited == [before]  # a lock file would stay if the task is killed, and the directory with it

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_a_directory_that_does_not_exist_is_not_created(self, sign, directory, tmp_path, dry_run):
        with pytest.raises(ImageError, match="cannot sign the image"):
            sign("dir:%s" % (tmp_path / "none"), identity=APP, dry_run=dry_run)
        assert not (tmp_path / "none").exists()

    def test_no_temporary_files_are_left_behind(self, sign, place, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
        (tmp_path / "t").mkdir()
        sign()
        assert os.listdir(tmp_path / "t") == []

    def test_gpg_is_never_interactive_and_has_limits(self, sign, place):
        run_command.calls.clear()
        sign()
        for argv, seconds, limit in run_command.calls:
            assert argv[:3] == ["gpg", "--batch", "--no-tty"]
            assert (seconds, limit) == (60.0, 1048576)

    def test_a_key_that_does_not_exist_is_an_error(self, run, homes, place):
        with pytest.raises(ImageError) as caught:
            run(key="nobody", home=homes[1].path)
        assert str(caught.value).startswith("r.example/app:1: gpg failed (")
        assert str(caught.value).endswith("). Check gpg_key, gpg_home and the passphrase.")


def not_installed(argv, stdin, seconds=None, limit=None):
    raise FileNotFoundError(argv[0])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (not_installed, "gpg is not installed. Install GnuPG on the managed node."),
        (lambda *_: (0, "pub:x:\n", ""), "gpg has no private key k. Check gpg_key and gpg_home."),
        (lambda *_: (2, "", "a\nb\n"), "gpg failed (b). Check gpg_key, gpg_home and the passphrase."),
        (lambda *_: (2, "", ""), "gpg failed (no reason given). Check gpg_key, gpg_home and the passphrase."),
    ],
)
def test_a_gpg_that_does_not_work_is_an_error(run, place, command, message):
    with pytest.raises(ImageError) as caught:
        run(command=command)
    assert str(caught.value) == "%s: %s" % (APP, message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (APP, "GPG signatures for images in registries require a lookaside directory. Set the lookaside option."),
        ("oci:/x:1", "GPG signatures are supported only for registries and directories. Use a registry or dir:PATH."),
        ("docker-daemon:x:1", "GPG signatures are supported only for registries and directories. Use a"),
    ],
)
def test_only_registries_and_directories_have_signatures_with_gpg(run, stores, name, message):
    with pytest.raises(InvalidReference) as caught:
        run(name, lookaside="")
    assert message in str(caught.value)
    assert stores.opened == []


def test_a_policy_that_accepts_everything_verifies_nothing(stores, place, tmp_path):
    path = tmp_path / "policy.json"
    path.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    rule = PolicyRule.from_options(str(path), None, run_command, lambda _url, _limit: None)
    with pytest.raises(NotVerified) as caught:
        verify(VerifyOptions(APP, policy=rule), stores)
    assert str(caught.value) == (
        APP
        + ": the policy accepts this image without a signature, so nothing was verified. Require a signature in the "
        "policy, or set public_keys."
    )
