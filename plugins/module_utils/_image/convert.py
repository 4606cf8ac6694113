# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Convert manifests between Docker's format (image manifest version 2, schema 2) and the OCI format.

Only media types change, in the text of the manifest. Layers, configs and all other text stay the same. So converting
there and back gives the original digest. Content that Docker's format does not support is an error, except for
annotations, which are dropped.
"""

from __future__ import annotations

import typing as t

from .._errors import InvalidContent, NotConvertible
from . import digest as digests
from . import json_text, media_types
from .descriptor import Descriptor
from .manifest import Manifest

OCI, DOCKER = "oci", "docker"

_DOCKER_LAYER = "application/vnd.docker.image.rootfs."
_OCI_LAYER = "application/vnd.oci.image.layer."
_FROM_DOCKER = {
    media_types.DOCKER_MANIFEST: media_types.OCI_MANIFEST,
    media_types.DOCKER_LIST: media_types.OCI_INDEX,
    media_types.DOCKER_CONFIG: media_types.OCI_CONFIG,
    _DOCKER_LAYER + "diff.tar": _OCI_LAYER + "v1.tar",
    _DOCKER_LAYER + "diff.tar.gzip": _OCI_LAYER + "v1.tar+gzip",
    _DOCKER_LAYER + "foreign.diff.tar": _OCI_LAYER + "nondistributable.v1.tar",
    _DOCKER_LAYER + "foreign.diff.tar.gzip": _OCI_LAYER + "nondistributable.v1.tar+gzip",
}
_FROM_OCI = {oci: docker for docker, oci in _FROM_DOCKER.items()}
# Only this way: Docker's format has no type for it that readers agree on.
_ZSTD = {_DOCKER_LAYER + "diff.tar.zstd": _OCI_LAYER + "v1.tar+zstd"}
_MAPS = {OCI: {**_FROM_DOCKER, **_ZSTD}, DOCKER: _FROM_OCI}

# In the order in which Go programs write them.
_PLATFORM_KEYS = ("architecture", "os", "os.version", "os.features", "variant")

_PRESERVE_HINT = "Use format: preserve for this image"
_ATTESTATIONS_HINT = "Set attestations: drop to leave out attestations, or use format: preserve"
_ZSTD_HINT = "Build the image with gzip-compressed layers, or use format: preserve"


def is_of(manifest: Manifest, family: str) -> bool:
    """Return whether a manifest or index has this format, regardless of its children."""
    return (manifest.media_type in media_types.DOCKER) == (family == DOCKER)


def is_image(manifest: Manifest) -> bool:
    """Return whether this is an image rather than an artifact or an index."""
    config = manifest.config
    is_artifact = manifest.is_index or bool(manifest.document.get("artifactType"))
    return not is_artifact and config is not None and config.media_type in media_types.IMAGE_CONFIGS


def is_artifact(manifest: Manifest) -> bool:
    """Return whether this is neither an index nor a container image. cosign signatures also have an image config."""
    layers = (layer.media_type.startswith((_OCI_LAYER, _DOCKER_LAYER)) for layer in manifest.layers)
    return not manifest.is_index and not (is_image(manifest) and all(layers))


def has_zstd(manifest: Manifest) -> bool:
    """Return whether an image has a layer that is compressed with zstd."""
    return any(_is_zstd(layer.media_type) for layer in manifest.layers)


def convert_image(original: Manifest, family: str) -> Manifest:
    """Return the image in this format. If it already has this format, it is the same object.

    OCI artifacts are already in the OCI format. Raises :class:`NotConvertible`.
    """
    becomes_other = not is_of(original, family)
    if not is_image(original):
        if becomes_other:
            raise _error_for(original, family, "it is not a container image")
        return original
    changes = _own_changes(original, family)
    config, layers = original.document["config"], original.document.get("layers") or []
    changes["config"] = _descriptor_changes(original, config, family)
    changes["layers"] = _without_empty(
        {position: _descriptor_changes(original, layer, family) for position, layer in enumerate(layers)}
    )
    return _changed(original, changes)


def convert_index(
    original: Manifest,
    family: str,
    children: t.Mapping[str, Manifest],
    platforms: t.Mapping[str, t.Mapping[str, t.Any]],
) -> Manifest:
    """Return the index in this format with replaced children; if ``family`` is empty, it keeps its format.

    ``children`` maps digests to replacements. ``platforms`` has the platforms of children without one, by digest,
    because entries of Docker's lists must have a platform. Raises :class:`NotConvertible`.
    """
    changes = _own_changes(original, family) if family else {}
    becomes_docker = family == DOCKER and not is_of(original, family)
    manifests = {}
    for position, (child, item) in enumerate(zip(original.children, original.document.get("manifests") or [])):
        if becomes_docker and not child.is_manifest:
            reason = "child %s has the media type %s" % (child.digest, child.media_type)
            raise _error_for(original, family, reason)
        within = _child_changes(child, item, children.get(child.digest))
        if becomes_docker and "annotations" in item:
            within["annotations"] = None
        if becomes_docker and child.digest in platforms:
            within["platform"] = _missing_keys(item.get("platform"), platforms[child.digest])
        manifests[position] = within
    changes["manifests"] = _without_empty(manifests)
    return _changed(original, changes)


def platform_fields(config: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the platform for a descriptor, from the config of its image."""
    return {name: config[name] for name in _PLATFORM_KEYS if config.get(name)}


