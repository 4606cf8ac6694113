# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import DigestMismatch, InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types, schema1
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest

BASE, TOP = digests.of(b"base"), digests.of(b"top")
DOCUMENT = {
    "schemaVersion": 1,
    "name": "app",
    "architecture": "amd64",
    "fsLayers": [{"blobSum": TOP}, {"blobSum": BASE}],
    "history": [{"v1Compatibility": '{"os": "linux", "architecture": "amd64"}'}, {"v1Compatibility": "{}"}],
}


def encoded(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def signed(payload):
    """As libtrust signs: the signatures go before the last characters of the text, which they repeat."""
    protected = {"formatLength": len(payload) - 2, "formatTail": encoded(payload[-2:])}
    signatures = json.dumps([{"protected": encoded(json.dumps(protected).encode())}]).encode()
    return payload[:-2] + b',\n"signatures": ' + signatures + payload[-2:]


PAYLOAD = json.dumps(DOCUMENT, indent=3).encode()


def test_digest_is_over_what_was_signed():
    manifest = schema1.parse(signed(PAYLOAD))
    assert (manifest.digest, manifest.raw) == (digests.of(PAYLOAD), signed(PAYLOAD))
    assert manifest.media_type == media_types.DOCKER_SCHEMA1_SIGNED
    assert schema1.parse(signed(PAYLOAD), digest=manifest.digest) == manifest
    with pytest.raises(DigestMismatch):
        schema1.parse(signed(PAYLOAD), digest=digests.of(signed(PAYLOAD)))


def test_without_signatures():
    manifest = schema1.parse(PAYLOAD)
    assert (manifest.digest, manifest.media_type) == (digests.of(PAYLOAD), media_types.DOCKER_SCHEMA1)


def test_config_and_layers():
    manifest = schema1.parse(PAYLOAD)
    assert schema1.config(manifest) == {"os": "linux", "architecture": "amd64"}
    assert schema1.layers(manifest) == [BASE, TOP]
    assert (manifest.blobs, manifest.children) == ([], [])


def test_other_manifests_are_what_they_are():
    raw = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    assert schema1.parse(raw) == Manifest.parse(raw)
    with pytest.raises(InvalidContent, match="not valid JSON"):
        schema1.parse(b"<html>")


@pytest.mark.parametrize(
    "signature",
    [
        {},
        {"protected": 7},
        {"protected": "!"},
        {"protected": encoded(b"{}")},
        {"protected": encoded(b"[]")},
        "text",
        None,
        {"protected": encoded(b'{"formatLength": 1, "formatTail": 2}')},
    ],
)
def test_malformed_signatures(signature):
    with pytest.raises(InvalidContent, match="signature"):
        schema1.parse(json.dumps({**DOCUMENT, "signatures": [signature]}).encode())


def test_characters_outside_base64url_are_not_skipped():
    """Others would read another signed text."""
    protected = encoded(json.dumps({"formatLength": 1, "formatTail": encoded(b"}")}).encode())
    for odd in (protected + "!!!!", protected[:4] + "\n" + protected[4:]):
        with pytest.raises(InvalidContent, match="signature"):
            schema1.parse(json.dumps({**DOCUMENT, "signatures": [{"protected": odd}]}).encode())


@pytest.mark.parametrize(("length", "is_valid"), [(-1, False), (0, False), (1, True), (10**6, False)])
def test_signed_text_cannot_be_longer_than_the_manifest(length, is_valid):
    header = {"formatLength": length, "formatTail": encoded(b"tail")}
    protected = encoded(json.dumps(header).encode())
    raw = json.dumps({**DOCUMENT, "signatures": [{"protected": protected}]}).encode()
    if is_valid:
        assert schema1.parse(raw).digest == digests.of(b"{tail")
        return
    with pytest.raises(InvalidContent, match="cover more text than it contains"):
        schema1.parse(raw)


def test_signatures_of_different_content_are_refused():
    each = [
        {"protected": encoded(json.dumps({"formatLength": length, "formatTail": ""}).encode())} for length in (1, 2)
    ]
    with pytest.raises(InvalidContent, match="cover different content"):
        schema1.parse(json.dumps({**DOCUMENT, "signatures": each}).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("history", [{}]),
        ("history", {"a": 1}),
        ("history", [7]),
        ("history", [{"v1Compatibility": 5}]),
        ("history", 7),
        ("fsLayers", [{}]),
        ("fsLayers", 7),
        ("fsLayers", [1]),
    ],
)
def test_malformed_lists(key, value):
    manifest = schema1.parse(json.dumps({**DOCUMENT, key: value}).encode())
    with pytest.raises(InvalidContent, match=key):
        schema1.config(manifest)
        schema1.layers(manifest)
