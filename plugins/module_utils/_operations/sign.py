# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Sign images and attest claims about them. A second run changes nothing."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .._errors import ImageError, InvalidReference, NotFound, naming
from .._image import envelope as envelopes
from .._image import reference as references
from .._image import simple_signing, statement, strict_base64
from .._image.bundle import Bundle
from .._image.descriptor import Descriptor
from .._image.envelope import Envelope
from .._image.graph import Graph
from .._image.manifest import Manifest
from .._image.reference import EngineReference, Reference, RegistryReference
from .._image.signing_key import SigningKey
from .._image.simple_signing import Payload
from .._image.statement import Statement, Subject
from .._stores.repository import Store
from .._transfer.parallel import for_each
from .signing.evidence import Evidence
from .signing.reading import ATTESTATIONS, SIGNATURES, SignatureReader, tag_of
from .signing.signature import BUNDLE, FORMATS, REFERRER, TAG, Demand, Verified
from .signing.writing import SignatureWriter
from .stores import Stores


@dataclasses.dataclass(frozen=True)
class SignOptions:
    """The options of image_sign. ``predicate_type`` is empty for a signature; otherwise, ``predicate`` is the claim."""

    image: str
    key: SigningKey
    formats: t.Sequence[str] = FORMATS
    children: bool = True
    identity: str = ""
    annotations: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    predicate_type: str = ""
    predicate: t.Any = None
    is_present: bool = True


@dataclasses.dataclass(frozen=True)
class SignedDigest:
    """A manifest, and the formats in which this key has signed it, before and after."""

    digest: str
    before: list[str]
    after: list[str]

    @property
    def added(self) -> list[str]:
        """The formats that were added."""
        return [name for name in self.after if name not in self.before]

    @property
    def removed(self) -> list[str]:
        """The formats that were removed."""
        return [name for name in self.before if name not in self.after]


@dataclasses.dataclass(frozen=True)
class Signed:
    """The result for an image and its children."""

    digest: str
    identity: str
    manifests: list[SignedDigest]


def sign(options: SignOptions, stores: Stores) -> Signed:
    """Add the signatures of this key, or remove them. Raises ImageError."""
    reference = references.parse(options.image)
    _check(reference, options)
    removes = not options.is_present
    store = stores.open(reference, writable=True, deletes=removes)
    with naming(reference):
        top = manifest_of(store, reference)
        identity = _identity(options.identity, reference)
        subjects = [top.descriptor]
        if options.children and not options.predicate_type:
            subjects = list({subject.digest: subject for subject in (top.descriptor, *_below(store, top))}.values())
        signer = _Signer(options, store, identity, stores.run.dry_run)
        # The lists of referrers of one repository are learnt once: the first manifest is signed alone.
        done = [signer.settle(subjects[0])]
        done += for_each(signer.settle, subjects[1:], stores.run.jobs)
    return Signed(top.digest, identity, done)


