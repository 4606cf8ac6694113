# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Media types of manifests, indexes and layers: OCI image spec media-types.md, Docker image manifest v2 schema 2."""

from __future__ import annotations

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

INDEXES = frozenset((OCI_INDEX, DOCKER_LIST))
MANIFESTS = frozenset((OCI_MANIFEST, OCI_ARTIFACT, DOCKER_MANIFEST))
SCHEMA1 = frozenset((DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED))

DOCKER = frozenset((DOCKER_MANIFEST, DOCKER_LIST))

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
IMAGE_CONFIGS = frozenset((OCI_CONFIG, DOCKER_CONFIG))

DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_PLAIN_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
PLAIN_LAYERS = frozenset((DOCKER_PLAIN_LAYER, "application/vnd.oci.image.layer.v1.tar"))
ZSTD_LAYERS = frozenset(
    ("application/vnd.docker.image.rootfs.diff.tar.zstd", "application/vnd.oci.image.layer.v1.tar+zstd")
)
LAYERS = PLAIN_LAYERS | ZSTD_LAYERS | {DOCKER_LAYER, "application/vnd.oci.image.layer.v1.tar+gzip"}

# All types in every request: a registry that is not told of lists or OCI types answers with another manifest
# (the linux/amd64 child, under its own digest) or with 404, and the copy would silently be of something else.
ACCEPT = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST, OCI_ARTIFACT))

FOREIGN_LAYERS = frozenset(
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    )
)


def may_be_manifest(media_type: object) -> bool:
    """Return False if content with this media type certainly refers to no other content, because all manifests are JSON.

    True for a media type that is missing or has the wrong type.
    """
    if not isinstance(media_type, str) or not media_type:
        return True
    return media_type in SCHEMA1 or "json" in media_type.lower()
