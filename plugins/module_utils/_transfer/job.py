# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""One image at one destination, with everything that a run finds out about it and does for it."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from .._errors import ImageError
from .._image.descriptor import Descriptor
from .request import CopyRequest, Heads, Plan, RepositoryRequest

CREATED, UPDATED, UNCHANGED, DELETED, FAILED = "created", "updated", "unchanged", "deleted", "failed"


@dataclasses.dataclass
class Moved:
    """The blobs that a job has transferred or will transfer. ``bytes`` went through this machine."""

    copied: int = 0
    mounted: int = 0
    bytes: int = 0
    bytes_mounted: int = 0

    def add(self, blob: Descriptor, was_mounted: bool) -> None:
        """Count one more blob."""
        if was_mounted:
            self.mounted += 1
            self.bytes_mounted += blob.size
        else:
            self.copied += 1
            self.bytes += blob.size


# What most jobs have; each stage that finds something replaces it.
_NOTHING = Moved()
_NONE: list[dict[str, t.Any]] = []


class NotTried(ImageError):
    """The run stopped before this image, which has no error itself."""


class Job:
    """An image at one destination. Each stage of a run sets its own fields and does not change those of other stages.

    Declared: ``src`` and ``dest`` are the references for messages, and ``name`` is the tag or digest in ``dest``
    (empty if it has none). ``shared`` is the request for the image or its repository (None for jobs that are only
    reported, such as a repository that could not be listed). With ``missing_ok``, the source may be absent. Compared:
    ``heads`` has the descriptors on both sides. Planned: ``plan``. Decided: ``action`` (empty before), ``digest``
    (empty if unknown), ``previous``, which is the previous digest at the destination, ``referrers``, the result of
    modules, and ``is_left_out`` if the destination does not get the image because the site has it. Executed:
    ``moved`` (before that, the prediction) and ``is_done``. ``error`` is the reason for the action FAILED.
    """

    __slots__ = (
        "action",
        "dest",
        "digest",
        "error",
        "heads",
        "is_done",
        "is_left_out",
        "missing_ok",
        "moved",
        "name",
        "plan",
        "previous",
        "referrers",
        "shared",
        "src",
    )

    def __init__(
        self,
        src: str,
        dest: str,
        name: str = "",
        request: CopyRequest | RepositoryRequest | None = None,
        missing_ok: bool = False,
    ) -> None:
        self.src = src
        self.dest = dest
        self.name = name
        self.shared = request
        self.missing_ok = missing_ok
        self.heads: Heads | None = None
        self.plan: Plan | None = None
        self.action = ""
        self.digest = ""
        self.previous: str | None = None
        self.referrers: t.Sequence[dict[str, t.Any]] = _NONE
        self.is_left_out = False
        self.moved = _NOTHING
        self.is_done = False
        self.error: ImageError | None = None

    @classmethod
    def failed(cls, src: str, dest: str, error: ImageError, name: str = "") -> Job:
        """Return a job for images that could not be declared or inspected."""
        job = cls(src, dest, name)
        job.fail(error)
        return job

    @classmethod
    def deleted(cls, dest: str, name: str, digest: str) -> Job:
        """Return a job for a tag that is deleted from the destination."""
        job = cls("", dest, name)
        job.action, job.digest, job.previous = DELETED, digest, digest
        return job

    def decide_unchanged(self, digest: str = "") -> None:
        """Note that the destination is up to date; ``digest`` is empty if it was not resolved."""
        self.action, self.digest = UNCHANGED, digest

    def leave_out(self, digest: str) -> None:
        """Note that the destination does not get the image, because the site has it."""
        self.decide_unchanged(digest)
        self.is_left_out = True

    def decide(self, plan: Plan) -> None:
        """Set the plan, which determines the action."""
        self.plan = plan
        self.digest = plan.top.digest
        self.previous = next(iter(plan.previous.values()))
        self.referrers = plan.attached.results if plan.attached else _NONE
        self.action = UNCHANGED if not plan.changed else UPDATED if self.previous else CREATED

    def fail(self, error: ImageError) -> None:
        """Set the first error. Its traceback is dropped to save memory, as thousands of images may fail."""
        if self.error is None:
            error.__traceback__ = error.__context__ = error.__cause__ = None
            self.action, self.digest, self.error = FAILED, "", error

    @property
    def request(self) -> CopyRequest | None:
        """What to copy. If the images of a repository share a request, it is created each time."""
        return self.shared.of(self.name) if isinstance(self.shared, RepositoryRequest) else self.shared

    @property
    def planned(self) -> Plan:
        """The plan of a job that has one."""
        if self.plan is None:
            raise ValueError("there is no plan for %s" % self.dest)
        return self.plan

    @property
    def is_pending(self) -> bool:
        """Whether the plan has anything to execute."""
        return self.plan is not None and self.plan.changed and not self.is_done

    @property
    def repository(self) -> str:
        """The destination without tag or digest."""
        return self.dest[: -len(self.name) - 1] if self.name else self.dest


class Event(enum.Enum):
    """An event that observers receive, about a job or one of its blobs."""

    PLANNED = enum.auto()
    BLOB_STARTED = enum.auto()
    BLOB_BYTES = enum.auto()
    BLOB_FINISHED = enum.auto()
    BLOB_MOUNTED = enum.auto()
    FINISHED = enum.auto()
    FAILED = enum.auto()


# Called with the event, the job, its blob (None for events of the whole job) and the bytes that have just been read; by
# several threads at once. A blob that is retried starts again.
Observe = t.Callable[[Event, Job, t.Optional[Descriptor], int], None]


def ignore(event: Event, job: Job, blob: Descriptor | None, size: int) -> None:
    """Ignore an event."""
