# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The purpose of a request."""

from __future__ import annotations

import enum


class Action(enum.Enum):
    """The purpose of a request. The value completes "cannot ..."; ``%s`` stands for the digest of a blob."""

    LOG_IN = "log in"
    CHECK_REGISTRY = "check that the host is a registry"
    LIST_TAGS = "list the tags"
    LIST_REPOSITORIES = "list the repositories"
    LIST_REFERRERS = "list the referrers"
    READ_MANIFEST = "read the manifest"
    PUSH_MANIFEST = "push the manifest"
    DELETE_MANIFEST = "delete the manifest"
    DELETE_TAG = "delete the tag"
    FIND_BLOB = "look for blob %s"
    READ_BLOB = "read blob %s"
    MOUNT_BLOB = "mount blob %s"
    START_UPLOAD = "push to the repository"
    PUSH_BLOB = "push blob %s"

    def text(self, digest: str = "") -> str:
        """Return the action in words, for a message."""
        return self.value % digest if "%s" in self.value else self.value


PUSHES = frozenset((Action.PUSH_MANIFEST, Action.START_UPLOAD, Action.PUSH_BLOB))
DELETIONS = frozenset((Action.DELETE_MANIFEST, Action.DELETE_TAG))
