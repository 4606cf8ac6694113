# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Verify the signatures of an image with keys or with a policy."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import ImageError, NotFound, naming
from .._image import reference as references
from .._image import statement as statements
from .._image.manifest import Manifest
from .._image.reference import Reference
from .._stores.repository import Store
from .signing.evidence import Evidence, NotVerified
from .signing.reading import SignatureReader
from .signing.rules import KeyRule, PolicyRule, Used
from .signing.signature import Demand, Verified
from .stores import Stores


@dataclasses.dataclass(frozen=True)
class VerifyOptions:
    """The options of image_verify: either keys with their requirements, or a policy."""

    image: str
    keys: KeyRule | None = None
    policy: PolicyRule | None = None
    annotations: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class VerifiedImage:
    """An image, and its valid signatures and attestations."""

    digest: str
    signatures: list[Verified]


def check_requirements(options: t.Mapping[str, t.Any]) -> None:
    """Refuse requirements that neither a policy nor a bundle can meet. Otherwise, an image would pass without them. Raises ImageError."""
    given = ", ".join(name for name in ("identity", "annotations", "attestations") if options.get(name))
    if given and options.get("bundle"):
        raise ImageError("%s cannot be verified for a bundle" % given, hint="Remove these options")
    if given and options.get("policy"):
        hint = "Set public_keys instead of policy, or remove these options"
        raise ImageError("%s cannot be verified with a policy" % given, hint=hint)


def verify(options: VerifyOptions, stores: Stores) -> VerifiedImage:
    """Verify an image. Raises :class:`NotVerified` if a signature is missing, and ImageError if this cannot be determined."""
    reference = references.parse(options.image)
    store = stores.open(reference)
    with naming(reference):
        manifest = _manifest(store, reference)
        if options.keys:
            found = _by_keys(options.keys, options.annotations, reference, store, manifest)
        elif options.policy:
            found = options.policy.check(reference, Used(store, manifest.digest, manifest))
            if not found:
                cause = "the policy accepts this image without a signature, so nothing was verified"
                raise NotVerified(cause, hint="Require a signature in the policy, or set public_keys")
        else:
            raise ImageError("neither public_keys nor policy is set", hint="Set public_keys or policy")
    return VerifiedImage(manifest.digest, found)


def _by_keys(
    rule: KeyRule, annotations: t.Mapping[str, str], reference: Reference, store: Store, manifest: Manifest
) -> list[Verified]:
    """Return all valid signatures and attestations, and require at least one of each kind."""
    evidence = Evidence(SignatureReader(store), manifest.digest, lambda: manifest)
    return [each for demand in rule.demands(reference) for each in evidence.all(_with(demand, annotations))]


def _with(demand: Demand, annotations: t.Mapping[str, str]) -> Demand:
    is_signature = demand.predicate_type == statements.SIGN
    return dataclasses.replace(demand, annotations=annotations) if is_signature else demand


def _manifest(store: Store, reference: Reference) -> Manifest:
    try:
        manifest = store.manifest(references.name_or_default(reference))
    except NotFound as error:
        raise NotFound("cannot verify the image: %s" % error.cause, hint=error.hint) from None
    references.check_digest(reference, manifest.digest)
    return manifest
