# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""List the tags of a repository, and point tags to other images."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import typing as t

from .. import _messages as messages
from .._errors import ImageError, InvalidReference, NotFound, naming
from .._image import digest as digests
from .._image import reference as references
from .._image.descriptor import Descriptor
from .._image.manifest import Manifest
from .._image.reference import Reference
from .._image.tag_selection import TagSelection
from .._stores.repository import Store
from .._transfer.plan import plan_copy
from .._transfer.request import CopyRequest, Plan
from .other_tags import describe_unreadable, find_readable
from .stores import Stores


@dataclasses.dataclass(frozen=True)
class Listed:
    """The selected tags, and what they point to if that was requested."""

    exists: bool
    tags: list[str] = dataclasses.field(default_factory=list)
    digests: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Assigned:
    """The digests of tags before and after; ``references`` are the full references of the tags.

    ``exists`` is whether the repository exists. It may be absent only if there are no tags to point to its images.
    """

    before: dict[str, str | None]
    after: dict[str, str]
    references: dict[str, str]
    exists: bool = True

    @property
    def changed(self) -> bool:
        """Whether any tag moves."""
        return self.before != self.after


def list_tags(repository: str, selection: TagSelection, with_digests: bool, stores: Stores) -> Listed:
    """Return the selected tags. A repository that does not exist has none. Raises ImageError."""
    reference = _parse(repository)
    store = stores.open(reference)
    with naming(reference), concurrent.futures.ThreadPoolExecutor(stores.run.jobs) as pool:
        try:
            tags = selection.select(store.tags())
        except NotFound:
            return Listed(exists=False)
        found = list(zip(tags, pool.map(functools.partial(find_readable, store), tags))) if with_digests else []
    absent = [tag for tag, descriptor in found if descriptor is None]
    if absent:
        shown = messages.some(absent)
        stores.run.warn("%s: the tag list contains tags that do not exist: %s" % (reference, shown))
    unreadable = describe_unreadable(found)
    if unreadable:
        stores.run.warn("%s: %s" % (reference, unreadable))
    return Listed(True, tags, {tag: known.digest for tag, known in found if isinstance(known, Descriptor)})


def assign_tags(repository: str, targets: t.Mapping[str, t.Any], stores: Stores) -> Assigned:
    """Point each tag to its target, a tag or digest of the same repository. Raises ImageError.

    All targets are resolved before the first tag is written, so that tags can swap their images.
    """
    if not targets:
        return Assigned({}, {}, {}, list_tags(repository, TagSelection(), False, stores).exists)
    reference = _parse(repository)
    groups: dict[str, list[str]] = {}
    for name, target in targets.items():
        groups.setdefault(_check(reference, name, target), []).append(name)
    store = stores.open(reference, writable=True)
    text = {name: str(target) for name, target in targets.items()}
    with naming(reference), concurrent.futures.ThreadPoolExecutor(stores.run.jobs) as pool:
        requests = [CopyRequest(store, target, store, tuple(names)) for target, names in groups.items()]
        plans = [plan_copy(request, pool) for request in requests]
        moved = {name: plan.selection.manifest for plan in plans if plan.selection for name in plan.outdated_tags}
        if moved and not stores.run.dry_run:
            _retag(store, moved, {name: digest for plan in plans for name, digest in plan.previous.items()})
        named = {name: plan.top.digest for plan in plans if not plan.selection for name in plan.outdated_tags}
        if named and not stores.run.dry_run:
            store.set_tags(named)
    before, after = _in_order_of(targets, plans)
    swapped = sorted(name for name, target in text.items() if target != name and text.get(target) == name)
    if any(before[name] == before[text[name]] for name in swapped):
        stores.run.warn("%s: the tags to swap already point to the same image: %s" % (reference, ", ".join(swapped)))
    return Assigned(before, after, {name: store.reference(name) for name in targets})


def _retag(store: Store, moved: t.Mapping[str, Manifest], previous: t.Mapping[str, str | None]) -> None:
    """Point the tags to their new images. If one fails, restore the previous ones, whose images may have no other tag."""
    try:
        store.retag(moved)
    except ImageError as error:
        lost = {name: digest for name in moved for digest in [previous[name]] if digest}
        unsure = ["%s: %s" % item for item in lost.items() if not _put_back(store, item[0], item[1], moved[item[0]])]
        if unsure:
            error.hint = "These tags may have moved already. Their previous digests: %s" % ", ".join(unsure)
        raise


def _put_back(store: Store, name: str, digest: str, written: Manifest) -> bool:
    """Restore a tag, unless another client has moved it. Return False if this failed."""
    try:
        now = store.resolve(name)
        if now and now.digest == written.digest != digest:
            store.retag({name: store.manifest(digest)})
        return True
    except ImageError:
        return False


def _in_order_of(names: t.Iterable[str], plans: list[Plan]) -> tuple[dict[str, str | None], dict[str, str]]:
    before = {name: digest for plan in plans for name, digest in plan.previous.items()}
    after = {name: plan.top.digest for plan in plans for name in plan.previous}
    return {name: before[name] for name in names}, {name: after[name] for name in names}


def _parse(repository: str) -> Reference:
    reference = references.parse(repository)
    if not reference.has_names:
        raise InvalidReference(
            "images in directories have no tags",
            reference,
            "Use a registry, an OCI layout, an archive or an engine",
        )
    if reference.name:
        raise InvalidReference(
            "a repository is required, but the reference has a tag or digest", reference, "Remove the tag or digest"
        )
    return reference


def _check(reference: Reference, name: str, target: object) -> str:
    """Return the target as text, if the tag and the target are valid for this transport."""
    # A number with a fraction has lost digits already: 1.10 came as 1.1.
    if isinstance(target, bool) or not isinstance(target, (str, int)):
        cause = "tags: the target of tag %s is not a string" % name
        raise InvalidReference(cause, reference, "Put the target in quotes")
    text = str(target)
    if digests.is_digest(name) or not reference.may_be_named(name):
        raise InvalidReference(
            "tags: %r is not a valid tag" % name, reference, "Write only the tag, without a repository"
        )
    if not (digests.is_digest(text) or reference.may_be_named(text)):
        cause = "tags: the target %r of tag %s is neither a tag nor a digest" % (text, name)
        raise InvalidReference(cause, reference, "Write only a tag or digest from the same repository")
    return text
