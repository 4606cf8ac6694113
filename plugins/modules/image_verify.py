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
  - Verifies that an image is signed with one of the given keys, or that a policy accepts it. Otherwise, the task fails.
  - The module finds cosign signatures in both formats, under the tag C(sha256-<hex>.sig) and in sigstore bundles. In a directory, it finds cosign and GPG
    signatures in C(signature-N) files. For GPG signatures on images in a registry, see O(registries_d).
  - The module does not modify anything, so it never reports a change.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._registries
  - drayage.registry._progress
  - drayage.registry._verification.policy
attributes:
  check_mode:
    support: full
    details: This module does not modify state.
  diff_mode:
    support: N/A
    details: This module does not modify state.
  idempotent:
    support: full
options:
  image:
    description:
      - The image to verify, in the form V([docker://]host[:port]/path[:tag][@digest]), V(oci:PATH[:REF]), V(oci-archive:FILE[:REF]) or V(dir:PATH).
      - In the tasks that follow, use RV(digest) instead of the tag, because the tag can move after verification.
      - Either O(image) or O(bundle) is required.
    type: str
  bundle:
    description:
      - The directory that contains a signed bundle from the P(drayage.registry.airgap_export#role) role. The module verifies this bundle instead of an
        image. The task fails if a signed file is missing or has changed, or if the directory contains a file that is not signed.
      - Cannot be combined with O(identity), O(annotations) or O(attestations).
    type: path
  public_keys:
    description:
      - Public keys in PEM format. Each item is the path of a file on the managed node, or the key itself.
      - One signature with one of these keys is enough. A signature on an index also covers the images for its platforms.
    type: list
    elements: str
  identity:
    description:
      - The image name that must be signed together with the digest, in the notation that C(signedIdentity) uses in containers-policy.json(5). For
        example, use a mapping whose C(type) is V(matchRepository). By default, only the digest must match, as with cosign.
      - Signatures in sigstore bundles do not contain an image name, so only signatures in the V(tag) format can meet this requirement.
    type: dict
  annotations:
    description:
      - Annotations that the signature must contain. Requires O(public_keys) and O(image).
    type: dict
    default: {}
  attestations:
    description:
      - The types of attestations that the image must also have. Each type is a URI or one of the names that C(cosign attest --type) accepts. Each
        attestation must be signed with one of O(public_keys). Requires O(public_keys) and O(image).
    type: list
    elements: str
    default: []
requirements:
  - cryptography >= 3.3.2
seealso:
  - module: drayage.registry.image_sign
  - module: drayage.registry.image_copy
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Sign a release after the build
  drayage.registry.image_sign:
    image: registry.example.com/prod/app:1.4.2
    key: /etc/keys/release.key

- name: Verify the release before deployment
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
  description: The digest of the verified image, or of the bundle's C(SHA256SUMS) file.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
signatures:
  description: The signatures and attestations that were verified. The list is never empty.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The signed digest, either of the image itself or of the image for one of its platforms.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    key:
      description: The path of the public key. If the key was not given as a file, this is the beginning of its fingerprint.
      type: str
      sample: /etc/keys/release.pub
    fingerprint:
      description: The SHA-256 of the public key in DER format, or the fingerprint of the GPG key.
      type: str
      sample: sha256:2a6ffcb8d5ac9e4c1a2c5dd2e3b21be5b0a7d5a1be4b7bd1f2d3e8f8e3e1a7c4
    format:
      description: The format of the signature, which is V(tag), V(bundle), V(gpg), or V(referrer) if cosign 2 stored it in a referrer.
      type: str
      sample: tag
    identity:
      description: The image name in the signature. Null if the signature contains none.
      type: str
      sample: registry.example.com/prod/app
    annotations:
      description: The annotations in the signature.
      type: dict
      sample: {}
    predicate_type:
      description: The type of the attestation. Null for a signature.
      type: str
      sample: https://cyclonedx.org/bom
    predicate:
      description: The content of the attestation. Null for a signature.
      type: raw
msg:
  description: A one-sentence summary of the verification.
  returned: success
  type: str
  sample: >-
    Verified registry.example.com/prod/app:1.4.2 (sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0):
    2 valid signatures by /etc/keys/release.pub.
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
    check_requirements,
    verify,
)


def sentence(found: VerifiedImage, image: str) -> str:
    """Describe what was verified."""
    number = len(found.signatures)
    keys = messages.listing(list(dict.fromkeys(each.key for each in found.signatures)))
    what = messages.count(number, "valid signature")
    return "Verified %s (%s): %s by %s." % (image, found.digest, what, keys)


def describe(found: VerifiedImage, image: str) -> dict[str, t.Any]:
    """Return what was verified, as in RETURN."""
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
        texts=("annotations",),
        filled=("image", "bundle", "policy", "registries_d"),
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
        check_requirements(params)
        if params["bundle"] is not None:
            keys = KeyRule.from_options(params).keys
            return describe(verify_bundle(params["bundle"], keys, stores.run), params["bundle"])
        rule, policy = None, None
        if params["policy"] is not None:
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
