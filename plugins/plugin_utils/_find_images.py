# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Find references to images in documents of Kubernetes, compose, kustomize, Helm and quadlet.

Where a format says that a value is an image, the reference is certain. Elsewhere a value may look like one: the value of
a key such as ``image``, a pair of ``repository`` and ``tag``, an argument or a variable of an operator.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import RegistryReference, parse_registry

from ._documents import Document, Path, load

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_CHART_IMAGES = "artifacthub.io/images"
_IMAGE_KEY = re.compile(r"(?:^|.*[a-z0-9_.-])image(?:name|ref|reference|url)?", re.IGNORECASE)
_IMAGE_VARIABLE = re.compile(r"(?:.*_)?IMAGE(?:_.*)?", re.IGNORECASE)
_IMAGE_ARGUMENT = re.compile(r"--?[a-z0-9._-]*image[a-z0-9._-]*", re.IGNORECASE)
_DEFAULT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?-([^${}]*)\}")
_SEPARATORS = re.compile(r"[\s\"'`,;=()<>|\[\]{}]+")
_DIGEST = re.compile(r"sha(?:256|384|512):[0-9a-f]{64,128}")
# Helm, Argo CD and Flux: charts and manifests are artifacts of registries too.
_OCI = "oci://"
_MAX_DEPTH = 100


@dataclasses.dataclass(frozen=True)
class Found:
    """A reference as it stands in a document.

    ``parts`` say which values it is made of: ``image`` alone, or ``registry``, ``repository``, ``tag`` and ``digest``.
    An ``image`` may be a part of its value only, as in ``--image=REFERENCE``. A ``repository`` that has no value yet
    belongs after the value of ``beside``.
    """

    reference: str
    kind: str
    path: Path
    certain: bool
    parts: t.Mapping[str, Path]


def find_in(document: Document, default_tag: str = "") -> list[Found]:
    """All references of a document, in its order; ``default_tag`` is for pairs of values without a tag."""
    finder = _Finder(default_tag)
    finder.look(document.value, ())
    return finder.found


def find(content: t.Any, default_tag: str = "") -> list[Found]:
    """All references of a text, of a parsed document, or of a list of documents. Raises InvalidDocument."""
    return [found for document in documents_of(content) for found in find_in(document, default_tag)]


def documents_of(content: t.Any) -> list[Document]:
    """The documents of a text, of a parsed document, or of a list of either. Raises InvalidDocument."""
    if isinstance(content, str):
        return load(content)
    if isinstance(content, (list, tuple)):
        return [document for item in content for document in documents_of(item)]
    return [Document(content)]


def once(found: t.Iterable[Found]) -> list[Found]:
    """Each reference once: where it first stands, and certain if it is so anywhere."""
    known: dict[str, Found] = {}
    for item in found:
        first = known.setdefault(item.reference, item)
        if item.certain and not first.certain:
            known[item.reference] = item
    return list(known.values())


def describe(found: Found) -> dict[str, t.Any]:
    """A reference as the filter returns it."""
    path = "".join("[%d]" % key if isinstance(key, int) else ".%s" % key for key in found.path).lstrip(".")
    return {"reference": found.reference, "kind": found.kind, "path": path, "certain": found.certain}


