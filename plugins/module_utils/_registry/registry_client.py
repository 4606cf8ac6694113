# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A client for the endpoints of the OCI distribution spec, with one method for each endpoint.

It turns status codes into values or errors. The session handles retries and redirects, and the authenticator handles
challenges.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t
from urllib.parse import urlencode

from .._errors import DigestMismatch, DigestRefused, ImageError, InvalidContent, NotFound, Refused
from .._image import digest as digests
from .._image import document as documents
from .._image import media_types, schema1
from .._image.descriptor import Descriptor
from .._image.manifest import MAX_SIZE, Manifest
from . import genuine, urls
from .action import Action
from .auth import Access, Authenticator
from .failures import error_for, foreign_response, read_details, redirected_error
from .session import TRANSIENT, Session
from .transport import Response
from .warning_limit import LimitedWarnings

_MAX_TAGS = 64 * 1024 * 1024


class RegistryClient:
    """Connects to one registry, with the matching credentials for each repository."""

    def __init__(self, session: Session, authenticator: Authenticator) -> None:
        self.session = session
        self._auth = authenticator
        self._digest_warnings = LimitedWarnings(session.host, session.statistics)
        self._lock = threading.Lock()
        self._has_base: bool | None = None

    def call(
        self,
        method: str,
        path: str,
        access: Access,
        headers: t.Mapping[str, str] | None = None,
        data: bytes | None = None,
        query: t.Mapping[str, str] | None = None,
        retry_on: t.Collection[int] = TRANSIENT,
    ) -> Response:
        """Send a request to a path below ``/v2/`` and respond to challenges. The body of the response is unread.

        The request is repeated after responses with a status in ``retry_on``.
        """
        url = "%s/v2/%s" % (self.session.base, path)
        if query:
            url += "?" + urlencode(query)
        return self.authorized(
            access, headers or {}, lambda sent: self.session.exchange(method, url, sent, data, retry_on)
        )

    def fetch(
        self,
        access: Access,
        target: str,
        limit: int,
        action: Action,
        headers: t.Mapping[str, str] | None = None,
    ) -> tuple[Response, bytes]:
        """GET ``target``, a path and query on the registry, and read a body of at most ``limit`` bytes.

        The request is repeated if the connection breaks while the body is read. Raises the errors of
        :meth:`Session.read`, and those of :meth:`error_for` if the status is not 200.
        """
        url = self.session.base + target
        response, body = self.session.fetch(
            lambda: self.authorized(access, headers or {}, lambda sent: self.session.exchange("GET", url, sent)), limit
        )
        if response.status != 200:
            raise self.error_for(response, action, access)
        return response, body

    def authorized(
        self,
        access: Access,
        headers: t.Mapping[str, str],
        send: t.Callable[[dict[str, str]], Response],
        again: bool = True,
    ) -> Response:
        """Call ``send`` with the headers and an Authorization, and call it again if the response is a challenge.

        Only challenges from the registry count, not those from storage that it redirects to. If ``again`` is false,
        the request cannot be repeated, because its body was a stream. The next request then carries what the
        challenge asks for, and ``was_challenged`` of the response is true.
        """
        authorization = self._auth.header(access)
        response = send(_with(headers, authorization))
        for was_fresh in (False, True, True):
            if not self.session.is_own(response.url) or not self._auth.is_asked(response, access, authorization):
                break
            challenge = response.headers.get("WWW-Authenticate", "")
            try:
                authorization = self._auth.respond(challenge, access, authorization, was_fresh)
            except BaseException:
                response.close()
                raise
            if not authorization or not again:
                response.was_challenged = bool(authorization)
                break
            response.drain()
            response = send(_with(headers, authorization))
        return response

    def send_unchallenged(
        self, access: Access, headers: t.Mapping[str, str], send: t.Callable[[dict[str, str]], Response]
    ) -> Response:
        """Call ``send`` with the Authorization that is already known, and return the response without handling challenges."""
        return send(_with(headers, self._auth.header(access)))

    @contextlib.contextmanager
    def parsing(self, response: Response, action: Action) -> t.Iterator[None]:
        """If the block raises InvalidContent for a response that is a web page, raise an error about its sender instead."""
        try:
            yield
        except InvalidContent:
            if genuine.is_page(response):
                raise foreign_response(urls.host(response.url), response, action) from None
            raise

    def error_for(self, response: Response, action: Action, access: Access, digest: str = "") -> ImageError:
        """Return the error for a response that does not fulfill the action; ``digest`` is the digest of a blob."""
        if not self.session.is_own(response.url):
            return redirected_error(self.session.host, urls.host(response.url), response, action, digest)
        refused_login = self._auth.refused_login(response, access)
        if refused_login:
            return refused_login
        identity = str(self._auth.identity(access))
        host, quota = self.session.host, self.session.quota
        error = error_for(host, response, action, identity, quota, self._is_registry, digest)
        return self._auth.explained(error, access)

    def is_absence(self, response: Response) -> bool:
        """Return whether a response without a body is a 404 from a registry rather than from some other server."""
        if response.status != 404:
            return False
        return genuine.is_marked(response) or (self.session.is_own(response.url) and self._is_registry())

    def _is_registry(self) -> bool:
        """Return whether the host responds to GET ``/v2/`` like a registry. The request is sent once, without credentials.

        This must not wait for a free connection, because the thread that holds it may be waiting for this result.
        Raises :class:`Refused` if the response leaves it open.
        """
        with self._lock:
            if self._has_base is None:
                response = self.session.exchange("GET", self.session.base + "/v2/", {}, waits_for_slot=False)
                if response.status in TRANSIENT:  # this says nothing about the host
                    raise error_for(self.session.host, response, Action.CHECK_REGISTRY, "anonymous users")
                self._has_base = genuine.is_base(response, read_details(response).code)
            return self._has_base

    def check(self) -> None:
        """Check that the registry accepts the credentials. Raises :class:`AccessDenied`; :class:`Refused` if the host is not a registry."""
        nowhere = Access("", frozenset())
        response = self.call("GET", "", nowhere)
        if response.status in (200, 404) and not genuine.is_base(response, ""):
            response.drain()
            raise foreign_response(self.session.host, response, Action.LOG_IN)
        if response.status != 200:
            raise self.error_for(response, Action.LOG_IN, nowhere)
        response.drain()

    # Manifests

    def head_manifest(
        self, access: Access, name: str, legacy: bool = False, is_certain: bool = False
    ) -> Descriptor | None:
        """Return what a tag or digest points to now, None if it does not exist; for ``legacy`` see :meth:`get_manifest`.

        Docker Hub does not count HEAD requests as pulls. If HEAD returns neither a manifest nor a 404 from a
        registry, a GET request decides: storage may have signed its URL for GET only, and some registries do not
        support HEAD. With ``is_certain``, GET also confirms a 404.
        """
        response = self.call("HEAD", _manifest_path(access, name), access, _ACCEPT_LEGACY if legacy else _ACCEPT)
        response.drain()
        if response.status == 200:
            descriptor = _descriptor_of(response, legacy)
            if descriptor:
                return descriptor
        elif self._is_final(response):
            raise self.error_for(response, Action.READ_MANIFEST, access)
        elif not is_certain and self.is_absence(response):
            return None
        try:
            return self.get_manifest(access, name, legacy).descriptor
        except NotFound:
            return None

    def _is_final(self, response: Response) -> bool:
        """Return whether GET would fail like HEAD did, because of the credentials or the rate limit."""
        return response.status == 429 or (response.status == 401 and self.session.is_own(response.url))

    def get_manifest(self, access: Access, name: str, legacy: bool = False) -> Manifest:
        """Return the verified manifest for a tag or digest; with ``legacy`` also a schema 1 manifest, which can only be inspected.

        Raises :class:`NotFound`.
        """
        accept = _ACCEPT_LEGACY if legacy else _ACCEPT
        target = "/v2/" + _manifest_path(access, name)
        response, raw = self.fetch(access, target, MAX_SIZE, Action.READ_MANIFEST, accept)
        headers = response.headers
        parse = schema1.parse if legacy else Manifest.parse
        with self.parsing(response, Action.READ_MANIFEST):
            manifest = parse(raw, headers.get("Content-Type", ""), name if ":" in name else None)
        stated = headers.get("Docker-Content-Digest", manifest.digest)
        is_sha256 = digests.is_digest(stated) and digests.split(stated)[0] == "sha256"
        if is_sha256 and stated not in (digests.of(raw), manifest.digest):
            self._digest_warnings.warn(
                "%s returned %s:%s with the digest %s in the Docker-Content-Digest header, but the content has the digest %s. "
                "Check the registry, and any proxy in front of it."
                % (self.session.host, access.repository, name, stated, manifest.digest)
            )
        return manifest

    def put_manifest(self, access: Access, name: str, manifest: Manifest) -> str:
        """Push a manifest under a tag or its digest. Return the subject that the registry listed it for, if any.

        Raises :class:`ContentMissing` if the registry does not have the content that the manifest refers to.
        """
        headers = {"Content-Type": manifest.media_type}
        attempt = 0
        while True:
            response = self.call("PUT", _manifest_path(access, name), access, headers, manifest.raw)
            if 200 <= response.status < 300:
                check_stored(response, manifest.digest, self.session.host, Action.PUSH_MANIFEST)
                return response.headers.get("OCI-Subject", "")
            error = self.error_for(response, Action.PUSH_MANIFEST, access)
            if isinstance(error, Refused) and error.status == 500 and manifest.has_foreign_layers:
                error.hint = _FOREIGN_HINT
            # Distribution says so while another client pushes the same manifest, or a child of it, at the same moment.
            if not isinstance(error, DigestRefused) or attempt >= self.session.policy.retries:
                raise error
            self.session.back_off(attempt)
            attempt += 1

    def delete_manifest(self, access: Access, name: str, exists: bool = True) -> bool:
        """Delete only a tag, or a manifest by its digest with all its tags. Return False if it does not exist.

        Only 202 means success (OCI distribution spec, "Deleting Manifests"). HEAD decides after other responses that
        may mean success. ``exists`` is false for a name that cannot exist. Raises :class:`Refused`, for example if
        this registry cannot delete tags.
        """
        action = Action.DELETE_MANIFEST if ":" in name else Action.DELETE_TAG
        response = self.call("DELETE", _manifest_path(access, name), access)
        status = response.status
        if not (200 <= status < 300 or status == 404):
            raise self.error_for(response, action, access)
        response.drain()
        if genuine.is_page(response) and not (status == 404 and exists):
            raise foreign_response(self.session.host, response, action)
        if status == 202 or not exists:
            return status != 404
        if self.head_manifest(access, name, legacy=True) is None:
            # The first attempt may have deleted it although its response was lost.
            return status != 404 or response.was_repeated
        kept = "manifest" if action is Action.DELETE_MANIFEST else "tag"
        cause = "cannot %s: %s returned %d, but the %s still exists" % (action.text(), self.session.host, status, kept)
        raise Refused(cause, hint="Check the registry's log", status=status)

    # Blobs (uploads are in upload.py, downloads in download.py)

    def has_blob(self, access: Access, digest: str) -> bool:
        """Return whether HEAD finds a blob. A redirect to storage that has it counts, whatever size it states.

        False does not prove that the blob is absent. Use :meth:`can_read_blob`, or upload it, to be certain.
        """
        response = self.call("HEAD", blob_path(access, digest), access)
        response.drain()
        if self._is_final(response):
            raise self.error_for(response, Action.FIND_BLOB, access, digest)
        return response.status == 200 and not genuine.is_page(response)

    def can_read_blob(self, access: Access, digest: str) -> bool:
        """Return whether a blob that HEAD did not find can be read, by a GET for its first byte."""
        response = self.call("GET", blob_path(access, digest), access, {"Range": "bytes=0-0"})
        # Nothing but an empty blob has no first byte.
        if response.status in (206, 416) or (response.status == 200 and not genuine.is_page(response)):
            response.close()
            return True
        error = self.error_for(response, Action.FIND_BLOB, access, digest)
        # What storage lost is missing, although its registry knows of it.
        if isinstance(error, NotFound) or (response.status == 404 and not self.session.is_own(response.url)):
            return False
        raise error

    # Tags

    def has_repository(self, access: Access) -> bool:
        """Return whether the repository has tags; also True if the registry does not say."""
        response = self.call("GET", "%s/tags/list" % access.repository, access, query={"n": "1"})
        if response.status != 200:
            response.drain()
            return not self.is_absence(response)
        try:
            return bool(documents.decode(self.session.read(response, _MAX_TAGS)).get("tags"))
        except (ValueError, AttributeError, ImageError):
            return True


