#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_sign
short_description: Sign a container image, or attest a claim about it
version_added: 0.2.0
description:
  - Signs an image and its platforms with a key, in the formats of cosign. With O(predicate), signs an attestation instead.
  - Does nothing if this key has signed the same digest with the same identity already. Signatures of other keys stay.
  - The signatures are stored in the repository of the image.
extends_documentation_fragment:
  - drayage.registry._attributes
  - drayage.registry._registries
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  image:
    description:
      - The image to sign, V([docker://]host[:port]/path[:tag][@digest]), V(oci:PATH[:REF]), V(oci-archive:FILE[:REF]) or
        V(dir:PATH). A directory has a place for O(formats=tag) and O(gpg_key), not for bundles.
      - The digest is signed. Give V(@digest) to be certain which image that is, whatever happens to the tag.
      - Either O(image) or O(bundle) is required.
    type: str
  bundle:
    description:
      - The directory of a bundle of the role P(drayage.registry.airgap_export#role), to sign instead of an image. The file
        C(SHA256SUMS.sigstore.json) is written into it, a statement about C(SHA256SUMS), C(inventory.json) and the digests of all images.
    type: path
  key:
    description:
      - The path of a private key on the managed node, in PEM. Keys of cosign, OpenSSL and Skopeo are supported.
      - The key is for ECDSA on P-256, P-384 or P-521, for Ed25519, or for RSA with 2048 bits or more.
    type: path
  key_content:
    description:
      - The private key itself, for example from a vault.
    type: str
  passphrase:
    description:
      - The passphrase of an encrypted key, or of O(gpg_key).
    type: str
  gpg_key:
    description:
      - The fingerprint or user ID of a GPG key on the managed node, to sign with the program C(gpg) instead, as
        C(skopeo standalone-sign) does it. Signatures are stored as C(signature-N) files next to the image of a directory, or in
        O(lookaside). O(formats) and O(annotations) do not apply.
    type: str
  gpg_home:
    description:
      - The home directory of GPG with that key. It defaults to that of the user.
    type: path
  lookaside:
    description:
      - The directory for GPG signatures of an image in a registry, as a C(lookaside) URL of containers-registries.d(5) names it.
    type: path
  formats:
    description:
      - The formats to sign in.
      - V(tag) stores a signature under the tag C(sha256-DIGEST.sig), which Podman, Skopeo, CRI-O and OpenShift read.
        Attestations are stored under C(sha256-DIGEST.att).
      - V(bundle) stores a sigstore bundle as a referrer of the image, which cosign 3 and policy-controller read. Registries
        without a referrers API keep a list of referrers under the tag C(sha256-DIGEST).
    type: list
    elements: str
    choices:
      - tag
      - bundle
    default:
      - tag
      - bundle
  children:
    description:
      - Whether to sign the images of all platforms too, and not only the index. Podman and Skopeo require that.
      - Attestations are about O(image) alone.
    type: bool
    default: true
  identity:
    description:
      - The name that is signed with the digest. It defaults to the repository of O(image), as with cosign.
      - Required for an image in a layout, archive or directory. For GPG, the tag belongs to the name.
      - A bundle carries no name, unless it is an attestation.
    type: str
  annotations:
    description:
      - Further text to sign. An existing signature counts if it has these annotations.
    type: dict
    default: {}
  predicate:
    description:
      - The claim to attest, for example an SBOM. Read a file with P(ansible.builtin.file#lookup) and
        P(ansible.builtin.from_json#filter).
    type: dict
  predicate_type:
    description:
      - The type of O(predicate), a URI or one of the names that C(cosign attest --type) accepts, such as V(cyclonedx), V(spdxjson) or
        V(slsaprovenance1).
      - Without O(predicate) and with O(state=absent), all attestations of this type by this key are removed.
    type: str
  state:
    description:
      - With V(absent), the signatures that were made with this key are removed. Those of other keys stay.
    type: str
    choices:
      - present
      - absent
    default: present
requirements:
  - cryptography >= 3.3.2
  - C(gpg), with O(gpg_key)
notes:
  - Nothing is sent to a transparency log. With cosign, verify with C(--insecure-ignore-tlog).
seealso:
  - module: drayage.registry.image_verify
  - module: drayage.registry.image_copy
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Sign a release, and the images of all its platforms
  drayage.registry.image_sign:
    image: registry.example.com/prod/app:1.4.2
    key_content: "{{ vault_signing_key }}"
    passphrase: "{{ vault_signing_passphrase }}"
  register: signed

- name: Attest the SBOM of the image that was signed
  drayage.registry.image_sign:
    image: "registry.example.com/prod/app@{{ signed.digest }}"
    key_content: "{{ vault_signing_key }}"
    passphrase: "{{ vault_signing_passphrase }}"
    predicate_type: cyclonedx
    predicate:
      bomFormat: CycloneDX
      specVersion: "1.6"

- name: Sign the image of a directory with GPG
  drayage.registry.image_sign:
    image: dir:/srv/transfer/app
    gpg_key: release@example.com
    gpg_home: /etc/keys/gnupg
    identity: registry.example.com/prod/app:1.4.2

- name: Withdraw the signatures of a key
  drayage.registry.image_sign:
    image: registry.example.com/prod/app:1.4.2
    key_content: "{{ vault_signing_key }}"
    passphrase: "{{ vault_signing_passphrase }}"
    state: absent
"""

RETURN = r"""
digest:
  description: The digest of O(image), or of the checksums of O(bundle).
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
digests:
  description: The digests that this task signs. The digest of O(image) comes first.
  returned: success
  type: list
  elements: str
  sample: ["sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0"]
identity:
  description: The name that is signed. Null for a bundle.
  returned: success
  type: str
  sample: registry.example.com/prod/app
fingerprint:
  description: The SHA-256 of the public key in DER, or the fingerprint of the GPG key.
  returned: success
  type: str
  sample: sha256:2a6ffcb8d5ac9e4c1a2c5dd2e3b21be5b0a7d5a1be4b7bd1f2d3e8f8e3e1a7c4
public_key:
  description: The public key in PEM, or that of GPG with armor. Verifiers need it.
  returned: success
  type: str
signatures:
  description: The signatures that were added or removed.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The digest that is signed.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    format:
      description: V(tag), V(bundle) or V(gpg).
      type: str
      sample: tag
    action:
      description: V(added) or V(removed).
      type: str
      sample: added
msg:
  description: What the task did, or would do in check mode, in one sentence.
  returned: success
  type: str
  sample: >-
    Signed registry.example.com/prod/app:1.4.2 (sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0)
    with the key sha256:2a6ffcb8d5ac. 6 signatures were added.
requests:
  description: The number of HTTP requests that the task sent, including retries and token requests.
  returned: success
  type: int
  sample: 9
"""

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils import _messages as messages
from ansible_collections.drayage.registry.plugins.module_utils._image.statement import predicate_type
from ansible_collections.drayage.registry.plugins.module_utils._module import RegistryModule
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign import Signed, SignOptions, sign
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign_bundle import sign_bundle
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign_gpg import GpgOptions, sign_with_gpg
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.keys import signing_key
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages


def sentence(image: str, signed: Signed, key: str, what: tuple[bool, str], changes: int, dry_run: bool) -> str:
    """What was or would be signed; ``what`` is whether it is to be there, and a noun for it."""
    about = "%s (%s)" % (image, signed.digest)
    is_present, noun = what
    if not changes:
        state = "has the %ss of %s already" if is_present else "has no %s of %s"
        return "%s %s: nothing to do." % (about, state % (noun, key))
    verb = ("Would sign" if dry_run else "Signed") if is_present else ("Would update" if dry_run else "Updated")
    done = "would be" if dry_run else "was" if changes == 1 else "were"
    action = "added" if is_present else "removed"
    return "%s %s with %s. %s %s %s." % (verb, about, key, messages.count(changes, noun), done, action)


def describe(signed: Signed) -> dict[str, t.Any]:
    """What was or would be signed, in the terms of RETURN."""
    changes = [
        {"digest": each.digest, "format": name, "action": action}
        for each in signed.manifests
        for action, names in (("added", each.added), ("removed", each.removed))
        for name in names
    ]
    return {
        "changed": bool(changes),
        "digest": signed.digest,
        "digests": [each.digest for each in signed.manifests],
        "identity": signed.identity or None,
        "signatures": changes,
        "diff": {
            "before": {each.digest: each.before for each in signed.manifests},
            "after": {each.digest: each.after for each in signed.manifests},
        },
    }


def with_key(params: dict[str, t.Any], stores: Stores) -> tuple[Signed, str, str, str]:
    """Sign with a key in PEM; returns its name for people, its fingerprint and its public half too."""
    if params["bundle"]:
        key = signing_key(params["key"], params["key_content"], params["passphrase"])
        done = sign_bundle(params["bundle"], key, params["state"] == "present", stores.run)
        return done, key.public.short_name, key.public.fingerprint, key.public.pem
    options = SignOptions(
        image=params["image"],
        key=signing_key(params["key"], params["key_content"], params["passphrase"]),
        formats=params["formats"],
        children=params["children"],
        identity=params["identity"] or "",
        annotations={name: str(value) for name, value in params["annotations"].items()},
        predicate_type=predicate_type(params["predicate_type"] or ""),
        predicate=params["predicate"],
        is_present=params["state"] == "present",
    )
    public = options.key.public
    return sign(options, stores), public.short_name, public.fingerprint, public.pem


def with_gpg(params: dict[str, t.Any], stores: Stores) -> tuple[Signed, str, str, str]:
    """As :func:`with_key`, with a key of GPG."""
    options = GpgOptions(
        image=params["image"],
        key=params["gpg_key"],
        home=params["gpg_home"] or "",
        passphrase=params["passphrase"] or "",
        lookaside=params["lookaside"] or "",
        identity=params["identity"] or "",
        children=params["children"],
        is_present=params["state"] == "present",
    )
    done = sign_with_gpg(options, stores)
    return done.signed, "the GPG key %s" % done.fingerprint, done.fingerprint, done.public_key


def main() -> None:
    """Run the module."""
    module = RegistryModule(
        {
            "image": {"type": "str"},
            "bundle": {"type": "path"},
            "key": {"type": "path", "no_log": False},
            "key_content": {"type": "str", "no_log": True},
            "passphrase": {"type": "str", "no_log": True},
            "gpg_key": {"type": "str", "no_log": False},
            "gpg_home": {"type": "path"},
            "lookaside": {"type": "path"},
            "formats": {"type": "list", "elements": "str", "choices": ["tag", "bundle"], "default": ["tag", "bundle"]},
            "children": {"type": "bool", "default": True},
            "identity": {"type": "str"},
            "annotations": {"type": "dict", "default": {}},
            "predicate": {"type": "dict"},
            "predicate_type": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        local=LocalImages,
        mutually_exclusive=[
            ("image", "bundle"),
            ("key", "key_content", "gpg_key"),
            ("gpg_key", "predicate_type"),
            ("gpg_key", "bundle"),
            ("predicate_type", "bundle"),
        ],
        required_one_of=[("image", "bundle"), ("key", "key_content", "gpg_key")],
        required_by={"predicate": "predicate_type", "gpg_home": "gpg_key", "lookaside": "gpg_key"},
    )
    params = module.params

    def operation(stores: Stores) -> dict[str, t.Any]:
        signed, name, fingerprint, public = (with_gpg if params["gpg_key"] else with_key)(params, stores)
        result = describe(signed)
        noun = "attestation" if params["predicate_type"] else "signature"
        what, changes = (params["state"] == "present", noun), len(result["signatures"])
        message = sentence(params["image"] or params["bundle"], signed, name, what, changes, stores.run.dry_run)
        return {**result, "msg": message, "fingerprint": fingerprint, "public_key": public}

    module.run(operation)


if __name__ == "__main__":
    main()
