# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that verify signatures; plugins/module_utils/_argspec.py has the same."""

    DOCUMENTATION = r"""
options:
  signed_by:
    description:
      - Copy an image only if it is signed with one of these keys. It is verified by digest before the first write, and also if the
        destination has it already. What was verified is what is copied, even if its tag moves in the meantime.
      - The signatures are those of the source, as with M(drayage.registry.image_verify). The signature of an index covers its platforms.
      - With O(policy) too, both must hold.
    type: dict
    suboptions:
      public_keys:
        description:
          - Public keys in PEM, each as the path of a file on the managed node or as its content. One signature suffices.
        type: list
        elements: str
        required: true
      identity:
        description:
          - Which name must be signed with the digest, in the notation of C(signedIdentity) in containers-policy.json(5). Without it,
            the digest alone counts. Sigstore bundles carry no name.
        type: dict
      attestations:
        description:
          - Types of attestations that the image must have too, signed with one of O(signed_by.public_keys).
        type: list
        elements: str
        default: []
  policy:
    description:
      - Copy an image only if this policy accepts it. It is the path of a file in the format of containers-policy.json(5) on the
        managed node. V(default) is the node's own, C(/etc/containers/policy.json).
      - The scopes of the policy are about the source. The index and the images of those platforms that are copied are each judged
        by it, as Podman and Skopeo do it.
      - Unknown fields and types are errors. Requirements with C(fulcio), C(pki) or C(rekorPublicKey...) are not supported yet,
        and accept no image.
    type: path
  registries_d:
    description:
      - A directory in the format of containers-registries.d(5), which says where signatures are kept. With O(policy=default), it
        defaults to C(/etc/containers/registries.d) if that exists.
      - GPG signatures are read from the C(lookaside) location of an image, a C(file), C(https) or C(http) URL. No credentials are sent
        there. The CA of a private server is that of its entry in O(registries).
    type: path
requirements:
  - cryptography >= 3.3.2, with O(signed_by) or O(policy)
"""

    POLICY = r"""
options:
  policy:
    description:
      - The path of a policy in the format of containers-policy.json(5) on the managed node. V(default) is the node's own,
        C(/etc/containers/policy.json).
      - The index and the images of its platforms are each judged by the policy, as Podman and Skopeo do it.
      - Unknown fields and types are errors. Requirements with C(fulcio), C(pki) or C(rekorPublicKey...) are not supported yet,
        and accept no image.
    type: path
  registries_d:
    description:
      - A directory in the format of containers-registries.d(5), which says where signatures are kept. With O(policy=default), it
        defaults to C(/etc/containers/registries.d) if that exists.
      - GPG signatures are read from the C(lookaside) location of an image, a C(file), C(https) or C(http) URL. No credentials are sent
        there. The CA of a private server is that of its entry in O(registries).
      - Without it, cosign's signatures are looked for in the repository of the image, and GPG signatures in
        C(/var/lib/containers/sigstore).
    type: path
"""
