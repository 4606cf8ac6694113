# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Replace references in documents, and leave every other character of a text as it is."""

from __future__ import annotations

import copy
import dataclasses
import functools
import re
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import RegistryReference, parse_registry

from ._documents import Document, Path, Span, load
from ._find_images import Found, find_in

_KBLD_ID = "kbld.carvel.dev/id"


class InvalidMapping(ImageError):
    """A mapping is none of the shapes that are understood."""


@dataclasses.dataclass
class Rewritten:
    """The content with its references replaced, and which were: ``missing`` are those without a mapping, each once."""

    content: t.Any
    replaced: dict[str, str] = dataclasses.field(default_factory=dict)
    missing: list[str] = dataclasses.field(default_factory=list)


class Mapping:
    """From references to references. Whole references take precedence over prefixes, longer prefixes over shorter ones."""

    def __init__(self, given: t.Any) -> None:
        """``given`` may be one of these, or a list of them. Raises InvalidMapping.

        - the result of image_sync, or its ``images``
        - an ImagesLock
        - a dictionary of references
        - ``{from: PREFIX, to: PREFIX}``
        """
        self._exact: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        self._take(given)

    def _take(self, given: t.Any) -> None:
        if isinstance(given, (list, tuple)):
            for item in given:
                self._take(item)
        elif not isinstance(given, t.Mapping):
            raise InvalidMapping(
                "the mapping holds %r, which is neither a dictionary nor a list" % type(given).__name__
            )
        elif given.get("kind") == "ImagesLock":
            for entry in given.get("images") or ():
                self._lock(entry)
        elif isinstance(given.get("images"), (list, tuple)):
            self._take(given["images"])
        elif "src" in given and "dest" in given:
            self._synced(given)
        elif set(given) == {"from", "to"}:
            self._prefixes[str(given["from"]).rstrip("/")] = str(given["to"]).rstrip("/")
        else:
            self._exact.update((_full(str(key)), str(value)) for key, value in given.items())

    def _lock(self, entry: t.Mapping[str, t.Any]) -> None:
        image = str(entry.get("image", ""))
        origin = (entry.get("annotations") or {}).get(_KBLD_ID)
        for name in filter(None, (origin, image, image.partition("@")[0])):
            self._exact[_full(str(name))] = image

    def _synced(self, image: t.Mapping[str, t.Any]) -> None:
        if image.get("action") in ("failed", "deleted"):
            return
        dest, digest = str(image["dest"]), image.get("digest")
        self._exact[_full(str(image["src"]))] = "%s@%s" % (dest, digest) if digest and "@" not in dest else dest

    def get(self, reference: str) -> str | None:
        """What a reference becomes; None where nothing says so."""
        full = _full(reference)
        if full in self._exact:
            return self._exact[full]
        for start in sorted(self._prefixes, key=len, reverse=True):
            if full == start or full.startswith((start + "/", start + ":", start + "@")):
                return self._prefixes[start] + full[len(start) :]
        return None


def _full(text: str) -> str:
    """A reference as Docker spells it out."""
    try:
        return str(parse_registry(text))
    except ImageError:
        return text


def rewrite(content: t.Any, mapping: Mapping) -> Rewritten:
    """Replace the references of a text, a parsed document, or a list of either. Raises InvalidDocument."""
    rewritten = Rewritten(None)
    rewritten.content = _rewrite_any(content, mapping, rewritten)
    return rewritten


def _rewrite_any(content: t.Any, mapping: Mapping, rewritten: Rewritten) -> t.Any:
    if isinstance(content, str):
        return _rewrite_text(content, mapping, rewritten)
    if isinstance(content, (list, tuple)):
        return [_rewrite_any(item, mapping, rewritten) for item in content]
    document = copy.deepcopy(content)
    for found in find_in(Document(document)):
        new = _lookup(found, mapping, rewritten)
        for path, value in list(_values(found, new, lambda path: _get(document, path))) if new else ():
            _set(document, path, value)
    return document


