# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""List the repositories of a registry with GET /v2/_catalog, which the distribution spec does not define."""

from __future__ import annotations

from .._errors import AccessDenied, InvalidContent, LoginRefused, NotFound, Refused
from .._image import document as documents
from .action import Action
from .auth import Access
from .registry_client import RegistryClient
from .tag_list import read_list
from .urls import FOREIGN_HINT

_CATALOG = Access("", frozenset(), catalog=True)


def list_repositories(client: RegistryClient) -> list[str]:
    """Return all repositories that the registry lists, without duplicates, in its order.

    Raises :class:`NotFound`, :class:`Refused` or :class:`AccessDenied` if the registry has no catalog, or denies
    access to it.
    """
    try:
        return read_list(client, _CATALOG, "/v2/_catalog", Action.LIST_REPOSITORIES, _read_page)
    except LoginRefused:
        raise
    except (AccessDenied, NotFound, Refused) as error:
        if not isinstance(error, Refused) or error.status in (405, 501):
            error.hint = "Write the name of each repository, because many registries do not list repositories, or list them only for some users"
        raise


def _read_page(body: bytes) -> list[str]:
    try:
        names = documents.decode(body)["repositories"]
    except (ValueError, LookupError, TypeError):
        names = ()
    if names is None:
        return []
    if not isinstance(names, list):
        raise InvalidContent("the catalog is not a list of repositories", hint=FOREIGN_HINT)
    return [name for name in names if isinstance(name, str) and name]
