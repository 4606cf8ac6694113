# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""List tags: OCI distribution spec, "Listing Tags", including the deviations of registries in paging.

The requests contain no page size, because some registries accept one and then omit the link to the next page.
"""

from __future__ import annotations

import typing as t

from .._errors import InvalidContent, NotFound, Refused
from .._image import document as documents
from .._image import reference as references
from . import urls
from .action import Action
from .auth import Access
from .registry_client import RegistryClient
from .urls import FOREIGN_HINT

_MAX_PAGE = 64 * 1024 * 1024
# The largest lists that are read: registries have pages of 50 names and more, and some of them empty ones, of what the
# user may not see.
_PAGES = 10_000
_NAMES = 1_000_000
_IDLE_PAGES = 10

_Item = t.TypeVar("_Item", bound=t.Hashable)


class ListLimits(t.NamedTuple):
    """The maximum size of a list: the bytes of a page, the number of pages, and the number of items on all pages."""

    page: int
    pages: int
    items: int


def _ignore(_items: object) -> None:
    pass


def list_tags(client: RegistryClient, access: Access, note: t.Callable[[list[str]], object] = _ignore) -> list[str]:
    """Return all tags of a repository, without duplicates, in the registry's order. For ``note``, see :func:`read_list`.

    Raises NotFound if the registry does not know the repository.
    """
    target = "/v2/%s/tags/list" % access.repository
    return read_list(client, access, target, Action.LIST_TAGS, read_page, note=note)


def read_list(
    client: RegistryClient,
    access: Access,
    target: str,
    action: Action,
    parse: t.Callable[[bytes], list[_Item]],
    limits: ListLimits | None = None,
    note: t.Callable[[list[_Item]], object] = _ignore,
) -> list[_Item]:
    """Return the items on all pages of the list that begins at ``target``, without duplicates; ``parse`` reads a page.

    ``note`` is called with the items of each page but the last, before the next one is requested. Raises
    :class:`NotFound` for the first page only, and :class:`Refused` for a list that does not end.
    """
    limits = limits or ListLimits(_MAX_PAGE, _PAGES, _NAMES)
    found: dict[_Item, None] = {}
    asked: set[str] = set()
    idle = 0
    while target:
        asked.add(target)
        items, following = _read_page_at(client, access, target, action, parse, len(asked), limits.page)
        known = len(found)
        found.update(dict.fromkeys(items))
        idle = 0 if len(found) > known else idle + 1
        if following in asked and idle:  # the link of a last page may lead to itself
            break
        is_too_long = len(asked) == limits.pages or len(found) > limits.items
        if following and (following in asked or idle == _IDLE_PAGES or is_too_long):
            raise Refused(
                "cannot %s: %s returned a list that repeats itself or is too long (%d names up to page %d)"
                % (action.text(), client.session.host, len(found), len(asked)),
                hint="Check the pagination in the registry, and in any proxy in front of it",
            )
        if following:
            note(items)
        target = following
    return list(found)


def _read_page_at(
    client: RegistryClient,
    access: Access,
    target: str,
    action: Action,
    parse: t.Callable[[bytes], list[_Item]],
    number: int,
    limit: int,
) -> tuple[list[_Item], str]:
    """Return the items on one page, and the target of the next page, or an empty string if there is none."""
    try:
        response, body = client.fetch(access, target, limit, action)
    except NotFound:
        if number == 1:
            raise
        cause = "cannot %s: %s returned 404 for page %d of the list" % (action.text(), client.session.host, number)
        hint = "Run the task again. The list may have changed while this task was reading it"
        raise Refused(cause, hint=hint, status=404) from None  # the registry had the list when it sent the first page
    link, asked_url = response.headers.get("Link", ""), client.session.base + target
    with client.parsing(response, action):
        items = parse(body)
    return items, urls.next_target(link, asked_url, "the Link header of %s" % client.session.host)


def read_page(body: bytes) -> list[str]:
    """Return the tags on one page.

    For a repository that has lost its last tag, the list may be null. Names that are not tags are left out: empty
    names, and the digests that some registries list among their tags.
    """
    try:
        names = documents.decode(body)["tags"]
    except (ValueError, LookupError, TypeError):
        names = ()
    if names is None:
        return []
    if not isinstance(names, list):
        raise InvalidContent("the tag list does not follow the OCI distribution spec", hint=FOREIGN_HINT)
    return [name for name in names if isinstance(name, str) and references.is_tag(name)]
