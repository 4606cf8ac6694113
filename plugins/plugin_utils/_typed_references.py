# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Values that formats define as images: Kubernetes, compose, kustomize, Helm, OLM, Tekton, quadlets and others."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError

from ._documents import Budget, DocumentTooLarge, load
from ._found import Found, mapping, mappings, parse
from ._spans import Path

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_UNITS = (".image", ".build")
_CHART_IMAGES = "artifacthub.io/images"
_DEFAULT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?-([^${}]*)\}")
_MAX_DEFAULTS = 10  # of one within the other
# Helm, Argo CD and Flux: charts and manifests are artifacts of registries too.
_OCI = "oci://"
_SOURCES = ("OCIRepository", "HelmRelease", "Application", "ApplicationSet")
_STEP_APIS = ("tekton.dev/", "argoproj.io/")
_STEP_KINDS = frozenset(
    [
        "Task",
        "ClusterTask",
        "TaskRun",
        "Pipeline",
        "PipelineRun",
        "StepAction",
        "Workflow",
        "WorkflowTemplate",
        "ClusterWorkflowTemplate",
        "CronWorkflow",
    ]
)
_MAX_DEPTH = 100

Findings = t.Iterator[t.Union[Found, Path]]


def findings(value: t.Mapping[str, t.Any], path: Path, budget: Budget) -> Findings:
    """Yield the references that the format of a mapping makes certain, and the paths that need no further search.

    Raises DocumentTooLarge.
    """
    yield from _pod(value, path)
    yield from _annotation(value, path, budget)
    yield from _related(value, path)
    kind, api = value.get("kind"), value.get("apiVersion")
    if api is None and isinstance(value.get("services"), t.Mapping) and not path:
        yield from _compose(value["services"])
    elif kind == "Quadlet" and isinstance(value.get("sections"), t.Mapping):
        for name, section in value["sections"].items():
            yield from _unit(mapping(section), (*path, "sections", str(name)))
    elif kind == "ImagesLock":
        for number, entry in enumerate(mappings(value.get("images"))):
            yield from _image(entry.get("image"), "lock", (*path, "images", number, "image"))
            yield (*path, "images", number)
    elif kind in ("Kustomization", "Component") or (not path and _is_kustomization(value)):
        yield from _kustomize(value, path)
    elif kind in _SOURCES:
        yield from _artifacts(value, path)
    elif kind in _STEP_KINDS and str(api).startswith(_STEP_APIS):
        yield from _steps(value.get("spec"), (*path, "spec"))
    elif kind == "ImageRepository":  # Flux looks there for tags, and runs nothing
        yield (*path, "spec", "image")


def _image(text: t.Any, kind: str, path: Path) -> Findings:
    yield path
    if isinstance(text, str) and parse(text):
        yield Found(text.strip(), kind, path, True, {"image": path})


def _pod(value: t.Mapping[str, t.Any], path: Path) -> Findings:
    """Yield the images of any kind of workload, and of custom resources that contain a pod template."""
    for key in _CONTAINERS:
        for number, container in enumerate(mappings(value.get(key))):
            yield from _string(container, "image", "container", (*path, key, number))
    for number, volume in enumerate(mappings(value.get("volumes"))):
        below = (*path, "volumes", number)
        yield from _string(mapping(volume.get("image")), "reference", "volume", (*below, "image"))
        yield from _string(mapping(volume.get("containerDisk")), "image", "volume", (*below, "containerDisk"))


def _string(value: t.Mapping[str, t.Any], key: str, kind: str, path: Path) -> Findings:
    """Yield a member if it is text, because chart values have mappings in the same places."""
    if isinstance(value.get(key), str):
        yield from _image(value[key], kind, (*path, key))


def _annotation(value: t.Mapping[str, t.Any], path: Path, budget: Budget) -> Findings:
    text = mapping(value.get("annotations")).get(_CHART_IMAGES)
    if not isinstance(text, str):
        return
    below: Path = (*path, "annotations", _CHART_IMAGES)
    yield below
    try:
        entries = [entry for document in load(text, budget) for entry in mappings(document.value)]
    except DocumentTooLarge:
        raise
    except ImageError:
        return
    for entry in entries:
        if parse(entry.get("image")):
            yield Found(entry["image"], "chart", below, True, {"image": below})


def _related(value: t.Mapping[str, t.Any], path: Path) -> Findings:
    """Yield the images of OLM bundles, ClusterServiceVersions and catalogs, and of OpenShift image streams."""
    for number, entry in enumerate(mappings(value.get("relatedImages"))):
        yield from _image(entry.get("image"), "operator", (*path, "relatedImages", number, "image"))
    if value.get("kind") == "CatalogSource":
        yield from _string(mapping(value.get("spec")), "image", "operator", (*path, "spec"))
    if value.get("schema") == "olm.bundle":
        yield from _string(value, "image", "operator", path)
    if value.get("kind") == "DockerImage":
        yield from _string(value, "name", "stream", path)


