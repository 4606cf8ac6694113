# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Distinguish the responses of a registry from those of portals, ingresses and maintenance pages.

These return 404 for everything, or 200 with a web page. Neither says anything about an image.
"""

from __future__ import annotations

from .transport import Response

# OCI distribution spec, "Error Codes", and the further codes of distribution.
_CODES = frozenset(
    (
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DENIED",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "MANIFEST_UNVERIFIED",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "PAGINATION_NUMBER_INVALID",
        "RANGE_INVALID",
        "SIZE_INVALID",
        "TAG_INVALID",
        "TOOMANYREQUESTS",
        "UNAUTHORIZED",
        "UNSUPPORTED",
    )
)


def is_marked(response: Response, code: str = "") -> bool:
    """Return whether a response is marked as a registry's, by the API version header or a ``code`` in its body."""
    return "Docker-Distribution-Api-Version" in response.headers or code in _CODES


def is_base(response: Response, code: str) -> bool:
    """Return whether a registry would respond to GET ``/v2/`` in this way: with success or with a challenge."""
    if is_marked(response, code):
        return True
    if response.status == 401:
        return "WWW-Authenticate" in response.headers
    return response.status == 200 and not is_page(response)


def is_page(response: Response) -> bool:
    """Return whether the body of a response is HTML."""
    content_type = response.headers.get("Content-Type", "")
    return content_type.partition(";")[0].strip().lower() == "text/html"


def is_stored(response: Response, digest: str) -> bool:
    """Return whether a response says that content was stored: 201, or success with the digest of the content in its header.

    The digest also proves a response that claims to be HTML. This is the default of Flask, which Quay uses.
    """
    status = response.status
    if response.headers.get("Docker-Content-Digest") == digest:
        return 200 <= status < 300
    return status == 201 and not is_page(response)
