# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Delete tags that no entry selects any more, and never content that another tag needs."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import typing as t

from .._errors import ImageError, naming, tag_moved
from .._image import digest as digests
from .._image.descriptor import Descriptor
from .._run import Run
from .._stores.repository import Batching, Removal, Repository, Store
from .._transfer.attached import Attachment
from .._transfer.job import DELETED, Job
from .._transfer.parallel import for_each
from .._transfer.request import Plan
from . import attached_tags, prune_attached, prune_marks
from .delete_attached import delete_attached
from .other_tags import current_tags, delete_untagged
from .unlisted_tags import UnlistedTag, find_absent, find_existing

_LEFT_HINT = "To delete the referrers, run image_delete with the image's digest, scope: manifest and referrers: true"


@dataclasses.dataclass
class PrunableTags:
    """Tags of a repository that no entry selects. Each stage sets its own fields.

    Listed: ``unselected`` are these tags, and ``selected`` the declared tags and digests of all hosts that share the work.
    ``optional`` has the declared tags of other hosts that the destination lacks, and that may be absent from their sources.
    ``is_ours`` returns whether this host deletes a tag. With ``referrers``, the referrers of deleted images are
    deleted. ``unlisted`` has the unselected tags that must be absent from their sources. Looked up: ``tags`` maps the
    tags that may be deleted to what they point to. ``declared`` has the digests of the declared images and their
    children, and ``needed`` the tags and digests that the repository must have. ``left_to_others`` are tags that other
    hosts delete. ``interrupted`` has the digests of images whose tags an interrupted run deleted. ``attached`` has
    untagged artifacts to delete, by the digests of their images.
    """

    store: Repository
    unselected: list[str]
    selected: t.Collection[str]
    is_ours: t.Callable[[str], bool]
    referrers: bool = False
    unlisted: t.Sequence[UnlistedTag] = ()
    optional: t.Sequence[UnlistedTag] = ()
    tags: dict[str, Descriptor] = dataclasses.field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()
    left_to_others: frozenset[str] = frozenset()
    interrupted: frozenset[str] = frozenset()
    attached: dict[str, list[Attachment]] = dataclasses.field(default_factory=dict)

    @property
    def repository(self) -> str:
        """The full reference, without a tag."""
        return self.store.reference("")

    def declare(self, images: t.Sequence[Job]) -> None:
        """Set the declared images as they are known now. Names that are digests of declared images are kept.

        An index that loses platforms gets a different digest.
        """
        selected = list(filter(digests.is_digest, self.selected))
        by_digest = {image.digest: image for image in images if digests.is_digest(image.name) and image.digest}
        self.unselected = [tag for tag in self.unselected if tag not in by_digest and tag not in selected]
        children = [digest for image in images if image.plan for digest in _children(image.plan)]
        self.declared = frozenset([*selected, *children, *(image.digest for image in images if image.digest)])
        # What this host declares is known by now; what others do may yet come. What is left out never comes.
        names = {image.name: image for image in images}
        by_others = [name for name in self.selected if name not in names and not self.is_ours(name)]
        tags = {name: image for name, image in names.items() if name and not digests.is_digest(name)}
        own = [name for name, image in (*tags.items(), *by_digest.items()) if not image.is_left_out]
        self.needed = frozenset([*own, *by_others])

    def expect_absent(self, references: t.Collection[str]) -> None:
        """Let the repository lack these tags, which no host copies."""
        absent = {one.tag for one in self.optional if self.store.reference(one.tag) in references}
        self.needed = self.needed.difference(absent)

    @property
    def subjects(self) -> dict[str, str]:
        """The digests of the images to which some of ``tags`` are attached, by these tags."""
        return attached_tags.subjects(self.tags)

    def leave_to_others(self) -> None:
        """Keep only the tags that this host deletes. The host that deletes an image's first tag deletes the tags attached to it."""
        attached = self.subjects
        first = {self.tags[tag].digest: tag for tag in sorted(self.tags, reverse=True) if tag not in attached}
        self.left_to_others = frozenset(
            tag for tag in self.tags if not self.is_ours(first.get(attached.get(tag, ""), tag))
        )
        self.tags = {tag: known for tag, known in self.tags.items() if tag not in self.left_to_others}

    def images(self) -> list[str]:
        """Return the digests of the images that lose tags, or lost all of them in an interrupted run, and are not declared."""
        attached = self.subjects
        found = [known.digest for tag, known in self.tags.items() if tag not in attached]
        return [digest for digest in dict.fromkeys([*found, *sorted(self.interrupted)]) if digest not in self.declared]

    def attached_by_tag(self) -> dict[str, list[Attachment]]:
        """Return the artifacts to delete, by the last tag of their image, or that is attached to an image without a tag."""
        last = {subject: tag for tag, subject in self.subjects.items() if subject in self.interrupted}
        last.update({known.digest: tag for tag, known in self.tags.items()})
        return {last[digest]: found for digest, found in self.attached.items() if digest in last}

    def fail(self, error: ImageError) -> Job:
        """Return a failed job for the repository, in which nothing is deleted then."""
        self.tags = {}
        return Job.failed("", self.repository, error)


