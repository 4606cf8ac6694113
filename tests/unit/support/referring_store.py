# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A store in memory that supports referrers, and artifacts to attach to images."""

from __future__ import annotations

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._image import cosign_tag, referrers
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.images import Image
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore

SBOM, SIGNATURE = "application/spdx+json", "application/vnd.dev.cosign.simplesigning.v1+json"


class ReferringStore(MemoryStore):
    """A repository with the referrers API. ``hints`` adds entries to lists; ``refused`` has tags that cannot be stored."""

    def __init__(self, host: str = "r.example", name: str = "app") -> None:
        super().__init__(host, name)
        self.hints: dict[str, list[Descriptor]] = {}
        self.refused: set[str] = set()

    @property
    def referrers(self) -> ReferringStore:
        return self

    def keeps(self, tag: str) -> bool:
        return tag not in self.refused

    def seen(self, subject: str, without: t.Collection[str] = ()) -> bool:
        return False

    def entries(self, subject: str, artifact_type: str = "", is_only: bool = False) -> list[Descriptor]:
        self.asked.append(("entries", subject))
        found = [one for one in self.manifests.values() if referrers.is_referrer(one, subject)]
        listed = [
            Descriptor(one.media_type, one.digest, one.size, artifact_type=one.artifact_type or None) for one in found
        ]
        return listed + self.hints.get(subject, [])

    def cosign_tags(self, subject: str) -> list[str]:
        self.asked.append(("cosign_tags", subject))
        return [tag for tag in referrers.cosign_tags(subject) if tag in self.tags]

    def attach(self, subject: str, manifests: t.Sequence[Manifest]) -> None:
        assert all(manifest.digest in self.manifests for manifest in manifests)
        self.asked.extend(("attach", manifest.digest) for manifest in manifests)


def referrer(subject: Image | Manifest, text: bytes, artifact_type: str = SBOM, **more: object) -> Image:
    """An artifact whose subject is this manifest."""
    fields = {"artifactType": artifact_type, "subject": images.entry(subject), **more}
    return images.image("unknown/unknown", text, **fields)


def signatures(*texts: bytes) -> Image:
    """What cosign stores under a tag, with a layer for each signature."""
    layers = [images.described(text, SIGNATURE, annotations={"by": text.decode()}) for text in texts]
    manifest, config = cosign_tag.image_of(layers)
    return Image(manifest, (config, *texts))


def signature_tag(subject: Image | Manifest) -> str:
    return "sha256-%s.sig" % subject.digest[len("sha256:") :]
