# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Values that look like references although no format defines them as images: chart values, arguments, variables, scripts."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._image.reference import is_tag

from ._found import LONGEST, Found, is_full, is_likely, parse
from ._spans import Path

# Documents have texts of megabytes, such as the data of Secrets. So that no expression reads a text again from each of its
# characters, a lookahead finds the word, and within a text a match begins only where a key or an argument begins.
_IMAGE_KEY = re.compile(r"(?:^|.*[a-z0-9_./-])image(?:name|ref|reference|url)?", re.IGNORECASE)
_IMAGE_VARIABLE = re.compile(r"(?=(?:.*_)?IMAGE(?:_|\Z)).*", re.IGNORECASE)
_IMAGE_ARGUMENT = re.compile(r"--?(?=[a-z0-9._-]*image)[a-z0-9._-]*", re.IGNORECASE)
# The same within a text: a line of YAML, a member of JSON, an argument.
_IMAGE_IN_TEXT = re.compile(
    r"""(?:(?<![\w./-])[\w./-]*image["']?[ ]*:[ ]*|(?<![a-z0-9._-])--(?=[a-z0-9._-]*image)[a-z0-9._-]*[= ])"""
    r"""["']?([\w./:@-]{1,%d})(?=["'\s,};)]|$)""" % LONGEST,
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[\s\"'`,;=()<>|\[\]{}]+")
_SCHEMES = ("docker://", "docker-image://")
_DIGEST = re.compile(r"sha(?:256|384|512):[0-9a-f]{64,128}")
_SHA = re.compile(r"[0-9a-f]{64}")
# What begins the keys of a repository, registry and tag that are not in a mapping of their own: webImage, web_image.
_FLAT = re.compile(r"(.*image)(?:name|_name|repo|_repo|repository|_repository)?", re.IGNORECASE)
_FLAT_TAGS = ("Tag", "_tag", "Version", "_version")


def pairs(value: t.Mapping[str, t.Any], path: Path, default_tag: str) -> t.Iterator[Found]:
    """Yield references in chart values: ``{registry, repository, tag, digest}``, where the repository may be ``image`` or ``name``."""
    of_image = bool(path) and isinstance(path[-1], str) and bool(_IMAGE_KEY.fullmatch(path[-1]))
    has_name = any(key in value for key in ("tag", "digest", "registry"))
    if isinstance(value.get("repository"), str) and (has_name or of_image):
        yield from _joined(value, "repository", "tag", path, default_tag)
    elif isinstance(value.get("image"), str) and has_name:
        yield from _joined(value, "image", "tag", path, default_tag)
    elif isinstance(value.get("name"), str) and "tag" in value and of_image:
        yield from _joined(value, "name", "tag", path, default_tag)
    for key, text in value.items():
        flat = _FLAT.fullmatch(key) if isinstance(key, str) and isinstance(text, str) else None
        tag = next((flat[1] + end for end in _FLAT_TAGS if flat and flat[1] + end in value), "")
        if flat and tag:
            yield from _joined(value, key, tag, path, default_tag)


def _joined(
    value: t.Mapping[str, t.Any], repository: str, tag_key: str, path: Path, default_tag: str
) -> t.Iterator[Found]:
    """Yield the reference that several members of a mapping form together."""
    registry, tag = value.get("registry"), value.get(tag_key)
    tag = default_tag if tag in (None, "") else str(tag)
    is_whole = any(mark in value[repository].rpartition("/")[2] for mark in ":@")
    if is_whole or "://" in value[repository] or isinstance(value.get(tag_key), (bool, t.Mapping, list)):
        return
    digest, sha = value.get("digest"), value.get("sha")
    digest = digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else ""
    if not digest and isinstance(sha, str) and _SHA.fullmatch(sha):
        digest = "sha256:" + sha
    text = "/".join(filter(None, (registry if isinstance(registry, str) else "", value[repository])))
    text += (":%s" % tag if tag else "") + ("@%s" % digest if digest else "")
    if parse(text):
        keys = {"registry": "registry", "repository": repository, "tag": tag_key, "digest": "digest", "sha": "sha"}
        parts = {part: (*path, key) for part, key in keys.items() if key in value}
        parts["sibling"] = (*path, repository)
        yield Found(text, "values", path, False, parts)


def variable(value: t.Mapping[str, t.Any], path: Path) -> t.Iterator[Found]:
    """Yield references in environment variables, such as RELATED_IMAGE_PROXY of operators."""
    name, text = value.get("name"), value.get("value")
    if isinstance(name, str) and _IMAGE_VARIABLE.fullmatch(name) and is_likely(text):
        below = (*path, "value")
        yield Found(str(text).strip(), "environment", below, False, {"image": below})


def flags(values: t.Sequence[t.Any], path: Path) -> t.Iterator[Found]:
    """Yield references in arguments of two words: ``["--sidecar-image", "REFERENCE"]``."""
    for number, (flag, text) in enumerate(zip(values, values[1:])):
        if isinstance(flag, str) and _IMAGE_ARGUMENT.fullmatch(flag) and is_likely(text):
            below = (*path, number + 1)
            yield Found(text.strip(), "argument", below, False, {"image": below})


def in_text(text: str, path: Path) -> t.Iterator[Found]:
    """Yield the references in a value: the whole value, the text after ``=``, or words in it."""
    parts: dict[str, Path] = {"image": path}
    if _is_of_image(path) and is_likely(text):
        yield Found(text.strip(), "key", path, False, parts)
        return
    flag, equals, rest = text.partition("=")
    if equals and (_IMAGE_ARGUMENT.fullmatch(flag) or _IMAGE_VARIABLE.fullmatch(flag)) and is_likely(rest):
        kind = "argument" if flag.startswith("-") else "environment"
        yield Found(rest.strip(), kind, path, False, parts)
        return
    words = [word for word in map(_bare, _SEPARATORS.split(text)) if is_full(word)]
    words += [word for word in map(_bare, _IMAGE_IN_TEXT.findall(text)) if _is_named(word)]
    for word in dict.fromkeys(words):
        yield Found(word, "text", path, False, parts)


def _is_of_image(path: Path) -> bool:
    """Return whether a value belongs to a key such as ``image``, or is in a list or mapping of ``images``."""
    key = path[-1] if path else ""
    if isinstance(key, str) and (_IMAGE_KEY.fullmatch(key) or _IMAGE_VARIABLE.fullmatch(key)):
        return True
    return len(path) > 1 and isinstance(path[-2], str) and path[-2][-6:].lower() == "images"


def _bare(word: str) -> str:
    """Return a word without a scheme and without the full stop of its sentence."""
    for scheme in _SCHEMES:
        if word.startswith(scheme):
            word = word[len(scheme) :]
    return word.rstrip(".:")


def _is_named(word: str) -> bool:
    """Return whether a word after ``image:`` is a reference, which a number or a single word is not."""
    reference = parse(word)
    return bool(reference and (reference.digest or (reference.tag and is_tag(reference.tag))))
