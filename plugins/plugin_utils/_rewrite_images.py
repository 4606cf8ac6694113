# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Replace references in documents without changing any other character of a text."""

from __future__ import annotations

import collections
import dataclasses
import functools
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse_registry

from ._documents import Document, load, split_mark
from ._edits import Edits, new_values
from ._find_images import find_in
from ._replacements import Replacements
from ._shared_values import Change, without_conflicts
from ._spans import Path

_KBLD_ID = "kbld.carvel.dev/id"


class InvalidMapping(ImageError):
    """A mapping has an unsupported form."""


@dataclasses.dataclass
class Rewritten:
    """The rewritten content and the replaced references; ``missing`` has those that were not replaced somewhere, without duplicates."""

    content: t.Any
    replaced: dict[str, str]
    missing: list[str]


class Mapping:
    """Maps references to references. Complete references take precedence over prefixes, and longer prefixes over shorter ones."""

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
                "the mapping contains a value of type %s. Pass only dictionaries, or lists of them"
                % type(given).__name__
            )
        elif given.get("kind") == "ImagesLock":
            self._lock(given.get("images") or [])
        elif isinstance(given.get("images"), (list, tuple)):
            self._take(given["images"])
        elif "src" in given and "dest" in given:
            self._synced(given)
        elif set(given) == {"from", "to"}:
            prefix = _text(given["from"], "from").rstrip("/")
            self._prefixes[prefix] = _text(given["to"], "to").rstrip("/")
        else:
            self._exact.update((_exact(str(key)), _text(value, str(key))) for key, value in given.items())

    def _lock(self, entries: t.Any) -> None:
        exact: dict[str, str] = {}
        bare: dict[str, str] = {}
        for entry in entries if isinstance(entries, (list, tuple)) else [entries]:
            if not isinstance(entry, t.Mapping):
                cause = "the ImagesLock contains an image of type %s" % type(entry).__name__
                raise InvalidMapping(cause, hint="Pass the parsed content of a lock file")
            annotations = entry.get("annotations")
            origin = str(annotations.get(_KBLD_ID) or "") if isinstance(annotations, t.Mapping) else ""
            image = _text(entry.get("image", ""), "image")
            exact.update((_exact(name), image) for name in (origin, image) if name)
            name = image.partition("@")[0]
            # The bare repository would mean latest, but kbld locks the tag of the origin. A digest in the origin is the
            # one that was locked, and the tag may point to another image, which can be an entry of the same file.
            if name and (not origin or (_has_tag(name) and "@" not in origin)):
                bare.setdefault(_exact(name), image)
        self._exact.update({**bare, **exact})

    def _synced(self, image: t.Mapping[str, t.Any]) -> None:
        if image.get("action") in ("failed", "deleted"):
            return
        src, dest, digest = _text(image["src"], "src"), _text(image["dest"], "dest"), image.get("digest")
        # If a platform was left out, dest has the digest of the source, which does not exist at the destination.
        new = "%s@%s" % (dest.partition("@")[0], digest) if digest else dest
        self._exact[_exact(src)] = new
        repository, at, pinned = src.partition("@")
        tag = dest.partition("@")[0].rpartition("/")[2].partition(":")[2]
        if at and tag:  # a tag whose digest was declared
            for name in ("%s:%s" % (repository, tag), "%s:%s@%s" % (repository, tag, pinned)):
                self._exact[_exact(name)] = new

    def get(self, reference: str) -> str | None:
        """Return the replacement for a reference; None if there is none. With a tag and a digest, the digest is enough."""
        full = _full(reference)
        for name in (_exact(reference), _without_tag(full)):
            if name in self._exact:
                return self._exact[name]
        for start in sorted(self._prefixes, key=len, reverse=True):
            if full == start or full.startswith((start + "/", start + ":", start + "@")):
                return self._prefixes[start] + full[len(start) :]
        return None


def _text(value: t.Any, key: str) -> str:
    """Return a value of a mapping if it is text. Raises InvalidMapping."""
    if not isinstance(value, str):
        cause = "the mapping contains a value of type %s for %s" % (type(value).__name__, key)
        raise InvalidMapping(cause, hint="Pass references as text")
    return value


def _full(text: str) -> str:
    """Return the full name of a reference."""
    try:
        return str(parse_registry(text))
    except ImageError:
        return text


def _exact(text: str) -> str:
    """Return the full name of a reference, with the default tag if it has none."""
    full = _full(text)
    return full if "@" in full or _has_tag(full) else full + ":latest"


def _without_tag(full: str) -> str:
    """Return a full name without its tag if it also has a digest."""
    name, at, digest = full.partition("@")
    return name[: name.rindex(":")] + at + digest if at and _has_tag(name) else full


def _has_tag(name: str) -> bool:
    """Return whether a name without a digest has a tag. A colon before the last slash is that of a port."""
    return ":" in name.rpartition("/")[2]


