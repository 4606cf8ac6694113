# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies: which requirements an image has, and that what is not understood is refused."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._image.policy import (
    InvalidPolicy,
    Policy,
    Requirement,
    scopes_of,
)
from ansible_collections.drayage.registry.plugins.module_utils._image.signed_identity import (
    IdentityRule,
    InvalidIdentity,
)

_ACCEPT = [{"type": "insecureAcceptAnything"}]
_REJECT = [{"type": "reject"}]


def _policy(document: object) -> Policy:
    return Policy.parse(json.dumps(document))


def _signed(**members: object) -> dict:
    return {"default": [{"type": "sigstoreSigned", **members}]}


def test_scopes_go_from_the_image_to_the_domains_of_its_host():
    assert scopes_of(references.parse("registry.eu.example.com:8443/a/b/c:1")) == (
        "docker",
        [
            "registry.eu.example.com:8443/a/b/c:1",
            "registry.eu.example.com:8443/a/b/c",
            "registry.eu.example.com:8443/a/b",
            "registry.eu.example.com:8443/a",
            "registry.eu.example.com:8443",
            "*.eu.example.com",
            "*.example.com",
            "*.com",
        ],
    )
    digest = "sha256:" + "a" * 64
    assert scopes_of(references.parse("busybox@" + digest))[1][:3] == [
        "docker.io/library/busybox@" + digest,
        "docker.io/library/busybox",
        "docker.io/library",
    ]
    assert scopes_of(references.parse("busybox:1@" + digest))[1][:3] == [
        "docker.io/library/busybox@" + digest,
        "docker.io/library/busybox:1",
        "docker.io/library/busybox",
    ]
    assert scopes_of(references.parse("busybox"))[1][0] == "docker.io/library/busybox:latest"
    assert scopes_of(references.parse("dir:/srv/a/b")) == ("dir", ["/srv/a/b", "/srv/a", "/srv"])
    assert scopes_of(references.parse("oci:/srv/a:tag")) == ("oci", ["/srv/a", "/srv"])
    assert scopes_of(references.parse("docker-daemon:busybox:1"))[1][0] == "docker.io/library/busybox:1"
    assert scopes_of(references.parse("docker-archive:/a.tar")) == ("docker-archive", [])


@pytest.mark.parametrize(
    ("image", "accepted"),
    [
        ("example.com/prod/app:1", True),
        ("example.com/prod/app:2", False),
        ("example.com/prod/app:2@sha256:" + "a" * 64, False),
        ("example.com/prod/other:1", True),
        ("example.com/production/app:1", False),
        ("eu.example.com/app:1", True),
        ("example.org/app:1", False),
        ("dir:/srv/x", True),
        ("dir:/var/x", False),
        ("oci:/srv/x", False),
    ],
)
def test_the_longest_scope_decides(image, accepted):
    policy = _policy(
        {
            "default": _REJECT,
            "transports": {
                "docker": {
                    "example.com": _REJECT,
                    "example.com/prod": _ACCEPT,
                    "example.com/prod/app:2": _REJECT,
                    "*.example.com": _ACCEPT,
                },
                "dir": {"/srv": _ACCEPT, "": _REJECT},
                "unknown": {"x": _ACCEPT},
            },
        }
    )
    (requirement,) = policy.requirements(references.parse(image))
    assert (requirement.type == "insecureAcceptAnything") is accepted


def test_storage_scopes_are_refused_rather_than_passed_over():
    policy = _policy({"default": _ACCEPT, "transports": {"containers-storage": {"[overlay@/x]": _REJECT}}})
    with pytest.raises(InvalidPolicy):
        policy.requirements(references.parse("containers-storage:busybox"))