def _children(plan: Plan) -> t.Iterator[str]:
    manifests = [plan.selection.manifest] if plan.selection else []
    return (child.digest for manifest in (*manifests, *plan.manifests) for child in manifest.children)


def look_up(prunable: t.Sequence[PrunableTags], images: t.Iterable[Job], run: Run) -> list[Job]:
    """Resolve the tags, and find out which of them can be deleted. Return failed jobs for those that cannot be resolved.

    If other tags of a repository must be read and cannot be, there is a failed job for the repository. ``images`` are
    the declared images. Tags that may still exist at the source are kept.
    """
    declared: dict[str, list[Job]] = collections.defaultdict(list)
    for image in images:
        declared[image.repository].append(image)
    for group in prunable:
        group.declare(declared[group.repository])
    existing = find_existing([one for group in prunable for one in group.unlisted], run)
    pairs = [(group, tag) for group in prunable for tag in group.unselected]
    pairs = [(group, tag) for group, tag in pairs if group.store.reference(tag) not in existing]
    failed = []
    for (group, tag), found in zip(pairs, for_each(_look, pairs, run.jobs)):
        if isinstance(found, ImageError):
            failed.append(Job.failed("", group.store.reference(tag), found, tag))
        elif found:
            group.tags[tag] = found
    failed += _keep_needed(prunable, run)
    return failed + _find_attached(prunable, run)


def _keep_needed(prunable: t.Iterable[PrunableTags], run: Run) -> list[Job]:
    """Remove tags that are attached to images that are kept. Return failed jobs for repositories where this is not known."""
    failed = []
    for group in prunable:
        try:
            found = attached_tags.without_needed(group.store, group.tags, group.declared, run)
            group.tags, group.interrupted = found
        except ImageError as error:
            failed.append(group.fail(error))
    return failed


def _find_attached(prunable: t.Sequence[PrunableTags], run: Run) -> list[Job]:
    """Find the untagged artifacts to delete. Return failed jobs for repositories where they cannot be read."""
    failed = []
    going = {group.store.reference(tag) for group in prunable for tag in group.tags}
    read: dict[str, attached_tags.Descendants] = collections.defaultdict(dict)
    for group in prunable:
        try:
            if group.referrers:
                known = read[group.store.location.root]
                group.attached = prune_attached.find(group.store, group.images(), group.tags, going, run, known)
        except ImageError as error:
            failed.append(group.fail(error))
    return failed


def _look(pair: tuple[PrunableTags, str]) -> Descriptor | ImageError | None:
    group, tag = pair
    try:
        with naming(group.store.reference(tag)):
            return group.store.find(tag)
    except ImageError as error:
        return error


def predict_deletions(prunable: t.Iterable[PrunableTags]) -> list[Job]:
    """Return jobs for the tags that will be deleted."""
    found = []
    for group in prunable:
        attached = group.attached_by_tag()
        found += [_deleted(group.store, tag, known, attached.get(tag, ())) for tag, known in group.tags.items()]
    return found


