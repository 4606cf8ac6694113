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
from ._spans import Path, Span

_OCI = "oci://"
# What YAML would read as a number, a date, a boolean or null without quotes.
_NOT_TEXT = re.compile(
    r"[-+]?[0-9._]+(?:e[-+]?[0-9]+)?|0[xob][0-9a-f_]+|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"|true|false|yes|no|y|n|on|off|null|~|",
    re.IGNORECASE,
)

_BEFORE = r"(?:(?<=\bdocker://)|(?<=\bdocker-image://)|(?<![A-Za-z0-9._/:@-]))"

Get = t.Callable[[Path], t.Any]


def new_values(found: Found, new: str, get: Get) -> t.Iterator[tuple[Path, str]]:
    """Yield the values to set so that the parts of a reference form the new one; ``get`` returns the current values."""
    if "image" in found.parts:
        path = found.parts["image"]
        text = str(get(path))
        replaced = _substituted(text, found.reference, new)
        if replaced is None and found.kind == "compose":  # variables with defaults make it, as in nginx:${TAG:-1.25}
            replaced = new
        if replaced is not None:
            yield path, replaced
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
        self._double_quoted: dict[Span, DoubleQuoted] = {}

    def replace(self, span: Span, old: str, value: str, found: Found, new: str) -> None:
        """Set the value of a scalar, and keep everything that is not the reference, including quotes and comments."""
        if span.style == '"':
            self._replace_double_quoted(span, old, value, found, new)
            return
        raw = self._changes.get(span, self._text[span.start : span.end])
        replaced = _substituted(raw, found.reference, new) if "image" in found.parts else None
        if replaced is None and (old == value or span in self._changes):  # the second time by an alias
            return
        if replaced is None and old and old in raw:
            # Anchors and tags precede the value, and may contain the same text.
            before, _old, after = raw.rpartition(old)
            replaced = before + _quoted(value, not span.style) + after
        if replaced is None:
            after_colon = span.start == span.end and self._text[span.start - 1 : span.start] == ":"
            replaced = " " * after_colon + (json.dumps(value, ensure_ascii=False) if span.style else _quoted(value))
        self._changes[span] = replaced

    def _replace_double_quoted(self, span: Span, old: str, value: str, found: Found, new: str) -> None:
        is_known = span in self._double_quoted
        if not is_known:
            self._double_quoted[span] = DoubleQuoted(self._text[span.start : span.end], old)
        source = self._double_quoted[span]
        if not ("image" in found.parts and source.substitute(_bounded(found.reference), new)):
            if is_known or old == value:  # the second time by an alias
                return
            source.set(value)
        self._changes[span] = str(source)

    def add(self, sibling: Span, key: str, value: str) -> None:
        """Add a member after the one whose value is ``sibling``, on a separate line or within the braces."""
        if sibling.in_flow:
            quote = '"' if sibling.style == '"' or _NOT_TEXT.fullmatch(value) else ""
            self._insert(sibling.end, f", {quote}{key}{quote}: {quote}{value}{quote}")
            return
        start = self._text.rfind("\n", 0, sibling.start) + 1
        before = re.match(r"[\s-]*", self._text[start : sibling.start])
        end = self._text.find("\n", sibling.end)
        end = len(self._text) if end < 0 else end
        self._insert(end, "\n%s%s: %s" % (" " * (before.end() if before else 0), key, _quoted(value)))

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


def _quoted(value: str, is_plain: bool = True) -> str:
    """Return a value for YAML, with quotes if it is a plain scalar that YAML would not read as text."""
    return '"%s"' % value if is_plain and _NOT_TEXT.fullmatch(value) else value


def _substituted(text: str, reference: str, new: str) -> str | None:
    """Replace all occurrences of a reference in a text, except as part of a longer reference. None if there are none."""
    replaced, count = _bounded(reference).subn(lambda _match: new, text)
    return replaced if count else None


def _bounded(reference: str) -> re.Pattern[str]:
    """Return a pattern for a reference that is not part of a longer one."""
    return re.compile(_BEFORE + re.escape(reference) + r"(?![A-Za-z0-9_/:@-]|\.[A-Za-z0-9])")
