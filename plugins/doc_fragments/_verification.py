# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that verify signatures; plugins/module_utils/_argspec.py has the same."""

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
      - Without it, cosign's signatures are looked for in the repository of the image, and GPG signatures in
        C(/var/lib/containers/sigstore).
    type: path
"""