def delete(prunable: t.Iterable[PrunableTags], run: Run) -> list[Job]:
    """Delete the tags, then the artifacts attached to their images. Return a job for each tag.

    This is done repository by repository, but for all repositories of a layout at once: each change of its index takes
    longer with each image that it lists.
    """
    going = [group for group in prunable if group.tags]
    # Looked up only here, as it takes requests that a run without deletions does not need.
    absent = find_absent([one for group in going for one in group.optional], run)
    for group in going:
        group.expect_absent(absent)
    deletions = [_Deletion(group, run) for group in going]
    batches = _batches(deletions)
    for_each(_delete_tags, batches, run.jobs)
    # Repositories of a layout share what is attached: it goes when the images of all of them are gone.
    for_each(_delete_attached, batches, run.jobs)
    return [image for deletion in deletions for image in deletion.images]


class _Deletion:
    """The deletions in one repository."""

    def __init__(self, group: PrunableTags, run: Run) -> None:
        self.store = group.store
        self._group = group
        self._run = run
        self._jobs: dict[str, Job] = {}
        self._deleted: list[str] = []
        self._untagged: list[str] = []
        self._failed: set[str] = set()
        self._marked: dict[str, Descriptor] = {}
        going = {known.digest for known in group.tags.values()} | group.interrupted
        self._attached = {tag: subject for tag, subject in group.subjects.items() if subject in going}

    @property
    def images(self) -> list[Job]:
        """The resulting jobs."""
        return [self._jobs[tag] for tag in self._group.tags]

    def mark_attached(self) -> None:
        """Let the next run find the tags attached to images, if this one is interrupted after it has deleted the images' tags."""
        self._marked = prune_marks.mark(self.store, self._attached, self._group.tags)

    def image_tags(self) -> list[str]:
        """Return the tags to delete first."""
        return [tag for tag in self._group.tags if tag not in self._attached]

    def last_tags(self) -> list[str]:
        """Return the tags attached to images that are deleted. Those that may still be needed fail."""
        staying = self._staying() if self._attached else None
        going = []
        for tag, subject in self._attached.items():
            if staying is not None and subject not in staying:
                going.append(tag)
            else:
                cause = "the tag was not deleted, because it belongs to image %s, which may still be tagged" % subject
                reference = self.store.reference(tag)
                self._jobs[tag] = Job.failed("", reference, ImageError(cause, reference, "Run the task again"), tag)
        return going

    def remove(self, tag: str) -> None:
        """Delete a tag, unless another client has moved it since it was resolved."""
        store, known = self.store, self._group.tags[tag]
        marked = self._marked.get(tag, known)
        try:
            with naming(store.reference(tag)):
                _check_unmoved(store, tag, marked)
                if store.delete_tag(tag, marked.digest) == "unique_manifest":
                    self._untagged += [known.digest, marked.digest]
        except ImageError as error:
            self.note(tag, error)
        else:
            self.note(tag)

    def removal(self, tag: str) -> Removal:
        """Return the tag for a batch of tags to delete."""
        return Removal(self.store.location.repository, tag, self._group.tags[tag].digest)

    def note(self, tag: str, error: ImageError | None = None) -> None:
        """Note that a tag was deleted, or why it was not."""
        store, known = self.store, self._group.tags[tag]
        if error:
            self._failed.add(known.digest)
            reference = store.reference(tag)
            self._jobs[tag] = Job.failed("", reference, error.about(reference), tag)
        else:
            self._deleted.append(tag)
            self._jobs[tag] = _deleted(store, tag, known)

    def delete_untagged(self) -> None:
        """Delete the manifests that have lost their last tag, if the registry did not delete them."""
        untagged = [digest for digest in self._untagged if digest not in self._group.declared | self._failed]
        if untagged:
            delete_untagged(self.store, untagged, self._deleted, self._group.needed, self._run)

    def unneeded(self, read: attached_tags.Descendants) -> list[tuple[Job, list[Attachment]]]:
        """Return the untagged artifacts of each deleted image that certainly nothing else needs. Raises ImageError."""
        store, group = self.store, self._group
        attached = group.attached_by_tag()
        if not attached or not isinstance(store, Store):
            return []
        every = [one for found in attached.values() for one in found]
        # Tags that other hosts have yet to delete count: the host that deletes the last tag deletes the rest.
        used = prune_attached.images_in_use(store, group.tags, every, (), self._run, read, self._deleted, group.needed)
        if used is None:
            return []
        used = used | self._failed | group.declared
        found = [(image, attached.get(image.name, [])) for image in self.images if not image.error]
        return [(image, prune_attached.without_used(listed, used)) for image, listed in found]

    def delete_attached(self, read: attached_tags.Descendants) -> None:
        """Delete the untagged artifacts of deleted images."""
        try:
            for image, unneeded in self.unneeded(read):
                _delete_unneeded(self.store, [(image, unneeded)])
        except ImageError as error:
            cause = "%s: the referrers of deleted images were not deleted: %s"
            self._run.warn(cause % (self._group.repository, error))

    def _staying(self) -> set[str] | None:
        """Return the digests of the images that are kept; None if this is not certain."""
        going = {*self._group.tags, *self._group.left_to_others}
        try:
            found = current_tags(self.store, self._deleted, self._group.needed, self._run, without=going)
            if found is None:
                return None
            in_use = attached_tags.in_use(self.store, found, self._run)
        except ImageError:
            return None
        return in_use | self._group.declared | self._failed


