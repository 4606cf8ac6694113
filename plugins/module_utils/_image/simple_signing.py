# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The payload of "simple signing": signed JSON with an image name and its digest.

containers/image uses it for GPG (``atomic``, docs/containers-signature.5.md), and cosign uses it with a different
type (specs/SIGNATURE_SPEC.md). Unknown members are rejected as in containers/image.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InvalidContent, parsing
from . import digest as digests
from . import document as documents

COSIGN = "cosign container image signature"
ATOMIC = "atomic container signature"

# Layers of cosign's tag ``sha256-<hex>.sig``, and the annotation that holds the signature of such a layer.
MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"

# Payloads are some hundred bytes; containers/image reads at most 4 MiB of one.
MAX_SIZE = 4 * 1024 * 1024
_HINT = "Sign the image again"


@dataclasses.dataclass(frozen=True)
class Payload:
    """The digest and name that are signed; ``optional`` are the annotations of the signer, or None."""

    type: str
    identity: str
    digest: str
    optional: t.Mapping[str, t.Any] | None = None

    @classmethod
    def parse(cls, content: bytes) -> Payload:
        """Parse a payload of either type. Raises :class:`InvalidContent`."""
        document = documents.read(content, "the signed payload", hint=_HINT)
        with parsing("the signed payload", hint=_HINT):
            _has_only(document, {"critical", "optional"})
            critical, optional = document["critical"], document["optional"]
            _has_only(critical, {"type", "image", "identity"})
            _has_only(critical["image"], {"docker-manifest-digest"})
            _has_only(critical["identity"], {"docker-reference"})
            identity = critical["identity"]["docker-reference"]
            if critical["type"] not in (COSIGN, ATOMIC) or not isinstance(identity, str):
                raise ValueError
            if optional is not None and not isinstance(optional, dict):
                raise ValueError
            return cls(critical["type"], identity, digests.check(critical["image"]["docker-manifest-digest"]), optional)

    def encode(self) -> bytes:
        """Return the bytes to sign, in the order that cosign uses. Equal content gives equal bytes."""
        critical = {
            "identity": {"docker-reference": self.identity},
            "image": {"docker-manifest-digest": self.digest},
            "type": self.type,
        }
        optional = dict(sorted(self.optional.items())) if self.optional is not None else None
        return documents.encode({"critical": critical, "optional": optional})


def _has_only(document: t.Mapping[str, t.Any], names: set[str]) -> None:
    if not isinstance(document, dict) or set(document) != names:
        raise InvalidContent("the signed payload does not have the fields of an image signature", hint=_HINT)
