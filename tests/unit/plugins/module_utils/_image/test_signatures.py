# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is signed and how it is wrapped: payloads, statements, envelopes and bundles; and that no changed byte passes."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import statement as statements
from ansible_collections.drayage.registry.plugins.module_utils._image.bundle import MEDIA_TYPE, Bundle
from ansible_collections.drayage.registry.plugins.module_utils._image.envelope import Envelope
from ansible_collections.drayage.registry.plugins.module_utils._image.signing_key import load_private
from ansible_collections.drayage.registry.plugins.module_utils._image.simple_signing import ATOMIC, COSIGN, Payload
from ansible_collections.drayage.registry.plugins.module_utils._image.statement import Statement, Subject

_HEX = "a" * 64
_DIGEST = "sha256:" + _HEX
_PEM = ed25519.Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
_KEY = load_private(_PEM, None, "k")
_STATEMENT = Statement(statements.SIGN, (Subject.of(_DIGEST),), {})


def test_a_payload_is_written_as_cosign_writes_it():
    payload = Payload(COSIGN, "example.com/app", _DIGEST)
    assert payload.encode().decode() == (
        '{"critical":{"identity":{"docker-reference":"example.com/app"},"image":{"docker-manifest-digest":"%s"},'
        '"type":"cosign container image signature"},"optional":null}' % _DIGEST
    )
    annotated = Payload(COSIGN, "example.com/app", _DIGEST, {"b": "2", "a": "1"})
    assert annotated.encode().endswith(b'"optional":{"a":"1","b":"2"}}')
    for each in (payload, annotated, Payload(ATOMIC, "example.com/app:1", _DIGEST, {"creator": "x"})):
        assert Payload.parse(each.encode()) == each


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("optional"),
        lambda document: document.update(more=1),
        lambda document: document.update(optional=[]),
        lambda document: document["critical"].update(type="another"),
        lambda document: document["critical"].update(more=1),
        lambda document: document["critical"].update(identity={"docker-reference": 1}),
        lambda document: document["critical"].update(identity={"docker-reference": "x", "more": 1}),
        lambda document: document["critical"].update(image={"docker-manifest-digest": "sha256:short"}),
        lambda document: document["critical"].update(image={"Docker-manifest-digest": _DIGEST}),
        lambda document: document["critical"].update(image=[]),
    ],
)
def test_payloads_of_another_shape_are_refused(change):
    document = json.loads(Payload(COSIGN, "example.com/app", _DIGEST).encode())
    change(document)
    with pytest.raises(InvalidContent):
        Payload.parse(json.dumps(document).encode())


def test_a_statement_speaks_of_the_digests_of_its_subjects():
    annotated = Subject.of(_DIGEST, "example.com/app", {"env": "prod"})
    statement = Statement("https://spdx.dev/Document", (Subject.of("sha256:" + "b" * 64), annotated), {"a": [1]})
    read = Statement.parse(statement.encode())
    assert read == statement
    assert read.subject_of(_DIGEST) == annotated
    assert read.subject_of("sha512:" + "a" * 128) is None
    assert Statement.parse(statement.encode().replace(b"Statement/v1", b"Statement/v0.1")).type == statements.V0_1
    assert statements.predicate_type("cyclonedx") == "https://cyclonedx.org/bom"
    assert statements.predicate_type("https://example.com/t") == "https://example.com/t"


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v2"},
        {"subject": None},
        {"subject": [{"name": "x"}]},
        {"subject": [{"digest": {"sha256": 1}}]},
        {"subject": [{"digest": {}, "name": 1}]},
        {"subject": [{"digest": {}, "annotations": [1]}]},
        {"predicateType": None},
    ],
)
def test_statements_of_another_shape_are_refused(change):
    with pytest.raises(InvalidContent):
        Statement.parse(json.dumps({**json.loads(_STATEMENT.encode()), **change}).encode())


def test_an_envelope_is_signed_with_its_type():
    """The vector of the protocol: https://github.com/secure-systems-lab/dsse, protocol.md."""
    envelope = Envelope.sign("http://example.com/HelloWorld", b"hello world", _KEY)
    assert _KEY.public.verify(b"DSSEv1 29 http://example.com/HelloWorld 11 hello world", envelope.signatures[0])
    assert envelope.signer([_KEY.public]) == _KEY.public
    assert Envelope("http://example.com/Other", b"hello world", envelope.signatures).signer([_KEY.public]) is None
    assert json.loads(envelope.encode())["signatures"][0]["keyid"] == ""
    assert Envelope.parse(envelope.encode()) == envelope
    with pytest.raises(InvalidContent):
        Envelope.from_document({**envelope.document(), "payload": "aGk"})


