# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Copy one image from one reference to another."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

from .._errors import FormatRefused, ImageError, InvalidReference, naming
from .._image import convert
from .._image import reference as references
from .._image.platform import Platform
from .._image.reference import EngineReference, LocalReference, Reference, RegistryReference
from .._imports import importing
from .._transfer.conversion import Conversion
from .._transfer.job import Job
from .._transfer.plan import plan_copy
from .._transfer.prediction import predict
from .._transfer.request import CopyRequest, Plan
from .cost import check_bytes, cost_of, warn_of_shortage
from .left_behind import warn_of_left_behind, warn_of_unsupported
from .signing.gate import OPEN, Gate
from .stores import Stores


@dataclasses.dataclass(frozen=True)
class CopyOptions:
    """The options of image_copy, as the user wrote them."""

    src: str
    dest: str
    tags: t.Sequence[str] = ()
    platforms: t.Sequence[str] = ()
    platform_mode: str = "strip"
    format: str = "preserve"
    attestations: str = "keep"
    remove_signatures: bool = False
    referrers: bool = False
    artifact_types: t.Sequence[str] = ()
    force: bool = False
    max_bytes: int | None = None


@dataclasses.dataclass(frozen=True)
class Copied:
    """The result of a copy. In a dry run, ``moved`` of the job is a prediction.

    ``references`` are those of the destination. ``image`` is its reference by digest, if the destination supports
    that.
    """

    job: Job
    references: list[str]
    image: str
    cost: dict[str, t.Any]


def copy(options: CopyOptions, stores: Stores, gate: Gate = OPEN) -> Copied:
    """Copy the image. A dry run only predicts the result.

    Nothing is written unless the image passes the gate. Raises :class:`ImageError`.
    """
    source = references.parse(options.src)
    destination = references.named_after(references.parse(options.dest), source)
    references.refuse_official(options.dest, destination)
    tags = _destination_tags(source, destination, options.tags)
    mount_from = _mount_source(source, destination)
    request = CopyRequest(
        source=stores.open(source),
        name=references.name_or_default(source),
        destination=stores.open(destination, writable=True, mount_from=mount_from),
        tags=tags,
        digest=destination.digest,
        platforms=tuple(Platform.parse(text) for text in options.platforms),
        sparse=options.platform_mode == "sparse",
        as_image=options.platform_mode == "image",
        thorough=options.force,
        conversion=Conversion.of_options(options.format, options.attestations),
        unsigned=options.remove_signatures,
        referrers=options.referrers,
        artifact_types=tuple(options.artifact_types),
    )
    job = Job(str(source), str(destination), request=request)
    if options.referrers:
        with importing:
            from .._transfer.companions import check_referrers

        check_referrers(request.source, request.destination)
    with naming(destination):
        if request.conversion:
            stores.run.enter("converting", str(source))
        with concurrent.futures.ThreadPoolExecutor(stores.run.jobs) as pool:
            job.decide(plan_copy(request, pool))
        if gate.rules:
            stores.run.enter("verifying", str(source))
        gate.check_plan(source, request.source, job.planned)
        predict([job])
        cost = cost_of([job], stores.run.statistics)
        check_bytes([job], options.max_bytes)
        warn_of_shortage(cost, job.moved.bytes, stores.run.warn)
        warn_of_left_behind([job], stores.run)
        warn_of_unsupported([job], stores.run)
        if job.is_pending and not stores.run.dry_run:
            with importing:
                from .._transfer.execute import execute

            execute([job], stores.run, observe=stores.run.observe)
        if job.error:
            raise _with_format(job.error, job.planned)
    plan = job.planned
    if plan.changed and plan.lost:
        stores.run.warn(
            "%s: Docker's format does not support annotations, so these were left out: %s"
            % (destination, ", ".join(sorted(plan.lost)))
        )
    written = [request.destination.reference(name) for name in plan.previous]
    return Copied(job, written, references.pinned(destination, plan.top.digest) or written[0], cost)


def _with_format(error: ImageError, plan: Plan) -> ImageError:
    """Add a hint to the error if a conversion would help. It is not done automatically, because it changes the digest."""
    manifest = plan.selection.manifest if plan.selection and not plan.request.conversion.family else None
    if isinstance(error, FormatRefused) and manifest and (manifest.is_index or convert.is_image(manifest)):
        other = convert.OCI if convert.is_of(manifest, convert.DOCKER) else convert.DOCKER
        error.hint += ", or set format: %s to convert the image, which changes its digest" % other
    return error


def _destination_tags(source: Reference, destination: Reference, more: t.Sequence[str]) -> tuple[str, ...]:
    """Return the tags to write; none if the destination has only a digest, or if dest has no tag and src has only a digest.

    The only image of a location without names has an empty name.
    """
    if not destination.has_names:
        if more:
            raise InvalidReference("images in directories have no tags", destination, "Remove the tags option")
        return ("",)
    for tag in more:
        if not destination.may_be_named(tag):
            raise InvalidReference(
                "tags: %r is not a valid tag" % tag, destination, "Write only the tag, without a repository"
            )
    first = destination.tag
    if not first and not destination.digest:
        first = _tag_of(source)
        if not first and isinstance(destination, EngineReference):
            raise InvalidReference("neither dest nor src has a tag", destination, "Add a tag to dest")
    if first and not destination.may_be_named(first):
        raise InvalidReference("%r is not a valid tag for dest" % first, destination, "Set a valid tag in dest")
    return tuple(dict.fromkeys([first, *more] if first else more))


def _tag_of(source: Reference) -> str:
    """Return the tag for a destination without one. Names in a layout may be full references."""
    if not isinstance(source, LocalReference):
        return source.tag or ("" if source.digest else "latest")
    if not source.tag or references.is_tag(source.tag):
        return source.tag or "latest"
    try:
        return references.parse_registry(source.tag).tag or "latest"
    except InvalidReference:
        raise ImageError(
            "neither dest nor the name %r in src contains a tag" % source.tag, source, "Add a tag to dest"
        ) from None


def _mount_source(source: Reference, destination: Reference) -> str:
    if isinstance(source, RegistryReference) and isinstance(destination, RegistryReference):
        if source.host == destination.host and source.repository != destination.repository:
            return source.repository
    return ""
