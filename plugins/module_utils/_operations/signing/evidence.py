# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The signatures of one digest, which are read only as needed, and the reason if they are not sufficient."""

from __future__ import annotations

import functools
import itertools
import typing as t

from ..._errors import ImageError
from ..._image import statement as statements
from .reading import ATTESTATIONS, SIGNATURES, Found, SignatureReader, SignedReferrer
from .signature import Demand, ReadManifest, Reason, Rejection, Verified

NOT_VERIFIED_HINT = "Check the keys and the identity, or sign the image again"


class NotVerified(ImageError):
    """An image lacks a required signature or attestation."""


class Evidence:
    """The signatures and attestations of a digest. ``read`` reads the image itself, which few signatures require."""

    def __init__(self, reader: SignatureReader, digest: str, read: ReadManifest) -> None:
        self.digest = digest
        self._reader = reader
        self._read = read

    @functools.cached_property
    def _signatures(self) -> list[Found]:
        return list(self._reader.of_tag(self.digest, SIGNATURES))

    @functools.cached_property
    def _attestations(self) -> list[Found]:
        return list(self._reader.of_tag(self.digest, ATTESTATIONS))

    @functools.cached_property
    def _referrers(self) -> list[SignedReferrer]:
        return self._reader.referrers(self.digest)

    def _found(self, predicate_type: str, with_bundles: bool) -> t.Iterator[Found]:
        """Yield the signatures. Each is read when it is needed, and those that are listed with this type come first."""
        is_signature = predicate_type == statements.SIGN
        yield from self._signatures if is_signature else self._attestations
        if with_bundles:
            for referrer in sorted(self._referrers, key=lambda each: _distance(each.predicate_type, predicate_type)):
                yield from referrer.found

    def first(self, demand: Demand, with_bundles: bool = True) -> Verified:
        """Return the first signature that meets the demand. Raises :class:`NotVerified`."""
        rejections = []
        for outcome in self._judged(demand, with_bundles):
            if isinstance(outcome, Verified):
                return outcome
            rejections.append(outcome)
        raise self._not_verified(demand, rejections)

    def all(self, demand: Demand) -> list[Verified]:
        """Return all signatures that meet the demand, at least one. Raises :class:`NotVerified`."""
        outcomes = list(self._judged(demand, with_bundles=True))
        verified = [outcome for outcome in outcomes if isinstance(outcome, Verified)]
        if not verified:
            raise self._not_verified(demand, [outcome for outcome in outcomes if isinstance(outcome, Rejection)])
        return verified

    def matching(self, demand: Demand) -> list[Verified]:
        """Return the signatures like :meth:`all`; empty if there are none."""
        outcomes = self._judged(demand, with_bundles=True)
        return [outcome for outcome in outcomes if isinstance(outcome, Verified)]

    def _judged(self, demand: Demand, with_bundles: bool) -> t.Iterator[Verified | Rejection]:
        for found in self._found(demand.predicate_type, with_bundles):
            outcome = demand.judge(found, self.digest, self._read)
            if outcome:
                yield outcome

    def _not_verified(self, demand: Demand, rejections: list[Rejection]) -> NotVerified:
        what = "signature"
        if demand.predicate_type != statements.SIGN:
            what = "attestation of type %s" % demand.predicate_type
        if not rejections and what == "signature":
            return NotVerified("%s has no signature" % self.digest, hint="Sign the image, for example with image_sign")
        if not rejections:
            cause = "%s has no attestation of type %s" % (self.digest, demand.predicate_type)
            return NotVerified(cause, hint="Attest the image, for example with image_sign")
        best = max(rejections, key=lambda rejection: rejection.reason)
        cause = "%s could not be verified: %s" % (self.digest, _cause(best, what, demand, len(rejections)))
        return NotVerified(cause, hint=NOT_VERIFIED_HINT)


def _distance(stated: str, wanted: str) -> int:
    """Return how late to read a referrer, depending on whether its list states this type, no type, or another type."""
    return 0 if stated == wanted else 2 if stated else 1


def _cause(best: Rejection, what: str, demand: Demand, count: int) -> str:
    if best.reason == Reason.OTHER_KEY:
        keys = ", ".join(itertools.islice((key.name for key in demand.keys), 10))
        return "none of its %ss (%d found) was made with %s" % (what, count, keys)
    if best.reason == Reason.OTHER_DIGEST:
        return "the %s is for a different digest, %s" % (what, best.detail or "none")
    if best.reason == Reason.OTHER_IDENTITY:
        if not best.detail:
            return "the %s contains no name, but the identity requires one" % what
        return "the %s is for %s, which does not match the identity" % (what, best.detail)
    if best.reason == Reason.OTHER_ANNOTATIONS:
        return "the %s has different annotations" % what
    return "the %s is corrupt: %s" % (what, best.detail)