@pytest.mark.parametrize(("number", "is_read"), [(16, True), (17, False)])
def test_an_envelope_has_a_limited_number_of_signatures(number, is_read):
    document = Envelope.sign("text/plain", b"hello", _KEY).document()
    document["signatures"] *= number
    if is_read:
        assert len(Envelope.from_document(document).signatures) == number
    else:
        with pytest.raises(InvalidContent, match="^the envelope of a signature contains more than 16 signatures"):
            Envelope.from_document(document)


def test_a_bundle_is_written_as_cosign_3_writes_it():
    bundle = Bundle.sign(_STATEMENT, _KEY)
    document = json.loads(bundle.encode())
    assert document["mediaType"] == MEDIA_TYPE == "application/vnd.dev.sigstore.bundle.v0.3+json"
    der = base64.b64decode("".join(_KEY.public.pem.splitlines()[1:-1]))
    hint = base64.b64encode(bytes.fromhex(digests.of(der)[7:])).decode()
    assert document["verificationMaterial"] == {"publicKey": {"hint": hint}}
    assert json.loads(base64.b64decode(document["dsseEnvelope"]["payload"])) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": _HEX}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    }
    read = Bundle.parse(bundle.encode())
    assert read == bundle
    assert read.statement() == _STATEMENT
    assert read.signer([_KEY.public], b"") == _KEY.public


def _message_bundle(content: bytes, signature: bytes) -> dict:
    digest = base64.b64encode(bytes.fromhex(digests.of(content)[7:])).decode()
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": ""}},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
            "signature": base64.b64encode(signature).decode(),
        },
    }


def test_a_bare_signature_is_over_the_manifest():
    document = _message_bundle(b"manifest", _KEY.sign(b"manifest"))
    bundle = Bundle.parse(json.dumps(document).encode())
    assert bundle.statement() is None
    assert bundle.signer([_KEY.public], b"manifest") == _KEY.public
    assert bundle.signer([_KEY.public], b"another") is None
    wrong = Bundle.parse(json.dumps(_message_bundle(b"manifest", _KEY.sign(b"another"))).encode())
    assert wrong.signer([_KEY.public], b"manifest") is None


def test_a_keyless_bundle_belongs_to_no_key():
    document = _message_bundle(b"manifest", _KEY.sign(b"manifest"))
    document["verificationMaterial"] = {"certificate": {"rawBytes": ""}}
    assert Bundle.parse(json.dumps(document).encode()).signer([_KEY.public], b"manifest") is None


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": "application/vnd.dev.sigstore.bundle.v0.4+json"},
        {"verificationMaterial": None},
        {"dsseEnvelope": None},
        {"dsseEnvelope": {"payloadType": 1, "payload": "", "signatures": []}},
        {"dsseEnvelope": {"payloadType": "\ud800", "payload": "", "signatures": []}},
        {"messageSignature": {}},
    ],
)
def test_bundles_of_another_shape_are_refused(change):
    document = {**json.loads(Bundle.sign(_STATEMENT, _KEY).encode()), **change}
    with pytest.raises(InvalidContent):
        Bundle.parse(json.dumps(document).encode())


@pytest.mark.parametrize("number", [0, 2])
def test_a_bundle_has_exactly_one_signature(number):
    document = json.loads(Bundle.sign(_STATEMENT, _KEY).encode())
    document["dsseEnvelope"]["signatures"] *= number
    with pytest.raises(InvalidContent, match="the sigstore bundle does not contain exactly one signature"):
        Bundle.parse(json.dumps(document).encode())


def test_a_bundle_of_another_payload_makes_no_statement():
    bundle = Bundle("hint", Envelope.sign("text/plain", _STATEMENT.encode(), _KEY))
    with pytest.raises(InvalidContent):
        bundle.statement()


def _is_verified(content: bytes) -> bool:
    """Whether this bundle vouches for the digest, whatever else became of it."""
    try:
        bundle = Bundle.parse(content)
        statement = bundle.statement()
        return bool(statement and statement.subject_of(_DIGEST) and bundle.signer([_KEY.public], b""))
    except ImageError:
        return False


def test_no_changed_byte_of_what_is_signed_passes():
    content = Bundle.sign(_STATEMENT, _KEY).encode()
    assert _is_verified(content)
    start = content.index(b'"dsseEnvelope"')
    for position in range(start, len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            assert not _is_verified(bytes(damaged)), (position, bit)


def test_no_changed_byte_of_a_payload_or_its_signature_passes():
    payload = Payload(COSIGN, "example.com/app", _DIGEST).encode()
    signature = _KEY.sign(payload)
    for position in range(len(payload)):
        damaged = bytearray(payload)
        damaged[position] ^= 1
        assert not _KEY.public.verify(bytes(damaged), signature)
    for position in range(len(signature)):
        damaged = bytearray(signature)
        damaged[position] ^= 1
        assert not _KEY.public.verify(payload, bytes(damaged))