def _compose(services: t.Mapping[str, t.Any]) -> Findings:
    for name, service in services.items():
        text = mapping(service).get("image")
        if isinstance(text, str):
            path: Path = ("services", str(name), "image")
            yield path
            resolved = _with_defaults(text)
            if "$" not in resolved and parse(resolved):
                yield Found(resolved.strip(), "compose", path, True, {"image": path})


def _with_defaults(text: str) -> str:
    """``nginx:${TAG:-1.25}`` as ``nginx:1.25``."""
    for _level in range(_MAX_DEFAULTS):
        text, count = _DEFAULT.subn(r"\1", text)
        if not count:
            break
    return text


def _unit(section: t.Mapping[str, t.Any], path: Path) -> Findings:
    """Yield the image and the mounted images of a section. Those of other units end in ``.image`` or ``.build``."""
    images = list(_values(section, "Image", path))
    yield (*path, "Image")
    for text, where in images[-1:]:  # podman uses the last one
        if not text.strip().endswith(_UNITS):
            yield from _image(text, "quadlet", where)
    for text, where in _values(section, "Mount", path):
        options = dict(part.partition("=")[::2] for part in text.split(","))
        source = options.get("source") or options.get("src", "")
        if options.get("type") == "image" and source:
            yield where
            if not source.endswith(_UNITS) and parse(source):
                yield Found(source, "quadlet", where, True, {"image": where})


def _values(section: t.Mapping[str, t.Any], key: str, path: Path) -> t.Iterator[tuple[str, Path]]:
    """Yield the values of a key, which is a list if the unit has the key several times, and their paths."""
    value = section.get(key)
    if isinstance(value, list):
        yield from ((text, (*path, key, number)) for number, text in enumerate(value) if isinstance(text, str))
    elif isinstance(value, str):
        yield value, (*path, key)


def _is_kustomization(value: t.Mapping[str, t.Any]) -> bool:
    entries = mappings(value.get("images"))
    return "kind" not in value and bool(entries) and all("name" in entry for entry in entries)


def _kustomize(value: t.Mapping[str, t.Any], path: Path) -> Findings:
    for number, entry in enumerate(mappings(value.get("images"))):
        below = (*path, "images", number)
        yield below
        name, tag, digest = (entry.get("newName") or entry.get("name"), entry.get("newTag"), entry.get("digest"))
        if not (name and (tag or digest)):
            continue
        text = "%s%s%s" % (name, ":%s" % tag if tag else "", "@%s" % digest if digest else "")
        parts: dict[str, Path] = {"repository": (*below, "newName"), "sibling": (*below, "name")}
        parts.update((part, (*below, key)) for part, key in (("tag", "newTag"), ("digest", "digest")) if key in entry)
        if parse(text):
            yield Found(text, "kustomize", below, True, parts)


def _artifacts(value: t.Mapping[str, t.Any], path: Path) -> Findings:
    """Yield the registries that Flux and Argo CD use as sources."""
    spec = mapping(value.get("spec"))
    parts: dict[str, Path] = {key: (*path, "spec", "ref", key) for key in ("tag", "digest")}
    yield from _artifact(spec, "url", mapping(spec.get("ref")), parts, (*path, "spec"))
    sources: list[tuple[Path, t.Any]] = [(("source",), spec.get("source"))]
    sources += [(("sources", number), source) for number, source in enumerate(mappings(spec.get("sources")))]
    for below, source in sources:
        where = (*path, "spec", *below)
        named = {"tag": mapping(source).get("targetRevision")}
        yield from _artifact(mapping(source), "repoURL", named, {"tag": (*where, "targetRevision")}, where)


def _artifact(
    source: t.Mapping[str, t.Any], key: str, named: t.Mapping[str, t.Any], at: dict[str, Path], path: Path
) -> Findings:
    """Yield a chart or manifests at ``source[key]``; ``named`` has the tag and digest, and ``at`` their paths."""
    url, chart, tag, digest = source.get(key), source.get("chart"), named.get("tag"), named.get("digest")
    if not isinstance(url, str):
        return
    yield (*path, key)
    name = chart if isinstance(chart, str) else ""
    bare = url[len(_OCI) :] if url.startswith(_OCI) else url
    if not (bare != url or name) or "://" in bare or not (tag or digest):
        return
    text = "/".join(filter(None, (bare.rstrip("/"), name)))
    text += (":%s" % str(tag).replace("+", "_") if tag else "") + ("@%s" % digest if digest else "")
    if parse(text):
        parts = {part: where for part, where in at.items() if named.get(part)}
        parts.update({"url": (*path, key), **({"chart": (*path, "chart")} if name else {})})
        yield Found(text, "artifact", (*path, key), True, parts)


def _steps(value: t.Any, path: Path) -> Findings:
    """Yield the images of steps, sidecars, containers and scripts in Tekton tasks and Argo workflows."""
    if len(path) > _MAX_DEPTH:
        return
    if isinstance(value, t.Mapping):
        if path[-1] not in ("params", "parameters", "arguments"):
            yield from _string(value, "image", "container", path)
        for key, below in value.items():
            yield from _steps(below, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for number, below in enumerate(value):
            yield from _steps(below, (*path, number))
