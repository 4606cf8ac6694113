# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Find the signatures of an image in its repository, in both formats of cosign."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ..._errors import DigestMismatch, InvalidContent, NotFound
from ..._image import bundle as bundles
from ..._image import digest as digests
from ..._image import envelope, referrers, simple_signing, strict_base64
from ..._image.bundle import Bundle
from ..._image.descriptor import Descriptor
from ..._image.envelope import Envelope
from ..._image.manifest import Manifest
from ..._image.simple_signing import Payload
from ..._stores.referrers_interface import referrers_of
from ..._stores.repository import Store
from .signature import (
    BUNDLE,
    REFERRER,
    TAG,
    BundleSignature,
    EnvelopeSignature,
    Reason,
    Rejection,
    Signature,
    SimpleSignature,
)

SIGNATURES = ".sig"
ATTESTATIONS = ".att"

# cosign 2 could keep signatures as referrers with the same layers as its tag.
_EXPERIMENT = "application/vnd.dev.cosign.artifact.sig.v1+json"
_MAX_PAYLOAD = {
    simple_signing.MEDIA_TYPE: simple_signing.MAX_SIZE,
    envelope.MEDIA_TYPE: bundles.MAX_SIZE,
}
# Nobody signs an image more often; without a limit a hostile repository could make endless work.
_MOST = 500

Found = t.Union[Signature, Rejection]


class SignatureReader:
    """The signatures in one repository. An unreadable signature is a :class:`Rejection`; denied access is an error.

    With ``believes_lists``, a bundle in the list of referrers counts without reading the referrer, because its
    content is signed wherever it is stored.
    """

    def __init__(self, store: Store, believes_lists: bool = True) -> None:
        self._store = store
        self._believes_lists = believes_lists
        self._referrers = referrers_of(store)

    def of_tag(self, digest: str, suffix: str) -> t.Iterator[Found]:
        """Yield the layers of the cosign tag for a digest. Sends one GET, and one for each payload that is not embedded or predictable."""
        manifest = self.tagged(digest, suffix)
        if manifest:
            yield from self._of_layers(manifest, digest)

    def tagged(self, digest: str, suffix: str) -> Manifest | None:
        """Return the manifest that the cosign tag for a digest points to; None if there is no such tag. Raises InvalidContent."""
        tag = tag_of(digest, suffix)
        if not tag:
            return None
        try:
            return self._store.manifest(tag)
        except NotFound:
            return None

    def referrers(self, digest: str) -> list[SignedReferrer]:
        """Return referrers that may be signatures. Sends one GET for the list, which contains the bundles that image_sign wrote.

        A bundle that is not in the list costs two more requests when it is read, for its manifest and its content.
        """
        if not self._referrers:
            return []
        entries = [entry for entry in self._referrers.entries(digest, is_only=True) if _may_be_signature(entry)]
        return [SignedReferrer(entry, digest, self._of_entry) for entry in _limited(entries)]

    def _of_entry(self, entry: Descriptor, digest: str) -> t.Iterator[Found]:
        try:
            listed = entry.annotations.get(referrers.BUNDLE)
            if listed and self._believes_lists:
                yield BundleSignature(BUNDLE, entry.digest, Bundle.parse(listed.encode("utf-8", "replace")))
                return
            manifest = self._store.manifest(entry.digest)
            if referrers.is_referrer(manifest, digest):
                yield from self._of_referrer(manifest, digest)
        except (NotFound, DigestMismatch, InvalidContent) as error:
            yield Rejection(Reason.DAMAGED, error.cause)

    def _of_referrer(self, manifest: Manifest, digest: str) -> t.Iterator[Found]:
        if manifest.artifact_type == _EXPERIMENT:
            for found in self._of_layers(manifest, digest):
                if isinstance(found, Signature):
                    yield dataclasses.replace(found, format=REFERRER, location=manifest.digest)
                else:
                    yield found
            return
        layers = manifest.layers
        if len(layers) == 1 and layers[0].media_type.startswith(bundles.MEDIA_TYPE_PREFIX):
            content = self._read(layers[0], bundles.MAX_SIZE)
            yield BundleSignature(BUNDLE, manifest.digest, Bundle.parse(content))

    def _of_layers(self, manifest: Manifest, digest: str) -> t.Iterator[Found]:
        for layer in _limited(manifest.layers):
            if layer.media_type not in _MAX_PAYLOAD:
                continue
            try:
                yield self._of_layer(layer, digest)
            except (NotFound, DigestMismatch, InvalidContent) as error:
                yield Rejection(Reason.DAMAGED, error.cause)

    def _of_layer(self, layer: Descriptor, digest: str) -> Signature:
        if layer.media_type == envelope.MEDIA_TYPE:
            return EnvelopeSignature(TAG, layer.digest, Envelope.parse(self._read(layer, bundles.MAX_SIZE)))
        encoded = layer.annotations.get(simple_signing.SIGNATURE_ANNOTATION)
        try:
            signature = strict_base64.decode(encoded)
        except ValueError:
            raise InvalidContent("a signature is not valid base64", hint="Sign the image again") from None
        payload = self._foreseen(layer, digest) or self._read(layer, simple_signing.MAX_SIZE)
        return SimpleSignature(TAG, str(encoded), payload, signature)

    def _foreseen(self, layer: Descriptor, digest: str) -> bytes | None:
        """Return the payload if it is the one that cosign writes for this name of the image. The digest shows whether it is.

        This saves a request, and it is safe, because the digest determines the content.
        """
        payload = Payload(simple_signing.COSIGN, self._store.reference(""), digest).encode()
        return payload if layer.size == len(payload) and digests.of(payload) == layer.digest else None

    def _read(self, blob: Descriptor, limit: int) -> bytes:
        if blob.size > limit:
            raise InvalidContent("a signature is larger than %d bytes" % limit, hint="Sign the image again")
        embedded = blob.embedded
        return b"".join(map(bytes, self._store.open_blob(blob))) if embedded is None else embedded


class SignedReferrer:
    """A referrer that may be a signature. It is read only once, when it is needed.

    ``predicate_type`` is the type that the list states; empty if it states none.
    """

    def __init__(self, entry: Descriptor, digest: str, read: t.Callable[[Descriptor, str], t.Iterable[Found]]) -> None:
        self.predicate_type = entry.annotations.get(referrers.PREDICATE_TYPE, "")
        self._entry = entry
        self._digest = digest
        self._read = read

    @functools.cached_property
    def found(self) -> list[Found]:
        """The signatures in the referrer. Raises ImageError if access is denied."""
        return list(self._read(self._entry, self._digest))


def tag_of(digest: str, suffix: str) -> str:
    """Return the cosign tag for signatures (``.sig``) or attestations (``.att``) of a digest; empty if there is none."""
    return next((tag for tag in referrers.cosign_tags(digest) if tag.endswith(suffix)), "")


def _may_be_signature(entry: Descriptor) -> bool:
    """Return whether an entry of a list may be a signature. Some registries state the type of the config, or none."""
    kind = entry.artifact_type or ""
    is_signature = kind.startswith(bundles.MEDIA_TYPE_PREFIX) or kind == _EXPERIMENT
    return not entry.is_index and (is_signature or not kind or kind.startswith("application/vnd.oci."))


def _limited(items: t.Sequence[Descriptor]) -> t.Sequence[Descriptor]:
    if len(items) > _MOST:
        raise InvalidContent(
            "the image has more than %d signatures" % _MOST, hint="Delete signatures that are no longer needed"
        )
    return items
