# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Replace references in the values of a document and in its text."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._image.reference import RegistryReference, parse_registry

from ._double_quoted import DoubleQuoted
from ._found import Found
from ._replacements import Replacements
from ._spans import Path, Span

_OCI = "oci://"
# What YAML would read as a number, a date, a boolean or null without quotes.
_NOT_TEXT = re.compile(
    r"[-+]?[0-9._]+(?:e[-+]?[0-9]+)?|0[xob][0-9a-f_]+|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"|true|false|yes|no|y|n|on|off|null|~|",
    re.IGNORECASE,
)

Get = t.Callable[[Path], t.Any]


def new_values(found: Found, new: str, get: Get, replacements: Replacements) -> t.Iterator[tuple[Path, str]]:
    """Yield the values to set so that the parts of a reference form the new one; ``get`` returns the original values.

    ``replacements`` are those of all references in the same value.
    """
    if "image" in found.parts:
        path = found.parts["image"]
        text, replaced = replacements.apply(str(get(path)))
        if found.reference in replaced:
            yield path, text
        elif found.kind == "compose":  # variables with defaults make it, as in nginx:${TAG:-1.25}
            yield path, new
    elif "url" in found.parts:
        yield from _values_of_artifact(found.parts, parse_registry(new), get)
    else:
        yield from _values_of_pair(found, parse_registry(new), get)


def _values_of_pair(found: Found, new: RegistryReference, get: Get) -> t.Iterator[tuple[Path, str]]:
    """Without a key for the digest, append it to the tag, where charts accept it.

    If there is no key for the tag and the tag would be lost, add one.
    """
    parts = found.parts
    if parts.get("registry") and get(parts["registry"]):
        yield parts["registry"], new.host
        yield parts["repository"], new.repository
    else:
        yield parts["repository"], new.context
    has_digest_key = "digest" in parts or "sha" in parts
    if "digest" in parts:
        yield parts["digest"], new.digest
    elif "sha" in parts:
        yield parts["sha"], new.digest.partition(":")[2]
    digest = "@%s" % new.digest if new.digest and not has_digest_key else ""
    if "tag" in parts and (new.tag or not has_digest_key):
        yield parts["tag"], (new.tag or str(get(parts["tag"]) or "").partition("@")[0]) + digest
    elif (
        "tag" not in parts and new.tag and (digest or not new.digest) and new.tag != parse_registry(found.reference).tag
    ):
        key = "newTag" if found.kind == "kustomize" else "tag"
        yield (*parts["sibling"][:-1], key), new.tag + digest


def _values_of_artifact(parts: t.Mapping[str, Path], new: RegistryReference, get: Get) -> t.Iterator[tuple[Path, str]]:
    """Set the parts of an artifact. Tags of charts are versions whose plus became an underscore, and cannot include a digest."""
    prefix = _OCI if str(get(parts["url"])).startswith(_OCI) else ""
    if "chart" in parts:
        above, _slash, name = new.context.rpartition("/")
        yield parts["url"], prefix + above
        yield parts["chart"], name
    else:
        yield parts["url"], prefix + new.context
    if "tag" in parts and new.tag and str(get(parts["tag"])).replace("+", "_") != new.tag:
        yield parts["tag"], new.tag
    if "digest" in parts and new.digest:
        yield parts["digest"], new.digest


class Edits:
    """Changes of a text. All positions refer to the original text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._changes: dict[Span, str] = {}
        self._added: set[tuple[Span, str]] = set()

    def replace(self, span: Span, old: str, value: str, replacements: Replacements | None = None) -> None:
        """Set the value of a scalar, and keep everything that is not a reference, including quotes and comments.

        ``replacements`` are those within the value; None replaces the whole value.
        """
        if span in self._changes:  # by an alias, or with another reference in the value
            return
        if span.style == '"':
            self._replace_double_quoted(span, old, value, replacements)
            return
        raw = self._text[span.start : span.end]
        changed, references = replacements.apply(raw) if replacements else (raw, set())
        is_plain = not span.style
        if references and not (is_plain and _needs_quotes(value, span.in_flow)):
            self._changes[span] = changed
        elif old == value:
            return
        elif old and old in raw:
            # Anchors and tags precede the value, and may contain the same text.
            before, _old, after = raw.rpartition(old)
            self._changes[span] = before + (_quoted(value, span.in_flow) if is_plain else value) + after
        else:
            after_colon = span.start == span.end and self._text[span.start - 1 : span.start] == ":"
            text = _quoted(value, span.in_flow) if is_plain else json.dumps(value, ensure_ascii=False)
            self._changes[span] = " " * after_colon + text

    def _replace_double_quoted(self, span: Span, old: str, value: str, replacements: Replacements | None) -> None:
        source = DoubleQuoted(self._text[span.start : span.end], old)
        if not (replacements and source.substitute(replacements)):
            if old == value:
                return
            source.set(value)
        self._changes[span] = str(source)

    def add(self, sibling: Span, key: str, value: str) -> None:
        """Add a member after the one whose value is ``sibling``, on a separate line or within the braces."""
        if (sibling, key) in self._added:  # by an alias
            return
        self._added.add((sibling, key))
        if sibling.in_flow:
            quote = '"' if sibling.style == '"' or _needs_quotes(value, in_flow=True) else ""
            self._insert(sibling.end, f", {quote}{key}{quote}: {quote}{value}{quote}")
            return
        start = self._text.rfind("\n", 0, sibling.start) + 1
        before = re.match(r"[\s-]*", self._text[start : sibling.start])
        end = self._text.find("\n", sibling.end)
        end = len(self._text) if end < 0 else end
        self._insert(end, "\n%s%s: %s" % (" " * (before.end() if before else 0), key, _quoted(value, in_flow=False)))

    def _insert(self, offset: int, text: str) -> None:
        span = Span(offset, offset, "")
        self._changes[span] = self._changes.get(span, "") + text

    def result(self) -> str:
        """Return the text with all changes."""
        pieces, at = [], 0
        for span in sorted(self._changes, key=lambda span: span.start):
            pieces += [self._text[at : span.start], self._changes[span]]
            at = span.end
        return "".join([*pieces, self._text[at:]])


def _quoted(value: str, in_flow: bool) -> str:
    """Return a value for YAML as a plain scalar if possible, else with quotes."""
    return json.dumps(value, ensure_ascii=False) if _needs_quotes(value, in_flow) else value


def _needs_quotes(value: str, in_flow: bool) -> bool:
    """Return whether YAML would not read a plain scalar as this text: a number, or the address ``[::1]`` of a registry."""
    return bool(_NOT_TEXT.fullmatch(value)) or value.startswith("[") or (in_flow and "[" in value)
