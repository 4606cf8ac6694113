# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Listing tags: OCI distribution spec, "Listing Tags", with what registries make of its paging.

No page size is asked for: some registries take one and then leave out the link to the rest.
"""

from __future__ import annotations

import typing as t

from .._errors import InvalidContent
from .._image import document as documents
from .._image import reference as references
from . import urls
from .auth import Access
from .client import RegistryClient

_MAX_PAGE = 64 * 1024 * 1024


def list_tags(client: RegistryClient, access: Access) -> list[str]:
    """All tags of a repository, each once, in the registry's order. Raises NotFound where it knows no repository."""
    found: dict[str, None] = {}
    for body in read_pages(client, access, "/v2/%s/tags/list" % access.repository, "list the tags"):
        found.update(dict.fromkeys(read_page(body)))
    return list(found)


def read_pages(client: RegistryClient, access: Access, target: str, doing: str) -> t.Iterator[bytes]:
    """The bodies of all pages of a list that begins at ``target``; ``doing`` completes "cannot ..." where one fails."""
    asked: set[str] = set()
    while target and target not in asked:
        asked.add(target)
        response = client.get(access, target)
        if response.status_code != 200:
            raise client.refusal(response, doing, access)
        link, asked_url = response.headers.get("Link", ""), client.session.base + target
        target = urls.next_target(link, asked_url, "the Link header of %s" % client.session.host)
        yield client.session.read(response, _MAX_PAGE)


def read_page(body: bytes) -> list[str]:
    """The tags of one answer.

    A repository that has lost its last tag may say null. What could not be asked for by tag is left out: empty names,
    and the digests that some registries list among their tags.
    """
    try:
        names = documents.decode(body)["tags"]
    except (ValueError, LookupError, TypeError):
        names = ()
    if names is None:
        return []
    if not isinstance(names, list):
        raise InvalidContent("the list of tags is not what the distribution spec asks for")
    return [name for name in names if isinstance(name, str) and references.is_tag(name)]
