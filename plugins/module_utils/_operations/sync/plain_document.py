# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Read a JSON or YAML file that a person wrote, with error messages that say where it is wrong.

Messages do not quote values, because a wrong value may be a password in the wrong place.
"""

from __future__ import annotations

import typing as t

from ..._errors import ImageError, LocalFailure, MissingLibrary
from ..._files import read_named
from ..._image import document as documents
from ..._text import without_userinfo

_MERGE = "tag:yaml.org,2002:merge"
_MAX_SIZE = 64 * 1024 * 1024
# Members that merge keys copy, which let a small file stand for any number of them.
_MAX_MERGED = 1_000_000


class Node:
    """A value of the document and its location: the file, and the keys that lead to it."""

    def __init__(self, value: t.Any, where: str) -> None:
        self.value = value
        self.where = where

    @property
    def is_empty(self) -> bool:
        """Whether there is no value. YAML calls it null, and it is kept as the text in the file."""
        return self.value in (None, "", "~", "null")

    def wrong(self, cause: str, hint: str = "") -> ImageError:
        """Return an error with this location."""
        return ImageError(cause, self.where, hint)

    def mapping(self) -> dict[str, Node]:
        """Return the nodes of a mapping. Raises ImageError."""
        if self.is_empty:
            return {}
        if not isinstance(self.value, dict) or not all(isinstance(key, str) for key in self.value):
            raise self.wrong("the value must be a mapping")
        shown = {key: without_userinfo(key) for key in self.value}
        return {key: Node(value, "%s: %s" % (self.where, shown[key])) for key, value in self.value.items()}

    def items(self) -> list[Node]:
        """Return the nodes of a list. Raises ImageError."""
        if self.is_empty:
            return []
        if not isinstance(self.value, list):
            raise self.wrong("the value must be a list")
        return [Node(value, self.where) for value in self.value]

    def text(self) -> str:
        """Return the text. Raises ImageError."""
        if not isinstance(self.value, str):
            raise self.wrong("the value must be a string", "Put the value in quotes")
        return self.value

    def flag(self) -> bool:
        """Return a boolean that is written as in YAML. Raises ImageError."""
        word = str(self.value).lower()
        if word not in ("true", "yes", "on", "false", "no", "off"):
            raise self.wrong("the value must be true or false")
        return word in ("true", "yes", "on")


def read(path: str) -> Node:
    """Read the document in a file.

    YAML scalars are returned as text, as they are written, because YAML would read a tag such as 1.10 as the number
    1.1. Raises :class:`LocalFailure` if it cannot be read, and :class:`MissingLibrary` for YAML without PyYAML.
    """
    try:
        content = read_named(path, _MAX_SIZE, "the file").decode("utf-8")
    except ValueError:
        raise LocalFailure("%s is not valid UTF-8 text" % path, hint="Save the file as UTF-8") from None
    try:
        return Node(documents.decode(content), path)
    except ValueError:
        return Node(_from_yaml(content, path), path)


def _from_yaml(content: str, path: str) -> t.Any:
    try:
        import yaml
    except ImportError:
        raise MissingLibrary("PyYAML") from None

    try:
        return yaml.load(content, Loader=_loader(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        position = "%s, line %d" % (path, mark.line + 1) if mark else path
        cause = "%s: the content is neither valid YAML nor valid JSON" % position
        raise LocalFailure(cause, hint="Correct the file") from None
    except (
        RecursionError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
    ):  # tags that do not fit, such as !!int x
        cause = "%s: the content is neither valid YAML nor valid JSON" % path
        raise LocalFailure(cause, hint="Correct the file") from None


def _loader(path: str) -> t.Any:
    """Return a loader of PyYAML, which must be installed, for the file at a path."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Supports merge keys (``<<``). All other values are text."""

        yaml_implicit_resolvers = {
            first: [resolver for resolver in resolvers if resolver[0] == _MERGE]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
        left = _MAX_MERGED

        def flatten_mapping(self, node: t.Any) -> None:
            """Replace the merge keys of a mapping with the members that they copy, each of them once.

            Some releases of PyYAML copy a repeated member each time. Rejects duplicate keys, because the first value
            would be lost silently.
            """
            own: dict[t.Any, t.Any] = {}
            for pair in node.value:
                if pair[0].tag != _MERGE and own.setdefault(_identity(pair[0]), pair) is not pair:
                    cause = "%s, line %d: a mapping contains the same key twice" % (path, pair[0].start_mark.line + 1)
                    raise LocalFailure(cause, hint="Remove one of the keys")
            sources = [value for key, value in node.value if key.tag == _MERGE]
            node.value = list(own.values())  # without merge keys, so that a mapping can be within itself
            merged: dict[t.Any, t.Any] = {}
            for value in sources:
                for source in value.value if value.id == "sequence" else [value]:
                    self.merge(merged, source)
            node.value = list({**merged, **own}.values())

        def merge(self, merged: dict[t.Any, t.Any], source: t.Any) -> None:
            """Add the members of a mapping that earlier mappings do not have."""
            if source.id != "mapping":
                raise yaml.constructor.ConstructorError(None, None, "a merge key needs a mapping", source.start_mark)
            self.flatten_mapping(source)
            self.left -= len(source.value)
            if self.left < 0:
                cause = "%s: the merge keys in the file copy more than %d members" % (path, _MAX_MERGED)
                raise LocalFailure(cause, hint="Use fewer merge keys")
            for pair in source.value:
                merged.setdefault(_identity(pair[0]), pair)

    return Loader


def _identity(key: t.Any) -> t.Any:
    """Return what makes a key the same as another one. Keys that are not text are rejected later."""
    return key.value if isinstance(key.value, str) else id(key)
