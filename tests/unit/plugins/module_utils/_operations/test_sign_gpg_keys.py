# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that are invalid, or not the only one of their user, in signatures with GPG. These tests need the program gpg."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.policy import Requirement
from ansible_collections.drayage.registry.plugins.module_utils._image.signed_identity import IdentityRule
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign import SignedDigest
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.gpg import keyring_of
from ansible_collections.drayage.registry.tests.unit.support.files import files
from ansible_collections.drayage.registry.tests.unit.support.gpg_signing import (
    AMD64,
    APP,
    Home,
    add_images,
    lookaside,
    needs_gpg,
    run_command,
    signing,
)


@pytest.fixture
def place(place):
    return add_images(place)


@pytest.fixture
def run(stores, tmp_path):
    return signing(stores, tmp_path / "sigs")


@needs_gpg
class TestSeveralKeys:
    """One user ID, as after the renewal of a key: the old one has expired."""

    @pytest.fixture
    def home(self, homes, tmp_path):
        home = Home(tmp_path / "h", "")
        secret = ["--pinentry-mode", "loopback", "--passphrase", ""]
        home.expire()
        home.run(*secret, "--quick-gen-key", "new <k@example.com>", "ed25519", "sign", "never")
        yield home
        home.stop()

    def test_the_usable_key_of_a_user_signs_once(self, run, home, place):
        first = run(key="k@example.com", home=home.path)
        assert first.fingerprint != home.fingerprint
        assert first.signed.manifests[0].added == ["gpg"]
        assert run(key="k@example.com", home=home.path).signed.manifests[0].added == []

    def test_a_key_that_has_expired_is_an_error(self, run, home, place):
        with pytest.raises(ImageError) as caught:
            run(key=home.fingerprint, home=home.path)
        assert str(caught.value) == (
            "%s: the private key %s is expired, revoked or disabled. Set gpg_key to a valid key."
            % (APP, home.fingerprint)
        )

    def test_a_disabled_key_is_skipped(self, run, home, place):
        home.run("--quick-set-expire", home.fingerprint, "never")
        home.disable()
        assert run(key="k@example.com", home=home.path).fingerprint != home.fingerprint
        with pytest.raises(ImageError, match="is expired, revoked or disabled"):
            run(key=home.fingerprint, home=home.path)

    def test_several_usable_keys_are_an_error(self, run, home, place):
        home.run("--quick-set-expire", home.fingerprint, "never")
        with pytest.raises(ImageError) as caught:
            run(key="k@example.com", home=home.path)
        assert str(caught.value) == (
            APP + ": gpg has 2 private keys for k@example.com. Set gpg_key to the fingerprint of one of them."
        )


@needs_gpg
class TestInvalidatedKeys:
    """The key was valid when it signed the image."""

    @pytest.fixture
    def home(self, tmp_path):
        home = Home(tmp_path / "h", "")
        yield home
        home.stop()

    @pytest.mark.parametrize("invalidate", [Home.expire, Home.revoke, Home.disable])
    def test_their_signatures_can_be_removed(self, run, homes, home, place, tmp_path, invalidate):
        run(key=home.fingerprint, home=home.path)
        run(key=homes[1].fingerprint, home=homes[1].path)
        invalidate(home)
        with pytest.raises(ImageError, match="is expired, revoked or disabled"):
            run(key=home.fingerprint, home=home.path)
        for key in (home.fingerprint, "k@example.com"):
            removed = run(key=key, home=home.path, is_present=False, dry_run=True).signed.manifests
            assert removed == [SignedDigest(AMD64.digest, ["gpg"], [])]
        run(key="k@example.com", home=home.path, is_present=False)
        assert files(tmp_path / "sigs") == [lookaside(AMD64.digest)]
        assert run(key=homes[1].fingerprint, home=homes[1].path).signed.manifests[0].added == []

    @pytest.mark.parametrize("invalidate", [Home.expire, Home.revoke])
    def test_their_signatures_do_not_count(self, run, home, place, tmp_path, invalidate):
        run(key=home.fingerprint, home=home.path)
        signature = (tmp_path / "sigs" / lookaside(AMD64.digest)).read_bytes()
        found = []
        for _state in ("valid", "invalid"):
            requirement = Requirement("signedBy", (), (home.run("--export", home.fingerprint),), IdentityRule())
            with keyring_of(requirement, run_command) as keyring:
                found.append(keyring.open(signature)[1])
            invalidate(home)
        assert found == [home.fingerprint, ""]

    def test_a_valid_key_of_the_user_takes_precedence(self, run, home, place):
        run(key=home.fingerprint, home=home.path)
        home.expire()
        secret = ["--pinentry-mode", "loopback", "--passphrase", ""]
        home.run(*secret, "--quick-gen-key", "new <k@example.com>", "ed25519", "sign", "never")
        assert run(key="k@example.com", home=home.path, is_present=False).signed.manifests[0].removed == []
