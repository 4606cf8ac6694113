# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Listing the repositories of a registry: GET /v2/_catalog, which the distribution spec leaves to each registry."""

from __future__ import annotations

from .._errors import InvalidContent, Refused
from .._image import document as documents
from .auth import Access
from .client import RegistryClient
from .session import finish
from .tags import next_page

_MAX_PAGE = 64 * 1024 * 1024
_CATALOG = Access("", frozenset())


def list_repositories(client: RegistryClient) -> list[str]:
    """All repositories that the registry tells of, each once, in its order.

    Raises :class:`Refused` where it has no catalog, or not for us.
    """
    found: dict[str, None] = {}
    asked: set[str] = set()
    target = "/v2/_catalog?n=1000"
    while target and target not in asked:
        asked.add(target)
        response = client.get(_CATALOG, target)
        if response.status_code in (401, 403, 404, 405):
            finish(response)
            raise Refused(
                "%s does not list its repositories (status %d)" % (client.session.host, response.status_code),
                hint="Name each repository in images",
                status=response.status_code,
            )
        if response.status_code != 200:
            raise client.refusal(response, "list the repositories", _CATALOG)
        following = next_page(response.headers.get("Link", ""), target)
        found.update(dict.fromkeys(_read_page(client.session.read(response, _MAX_PAGE))))
        target = following
    return list(found)


def _read_page(body: bytes) -> list[str]:
    try:
        names = documents.decode(body)["repositories"]
    except (ValueError, LookupError, TypeError):
        names = ()
    if names is None:
        return []
    if not isinstance(names, list):
        raise InvalidContent("the catalog is not a list of repositories")
    return [name for name in names if isinstance(name, str) and name]
