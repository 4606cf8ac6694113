# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's Engine whose images are in containerd, which Debian's is too old for, as moby's daemon/containerd answers.

Every name is a reference to a manifest, whose digest is the ID. Configs can be had by exporting images only.
"""

from __future__ import annotations

import tempfile
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import NotFound, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import saved as saved_images
from ansible_collections.drayage.registry.plugins.module_utils._image.saved import Layer, SavedImage
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_save import DockerSave, archive
from ansible_collections.drayage.registry.plugins.module_utils._stores.tar_reader import TarImage

_DANGLING = "moby-dangling@"


def target_of(image: SavedImage) -> str:
    """The digest of the manifest that is made of an image when it is loaded."""
    layers = [{"mediaType": "layer", "digest": layer.diff_id, "size": layer.size} for layer in image.layers]
    return saved_images.manifest(image.config, layers).digest


class ContainerdEngine:
    """``named`` maps names to targets; ``exports`` counts how often an image was handed out, ``loads`` taken in."""

    location = "here"

    def __init__(self) -> None:
        self.images_of: dict[str, SavedImage] = {}
        self.named: dict[str, str] = {}
        self.damaged: set[str] = set()
        self.exports = 0
        self.loads = 0

    def have(self, image: SavedImage) -> str:
        """Have an image with its names, and return the engine's ID of it."""
        target = target_of(image)
        self.images_of[target] = image
        self.named.update(dict.fromkeys(image.names or [_DANGLING + target], target))
        return target

    def version(self) -> dict[str, t.Any]:
        return {"Os": "linux", "Arch": "amd64"}

    def has_other_ids(self) -> bool:
        return True

    def images(self) -> list[dict[str, t.Any]]:
        return [{"Id": target, "RepoTags": self._tags(target)} for target in dict.fromkeys(self.named.values())]

    def inspect(self, name: str) -> dict[str, t.Any] | None:
        try:
            target = self._resolve(name)
        except NotFound:
            return None
        tags = self._tags(target)
        layers = [layer.diff_id for layer in self.images_of[target].layers]
        return {
            "Id": target,
            "RepoTags": tags,
            "RepoDigests": ["%s@%s" % (tag.rpartition(":")[0], target) for tag in tags],
            "Descriptor": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": target},
            "RootFS": {"Type": "layers", "Layers": layers},
        }

    def export(self, name: str) -> t.Iterator[bytes]:
        target = self._resolve(name)
        self.exports += 1
        if target in self.damaged:
            raise NotFound("the engine returned 404 (content digest %s: not found)" % target)
        return archive([self.images_of[target]])

    def load(self, chunks: t.Iterator[bytes]) -> None:
        stream = tempfile.TemporaryFile(buffering=0)
        stream.write(b"".join(chunks))
        self.loads += 1
        with TarImage("what was loaded", t.cast(t.BinaryIO, stream)) as tar:
            for image in DockerSave(tar).images:
                read = ((layer, b"".join(layer.open())) for layer in image.layers)
                kept = tuple(Layer(layer.diff_id, len(content), lambda c=content: [c]) for layer, content in read)
                self.damaged.discard(self.have(SavedImage(image.config, kept, image.names)))

    def tag(self, image_id: str, name: str) -> None:
        target = self._resolve(image_id)
        self.named[name] = target
        self.named.pop(_DANGLING + target, None)

    def remove(self, name: str) -> bool:
        try:
            target = self._resolve(name)
        except NotFound:
            return False
        names = [key for key, other in self.named.items() if other == target] if name == target else [name]
        if len(names) > 1:
            raise Refused("the engine returned 409 (image is referenced in multiple repositories)", status=409)
        del self.named[names[0]]
        return True

    def close(self) -> None:
        """Nothing is open."""

    def _resolve(self, name: str) -> str:
        found = name if digests.is_digest(name) else self.named.get(name)
        if found not in self.named.values():
            raise NotFound("the engine returned 404 (No such image: %s)" % name)
        return found

    def _tags(self, target: str) -> list[str]:
        return [name for name, other in self.named.items() if other == target and not name.startswith(_DANGLING)]