def test_keys_and_identities_are_read():
    key = base64.b64encode(b"key").decode()
    (requirement,) = _policy(_signed(keyDatas=[key, key], signedIdentity={"type": "matchRepository"})).default
    assert requirement == Requirement("sigstoreSigned", (), (b"key", b"key"), IdentityRule("matchRepository"))
    (requirement,) = _policy(
        {"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPaths": ["/a", "/b"]}]}
    ).default
    assert requirement == Requirement("signedBy", ("/a", "/b"), (), IdentityRule("matchRepoDigestOrExact"))


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ({"type": "sigstoreSigned", "fulcio": {}}, "keyless signatures (fulcio) are not supported yet"),
        ({"type": "sigstoreSigned", "pki": {}}, "certificate-based signatures (pki) are not supported yet"),
        (
            {"type": "sigstoreSigned", "keyPath": "/k", "rekorPublicKeyPath": "/r"},
            "transparency log proofs (rekorPublicKeyPath) are not supported yet",
        ),
        (
            {"type": "signedBy", "keyPath": "/k", "keyType": "X509Certificates"},
            "keyType X509Certificates is not supported",
        ),
        *(
            ({"type": "signedBy", "keyPath": "/k", "keyType": kind}, "keyType %s is not supported" % kind)
            for kind in ("signedByGPGKeys", "signedByX509CAs")
        ),
        *(
            (
                {"type": "sigstoreSigned", "keyPath": "/k", name: value},
                "transparency log proofs (%s) are not supported yet" % name,
            )
            for name, value in (
                ("rekorPublicKeyPaths", ["/r"]),
                ("rekorPublicKeyData", "eA=="),
                ("rekorPublicKeyDatas", ["eA=="]),
            )
        ),
        ({"type": "signedBaseLayer", "baseLayerIdentity": {}}, "the requirement signedBaseLayer is not supported"),
    ],
)
def test_what_cannot_be_checked_is_marked_as_such(requirement, message):
    assert _policy({"default": [requirement]}).default[0].unsupported == message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "the policy does not have the required keys: default."),
        ([], "the policy is not a JSON object."),
        ({"default": [], "x": 1}, "the policy has unknown keys: 'x'."),
        ({"default": []}, "the policy must have a list with at least one requirement for default."),
        ({"default": [{}]}, "the policy for default: a requirement has no type."),
        ({"default": [{"type": "signed"}]}, "the policy for default: unknown requirement 'signed'."),
        (
            {"default": [{"type": "reject", "why": "x"}]},
            "the policy for default: the requirement reject has unknown keys: 'why'.",
        ),
        (
            _signed(),
            "the policy for default: a requirement must have exactly one of the keys keyPath, keyPaths, keyData, keyDatas, fulcio, pki, ",
        ),
        (
            _signed(keyPath="/a", keyData="aa"),
            "the policy for default: a requirement must have exactly one of the keys keyPath, keyPaths, keyDa",
        ),
        (_signed(keyPath=""), "the policy for default: keyPath must be a non-empty string."),
        (_signed(keyPaths=[]), "the policy for default: keyPaths must be a list of non-empty strings."),
        (_signed(keyPath=1), "the policy for default: keyPath must be a non-empty string."),
        (_signed(keyData="*"), "the policy for default: keyData is not valid base64."),
        (
            _signed(keyPath="/a", keypath="/a"),
            "the policy for default: the requirement sigstoreSigned has unknown keys: 'keypath'",
        ),
        (
            _signed(keyPath="/a", signedIdentity={"type": "any"}),
            "the policy for default: signedIdentity has the unknown type 'any'. Use one of: matchExact, ",
        ),
        (_signed(keyPath="/a", signedIdentity=None), "the policy for default: signedIdentity is not a JSON object."),
        (
            {"default": [{"type": "signedBy", "keyPath": "/a", "keyType": "PGP"}]},
            "the policy for default: unknown keyType 'PGP'. Set keyType to GPGKeys.",
        ),
        (
            {"default": _REJECT, "transports": {"dir": {"srv": _REJECT}}},
            "the scope 'srv' for transport dir is not a normalized absolute path",
        ),
        ({"default": _REJECT, "transports": {"dir": {"/": _REJECT}}}, 'the scope "/" for transport dir is not valid. '),
        (
            {"default": _REJECT, "transports": {"dir": []}},
            "the key 'transports.dir' in the policy is not a JSON object.",
        ),
    ],
)
def test_what_is_not_understood_is_refused(document, message):
    with pytest.raises(InvalidPolicy) as caught:
        _policy(document)
    assert str(caught.value).startswith(message)


def test_contradicting_members_are_refused():
    with pytest.raises(InvalidPolicy):
        Policy.parse('{"default": [{"type": "reject", "type": "insecureAcceptAnything"}]}')
    with pytest.raises(InvalidPolicy):
        Policy.parse("{")


