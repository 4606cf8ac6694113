# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed bundles: every change of a file, of the list of files and of the signature is found."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.bundle import MEDIA_TYPE, Bundle
from ansible_collections.drayage.registry.plugins.module_utils._image.statement import Statement, Subject
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign_bundle import (
    SIGNATURE,
    sign_bundle,
    verify_bundle,
)
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.evidence import NotVerified
from ansible_collections.drayage.registry.plugins.module_utils._progress_file import Progress
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from ansible_collections.drayage.registry.tests.unit.support.signing_keys import new_key

_DIGEST = "sha256:" + "a" * 64
_RUN = Run(lambda *_arguments: (1, "", ""), 2)
_DRY_RUN = Run(lambda *_arguments: (1, "", ""), 2, True)


KEY, OTHER = new_key(), new_key()


@pytest.fixture
def bundle(tmp_path):
    """Return the directory of a bundle with two files and the inventory."""
    path = tmp_path / "bundle"
    files = {
        "inventory.json": json.dumps(
            {"images": [{"ref": "r.example/app:1", "src": "q.example/app:1", "digest": _DIGEST}]}
        ),
        "images/index.json": "{}",
        "images/blobs/sha256/aa": "content",
    }
    lines = []
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
        lines.append(f"{hashlib.sha256(content.encode()).hexdigest()}  ./{name}\n")
    (path / "SHA256SUMS").write_text("".join(sorted(lines)))
    return path


def _verify(bundle):
    return verify_bundle(str(bundle), [KEY.public], _RUN)


def _sign(bundle, key=KEY, run=_RUN, is_present=True):
    (signed,) = sign_bundle(str(bundle), key, is_present, run).manifests
    return signed.added or signed.removed


def test_the_check_of_all_files_is_counted(bundle):
    _sign(bundle)
    run = Run(lambda *_arguments: (1, "", ""), 2, progress=Progress())
    verify_bundle(str(bundle), [KEY.public], run)
    found = run.progress.snapshot()
    size = sum(
        (bundle / name).stat().st_size for name in ("inventory.json", "images/index.json", "images/blobs/sha256/aa")
    )
    assert (found["phase"], found["current"], found["bytes"]) == ("checking", str(bundle), [size, size])


def test_signing_twice_changes_nothing(bundle):
    assert _sign(bundle, run=_DRY_RUN)
    assert not (bundle / SIGNATURE).exists()
    assert _sign(bundle)
    content = (bundle / SIGNATURE).read_bytes()
    assert not _sign(bundle)
    assert (bundle / SIGNATURE).read_bytes() == content
    verified = _verify(bundle)
    assert verified.digest == "sha256:" + hashlib.sha256((bundle / "SHA256SUMS").read_bytes()).hexdigest()
    (signature,) = verified.signatures
    assert signature.claim.predicate["images"] == [
        {"ref": "r.example/app:1", "src": "q.example/app:1", "digest": _DIGEST}
    ]
    assert not _sign(bundle, OTHER, is_present=False)
    assert _sign(bundle, is_present=False)
    with pytest.raises(NotVerified) as caught:
        _verify(bundle)
    assert "the bundle is not signed: the file SHA256SUMS.sigstore.json is missing" in str(caught.value)


@pytest.mark.parametrize("run", [_RUN, _DRY_RUN])
def test_the_signature_of_another_key_is_kept(bundle, run):
    _sign(bundle, OTHER)
    content = (bundle / SIGNATURE).read_bytes()
    with pytest.raises(NotVerified) as caught:
        _verify(bundle)
    assert "the bundle's signature was not made with k. Nothing was imported" in str(caught.value)
    with pytest.raises(ImageError) as caught:
        _sign(bundle, run=run)
    assert str(caught.value) == (
        "%s: the bundle is already signed with another key, and the file SHA256SUMS.sigstore.json can contain only one "
        "signature. To replace the signature, delete this file." % bundle
    )
    assert not _sign(bundle, is_present=False)
    assert (bundle / SIGNATURE).read_bytes() == content