class _Finder:
    def __init__(self, default_tag: str) -> None:
        self.found: list[Found] = []
        self._default_tag = default_tag
        self._done: set[Path] = set()

    def look(self, value: t.Any, path: Path) -> None:
        """Look into a value and all below it."""
        if len(path) > _MAX_DEPTH or path in self._done:
            return
        if isinstance(value, t.Mapping):
            self._typed(value, path)
            self._pair(value, path)
            self._variable(value, path)
            for key, below in value.items():
                self.look(below, (*path, str(key)))
        elif isinstance(value, (list, tuple)):
            self._flags(value, path)
            for number, below in enumerate(value):
                self.look(below, (*path, number))
        elif isinstance(value, str):
            self._text(value, path)

    def _typed(self, value: t.Mapping[str, t.Any], path: Path) -> None:
        """What the formats themselves call an image."""
        for key in _CONTAINERS:
            for number, container in enumerate(_list(value.get(key))):
                self._take(container.get("image"), "container", (*path, key, number, "image"))
        for number, volume in enumerate(_list(value.get("volumes"))):
            image = volume.get("image")
            if isinstance(image, t.Mapping):
                self._take(image.get("reference"), "volume", (*path, "volumes", number, "image", "reference"))
        annotations = value.get("annotations")
        if isinstance(annotations, t.Mapping) and isinstance(annotations.get(_CHART_IMAGES), str):
            self._chart(annotations[_CHART_IMAGES], (*path, "annotations", _CHART_IMAGES))
        kind = value.get("kind")
        if "apiVersion" not in value and isinstance(value.get("services"), t.Mapping) and not path:
            self._compose(value["services"])
        elif kind == "Quadlet" and isinstance(value.get("sections"), t.Mapping):
            for name, section in value["sections"].items():
                self._take(section.get("Image"), "quadlet", (*path, "sections", name, "Image"))
                self._done.add((*path, "sections", name))
        elif kind == "ImagesLock":
            for number, entry in enumerate(_list(value.get("images"))):
                self._take(entry.get("image"), "lock", (*path, "images", number, "image"))
        elif kind in ("Kustomization", "Component") or (not path and _is_kustomization(value)):
            self._kustomize(value, path)
        elif kind in ("OCIRepository", "HelmRelease", "Application", "ApplicationSet"):
            self._artifacts(value, path)

    def _compose(self, services: t.Mapping[str, t.Any]) -> None:
        for name, service in services.items():
            if isinstance(service, t.Mapping) and isinstance(service.get("image"), str):
                path: Path = ("services", name, "image")
                self._done.add(path)
                resolved = _DEFAULT.sub(r"\1", service["image"])
                if "$" not in resolved:
                    self._take(resolved, "compose", path)

    def _chart(self, text: str, path: Path) -> None:
        self._done.add(path)
        try:
            entries = [entry for document in load(text) for entry in _list(document.value)]
        except ImageError:
            return
        for entry in entries:
            if _parse(entry.get("image")):
                self._add(entry["image"], "chart", path, True, {"image": path})

    def _kustomize(self, value: t.Mapping[str, t.Any], path: Path) -> None:
        for number, entry in enumerate(_list(value.get("images"))):
            below = (*path, "images", number)
            self._done.add(below)
            name, tag, digest = (entry.get("newName") or entry.get("name"), entry.get("newTag"), entry.get("digest"))
            if not (name and (tag or digest)):
                continue
            text = "%s%s%s" % (name, ":%s" % tag if tag else "", "@%s" % digest if digest else "")
            parts: dict[str, Path] = {"repository": (*below, "newName"), "beside": (*below, "name")}
            parts.update(
                (part, (*below, key)) for part, key in (("tag", "newTag"), ("digest", "digest")) if key in entry
            )
            if _parse(text):
                self._add(text, "kustomize", below, True, parts)

    def _artifacts(self, value: t.Mapping[str, t.Any], path: Path) -> None:
        """Sources of Flux and Argo CD that are registries."""
        spec = value.get("spec")
        if not isinstance(spec, t.Mapping):
            return
        ref = spec.get("ref")
        ref = ref if isinstance(ref, t.Mapping) else {}
        self._artifact(spec.get("url"), "", ref.get("tag"), ref.get("digest"), (*path, "spec", "url"))
        sources: list[tuple[Path, t.Any]] = [(("source",), spec.get("source"))]
        sources += [(("sources", number), source) for number, source in enumerate(_list(spec.get("sources")))]
        for below, source in sources:
            if isinstance(source, t.Mapping):
                url, chart = source.get("repoURL"), source.get("chart")
                where = (*path, "spec", *below, "repoURL")
                self._artifact(url, chart or "", source.get("targetRevision"), None, where)

    def _artifact(self, url: t.Any, name: str, tag: t.Any, digest: t.Any, path: Path) -> None:
        if not isinstance(url, str):
            return
        self._done.add(path)
        if not (url.startswith(_OCI) or name) or "://" in url.replace(_OCI, "", 1):
            return
        text = "/".join(filter(None, (url.replace(_OCI, "", 1).rstrip("/"), name)))
        text += (":%s" % str(tag).replace("+", "_") if tag else "") + ("@%s" % digest if digest else "")
        if _parse(text) and (tag or digest):
            self._add(text, "artifact", path, True, {"image": path})

    def _pair(self, value: t.Mapping[str, t.Any], path: Path) -> None:
        """Values of charts: ``{registry, repository, tag, digest}``."""
        repository, tag, digest = value.get("repository"), value.get("tag"), value.get("digest")
        if not isinstance(repository, str) or "://" in repository or (*path, "repository") in self._done:
            return
        if not any(key in value for key in ("tag", "digest", "registry")):
            return
        registry = value.get("registry")
        tag = str(tag) if tag not in (None, "") and not isinstance(tag, (bool, t.Mapping, list)) else self._default_tag
        digest = digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else ""
        text = "/".join(filter(None, (registry if isinstance(registry, str) else "", repository)))
        text += (":%s" % tag if tag else "") + ("@%s" % digest if digest else "")
        if _parse(text):
            keys = ("registry", "repository", "tag", "digest")
            parts = {key: (*path, key) for key in keys if key in value}
            self._add(text, "values", path, False, parts)
            self._done.update(parts.values())

    def _variable(self, value: t.Mapping[str, t.Any], path: Path) -> None:
        """Variables of the environment, such as RELATED_IMAGE_PROXY of operators."""
        name, text = value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(text, str) and _IMAGE_VARIABLE.fullmatch(name) and _parse(text):
            self._add(text, "environment", (*path, "value"), False, {"image": (*path, "value")})
            self._done.add((*path, "value"))

    def _flags(self, values: t.Sequence[t.Any], path: Path) -> None:
        """Arguments in two words: ``["--sidecar-image", "REFERENCE"]``."""
        for number, (flag, text) in enumerate(zip(values, values[1:])):
            below = (*path, number + 1)
            if isinstance(flag, str) and _IMAGE_ARGUMENT.fullmatch(flag) and _parse(text):
                self._add(text, "argument", below, False, {"image": below})
                self._done.add(below)

    def _text(self, text: str, path: Path) -> None:
        key = path[-1] if path else ""
        if isinstance(key, str) and (_IMAGE_KEY.fullmatch(key) or _IMAGE_VARIABLE.fullmatch(key)) and _is_likely(text):
            self._add(text, "key", path, False, {"image": path})
            return
        flag, equals, rest = text.partition("=")
        named = _IMAGE_ARGUMENT.fullmatch(flag) or _IMAGE_VARIABLE.fullmatch(flag)
        if equals and named and _is_likely(rest):
            kind = "argument" if flag.startswith("-") else "environment"
            self._add(rest, kind, path, False, {"image": path})
            return
        for word in dict.fromkeys(_SEPARATORS.split(text)):
            if _is_full(word):
                self._add(word, "text", path, False, {"image": path})

    def _take(self, text: t.Any, kind: str, path: Path) -> None:
        self._done.add(path)
        if isinstance(text, str) and _parse(text):
            self._add(text, kind, path, True, {"image": path})

    def _add(self, text: str, kind: str, path: Path, certain: bool, parts: t.Mapping[str, Path]) -> None:
        self.found.append(Found(text.strip(), kind, path, certain, parts))


