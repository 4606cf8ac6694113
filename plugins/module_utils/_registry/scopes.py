# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The text of scopes in the token authentication spec. Here, they are pairs of a repository and an action."""

from __future__ import annotations

Scopes = frozenset[tuple[str, str]]


def formatted(scopes: Scopes) -> list[str]:
    """Return one scope of the spec for each repository, such as ``repository:team/app:pull,push``."""
    actions: dict[str, list[str]] = {}
    for repository, action in sorted(scopes):
        actions.setdefault(repository, []).append(action)
    names = {name: name if ":" in name else "repository:" + name for name in actions}
    return ["%s:%s" % (names[name], ",".join(found)) for name, found in actions.items()]


def parse(text: str) -> Scopes:
    """Return the scopes for repositories in the text of a challenge, and skip all others."""
    pairs: set[tuple[str, str]] = set()
    for scope in text.split():
        kind, _colon, rest = scope.partition(":")
        repository, _colon, actions = rest.rpartition(":")
        if kind == "repository":
            pairs.update((repository, action) for action in actions.split(",") if action)
    return frozenset(pairs)
