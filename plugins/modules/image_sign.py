#!/usr/bin/python
# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_sign
short_description: Sign a container image or add an attestation to it
version_added: 0.2.0
description:
  - Signs an image, including the images for all its platforms, with a private key. The signatures are compatible with cosign. If O(predicate) is set, the
    module adds a signed attestation instead.
  - The module does nothing if the key has already signed the same digest with the same O(identity). It keeps signatures made with other keys.
  - The module stores the signatures in the image's repository.
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
      - The image to sign, in the form V([docker://]host[:port]/path[:tag][@digest]), V(oci:PATH[:REF]), V(oci-archive:FILE[:REF]) or V(dir:PATH).
        To sign an image in a directory, use O(formats=tag) or O(gpg_key), because a directory cannot store sigstore bundles.
      - The signature applies to the digest that the reference points to. To sign exactly the image that you expect, even if its tag moves, add
        V(@digest).
      - Either O(image) or O(bundle) is required.
    type: str
  bundle:
    description:
      - The directory that contains a bundle from the P(drayage.registry.airgap_export#role) role. The module signs this bundle instead of an image.
      - The module writes the signature to the file C(SHA256SUMS.sigstore.json) in this directory. The signature covers C(SHA256SUMS),
        C(inventory.json) and the digests of all images.
      - The file can contain only one signature. If the bundle is already signed with another key, or the signature was not made by this module, the
        module fails. It replaces a damaged signature, and its own signature if the bundle has changed since.
    type: path
  key:
    description:
      - The path of a private key in PEM format on the managed node. You can create the key with cosign, OpenSSL or Skopeo.
      - The module supports ECDSA keys on the curves P-256, P-384 and P-521, Ed25519 keys, and RSA keys of at least 2048 bits.
    type: path
  key_content:
    description:
      - The private key itself, in PEM format. Use this option instead of O(key) if the key is stored in Ansible Vault.
    type: str
  passphrase:
    description:
      - The passphrase of the private key or GPG key, if it has one.
    type: str
  gpg_key:
    description:
      - The fingerprint or user ID of a GPG key on the managed node. If this option is set, the module signs with C(gpg), as C(skopeo standalone-sign) does.
        In this case, O(formats) and O(annotations) have no effect.
      - A user ID must belong to exactly one valid key. Expired, revoked and disabled keys are skipped. With O(state=absent), such a key is used if there is
        no valid one.
      - The module stores GPG signatures in C(signature-N) files. For an image in a directory, it writes them to the same directory. For an image
        in a registry, it writes them to O(lookaside).
    type: str
  gpg_home:
    description:
      - The GPG home directory that contains O(gpg_key). It defaults to the GPG home directory of the user who runs the module.
    type: path
  lookaside:
    description:
      - The directory where the module stores the GPG signatures for an image in a registry. Other programs read them from there if a C(lookaside) URL in
        containers-registries.d(5) refers to this directory.
    type: path
  formats:
    description:
      - The formats to store the signature or attestation in.
      - V(tag) stores a signature under the tag C(sha256-<hex>.sig), and an attestation under the tag C(sha256-<hex>.att). Podman, Skopeo, CRI-O and
        OpenShift read this format.
      - V(bundle) stores a sigstore bundle as a referrer of the image. cosign 3 and policy-controller read this format. If the registry has no
        referrers API, the module adds the bundle to the list of referrers under the tag C(sha256-<hex>).
      - With O(state=absent), V(bundle) also removes signatures that cosign 2 stored in a referrer with C(--registry-referrers-mode=oci-1-1).
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
      - Whether to sign the images for all platforms in addition to the index. Podman and Skopeo require this.
      - This option has no effect on attestations, which apply only to O(image) itself.
    type: bool
    default: true
  identity:
    description:
      - The image name to sign together with the digest. As with cosign, it defaults to the repository of O(image).
      - This option is required for an image in an OCI layout, archive or directory. With O(gpg_key), the name also includes the tag. If O(image) has a digest
        but no tag, the name includes the digest.
      - A sigstore bundle contains the name only if it contains an attestation.
    type: str
  annotations:
    description:
      - Annotations to sign together with the digest. If an existing signature does not have these annotations, the module adds another signature.
      - Write the values as strings, in quotes if necessary.
      - Cannot be combined with O(predicate_type), because an attestation has no annotations. With O(state=absent), the module ignores annotations.
    type: dict
    default: {}
  predicate:
    description:
      - The predicate of the attestation, such as an SBOM. To read it from a file, use the P(ansible.builtin.file#lookup) lookup and the
        P(ansible.builtin.from_json#filter) filter.
    type: dict
  predicate_type:
    description:
      - The type of the predicate. This is a URI or one of the names that C(cosign attest --type) accepts, such as V(cyclonedx), V(spdxjson) or
        V(slsaprovenance1). It requires O(predicate).
      - With O(state=absent), the module removes all attestations of this type that were signed with the given key. It ignores O(predicate).
    type: str
  state:
    description:
      - Whether the signature should exist.
      - V(absent) removes the signatures made with the given key. Signatures made with other keys are kept.
    type: str
    choices:
      - present
      - absent
    default: present
requirements:
  - cryptography >= 3.3.2
  - C(gpg), if O(gpg_key) is set
notes:
  - The module does not use a transparency log. To verify the signatures with cosign, add the C(--insecure-ignore-tlog) option.
seealso:
  - module: drayage.registry.image_verify
  - module: drayage.registry.image_copy
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Sign a release and the images for all its platforms
  drayage.registry.image_sign:
    image: registry.example.com/prod/app:1.4.2
    key_content: "{{ vault_signing_key }}"
    passphrase: "{{ vault_signing_passphrase }}"
  register: signed

- name: Attest the SBOM of the signed image
  drayage.registry.image_sign:
    image: "registry.example.com/prod/app@{{ signed.digest }}"
    key_content: "{{ vault_signing_key }}"
    passphrase: "{{ vault_signing_passphrase }}"
    predicate_type: cyclonedx
    predicate:
      bomFormat: CycloneDX
      specVersion: "1.6"

- name: Sign an image in a directory with GPG
  drayage.registry.image_sign:
    image: dir:/srv/transfer/app
    gpg_key: release@example.com
    gpg_home: /etc/keys/gnupg
    identity: registry.example.com/prod/app:1.4.2

- name: Remove the signatures made with a particular key
  drayage.registry.image_sign:
    image: registry.example.com/prod/app:1.4.2
    key_content: "{{ vault_signing_key }}"
    passphrase: "{{ vault_signing_passphrase }}"
    state: absent
"""

RETURN = r"""
digest:
  description: The digest of O(image), or of the bundle's C(SHA256SUMS) file.
  returned: success
  type: str
  sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
digests:
  description: The digests whose signatures the task manages. The digest of O(image) comes first.
  returned: success
  type: list
  elements: str
  sample: ["sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0"]
identity:
  description: The image name that is signed together with the digest. Null if O(bundle) is set.
  returned: success
  type: str
  sample: registry.example.com/prod/app
fingerprint:
  description: The SHA-256 of the public key in DER format, or the fingerprint of the GPG key.
  returned: success
  type: str
  sample: sha256:2a6ffcb8d5ac9e4c1a2c5dd2e3b21be5b0a7d5a1be4b7bd1f2d3e8f8e3e1a7c4
public_key:
  description: The public key that verifies the signatures, in PEM format. For a GPG key, it is ASCII-armored.
  returned: success
  type: str
signatures:
  description: The signatures that were added or removed.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: The signed digest.
      type: str
      sample: sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0
    format:
      description:
        - The format of the signature, which is V(tag), V(bundle) or V(gpg).
        - V(referrer) is a signature that cosign 2 stored in a referrer. The module can only remove it.
      type: str
      sample: tag
    action:
      description: What the task did with the signature, either V(added) or V(removed).
      type: str
      sample: added
msg:
  description: A one-sentence summary of what the task did, or would do in check mode.
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
    """Describe what was or would be signed; ``what`` is whether the signature should exist, and a noun for it."""
    about = "%s (%s)" % (image, signed.digest)
    is_present, noun = what
    if not changes:
        state = "already has %ss made with %s" if is_present else "has no %s made with %s"
        return "%s %s: nothing to do." % (about, state % (noun, key))
    verb = ("Would sign" if dry_run else "Signed") if is_present else ("Would update" if dry_run else "Updated")
    done = "would be" if dry_run else "was" if changes == 1 else "were"
    action = "added" if is_present else "removed"
    return "%s %s with %s. %s %s %s." % (verb, about, key, messages.count(changes, noun), done, action)


def describe(signed: Signed) -> dict[str, t.Any]:
    """Return what was or would be signed, as in RETURN."""
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
    """Sign with a PEM key. Return the result, the name of the key for messages, its fingerprint and its public key."""
    if params["bundle"] is not None:
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
    """Sign with a GPG key, see :func:`with_key`."""
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
        texts=("annotations",),
        filled=("image", "bundle", "predicate_type"),
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
