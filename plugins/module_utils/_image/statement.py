# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""in-toto statements: a claim of some type (the predicate) about content with these digests (the subjects).

See https://github.com/in-toto/attestation, spec/v1/statement.md. ``cosign attest`` still writes version 0.1.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import InvalidContent, parsing
from . import digest as digests
from . import document as documents

_HINT = "Sign the image again"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
V1 = "https://in-toto.io/Statement/v1"
V0_1 = "https://in-toto.io/Statement/v0.1"

# What cosign claims with "cosign sign": nothing more than that the key holder signed this digest.
SIGN = "https://sigstore.dev/cosign/sign/v1"

# The short names of ``cosign attest --type``.
PREDICATE_TYPES = {
    "cyclonedx": "https://cyclonedx.org/bom",
    "custom": "https://cosign.sigstore.dev/attestation/v1",
    "link": "https://in-toto.io/Link/v1",
    "openvex": "https://openvex.dev/ns",
    "slsaprovenance": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "spdx": "https://spdx.dev/Document",
    "spdxjson": "https://spdx.dev/Document",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
}


@dataclasses.dataclass(frozen=True)
class Subject:
    """The content of a claim: ``digests`` maps algorithms to hexadecimal digits; ``name`` may be empty."""

    digests: t.Mapping[str, str]
    name: str = ""
    annotations: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, digest: str, name: str = "", annotations: t.Mapping[str, t.Any] | None = None) -> Subject:
        """Return a subject with only this digest."""
        algorithm, encoded = digests.split(digest)
        return cls({algorithm: encoded}, name, annotations or {})

    @classmethod
    def _from_document(cls, document: t.Mapping[str, t.Any]) -> Subject:
        found, name = document["digest"], document.get("name") or ""
        annotations = document.get("annotations") or {}
        if not isinstance(name, str) or not isinstance(annotations, dict):
            raise ValueError
        if not all(isinstance(value, str) for value in found.values()):
            raise ValueError
        return cls(dict(found), name, annotations)

    def document(self) -> dict[str, t.Any]:
        """Return the subject for JSON."""
        found: dict[str, t.Any] = {"name": self.name} if self.name else {}
        found["digest"] = dict(self.digests)
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found

    def has(self, digest: str) -> bool:
        """Return whether this subject has the digest."""
        algorithm, encoded = digests.split(digest)
        return self.digests.get(algorithm) == encoded


@dataclasses.dataclass(frozen=True)
class Statement:
    """A statement; ``type`` is the URI of its version."""

    predicate_type: str
    subjects: tuple[Subject, ...]
    predicate: t.Any
    type: str = V1

    @classmethod
    def parse(cls, content: bytes) -> Statement:
        """Parse a statement. Raises :class:`InvalidContent`."""
        document = documents.read(content, "the signed statement", hint=_HINT)
        with parsing("the signed statement", hint=_HINT):
            if document["_type"] not in (V1, V0_1):
                raise InvalidContent("the signed statement has an unsupported version", hint=_HINT)
            subjects = tuple(Subject._from_document(subject) for subject in document["subject"])
            predicate_type = document["predicateType"]
            if not isinstance(predicate_type, str):
                raise ValueError
            return cls(predicate_type, subjects, document.get("predicate"), document["_type"])

    def encode(self) -> bytes:
        """Return the bytes to sign. Equal content gives equal bytes."""
        return documents.encode(
            {
                "_type": self.type,
                "subject": [subject.document() for subject in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )

    def subject_of(self, digest: str) -> Subject | None:
        """Return the subject with this digest."""
        return next((subject for subject in self.subjects if subject.has(digest)), None)


def predicate_type(text: str) -> str:
    """Return the URI for a URI or one of cosign's short names."""
    return PREDICATE_TYPES.get(text, text)