def _batches(deletions: t.Iterable[_Deletion]) -> list[list[_Deletion]]:
    """Return the deletions of each layout, and those of each other repository."""
    found: dict[object, list[_Deletion]] = {}
    for one in deletions:
        found.setdefault(one.store.location.root if isinstance(one.store, Batching) else one, []).append(one)
    return list(found.values())


def _delete_tags(batch: list[_Deletion]) -> None:
    """Delete image tags first, then the tags attached to these images, and finally manifests without a tag."""
    for one in batch:
        one.mark_attached()
    _remove([(one, tag) for one in batch for tag in one.image_tags()])
    _remove([(one, tag) for one in batch for tag in one.last_tags()])
    for one in batch:
        one.delete_untagged()


def _remove(tags: list[tuple[_Deletion, str]]) -> None:
    """Delete tags of a batch at once, or one by one if that fails or is not supported, so that each has its own error."""
    if not tags:
        return
    store = tags[0][0].store
    if isinstance(store, Batching):
        with contextlib.suppress(ImageError):
            errors = store.delete_tags([one.removal(tag) for one, tag in tags])
            for one, tag in tags:
                one.note(tag, errors.get(one.removal(tag)))
            return
    for one, tag in tags:
        one.remove(tag)


def _delete_attached(batch: list[_Deletion]) -> None:
    """Delete untagged artifacts of a batch at once, or repository by repository if that fails or is not supported."""
    store = batch[0].store
    read: attached_tags.Descendants = {}
    if isinstance(store, Batching):
        with contextlib.suppress(ImageError):
            _delete_unneeded(store, [found for one in batch for found in one.unneeded(read)])
            return
    for one in batch:
        one.delete_attached(read)


def _delete_unneeded(store: Repository, found: t.Sequence[tuple[Job, list[Attachment]]]) -> None:
    if isinstance(store, Store):
        delete_attached(store, [one for _image, unneeded in found for one in unneeded], _LEFT_HINT)
    for image, unneeded in found:
        image.referrers = _rows(unneeded)


def _check_unmoved(store: Repository, tag: str, known: Descriptor) -> None:
    """Raise ImageError if the tag was moved during this run. Registries delete a tag whatever it points to."""
    now = store.find(tag)
    if now and now.digest != known.digest:
        raise tag_moved(now.digest)


def _deleted(store: Repository, tag: str, known: Descriptor, attached: t.Iterable[Attachment] = ()) -> Job:
    job = Job.deleted(store.reference(tag), tag, known.digest)
    job.referrers = _rows(attached)
    return job


def _rows(attached: t.Iterable[Attachment]) -> list[dict[str, t.Any]]:
    return [{**one.summary, "action": DELETED} for one in attached]
