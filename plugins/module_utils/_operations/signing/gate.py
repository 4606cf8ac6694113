# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Requirements that images must meet before they are copied."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._errors import naming
from ..._image.reference import Reference
from ..._image.referrers import is_digest_tag
from ..._imports import importing
from ..._process import RunCommand
from ..._stores.repository import Store

if t.TYPE_CHECKING:
    from ..._transfer.request import Plan
    from .gpg import ReadURL
    from .rules import Rule, Used


@dataclasses.dataclass(frozen=True)
class Gate:
    """An image must meet all rules. Without rules, every image passes."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any], run_command: RunCommand, read_url: ReadURL) -> Gate:
        """Read ``signed_by``, ``policy`` and ``registries_d``. Raises ImageError."""
        if options["signed_by"] is None and options["policy"] is None:
            return cls()
        with importing:
            from .rules import KeyRule, PolicyRule  # few tasks verify, and each task pays for its imports

        rules: list[Rule] = []
        if options["signed_by"] is not None:
            rules.append(KeyRule.from_options(options["signed_by"]))
        if options["policy"] is not None:
            rules.append(PolicyRule.from_options(options["policy"], options["registries_d"], run_command, read_url))
        return cls(tuple(rules))

    def check_plan(self, image: Reference, store: Store, plan: Plan) -> None:
        """Verify what a plan copies of ``image``, by digest, in its source. It does not matter if the tag moves later.

        Raises :class:`NotVerified`, ImageError.
        """
        if self.rules:
            self._check(image, _used(store, plan))

    def check_digest(self, image: Reference, store: Store, digest: str) -> None:
        """Verify an image that already exists at the destination, with the signatures at its source."""
        if self.rules:
            with importing:
                from .rules import Used

            self._check(image, Used(store, digest))

    def _check(self, image: Reference, used: Used) -> None:
        with importing:
            from .evidence import NotVerified

        with naming(image):
            try:
                for rule in self.rules:
                    rule.check(image, used)
            except NotVerified as error:
                if is_digest_tag(image.tag.rpartition(":")[2]):
                    error.hint = "This tag contains signatures or other data that belong to another image. Set referrers: true, or exclude the tag"
                raise


def _used(store: Store, plan: Plan) -> Used:
    with importing:
        from .rules import Used

    selection = plan.selection
    if not selection:
        return Used(store, plan.source_digest)
    original = selection.manifest if selection.manifest.digest == plan.source_digest else None
    if plan.request.conversion:  # what is used has other digests than what is signed
        return Used(store, plan.source_digest, original)
    only = selection.manifest.digest if selection.is_taken_out else ""
    return Used(store, plan.source_digest, original, selection.wanted, only)


# Lets everything pass.
OPEN = Gate()