_DIGEST = "sha256:" + "a" * 64
_OTHER = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("rule", "image", "signed", "accepted"),
    [
        ("matchExact", "example.com/a:1", "example.com/a:1", True),
        ("matchExact", "example.com/a:1", "example.com/a:2", False),
        ("matchExact", "example.com/a:1", "example.com/a", False),
        ("matchExact", "example.com/a@" + _DIGEST, "example.com/a:1", False),
        ("matchExact", "example.com/a@" + _DIGEST, "example.com/a@" + _DIGEST, True),
        ("matchExact", "busybox", "docker.io/library/busybox:latest", True),
        ("matchExact", "example.com/a:1@" + _DIGEST, "example.com/a:1", True),
        ("matchExact", "example.com/a:1@" + _DIGEST, "example.com/a:2", False),
        ("matchRepoDigestOrExact", "example.com/a:1", "example.com/a:1", True),
        ("matchRepoDigestOrExact", "example.com/a:1", "example.com/a", False),
        ("matchRepoDigestOrExact", "example.com/a:1", "example.com/a:2", False),
        ("matchRepoDigestOrExact", "example.com/a@" + _DIGEST, "example.com/a:2", True),
        ("matchRepoDigestOrExact", "example.com/a@" + _DIGEST, "example.com/a@" + _OTHER, True),
        ("matchRepoDigestOrExact", "example.com/a@" + _DIGEST, "example.com/b:1", False),
        ("matchRepoDigestOrExact", "example.com/a:1@" + _DIGEST, "example.com/a:1", True),
        ("matchRepoDigestOrExact", "example.com/a:1@" + _DIGEST, "example.com/a:2", False),
        ("matchRepoDigestOrExact", "example.com/a:1@" + _DIGEST, "example.com/b:1", False),
        ("matchRepository", "example.com/a:1", "example.com/a", True),
        ("matchRepository", "example.com/a:1", "example.com/a:2", True),
        ("matchRepository", "example.com/a:1", "example.com/b", False),
        ("matchRepository", "example.com/a:1", "EXAMPLE/:", False),
        ("matchRepository", "dir:/srv/a", "example.com/a", False),
        (("exactReference", "example.com/a:1"), "mirror.example/a:9", "example.com/a:1", True),
        (("exactReference", "example.com/a:1"), "dir:/srv/a", "example.com/a:1", True),
        (("exactReference", "example.com/a:1"), "mirror.example/a:1", "example.com/a", False),
        (("exactRepository", "example.com/a"), "mirror.example/a:9", "example.com/a", True),
        (("exactRepository", "example.com/a"), "mirror.example/a:9", "example.com/a:1", True),
        (("exactRepository", "example.com/a"), "example.com/b", "example.com/b", False),
        (("remapIdentity", "mirror.example", "example.com"), "mirror.example/a:1", "example.com/a:1", True),
        (("remapIdentity", "mirror.example", "example.com"), "mirror.example/a:1@" + _DIGEST, "example.com/a:1", True),
        (("remapIdentity", "mirror.example", "example.com"), "mirror.example/a:1", "example.com/a:2", False),
        (("remapIdentity", "mirror.example", "example.com"), "mirror.example/a:1", "example.com/a", False),
        (("remapIdentity", "mirror.example", "example.com"), "other.example/a:1", "other.example/a:1", True),
        (("remapIdentity", "mirror.example/x", "example.com/y"), "mirror.example/x/a:1", "example.com/y/a:1", True),
        (("remapIdentity", "mirror.example/x", "example.com/y"), "mirror.example/xx:1", "mirror.example/xx:1", True),
        (("remapIdentity", "mirror.example/x", "docker.io"), "mirror.example/x:1", "docker.io/library/x:1", False),
        (("remapIdentity", "mirror.example", "docker.io"), "mirror.example/x:1", "docker.io/library/x:1", False),
        (("remapIdentity", "mirror.example", "docker.io"), "mirror.example/a/x:1", "docker.io/a/x:1", True),
        (("remapIdentity", "mirror.example", "docker.io/library"), "mirror.example/x:1", "docker.io/library/x:1", True),
        (("remapIdentity", "mirror.example", "index.docker.io"), "mirror.example/a/x:1", "docker.io/a/x:1", False),
    ],
)
def test_identities_match_as_the_manual_says(rule, image, signed, accepted):
    kind, *values = [rule] if isinstance(rule, str) else rule
    names = {
        "exactReference": ["dockerReference"],
        "exactRepository": ["dockerRepository"],
        "remapIdentity": ["prefix", "signedPrefix"],
    }.get(kind, [])
    found = IdentityRule.from_document({"type": kind, **dict(zip(names, values))})
    assert found.accepts(references.parse(image), signed) is accepted


@pytest.mark.parametrize(
    "document",
    [
        {"type": "exactReference"},
        {"type": "matchExact", "dockerReference": "a"},
        {"type": "exactReference", "dockerReference": "example.com/a"},
        {"type": "exactReference", "dockerReference": 1},
        {"type": "exactRepository", "dockerRepository": "UPPER"},
        {"type": "remapIdentity", "prefix": "example.com/a:1", "signedPrefix": "example.com"},
        {"type": "remapIdentity", "prefix": "example.com"},
    ],
)
def test_rules_of_identities_that_do_not_parse_are_refused(document):
    with pytest.raises(InvalidIdentity):
        IdentityRule.from_document(document)
