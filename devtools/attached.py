# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image with everything attached that has to travel with it, and how it is pushed to registries of each kind."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from devtools import images
from devtools.images.value import OCI, Image, digest_of, image_of

SBOM_TYPE = "application/spdx+json"
SIGNATURE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"

# How many referrers of the image, the child and the SBOM a family has, and that cosign's tags are complete.
EVERYTHING = (3, 1, 1, True)


class Family:
    """An index of two platforms.

    Attached are three referrers to the index (an SBOM, a signature, and an index), one to a child, one to the SBOM,
    and cosign's ``.sig`` tags to the index and a child. ``seed`` makes another one with other digests.
    """

    def __init__(self, seed: str = "family") -> None:
        self.image = images.index(seed=seed)
        child_digest = self.image.child("linux/arm64")
        child_type, child_raw = self.image.manifests[child_digest]
        self.child = Image(child_digest, child_type, {child_digest: (child_type, child_raw)}, {})
        self.sbom = images.artifact(SBOM_TYPE, content=b'{"spdx": 1}', subject=self.image)
        self.signature = images.artifact(SIGNATURE_TYPE, content=b"signature", subject=self.image)
        self.index = referring_index(self.image)
        self.of_child = images.artifact(SIGNATURE_TYPE, content=b"signature of the child", subject=self.child)
        self.of_sbom = images.artifact(SIGNATURE_TYPE, content=b"signature of the SBOM", subject=self.sbom)
        self.tags = {cosign_tag(one): cosign_signature(one.digest) for one in (self.image, self.child)}

    @property
    def referrers(self) -> list[tuple[Image, Image]]:
        """Each referrer with its subject."""
        of_image = [(one, self.image) for one in (self.sbom, self.signature, self.index)]
        return [*of_image, (self.of_child, self.child), (self.of_sbom, self.sbom)]

    @property
    def digests(self) -> list[str]:
        """The digests of all referrers and of what cosign's tags point to."""
        return sorted([one.digest for one, _subject in self.referrers] + [one.digest for one in self.tags.values()])

    def push(self, host: str, repository: str, tag: str, *, lists: bool) -> None:
        """Push everything; with ``lists``, also the lists of referrers, for registries without the referrers API."""
        images.push(self.image, host, repository, tag)
        attach(self.referrers, host, repository, lists=lists)
        for name, signature in self.tags.items():
            images.push(signature, host, repository, name)


def attach(referrers: Sequence[tuple[Image, Image]], host: str, repository: str, *, lists: bool) -> None:
    """Push referrers, and with ``lists`` the lists of the referrers of each subject."""
    for referrer, _subject in referrers:
        images.push(referrer, host, repository, referrer.digest)
    for subject in {subject.digest for _referrer, subject in referrers} if lists else ():
        entries = [one.descriptor() for one, of in referrers if of.digest == subject]
        images.push(index_of(entries), host, repository, list_tag(subject))


def list_tag(digest: str) -> str:
    """Return the tag of the list of a subject's referrers."""
    return digest.replace(":", "-")


def index_of(entries: list[dict], **more: object) -> Image:
    """Make an index with these entries, whose content is elsewhere."""
    return image_of({"schemaVersion": 2, "mediaType": OCI.index, "manifests": entries, **more})


def referring_index(subject: Image) -> Image:
    """Make a referrer that is an index of two artifacts."""
    parts = tuple(images.artifact("application/vnd.example.part", content=content) for content in (b"one", b"two"))
    document = {
        "schemaVersion": 2,
        "mediaType": OCI.index,
        "artifactType": "application/vnd.example.parts",
        "manifests": [part.descriptor() for part in parts],
        "subject": subject.descriptor(),
        "annotations": {"org.example.kind": "parts"},
    }
    return image_of(document, parts)


def cosign_tag(image: Image, suffix: str = ".sig") -> str:
    """Return the tag under which cosign keeps signatures of an image."""
    return list_tag(image.digest) + suffix


def cosign_signature(digest: str, *signatures: bytes) -> Image:
    """Make what cosign keeps under such a tag; the signatures are no real ones."""
    layers, payloads = [], {}
    for one in signatures or (b"signed",):
        document = {"critical": {"image": {"docker-manifest-digest": digest}}, "optional": {"by": one.decode()}}
        payload = json.dumps(document).encode()
        payloads[digest_of(payload)] = payload
        annotations = {"dev.cosignproject.cosign/signature": base64.b64encode(one).decode()}
        layer = {"mediaType": SIMPLE_SIGNING, "digest": digest_of(payload), "size": len(payload)}
        layers.append({**layer, "annotations": annotations})
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}}).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": OCI.manifest,
        "config": {"mediaType": OCI.config, "digest": digest_of(config), "size": len(config)},
        "layers": layers,
    }
    return image_of(document, blobs={**payloads, digest_of(config): config})
