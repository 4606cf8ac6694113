# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Referrers in one repository: OCI distribution spec 1.1, "Listing Referrers", and the referrers tag schema.

The responses of a registry show whether it has the API, and the result is cached: a 200 to GET, or the header
OCI-Subject in the response to a push. A 404 shows that there is no API only if the repository exists, because
registries with the API also return 404 for unknown repositories.
"""

from __future__ import annotations

import threading
import time
import typing as t
from urllib.parse import urlencode

from .._errors import ContentMissing, InvalidContent, NotFound, Refused, naming
from .._image import referrers, signature_file
from .._image.descriptor import Descriptor
from .._image.graph import MAX_MANIFESTS
from .._image.manifest import MAX_SIZE, Manifest
from .._settling import wait_for_others
from .action import Action
from .auth import Access
from .registry_client import RegistryClient
from .tag_list import ListLimits, list_tags, read_list

_LIMITS = ListLimits(page=MAX_SIZE, pages=1000, items=MAX_MANIFESTS)
# Registries without the API return these for a path that they do not know, beside 404.
_NO_API = frozenset((400, 405, 501))
# How often a list is written again because another client has overwritten it.
_WRITES = 10


class ReferrersClient:
    """Lists the referrers of manifests in one repository, and maintains the lists if the registry does not. Thread-safe.

    With ``reads_tags``, the tag list of the repository shows which subjects have a list of referrers. For many
    subjects, this costs less than a request for each.
    """

    def __init__(self, client: RegistryClient, access: Access, reads_tags: bool = True) -> None:
        self._client = client
        self._access = access
        self._reads_tags = reads_tags
        self._has_api: bool | None = None
        self._is_known = False
        self._indexed: set[str] = set()
        self._seen: set[str] = set()
        self._tags: set[str] | None = None
        self._asking = threading.RLock()
        self._writing: dict[str, threading.Lock] = {}

    def note_repository(self) -> None:
        """Note that the repository exists, so that a 404 shows that there is no API."""
        self._is_known = True

    def keeps(self, tag: str) -> bool:
        """Return True, except for GPG signatures, for which registries have no tag."""
        return not signature_file.is_gpg(tag)

    def seen(self, subject: str, without: t.Collection[str] = ()) -> bool:
        """Return whether a response has shown referrers of a digest, other than these tags."""
        listed = self._tags or ()
        tags = [tag for tag in referrers.digest_tags(subject) if tag in self._seen or tag in listed]
        return subject in self._seen or not set(tags).issubset(without)

    def note_tag(self, tag: str) -> None:
        """Note that a tag exists."""
        if referrers.is_digest_tag(tag):
            self._seen.add(tag)

    def entries(self, subject: str, artifact_type: str = "", is_only: bool = False) -> list[Descriptor]:
        """Return what the registry lists as referrers of a digest. Only their manifests show whether they are.

        ``artifact_type`` is sent to registries with the API, which may ignore it. With ``is_only``, the tag list is
        not read for this. Raises ImageError.
        """
        found = self._ask(subject, artifact_type)
        found = self._list_by_tag(subject, self._reads_tags and not is_only) if found is None else found
        if found:
            self._seen.add(subject)
        return found

    def cosign_tags(self, subject: str) -> list[str]:
        """Return the cosign tags for a digest in this repository. The tag list is read only once."""
        return sorted(self._digest_tags().intersection(referrers.cosign_tags(subject)))

    def push(self, manifest: Manifest) -> None:
        """Push a referrer under its digest. Call :meth:`attach` afterwards, because the registry may not list it by itself."""
        stated = self._client.put_manifest(self._access, manifest.digest, manifest)
        self._is_known = True
        if stated and stated == referrers.subject_of(manifest):
            self._has_api = True
            self._indexed.add(manifest.digest)

    def attach(self, subject: str, manifests: t.Sequence[Manifest]) -> None:
        """Add pushed manifests to the list of a subject. If the registry has confirmed that it lists them, no request is sent.

        Raises :class:`Refused` if the tag of the list points to something else.
        """
        missing = [manifest for manifest in manifests if manifest.digest not in self._indexed]
        if missing:
            listed = {entry.digest for entry in self._ask(subject) or ()}
            missing = [manifest for manifest in missing if manifest.digest not in listed]
        if missing:
            self._write(subject, lambda current: referrers.with_entries(current, missing))

    def detach(self, subject: str, digests: t.Collection[str]) -> None:
        """Remove manifests from the list of a subject if clients maintain this list.

        A registry with the API removes them itself when the manifests are deleted.
        """
        if self._has_api is None:
            self._ask(subject)
        if self._has_api and not (self._tags and referrers.list_tag(subject) in self._tags):
            return
        self._write(subject, lambda current: current and referrers.without_entries(current, digests))

    def _ask(self, subject: str, artifact_type: str = "") -> list[Descriptor] | None:
        """Return the response of the API; None if the registry has no API."""
        if self._has_api is not None:
            return self._list_by_api(subject, artifact_type) if self._has_api else None
        with self._asking:  # the first response decides for all threads
            return None if self._has_api is False else self._list_by_api(subject, artifact_type)

    def _list_by_api(self, subject: str, artifact_type: str) -> list[Descriptor] | None:
        target = "/v2/%s/referrers/%s" % (self._access.repository, subject)
        if artifact_type:
            target += "?" + urlencode({"artifactType": artifact_type})
        try:
            found = read_list(
                self._client, self._access, target, Action.LIST_REFERRERS, referrers.read_entries, _LIMITS
            )
        except (NotFound, Refused) as error:
            if isinstance(error, Refused) and error.status not in _NO_API:
                raise
            if self._is_known and self._has_api is None:
                self._has_api = False
            return None
        self._has_api = True
        return found

    def note_tags(self, tags: t.Iterable[str]) -> None:
        """Note all tags of the repository, so that the tag list need not be read again."""
        self._tags = set(filter(referrers.is_digest_tag, tags))
        self.note_repository()

    def _list_by_tag(self, subject: str, reads_tags: bool) -> list[Descriptor]:
        if reads_tags:
            self._digest_tags()
        if self._tags is not None and referrers.list_tag(subject) not in self._tags:
            return []
        try:
            current = self._read(subject)
        except InvalidContent:
            return []
        return referrers.hints(current.children) if current and referrers.is_list(current, subject) else []

    def _digest_tags(self) -> set[str]:
        """Return the tags that contain digests. They are read once."""
        with self._asking:
            if self._tags is None:
                try:
                    self.note_tags(list_tags(self._client, self._access))
                except NotFound:
                    self._tags = set()
            return self._tags or set()

    def _read(self, subject: str) -> Manifest | None:
        """Return what the tag of a list points to; None if the tag does not exist."""
        try:
            found = self._client.get_manifest(self._access, referrers.list_tag(subject))
        except NotFound:
            return None
        self.note_repository()
        return found

    def _write(self, subject: str, change: t.Callable[[Manifest | None], Manifest | None]) -> None:
        """Write the list of a subject until reading it again shows that nothing is left to change.

        No registry supports conditional writes. Two clients that write at the same time can remove each other's
        entries, and only reading the list again shows this.
        """
        with self._writing.setdefault(subject, threading.Lock()):
            for attempt in range(_WRITES):
                if attempt > 1:
                    self._client.session.back_off(attempt - 2)
                start = time.monotonic()
                current = self._read_own(subject)
                wanted = change(current)
                if wanted is None or (current and wanted.children == current.children):
                    return
                self._replace(subject, current, wanted)
                wait_for_others(start)
        raise Refused(
            "cannot update the referrers of %s: other clients overwrote the list of referrers %d times"
            % (subject, _WRITES),
            hint="Run the task again when no other client is attaching referrers to this image",
        )

    def _read_own(self, subject: str) -> Manifest | None:
        """Return the current list of a subject. Raises :class:`Refused` if the tag points to something else."""
        error = Refused(
            "cannot list the referrers of %s: the registry has no referrers API, and the tag %s does not point to a list of "
            "referrers" % (subject, referrers.list_tag(subject)),
            hint="Copy the image without referrers, or use a registry with the referrers API. If the tag was created by cosign copy, delete it",
        )
        try:
            current = self._read(subject)
        except InvalidContent:
            raise error from None
        if current and not referrers.is_list(current, subject):
            raise error
        return current

    def _replace(self, subject: str, current: Manifest | None, wanted: Manifest) -> None:
        """Replace a list. If it has no entries, delete it, if the registry supports deletion."""
        tag = referrers.list_tag(subject)
        if current and not wanted.children:
            try:
                self._client.delete_manifest(self._access, current.digest)
                if self._tags:
                    self._tags.discard(tag)
                return
            except Refused:
                pass  # an empty list says the same
        with naming("%s/%s:%s" % (self._client.session.host, self._access.repository, tag)):
            try:
                self._client.put_manifest(self._access, tag, wanted)
            except ContentMissing:  # some registries refuse a list that has what was deleted
                self._client.put_manifest(self._access, tag, self._without_absent(current, wanted))
        if self._tags is not None:
            self._tags.add(tag)

    def _without_absent(self, current: Manifest | None, wanted: Manifest) -> Manifest:
        """Return the list without entries of ``current`` whose manifests certainly no longer exist."""
        known = [entry.digest for entry in current.children] if current else []
        absent = {one for one in known if not self._client.head_manifest(self._access, one, is_certain=True)}
        return referrers.without_entries(wanted, absent)
