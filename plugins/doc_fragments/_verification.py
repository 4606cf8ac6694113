# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that verify signatures. The argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  signed_by:
    description:
      - Copy an image only if it is signed with one of these keys. The module verifies the image by digest before it writes anything, even if the
        destination is already up to date. It then copies exactly this digest, even if the tag has since moved.
      - The module looks for signatures at the source, in the same places as M(drayage.registry.image_verify). A signature on an index also covers the
        images for its platforms.
      - If O(policy) is also set, the image must meet both requirements.
    type: dict
    suboptions:
      public_keys:
        description:
          - Public keys in PEM format. Each item is the path of a file on the managed node, or the key itself. One signature with one of these keys
            is enough.
        type: list
        elements: str
        required: true
      identity:
        description:
          - The image name that must be signed together with the digest, in the notation that C(signedIdentity) uses in containers-policy.json(5). By
            default, only the digest must match.
          - Signatures in sigstore bundles do not contain an image name, so they are not accepted if this option is set.
        type: dict
      attestations:
        description:
          - The types of attestations that the image must also have. Each attestation must be signed with one of O(signed_by.public_keys).
        type: list
        elements: str
        default: []
  policy:
    description:
      - Copy an image only if this policy accepts it. The value is the path of a file in containers-policy.json(5) format on the managed node. V(default)
        stands for C(/etc/containers/policy.json).
      - The scopes in the policy apply to the source of the copy. Like Podman and Skopeo, the module checks the index and the image for each copied platform
        separately.
      - A source with a tag and a digest is subject to the scopes for both, and its signatures must match the tag. Podman and Skopeo ignore the tag.
      - Unknown fields and types in the policy are errors. The module does not yet support requirements with C(fulcio), C(pki) or C(rekorPublicKey...). It
        does not copy images to which such requirements apply.
    type: path
  registries_d:
    description:
      - A directory in containers-registries.d(5) format, which configures where signatures are stored. With O(policy=default), the default is
        C(/etc/containers/registries.d) if this directory exists.
      - The module reads GPG signatures from an image's C(lookaside) location, which is a C(file), C(https) or C(http) URL. It sends no credentials to web
        servers. If a server uses a private CA, add an entry with O(registries[].ca_path) for this server.
    type: path
requirements:
  - cryptography >= 3.3.2, if O(signed_by) or O(policy) is set
  - C(gpg), if O(policy) has requirements of type C(signedBy)
  - PyYAML, if O(registries_d) is set, or if C(/etc/containers/registries.d) exists with O(policy=default)
"""

    POLICY = r"""
options:
  policy:
    description:
      - The path of a policy in containers-policy.json(5) format on the managed node. V(default) stands for C(/etc/containers/policy.json).
      - Like Podman and Skopeo, the module checks the index and the image for each platform separately.
      - Unknown fields and types in the policy are errors. The module does not yet support requirements with C(fulcio), C(pki) or C(rekorPublicKey...).
        Images to which such requirements apply fail verification.
    type: path
  registries_d:
    description:
      - A directory in containers-registries.d(5) format, which configures where signatures are stored. With O(policy=default), the default is
        C(/etc/containers/registries.d) if this directory exists.
      - The module reads GPG signatures from an image's C(lookaside) location, which is a C(file), C(https) or C(http) URL. It sends no credentials to web
        servers. If a server uses a private CA, add an entry with O(registries[].ca_path) for this server.
      - Without this option, the module looks for cosign signatures in the image's repository, and for GPG signatures in C(/var/lib/containers/sigstore).
    type: path
requirements:
  - C(gpg), if O(policy) has requirements of type C(signedBy)
  - PyYAML, if O(registries_d) is set, or if C(/etc/containers/registries.d) exists with O(policy=default)
"""