def _parse(text: t.Any) -> RegistryReference | None:
    """The reference, if a text is one."""
    if not isinstance(text, str) or not text.strip() or len(text) > 512:
        return None
    try:
        return parse_registry(text.strip())
    except ImageError:
        return None


def _is_likely(text: str) -> bool:
    """Whether the value of a key such as ``image`` is a reference: a word alone may be anything."""
    reference = _parse(text)
    return bool(reference and (reference.tag or reference.digest or "/" in text))


def _is_full(text: str) -> bool:
    """Whether a word is a reference wherever it stands: with a registry, a path, and a tag or digest."""
    host, slash, _path = text.partition("/")
    has_host = bool(re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}(?::[0-9]+)?|localhost(?::[0-9]+)?", host))
    reference = _parse(text) if slash and has_host else None
    return bool(reference and (reference.tag or reference.digest))


def _is_kustomization(value: t.Mapping[str, t.Any]) -> bool:
    entries = _list(value.get("images"))
    return "kind" not in value and bool(entries) and all("name" in entry for entry in entries)


def _list(value: t.Any) -> list[t.Mapping[str, t.Any]]:
    """The mappings of a list; what is none keeps its place."""
    return [item if isinstance(item, t.Mapping) else {} for item in value] if isinstance(value, (list, tuple)) else []