def _plain(bundle, key, is_keyless):
    """Return a bundle as ``cosign sign-blob`` writes it."""
    content = (bundle / "SHA256SUMS").read_bytes()
    digest, signature = (
        base64.b64encode(each).decode() for each in (hashlib.sha256(content).digest(), key.sign(content))
    )
    message = {"messageDigest": {"algorithm": "SHA2_256", "digest": digest}, "signature": signature}
    material = {"certificate": {}} if is_keyless else {"publicKey": {"hint": ""}}
    return json.dumps({"mediaType": MEDIA_TYPE, "verificationMaterial": material, "messageSignature": message}).encode()


def _other_statement(_bundle, key, _is_keyless):
    return Bundle.sign(Statement("https://example.com/other", (Subject.of(_DIGEST),), {}), key).encode()


@pytest.mark.parametrize(
    ("make", "key", "is_keyless"),
    [(_plain, KEY, False), (_plain, OTHER, False), (_plain, KEY, True), (_other_statement, KEY, False)],
)
@pytest.mark.parametrize("run", [_RUN, _DRY_RUN])
def test_a_signature_by_another_program_is_kept(bundle, make, key, is_keyless, run):
    """It has the same name if it is made with cosign sign-blob, possibly with the same key."""
    content = make(bundle, key, is_keyless)
    (bundle / SIGNATURE).write_bytes(content)
    with pytest.raises(NotVerified) as caught:
        _verify(bundle)
    cause = "%s: the file SHA256SUMS.sigstore.json contains a signature that image_sign did not make. " % bundle
    assert str(caught.value) == cause + "Nothing was imported. Sign the bundle with image_sign."
    with pytest.raises(ImageError) as caught:
        _sign(bundle, run=run)
    assert str(caught.value) == cause + "To replace the signature, delete this file."
    assert not _sign(bundle, is_present=False)
    assert (bundle / SIGNATURE).read_bytes() == content


def test_an_outdated_signature_is_replaced(bundle):
    _sign(bundle, OTHER)
    (bundle / "SHA256SUMS").write_text((bundle / "SHA256SUMS").read_text() + f"{'b' * 64}  ./images/new\n")
    assert _sign(bundle)


@pytest.mark.parametrize("name", ["inventory.json", "images/index.json", "images/blobs/sha256/aa", "SHA256SUMS"])
def test_every_changed_byte_of_every_file_is_found(bundle, name):
    _sign(bundle)
    whole = (bundle / name).read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        (bundle / name).write_bytes(damaged)
        with pytest.raises(ImageError):
            _verify(bundle)
    (bundle / name).write_bytes(whole)
    _verify(bundle)
    (bundle / name).unlink()
    with pytest.raises(ImageError):
        _verify(bundle)


def test_every_changed_byte_of_the_envelope_is_found(bundle):
    _sign(bundle)
    whole = (bundle / SIGNATURE).read_bytes()
    for position in range(whole.index(b'"dsseEnvelope"'), len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        (bundle / SIGNATURE).write_bytes(damaged)
        with pytest.raises(NotVerified):
            _verify(bundle)


def test_files_that_nobody_signed_are_refused(bundle):
    _sign(bundle)
    (bundle / "images" / "more").write_text("x")
    with pytest.raises(NotVerified) as caught:
        _verify(bundle)
    assert "the bundle contains the file images/more, which is not signed" in str(caught.value)
    (bundle / "images" / "more").unlink()
    (bundle / "images" / "link").symlink_to("/etc/passwd")
    with pytest.raises(NotVerified):
        _verify(bundle)


def test_a_bundle_that_changed_is_signed_again(bundle):
    _sign(bundle)
    (bundle / "SHA256SUMS").write_text((bundle / "SHA256SUMS").read_text() + f"{'b' * 64}  ./images/new\n")
    assert _sign(bundle)
    (bundle / SIGNATURE).write_text("damaged")
    assert _sign(bundle)
    assert not _sign(bundle)