def lost_annotations(original: Manifest, family: str) -> list[str]:
    """Return the names of the annotations that this format drops, without duplicates."""
    if family != DOCKER or is_of(original, family):
        return []
    document = original.document
    owners = [document, document.get("config"), *(document.get("layers") or []), *(document.get("manifests") or [])]
    names: dict[str, None] = {}
    for owner in owners:
        annotations = owner.get("annotations") if isinstance(owner, dict) else None
        names.update(dict.fromkeys(annotations if isinstance(annotations, dict) else ()))
    return list(names)


def attestation_error(attestation: Descriptor, family: str) -> NotConvertible:
    """Return the error for an attestation of an image whose digest changes, so that the attestation would have no subject."""
    return NotConvertible(
        "image %s cannot be converted to format %s: attestation %s applies to this digest, but the conversion would change the digest"
        % (attestation.attests, family, attestation.digest),
        hint=_ATTESTATIONS_HINT,
    )


def platform_error(original: Manifest, family: str) -> NotConvertible:
    """Return the error for an image without a known platform."""
    return _error_for(original, family, "neither the index nor the image config specifies os and architecture")


def _error_for(original: Manifest, family: str, reason: str, hint: str = _PRESERVE_HINT) -> NotConvertible:
    cause = "manifest %s cannot be converted to format %s: %s" % (original.digest, family, reason)
    return NotConvertible(cause, hint=hint)


def _own_changes(original: Manifest, family: str) -> dict[str, t.Any]:
    """Return the changes in the manifest or index itself."""
    if is_of(original, family):
        return {}
    if family == OCI:
        return {"mediaType": _FROM_DOCKER[original.media_type]}
    if original.document.get("artifactType") or original.media_type not in _FROM_OCI:
        raise _error_for(original, family, "it is not a container image")
    if original.document.get("subject") is not None:
        raise _error_for(original, family, "it has a subject, which this format does not support")
    return {"mediaType": _FROM_OCI[original.media_type], "annotations": None}


def _descriptor_changes(original: Manifest, item: dict[str, t.Any], family: str) -> dict[str, t.Any]:
    """Return the changes in the descriptor of a config or layer."""
    changes: dict[str, t.Any] = {}
    media_type = _mapped(original, item["mediaType"], item["digest"], family)
    if media_type != item["mediaType"]:
        changes["mediaType"] = media_type
    if family == DOCKER and not is_of(original, family) and "annotations" in item:
        changes["annotations"] = None
    return changes


def _mapped(original: Manifest, media_type: str, digest: str, family: str) -> str:
    if media_type in _MAPS[family]:
        return _MAPS[family][media_type]
    # What belongs to neither format, such as an in-toto statement, OCI's takes as it is.
    is_foreign = media_type.startswith("application/vnd.docker.")
    if family == DOCKER:
        is_bound = not is_of(original, family) or media_type.startswith("application/vnd.oci.")
        is_foreign = is_bound and media_type not in _FROM_DOCKER
    if not is_foreign:
        return media_type
    if _is_zstd(media_type):
        raise _error_for(original, family, "layer %s is compressed with zstd" % digest, _ZSTD_HINT)
    if media_type.endswith(("+encrypted", "+enc")):
        raise _error_for(original, family, "layer %s is encrypted" % digest)
    if media_type.startswith("application/vnd.in-toto"):
        raise _error_for(original, family, "layer %s is an attestation" % digest, _ATTESTATIONS_HINT)
    raise _error_for(original, family, "layer %s has the media type %s" % (digest, media_type))


def _is_zstd(media_type: str) -> bool:
    return media_type.endswith(("+zstd", ".zstd"))


def _child_changes(child: Descriptor, item: dict[str, t.Any], other: Manifest | None) -> dict[str, t.Any]:
    if other is None or (other.digest, other.media_type) == (child.digest, child.media_type):
        return {}
    changes: dict[str, t.Any] = {"mediaType": other.media_type, "digest": other.digest, "size": other.size}
    if "data" in item:
        changes["data"] = None  # inlined content would be that of the former child
    return changes


def _missing_keys(told: t.Any, platform: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    told = told if isinstance(told, dict) else {}
    return {name: value for name, value in platform.items() if not told.get(name)}


def _without_empty(changes: t.Mapping[t.Any, dict[str, t.Any]]) -> dict[t.Any, dict[str, t.Any]]:
    return {name: within for name, within in changes.items() if within}


def _changed(original: Manifest, changes: dict[str, t.Any]) -> Manifest:
    """Return the manifest with these changes in its text. Its digest has the same algorithm."""
    if changes.get("annotations", "") is None and "annotations" not in original.document:
        del changes["annotations"]
    changes = {name: change for name, change in changes.items() if change != {}}
    if not changes:
        return original
    try:
        raw = json_text.rewrite(original.raw.decode("utf-8"), changes).encode("utf-8")
    except ValueError as error:
        cause = "cannot rewrite manifest %s: %s" % (original.digest, error)
        raise InvalidContent(cause, hint=_PRESERVE_HINT) from None
    return Manifest.parse(raw, digest=digests.of(raw, digests.split(original.digest)[0]))