def rewrite(content: t.Any, mapping: Mapping, default_tag: str = "") -> Rewritten:
    """Replace the references in a text, a parsed document, or a list of either. Raises InvalidDocument.

    ``default_tag`` is for pairs of values without a tag.
    """
    rewriter = _Rewriter(mapping, default_tag)
    rewritten = rewriter.rewrite(content)
    return Rewritten(rewritten, rewriter.replaced, list(rewriter.missing))


class _Rewriter:
    def __init__(self, mapping: Mapping, default_tag: str) -> None:
        self.replaced: dict[str, str] = {}
        self.missing: dict[str, None] = {}  # in order, without duplicates
        self._mapping = mapping
        self._default_tag = default_tag

    def rewrite(self, content: t.Any) -> t.Any:
        """Return the same content with replaced references."""
        if isinstance(content, str):
            return self._text(content)
        if isinstance(content, (list, tuple)):
            return [self.rewrite(item) for item in content]
        return self._parsed(content)

    def _parsed(self, content: t.Any) -> t.Any:
        """Return a copy of a parsed document with replaced references. Its aliases are the same object in several places."""
        original = _copied(content, {})
        document = _copied(original, {})
        get = functools.partial(_get, original)
        for change, _within in self._changes(Document(original), get, functools.partial(_place, original)):
            for path, value in change.values:
                _set(document, path, value)
            self._record(change.found.reference, change.new if change.values else None)
        return document

    def _text(self, text: str) -> str:
        mark, text = split_mark(text)
        edits = Edits(text)
        for document in load(text):
            get = functools.partial(_get, document.value)
            changes = self._changes(document, get, document.spans.get)
            kept = without_conflicts([change for change, _within in changes], document.spans, get)
            for change, (_change, replacements) in zip(kept, changes):
                is_replaced = False
                for path, value in change.values:
                    if path in document.spans:
                        within = replacements if "image" in change.found.parts else None
                        edits.replace(document.spans[path], str(get(path) or ""), value, within)
                        is_replaced = True
                    elif "sibling" in change.found.parts:
                        edits.add(document.spans[change.found.parts["sibling"]], str(path[-1]), value)
                        is_replaced = True
                self._record(change.found.reference, change.new if is_replaced else None)
        return mark + edits.result()

    def _changes(
        self, document: Document, get: t.Callable[[Path], t.Any], place_of: t.Callable[[Path], t.Any]
    ) -> list[tuple[Change, Replacements]]:
        """Return the change for each reference of a document, and the replacements of all references in the same value.

        ``place_of`` returns the identity of the value at a path.
        """
        found = [(each, self._mapping.get(each.reference)) for each in find_in(document, self._default_tag)]
        in_value: dict[t.Any, Replacements] = collections.defaultdict(Replacements)
        for each, new in found:
            if new is not None and "image" in each.parts:
                in_value[place_of(each.parts["image"])].add(each.reference, new)
        changes = []
        for each, new in found:
            within = in_value[place_of(each.parts["image"])] if "image" in each.parts else Replacements()
            values = [] if new is None else list(new_values(each, new, get, within))
            changes.append((Change(each, new, values), within))
        return changes

    def _record(self, reference: str, new: str | None) -> None:
        """Record whether a reference was replaced. In another place, the same reference may not be replaceable."""
        if new is not None:
            self.replaced[reference] = new
        else:
            self.missing[reference] = None


def _copied(value: t.Any, known: dict[int, tuple[t.Any, t.Any]]) -> t.Any:
    """Return a copy of a document. Its aliases, which are the ``known`` containers by ID, stay aliases.

    copy.deepcopy() fails for variables: ansible-core resolves the templates in them only when they are read, and
    cannot load filters for a copy of its containers.
    """
    if not isinstance(value, (t.Mapping, list, tuple)):
        return value
    if id(value) not in known:
        copy: t.Any = {} if isinstance(value, t.Mapping) else []
        known[id(value)] = value, copy
        if isinstance(value, t.Mapping):
            copy.update((key, _copied(item, known)) for key, item in value.items())
        else:
            copy.extend(_copied(item, known) for item in value)
    return known[id(value)][1]


def _get(value: t.Any, path: Path) -> t.Any:
    for part in path:
        key = _key(value, part)
        if isinstance(value, t.Mapping) and key not in value:
            return None
        value = value[key]
    return value


def _set(value: t.Any, path: Path, new: str) -> None:
    parent = _get(value, path[:-1])
    parent[_key(parent, path[-1])] = new


def _place(document: t.Any, path: Path) -> tuple[int, str | int]:
    """Return the identity of the object that contains a value, and the value's key in it."""
    return id(_get(document, path[:-1])), path[-1]


def _key(value: t.Any, part: str | int) -> t.Any:
    """Return the key for a part of a path. Paths contain all keys as text, but those of parsed documents may be numbers."""
    if isinstance(value, t.Mapping) and part not in value:
        return next((key for key in value if str(key) == part), part)
    return part