def _rewrite_text(text: str, mapping: Mapping, rewritten: Rewritten) -> str:
    changes: dict[Span, str] = {}
    for document in load(text):
        for found in find_in(document):
            new = _lookup(found, mapping, rewritten)
            for path, value in _values(found, new, functools.partial(_get, document.value)) if new else ():
                span = document.spans.get(path)
                if span:
                    old = changes.get(span, text[span.start : span.end])
                    changes[span] = _replaced(old, str(_get(document.value, path) or ""), value, found, new, span)
                else:
                    place, line = _new_line(text, document.spans[found.parts["beside"]], str(path[-1]), value)
                    changes[place] = line
    for span in sorted(changes, key=lambda span: span.start, reverse=True):
        text = text[: span.start] + changes[span] + text[span.end :]
    return text


def _replaced(raw: str, value: str, new_value: str, found: Found, new: str, span: Span) -> str:
    """The text of a scalar with another value: what is not the reference stays, quotes and comments too."""
    if "image" in found.parts and found.reference in raw:
        return re.sub(_bounded(found.reference), lambda _match: new, raw)
    if value and value in raw:
        return raw.replace(value, new_value, 1)
    return new_value if not span.style else '"%s"' % new_value


def _new_line(text: str, beside: Span, key: str, value: str) -> tuple[Span, str]:
    """Where a key that is missing goes, and its text: on a line of its own, or within braces after the one beside it."""
    start = text.rfind("\n", 0, beside.start) + 1
    before = re.match(r"[\s-]*", text[start : beside.start])
    column = before.end() if before else 0
    if "{" in text[start : beside.start]:
        return Span(beside.end, beside.end, ""), ", %s: %s" % (key, value)
    end = text.find("\n", beside.end)
    end = len(text) if end < 0 else end
    return Span(end, end, ""), "\n%s%s: %s" % (" " * column, key, value)


def _bounded(reference: str) -> str:
    """A reference that is not a part of a longer one."""
    return r"(?<![A-Za-z0-9._/:@-])%s(?![A-Za-z0-9_/:@-]|\.[A-Za-z0-9])" % re.escape(reference)


def _lookup(found: Found, mapping: Mapping, rewritten: Rewritten) -> str:
    new = mapping.get(found.reference)
    if new is None:
        if found.reference not in rewritten.missing:
            rewritten.missing.append(found.reference)
        return ""
    rewritten.replaced[found.reference] = new
    return new


def _values(found: Found, new: str, get: t.Callable[[Path], t.Any]) -> t.Iterator[tuple[Path, str]]:
    """The values to set so that the parts of a reference make another one."""
    parts = found.parts
    if "image" in parts:
        old = get(parts["image"])
        yield parts["image"], re.sub(_bounded(found.reference), lambda _match: new, str(old))
        return
    reference = parse_registry(new)
    if parts.get("registry") and get(parts["registry"]):
        yield parts["registry"], reference.host
        yield parts["repository"], reference.repository
    else:
        yield parts["repository"], reference.context
    yield from _names(parts, reference)


def _names(parts: t.Mapping[str, Path], reference: RegistryReference) -> t.Iterator[tuple[Path, str]]:
    """The tag and the digest. Without a place of its own, a digest stands behind the tag, which is valid everywhere."""
    if "digest" in parts:
        yield parts["digest"], reference.digest
        if "tag" in parts:
            yield parts["tag"], reference.tag
    elif "tag" in parts:
        yield parts["tag"], reference.tag + ("@%s" % reference.digest if reference.digest else "")


def _get(value: t.Any, path: Path) -> t.Any:
    for key in path:
        if isinstance(value, t.Mapping) and key not in value:
            return None
        value = value[key]
    return value


def _set(value: t.Any, path: Path, new: str) -> None:
    _get(value, path[:-1])[path[-1]] = new