class _Signer:
    def __init__(self, options: SignOptions, store: Store, identity: str, dry_run: bool) -> None:
        self._options = options
        self._store = store
        self._identity = identity
        self._dry_run = dry_run
        # Only a referrer that was read itself is deleted.
        self._reader = SignatureReader(store, believes_lists=options.is_present)
        self._writer = SignatureWriter(store)
        self._suffix = ATTESTATIONS if options.predicate_type else SIGNATURES
        if BUNDLE in options.formats and not self._writer.takes_bundles:
            raise ImageError("this destination cannot store sigstore bundles", hint="Remove bundle from formats")

    def settle(self, subject: Descriptor) -> SignedDigest:
        """Add or remove the signatures of one manifest."""
        if TAG in self._options.formats and not tag_of(subject.digest, SIGNATURES):
            raise ImageError(
                "cosign defines no signature tag for the digest %s" % subject.digest, hint="Remove tag from formats"
            )
        if TAG in self._options.formats and not self._writer.takes_tag(tag_of(subject.digest, self._suffix)):
            raise ImageError("this destination cannot store attestations", hint="Use a registry or an OCI layout")
        found = self._own(subject)
        if not self._options.is_present:
            return self._settle_absent(subject, found)
        before = [name for name in FORMATS if any(each.format == name for each in found)]
        missing = [name for name in FORMATS if name in self._options.formats and name not in before]
        after = [name for name in FORMATS if name in before or name in missing]
        if not self._dry_run:
            self._add(subject, missing)
        return SignedDigest(subject.digest, before, after)

    def _settle_absent(self, subject: Descriptor, found: t.Sequence[Verified]) -> SignedDigest:
        formats = [*self._options.formats, *([REFERRER] if BUNDLE in self._options.formats else [])]
        before = [name for name in (*FORMATS, REFERRER) if any(each.format == name for each in found)]
        after = [name for name in before if name not in formats]
        removed = [each for each in found if each.format in formats]
        self._check_other_signers(removed)
        if not self._dry_run:
            self._remove(subject, removed)
        return SignedDigest(subject.digest, before, after)

    def _check_other_signers(self, removed: t.Sequence[Verified]) -> None:
        """Raise ImageError if one of these is in a referrer with signatures that are kept."""
        counts = collections.Counter(each.location for each in removed if each.format == REFERRER)
        for location, count in counts.items():
            if len(self._store.manifest(location).layers) > count:
                cause = "the referrer %s also contains signatures made with other keys" % location
                raise ImageError(cause, hint="Remove bundle from formats to keep the referrer")

    def _own(self, subject: Descriptor) -> list[Verified]:
        """Return the existing signatures of this key. To add one, they must have the same content; to remove them, any content counts."""
        options = self._options
        kind = options.predicate_type or statement.SIGN
        demand = Demand((options.key.public,), predicate_type=kind)
        if options.is_present:
            demand = dataclasses.replace(demand, annotations=options.annotations)
        found = Evidence(self._reader, subject.digest, lambda: self._store.manifest(subject.digest)).matching(demand)
        return [each for each in found if not options.is_present or self._is_kept(each)]

    def _is_kept(self, found: Verified) -> bool:
        """Return whether a signature need not be added again. A list may contain a bundle that no longer exists."""
        is_there = found.format != BUNDLE or self._store.has_manifest(found.location)
        return is_there and self._says_the_same(found)

    def _says_the_same(self, found: Verified) -> bool:
        if self._options.predicate_type:
            return bool(found.claim.predicate == self._options.predicate)
        # A bundle of cosign carries no name.
        return found.format == BUNDLE or found.claim.identity == self._identity

    def _add(self, subject: Descriptor, formats: t.Collection[str]) -> None:
        key, digest = self._options.key, subject.digest
        made = self._statement(digest)
        if BUNDLE in formats:
            self._writer.add_bundle(subject, Bundle.sign(made, key).encode(), made.predicate_type)
        if TAG not in formats:
            return
        if self._options.predicate_type:
            content = Envelope.sign(statement.PAYLOAD_TYPE, made.encode(), key).encode()
            annotations = {simple_signing.SIGNATURE_ANNOTATION: "", "predicateType": made.predicate_type}
            self._writer.add_layer(digest, self._suffix, envelopes.MEDIA_TYPE, content, annotations)
        else:
            optional = self._options.annotations or None
            payload = Payload(simple_signing.COSIGN, self._identity, digest, optional).encode()
            annotations = {simple_signing.SIGNATURE_ANNOTATION: strict_base64.encode(key.sign(payload))}
            self._writer.add_layer(digest, self._suffix, simple_signing.MEDIA_TYPE, payload, annotations)

    def _statement(self, digest: str) -> Statement:
        """Return the statement for a bundle. As in cosign, a signature has no name, and an attestation has no annotations."""
        options = self._options
        if options.predicate_type:
            subject = Subject.of(digest, self._identity)
            return Statement(options.predicate_type, (subject,), options.predicate, statement.V0_1)
        return Statement(statement.SIGN, (Subject.of(digest, annotations=options.annotations),), {})

    def _remove(self, subject: Descriptor, found: t.Sequence[Verified]) -> None:
        layers = [each.location for each in found if each.format == TAG]
        if layers:
            self._writer.remove_layers(subject.digest, self._suffix, layers)
        attached = dict.fromkeys(each.location for each in found if each.format != TAG)
        self._writer.remove_bundles(subject.digest, list(attached))


def _check(reference: Reference, options: SignOptions) -> None:
    """Refuse options that have no effect together. Raises ImageError."""
    if isinstance(reference, EngineReference):
        hint = "Push the image, and sign it in the registry"
        raise InvalidReference("engines and Docker archives cannot store signatures", reference, hint)
    if not options.formats:
        raise ImageError("formats is empty", reference, "Set formats to tag, bundle or both")
    if options.is_present and options.predicate_type and options.predicate is None:
        hint = "Set predicate to the content of the attestation"
        raise ImageError("predicate_type is set, but predicate is not", reference, hint)
    if options.is_present and options.predicate_type and options.annotations:
        hint = "Remove annotations, or add the values to predicate"
        raise ImageError("an attestation has no annotations", reference, hint)
    if options.predicate_type == statement.SIGN:
        hint = "Remove predicate_type and predicate to sign the image"
        raise ImageError("%s is the type of signatures, not of attestations" % statement.SIGN, reference, hint)


def _identity(given: str, reference: Reference) -> str:
    """Return the name to sign."""
    if given:
        return str(references.parse_registry(given))
    if isinstance(reference, RegistryReference):
        return reference.context
    cause = "the signature needs an image name, but local images have none"
    raise ImageError(cause, hint="Set the identity option to the image name")


def manifest_of(store: Store, reference: Reference) -> Manifest:
    """Return the manifest of the image to sign. Raises ImageError."""
    try:
        manifest = store.manifest(references.name_or_default(reference))
    except NotFound as error:
        raise NotFound("cannot sign the image: %s" % error.cause, hint="Push the image first") from None
    references.check_digest(reference, manifest.digest)
    return manifest


def _below(store: Store, top: Manifest) -> list[Descriptor]:
    """Return the descendants of an index."""
    graph = Graph([top], lambda level: [store.manifest(each.digest) if each.is_index else None for each in level])
    return [*(each.descriptor for each in graph.manifests.values()), *graph.skipped.values()]
