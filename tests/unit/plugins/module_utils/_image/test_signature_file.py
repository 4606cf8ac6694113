# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures as files of a directory: those of skopeo for cosign, and GPG signatures."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import signature_file
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor

GPG, COSIGN = "application/pgp-signature", "application/vnd.dev.cosign.simplesigning.v1+json"
HEX = "0123456789abcdef" * 4
PAYLOAD = b'{"critical":{}}'


def layer(media_type=COSIGN, content=PAYLOAD, **more):
    return {"mediaType": media_type, "digest": digests.of(content), "size": len(content), **more}


def file_of(**more):
    document = {"mimeType": COSIGN, "payload": base64.b64encode(PAYLOAD).decode(), "annotations": {"a": "b"}, **more}
    return b"\0sigstore-json\n" + json.dumps(document).encode()


def test_tags_of_the_files():
    assert signature_file.tags("sha256:" + HEX) == ["sha256-%s.sig" % HEX, "sha256-%s.gpg" % HEX]
    assert signature_file.tags("sha512:" + HEX * 2) == []


@pytest.mark.parametrize(
    ("tag", "has_subject", "is_gpg"),
    [
        ("sha256-%s.sig" % HEX, True, False),
        ("sha256-%s.gpg" % HEX, True, True),
        ("sha256-%s.att" % HEX, False, False),
        ("sha256-%s" % HEX, False, False),
        ("sha256-%sXsig" % HEX, False, False),
        ("sha256-%s.gpg" % HEX[1:], False, False),
        ("1.0.gpg", False, False),
    ],
)
def test_the_image_of_a_tag(tag, has_subject, is_gpg):
    assert signature_file.subject_of(tag) == ("sha256:" + HEX if has_subject else "")
    assert signature_file.is_gpg(tag) is is_gpg


def test_all_suffixes_belong_to_images():
    assert signature_file.ATTACHED_SUFFIXES == (".sig", ".att", ".sbom", ".gpg")


def test_gpg_signatures_have_a_tag_of_their_own():
    for media_type, is_gpg in ((GPG, True), (COSIGN, False)):
        assert signature_file.is_of("x.gpg", layer(media_type)) is is_gpg
        assert signature_file.is_of("x.sig", layer(media_type)) is not is_gpg


def test_a_signature_for_cosign_is_read_and_written_as_skopeo_does():
    read = signature_file.decode(file_of())
    assert read == (layer(annotations={"a": "b"}), PAYLOAD)
    compact = file_of().replace(b'": ', b'":').replace(b', "', b',"')
    assert signature_file.encode(*read) == compact


def test_a_signature_without_annotations():
    assert signature_file.decode(file_of(annotations=None)) == (layer(), PAYLOAD)
    assert json.loads(signature_file.encode(layer(), PAYLOAD).partition(b"\n")[2])["annotations"] == {}


@pytest.mark.parametrize("prefix", [b"", b"\0simple-signing\n"])
def test_a_gpg_signature_is_its_content(prefix):
    assert signature_file.decode(prefix + b"\x89signature") == (layer(GPG, b"\x89signature"), b"\x89signature")
    assert signature_file.encode(layer(GPG), b"\x89signature") == b"\x89signature"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\0other\n{}", "a signature has an unknown format"),
        (b"\0sigstore-json\nx", "a signature is not valid JSON"),
        (b"\0sigstore-json\n{}", "a signature"),
        (file_of(payload="not base64"), "a signature"),
        (file_of(mimeType=1), "a signature"),
        (file_of(annotations={"a": 1}), "a signature"),
        (file_of(annotations=["a"]), "a signature"),
    ],
)
def test_other_files_are_refused(content, said):
    with pytest.raises(InvalidContent, match=said):
        signature_file.decode(content)


def test_a_file_stores_only_some_fields_of_a_layer():
    blob = Descriptor(COSIGN, digests.of(PAYLOAD), len(PAYLOAD), {"a": "b"}, artifact_type="x", data="eA==")
    assert signature_file.layer_of(blob) == layer(annotations={"a": "b"})
    assert signature_file.layer_of(Descriptor(GPG, digests.of(PAYLOAD), len(PAYLOAD))) == layer(GPG)
