#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_verify
short_description: Verify the signatures of a container image
version_added: 0.2.0
description:
  - Verifies that an image is signed with one of the given keys, or that a policy accepts it, and fails otherwise.
  - Signatures of cosign are found in both formats, under the tag C(sha256-DIGEST.sig) and as sigstore bundles, and in directories as
    C(signature-N) files. GPG signatures are found in directories.
  - This module never changes anything.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._registries
  - drayage.registry._progress
  - drayage.registry._verification.policy
attributes:
  check_mode:
    support: full
    details: This action does not modify state.
  diff_mode:
    support: N/A
    details: This action does not modify state.
  idempotent:
    support: full
options:
  image:
    description:
      - The image to verify, V([docker://]host[:port]/path[:tag][@digest]), V(oci:PATH[:REF]), V(oci-archive:FILE[:REF]) or
        V(dir:PATH).
      - Use RV(digest) in what follows. The tag may point to another image a moment later.
      - Either O(image) or O(bundle) is required.
    type: str
  bundle:
    description:
      - The directory of a signed bundle of the role P(drayage.registry.airgap_export#role), to verify instead of an image. It must have
        the files that were signed, each as it was, and no others.
    type: path
  public_keys:
    description:
      - Public keys in PEM, each as the path of a file on the managed node or as its content.
      - One signature with one of these keys suffices. The signature of an index covers its platforms.
    type: list
    elements: str
  identity:
    description:
      - The name that must be signed together with the digest, in the notation of C(signedIdentity) in containers-policy.json(5), for
        example a mapping with the C(type) V(matchRepository). Without it, only the digest counts, as with cosign.
      - Sigstore bundles carry no name, so that only signatures of the format V(tag) can have it.
    type: dict
  annotations:
    description:
      - Annotations that the signature must have.
    type: dict
    default: {}
  attestations:
    description:
      - Types of attestations that the image must have too, signed with one of O(public_keys). Each is a URI or one of the names
        that C(cosign attest --type) accepts.
    type: list
    elements: str
    default: []
requirements:
  - cryptography >= 3.3.2
  - C(gpg), for policies with C(signedBy)
  - PyYAML, with O(registries_d)
seealso:
  - module: drayage.registry.image_sign
  - module: drayage.registry.image_copy
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Sign a release where it is built
  drayage.registry.image_sign:
    image: registry.example.com/prod/app:1.4.2
    key: /etc/keys/release.key

- name: Verify it where it is deployed
  drayage.registry.image_verify:
    image: registry.example.com/prod/app:1.4.2
    public_keys:
      - /etc/keys/release.pub
    identity:
      type: matchRepository
  register: verified

- name: Show which image was verified
  ansible.builtin.debug:
    msg: "{{ verified.digest }} was signed with {{ verified.signatures[0].key }}"
"""

RETURN = r"""
digest:
  description: The digest that was verified, for a bundle that of its checksums.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
signatures:
  description: The signatures and attestations that count. There is at least one.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The digest that is signed, of the image or of one of its platforms.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    key:
      description: Where the key was given, a path or the beginning of its fingerprint.
      type: str
      sample: /etc/keys/release.pub
    fingerprint:
      description: The SHA-256 of the public key in DER, or the fingerprint of the GPG key.
      type: str
      sample: sha256:2a6ffcb8d5ac9e4c1a2c5dd2e3b21be5b0a7d5a1be4b7bd1f2d3e8f8e3e1a7c4
    format:
      description: V(tag), V(bundle) or V(gpg).
      type: str
      sample: tag
    identity:
      description: The name that is signed. Null if there is none.
      type: str
      sample: registry.example.com/prod/app
    annotations:
      description: What else is signed.
      type: dict
      sample: {}
    predicate_type:
      description: The type of an attestation. Null for a signature.
      type: str
      sample: https://cyclonedx.org/bom
    predicate:
      description: The content of an attestation. Null for a signature.
      type: raw
msg:
  description: What was verified, in one sentence.
  returned: success
  type: str
  sample: >-
    registry.example.com/prod/app:1.4.2 (sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0)
    is verified: 2 signatures count, by /etc/keys/release.pub.
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
  returned: success
  type: int
  sample: 3
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages
from ansible_collections.drayage.registry.plugins.module_utils._argspec import progress_options
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign_bundle import verify_bundle
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.rules import KeyRule, PolicyRule
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.signature import Verified
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages
from ansible_collections.drayage.registry.plugins.module_utils._operations.verify import (
    VerifiedImage,
    VerifyOptions,
    verify,
)


def sentence(found: VerifiedImage, image: str) -> str:
    """What was verified."""
    number = len(found.signatures)
    keys = messages.listing(list(dict.fromkeys(each.key for each in found.signatures)))
    verb = "counts" if number == 1 else "count"
    what = messages.count(number, "signature")
    return "%s (%s) is verified: %s %s, by %s." % (image, found.digest, what, verb, keys)


def describe(found: VerifiedImage, image: str) -> dict[str, t.Any]:
    """What was verified, in the terms of RETURN."""
    return {
        "changed": False,
        "msg": sentence(found, image),
        "digest": found.digest,
        "signatures": [_describe(each) for each in found.signatures],
    }


def _describe(found: Verified) -> dict[str, t.Any]:
    claim = found.claim
    return {
        "digest": found.digest,
        "key": found.key,
        "fingerprint": found.fingerprint,
        "format": found.format,
        "identity": claim.identity or None,
        "annotations": dict(claim.annotations),
        "predicate_type": claim.predicate_type if claim.is_attestation else None,
        "predicate": claim.predicate if claim.is_attestation else None,
    }


def main() -> None:
    """Run the module."""
    module = RegistryModule(
        {
            "image": {"type": "str"},
            "bundle": {"type": "path"},
            "public_keys": {"type": "list", "elements": "str", "no_log": False},
            "identity": {"type": "dict"},
            "annotations": {"type": "dict", "default": {}},
            "attestations": {"type": "list", "elements": "str", "default": []},
            "policy": {"type": "path"},
            "registries_d": {"type": "path"},
            **progress_options(),
        },
        local=LocalImages,
        mutually_exclusive=[("image", "bundle"), ("public_keys", "policy")],
        required_one_of=[("image", "bundle"), ("public_keys", "policy")],
        required_by={
            "registries_d": "policy",
            "identity": "public_keys",
            "bundle": "public_keys",
        },
    )
    params = module.params

    def operation(stores: Stores) -> dict[str, t.Any]:
        if params["bundle"]:
            keys = KeyRule.from_options(params).keys
            return describe(verify_bundle(params["bundle"], keys, stores.run), params["bundle"])
        rule, policy = None, None
        if params["policy"]:
            policy = PolicyRule.from_options(
                params["policy"], params["registries_d"], stores.run.run_command, stores.read_url
            )
        else:
            rule = KeyRule.from_options(params)
        annotations = {name: str(value) for name, value in params["annotations"].items()}
        options = VerifyOptions(params["image"], rule, policy, annotations)
        return describe(verify(options, stores), options.image)

    module.run(operation)


if __name__ == "__main__":
    main()
