# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Add signatures to an image and remove them, without changing the signatures of others."""

from __future__ import annotations

import datetime
import time
import typing as t

from ..._errors import InvalidContent, Refused
from ..._image import bundle as bundles
from ..._image import digest as digests
from ..._image import document as documents
from ..._image import media_types, referrers, simple_signing, strict_base64
from ..._image.descriptor import Descriptor
from ..._image.manifest import Manifest
from ..._settling import wait_for_others
from ..._stores.referrers_interface import referrers_of
from ..._stores.repository import Lockable, Store, commit, exclusive
from .reading import SignatureReader, tag_of

_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_CREATED = "org.opencontainers.image.created"
# Bytes: descriptors should hold small content only (OCI image spec, "data").
_MAX_EMBEDDED = 4096
# How often a tag is written again because another signer has overwritten it.
_WRITES = 10

_Layers = list[dict[str, t.Any]]


class SignatureWriter:
    """Changes the signatures in one repository."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reader = SignatureReader(store)
        self._referrers = referrers_of(store)

    @property
    def takes_bundles(self) -> bool:
        """Whether the store supports referrers."""
        return self._referrers is not None and self._referrers.keeps("")

    def takes_tag(self, tag: str) -> bool:
        """Return whether the store supports this cosign tag."""
        return self._referrers is None or self._referrers.keeps(tag)

    def add_layer(
        self, digest: str, suffix: str, media_type: str, content: bytes, annotations: t.Mapping[str, str]
    ) -> None:
        """Add a layer to the cosign tag for a digest, and keep the existing layers. Raises ImageError."""
        with exclusive(self._store):  # another signer may otherwise remove the same payload, or lose this signature
            blob = self._put(media_type, content)
            layer = {"mediaType": media_type, "digest": blob.digest, "size": blob.size}
            layer["annotations"] = dict(annotations)
            if len(content) <= _MAX_EMBEDDED:  # whoever reads the manifest needs no second request
                layer["data"] = strict_base64.encode(content)
            self._write(digest, suffix, lambda layers: None if layer in layers else [*layers, layer])

    def remove_layers(self, digest: str, suffix: str, locations: t.Collection[str]) -> None:
        """Remove the layers of these signatures from the cosign tag. Delete the tag with its last layer."""

        def remaining(layers: _Layers) -> _Layers | None:
            kept = [layer for layer in layers if not _is_at(layer, locations)]
            return kept if len(kept) < len(layers) else None

        with exclusive(self._store):
            self._write(digest, suffix, remaining)

    def add_bundle(self, subject: Descriptor, content: bytes, predicate_type: str) -> None:
        """Add a referrer with a bundle. Raises ImageError."""
        if not self._referrers or not self.takes_bundles:
            raise Refused("this destination cannot store sigstore bundles", hint="Remove bundle from formats")
        config, layer = self._put(_EMPTY_TYPE, _EMPTY), self._put(bundles.MEDIA_TYPE, content)
        now = datetime.datetime.now(datetime.timezone.utc)
        annotations = {
            bundles.CONTENT_ANNOTATION: "dsse-envelope",
            referrers.PREDICATE_TYPE: predicate_type,
            _CREATED: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if len(content) <= referrers.MAX_BUNDLE:  # lists of referrers show it: whoever reads the list needs no more
            annotations[referrers.BUNDLE] = content.decode("utf-8")
        document = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "artifactType": bundles.MEDIA_TYPE,
            "config": _document(config),
            "layers": [_document(layer)],
            "subject": _document(subject),
            "annotations": annotations,
        }
        manifest = Manifest.parse(documents.encode(document))
        self._store.put_manifest(manifest)
        self._referrers.attach(subject.digest, [manifest])
        commit(self._store)

    def remove_bundles(self, subject: str, locations: t.Collection[str]) -> None:
        """Remove these referrers of a digest."""
        if self._referrers and locations:
            for location in locations:
                self._store.delete(location)
            self._referrers.detach(subject, locations)
            commit(self._store)

    def _put(self, media_type: str, content: bytes) -> Descriptor:
        blob = Descriptor(media_type, digests.of(content), len(content))
        self._store.put_blob(blob, lambda: [content], "")
        return blob

    def _write(self, digest: str, suffix: str, change: t.Callable[[_Layers], _Layers | None]) -> None:
        """Write the tag until reading it shows that nothing is left to change, because another signer may write at the same time.

        No registry supports conditional writes. Elsewhere, the caller holds the lock, so that nobody else writes.
        """
        tag = tag_of(digest, suffix)
        for _attempt in range(_WRITES):
            start = time.monotonic()
            current = self._reader.tagged(digest, suffix)
            if current and current.is_index:
                cause = "the signature tag %s points to an index, which cannot contain signatures" % tag
                raise InvalidContent(cause, hint="Delete the tag, or remove tag from formats")
            wanted = change(_layers(current))
            if wanted is None:
                return
            if wanted or not current:
                self._publish(tag, current, wanted)
            elif not self._store.delete_tag(tag, current.digest):
                self._store.delete(current.digest)  # in a layout, the tag may belong to a repository
            if isinstance(self._store, Lockable):
                return
            wait_for_others(start)
        cause = "cannot update the signatures of %s: other clients overwrote the tag %s %d times"
        raise Refused(
            cause % (digest, tag, _WRITES), hint="Run the task again when no other client is signing this image"
        )

    def _publish(self, tag: str, current: Manifest | None, layers: _Layers) -> None:
        config = self._put(media_types.OCI_CONFIG, documents.encode(_config(layers)))
        document = dict(current.document) if current else {}
        document.update(schemaVersion=2, mediaType=media_types.OCI_MANIFEST, config=_document(config), layers=layers)
        self._store.publish(Manifest.parse(documents.encode(document)), [tag], None)


def _config(layers: _Layers) -> dict[str, t.Any]:
    """Return the config for an image with these layers, as cosign writes it."""
    epoch = "0001-01-01T00:00:00Z"
    return {
        "architecture": "",
        "created": epoch,
        "history": [{"created": epoch} for _layer in layers],
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        "config": {},
    }


def _layers(manifest: Manifest | None) -> _Layers:
    return list(manifest.document.get("layers") or ()) if manifest else []


def _is_at(layer: t.Mapping[str, t.Any], locations: t.Collection[str]) -> bool:
    annotations = layer.get("annotations") or {}
    return layer["digest"] in locations or annotations.get(simple_signing.SIGNATURE_ANNOTATION) in locations


def _document(descriptor: Descriptor) -> dict[str, t.Any]:
    return {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}