_FOREIGN_HINT = "Allow the URLs of foreign layers in the registry (in distribution: validation.manifests.urls.allow)"
_ACCEPT = {"Accept": media_types.ACCEPT}
_ACCEPT_LEGACY = {"Accept": ", ".join((media_types.ACCEPT, *sorted(media_types.SCHEMA1)))}


def check_stored(response: Response, digest: str, host: str, action: Action) -> None:
    """Drain a 2xx response, and raise an error unless it says that content with this digest was stored.

    Some registries return 201 for content under a wrong digest, which raises :class:`DigestMismatch`. Portals and
    maintenance pages return 200, which raises :class:`Refused`.
    """
    response.drain()
    stated = response.headers.get("Docker-Content-Digest")
    if stated and digests.is_digest(stated) and stated.split(":")[0] == digest.split(":")[0] and stated != digest:
        cause = "digest mismatch: %s stored content %s under the digest %s" % (host, digest, stated)
        raise DigestMismatch(cause, hint="Check the registry's log")
    if not genuine.is_stored(response, digest):
        raise foreign_response(host, response, action, digest)


def _with(headers: t.Mapping[str, str], authorization: str) -> dict[str, str]:
    return dict(headers, Authorization=authorization) if authorization else dict(headers)


def blob_path(access: Access, digest: str) -> str:
    """Return the path of a blob below ``/v2/``."""
    return "%s/blobs/%s" % (access.repository, digest)


def _manifest_path(access: Access, name: str) -> str:
    return "%s/manifests/%s" % (access.repository, name)


def _descriptor_of(response: Response, legacy: bool) -> Descriptor | None:
    """Return the descriptor from the headers of a HEAD response; None if one of them is missing."""
    headers = response.headers
    media_type = headers.get("Content-Type", "").partition(";")[0].strip()
    digest, size = headers.get("Docker-Content-Digest", ""), response.length
    known = media_type in media_types.MANIFESTS or media_type in media_types.INDEXES
    known = known or (legacy and media_type in media_types.SCHEMA1)
    if not known or not digests.is_digest(digest) or size is None:
        return None
    return Descriptor(media_type, digest, size)
