# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Respond to a registry's challenges with Basic or with bearer tokens (distribution's token authentication spec).

No password is sent before the registry asks for it. The first 401 of a run shows which scheme the host uses. After
that, requests carry an Authorization header from the start. Only a bearer token that the user set is sent
immediately.
"""

from __future__ import annotations

import base64
import dataclasses
import re
import threading
import time
import typing as t
from urllib.parse import urlencode

from .._errors import AccessDenied, CredentialsNotSent, ImageError, LoginRefused
from .._image import document as documents
from . import scopes as scope_text
from . import urls
from .challenge import Challenge, parse
from .credentials import Credential
from .failures import peek_details, read_details
from .identities import Find, Forget, Identities, keep
from .scopes import Scopes
from .session import Session
from .settings import hostname, is_loopback
from .transport import Response

_CLIENT_ID = "drayage.registry"
# Who a token is for, and the realm and name of its service.
_Owner = tuple[Credential, tuple[str, str]]
_PULL = frozenset(("pull",))
# The scope of distribution's list of repositories: a kind and a name, where all others have a name alone.
_CATALOG = ("registry:catalog", "*")
_MAX_RESPONSE = 1024 * 1024
_SERVICE_HINT = "Check the token service's log, and any proxy in front of it"
# Token spec: expires_in defaults to 60 s and is never less; some services send nonsense below that.
_SHORTEST_LIFE = 60.0
_LONGEST_LIFE = 30 * 24 * 3600.0
# A token that is about to end is not used for a request that may be queued behind others.
_MARGIN = 5.0
# What registries say of a token that ended early, with a status that is no challenge: ECR returns 400 or 403.
_DEAD_TOKEN = {400: re.compile("token|authori[sz]|authenticat|expired", re.I), 403: re.compile("token.*expired", re.I)}


@dataclasses.dataclass(frozen=True)
class Access:
    """The access that a request needs: actions on its repository, and pull on the repository that it mounts a blob from.

    With ``catalog``, it is access to the list of all repositories. The repository then only selects the credentials.
    """

    repository: str
    actions: frozenset[str]
    mount_from: str = ""
    catalog: bool = False

    def scopes(self) -> Scopes:
        """Return pairs of repository and action."""
        if self.catalog:
            return frozenset((_CATALOG,))
        pairs = {(self.repository, action) for action in self.actions}
        if self.mount_from:
            pairs.add((self.mount_from, "pull"))
        return frozenset(pairs)


@dataclasses.dataclass(frozen=True)
class _Token:
    header: str = dataclasses.field(repr=False)
    scopes: Scopes
    expires: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() < self.expires - _MARGIN

    def serves(self, scopes: Scopes) -> bool:
        return scopes <= self.scopes and self.is_fresh


class _ScopeDenied(AccessDenied):
    """The token service refused these scopes, but may grant fewer."""


class Authenticator:
    """Authorization headers for one registry. Thread-safe: all threads share the token that one of them fetches."""

    def __init__(self, session: Session, find: Find, forget: Forget = keep) -> None:
        self._session = session
        self._identities = Identities(find, forget)
        self._lock = threading.Lock()
        self._fetching: dict[object, threading.Lock] = {}
        # By repository: few hosts have several token services. The last one is tried for other repositories.
        self._challenges: dict[str, Challenge] = {}
        self._last_challenge: Challenge | None = None
        # By owner and the scopes that were wanted, which may be fewer than the token has.
        self._tokens: dict[tuple[_Owner, Scopes], _Token] = {}
        self._extra: Scopes = frozenset()
        self._postponed: set[str] = set()
        self._accepted: set[str] = set()

    def identity(self, access: Access) -> Credential:
        """Return the credential for this access."""
        return self._identities.of(access.repository)

    def header(self, access: Access) -> str:
        """Return the Authorization header for a request; empty if the registry has not asked for one yet."""
        identity = self.identity(access)
        if identity.bearer:
            header = _bearer(identity.bearer, "for %s" % self._session.host)
            self._session.statistics.note_secret(header)
            return header
        challenge = self._challenge_for(access)
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            self._check_refusals(identity)
            return _basic(identity) if identity.password else ""
        try:
            return self._token(access, identity, challenge, rejected="")
        except _ScopeDenied:
            if access.repository in self._challenges:
                raise
            return ""  # the registry may ask for a token of another service

    def _challenge_for(self, access: Access) -> Challenge | None:
        return self._challenges.get(access.repository, self._last_challenge)

    def _note_challenge(self, access: Access, challenge: Challenge) -> None:
        with self._lock:
            self._challenges[access.repository] = self._last_challenge = challenge

    def is_asked(self, response: Response, sent: str) -> bool:
        """Return whether a response asks for an Authorization other than ``sent``. The body stays readable."""
        status = response.status
        if status < 400 and sent.startswith("Basic "):
            self._accepted.add(sent)
        if status not in _DEAD_TOKEN or not sent.startswith("Bearer "):
            return status == 401
        details = peek_details(response)
        return _DEAD_TOKEN[status].search("%s %s" % (details.code, details.message)) is not None

    def respond(self, header: str, access: Access, rejected: str, was_fresh: bool = False) -> str:
        """Return the Authorization to try next, given the WWW-Authenticate header of a refusal; empty if there is none to try.

        ``rejected`` is the Authorization of the refused request. If it ``was_fresh``, a retry makes sense in two
        cases only: if the challenge asks for more scope (``insufficient_scope``), and once if it says that the token
        is not valid, because clocks may differ. Raises :class:`AccessDenied`.
        """
        identity = self.identity(access)
        challenge = _choose(parse(header))
        if identity.bearer:
            return ""
        if challenge is None:
            # Some registries send no challenge when a token has ended early.
            challenge = self._challenge_for(access)
            if challenge is None or challenge.scheme != "bearer" or not rejected or was_fresh:
                return ""
            return self._token(access, identity, challenge, rejected)
        if challenge.scheme == "basic":
            self._note_challenge(access, challenge)
            if identity.password and _basic(identity) == rejected:
                identity = self._identities.renewed(access.repository, identity)
            fresh = _basic(identity) if identity.password else ""
            return "" if fresh == rejected else fresh
        wanted = scope_text.parse(challenge.parameters.get("scope", "")) if rejected else frozenset()
        if was_fresh and wanted <= access.scopes() | self._extra:
            return self._once_more(challenge, rejected)
        self._note_challenge(access, challenge)
        with self._lock:
            self._extra = self._extra | wanted
        return self._token(access, identity, challenge, rejected)

    def _once_more(self, challenge: Challenge, rejected: str) -> str:
        """Return the same token again, after two seconds: by the registry's clock, it may not have been valid yet."""
        if challenge.parameters.get("error") != "invalid_token" or rejected in self._postponed:
            return ""
        self._postponed.add(rejected)
        self._session.back_off(2)
        return rejected

    def refused_login(self, response: Response, access: Access) -> ImageError | None:
        """Return the error if the registry refused the password that was sent to it, else None."""
        identity = self.identity(access)
        challenge = self._challenge_for(access)
        is_basic = challenge is not None and challenge.scheme == "basic"
        if response.status != 401 or not is_basic or not identity.password or identity.bearer:
            return None
        reason = "the registry returned %s" % str(read_details(response))
        # If it was accepted before, then only some repositories need another one.
        if _basic(identity) not in self._accepted:
            self._identities.refuse(identity, reason)
        return self._explained(self._login_refused(identity, reason), identity)

    def explained(self, error: ImageError, access: Access) -> ImageError:
        """Add a remark about the credentials to the hint of an access error. Other errors are returned unchanged."""
        return self._explained(error, self.identity(access))

    @staticmethod
    def _explained(error: ImageError, identity: Credential) -> ImageError:
        if isinstance(error, AccessDenied) and identity.remark:
            error.hint = ". ".join(part.rstrip(".") for part in (error.hint, identity.remark) if part)
        return error

    def _login_refused(self, identity: Credential, reason: str) -> ImageError:
        return LoginRefused(
            "cannot log in to %s as %s: %s" % (self._session.host, identity, reason),
            hint="Check the user name and password for %s in registries or authfile" % self._session.host,
        )

    def _check_refusals(self, identity: Credential) -> None:
        """Raise LoginRefused again for a credential that was refused."""
        reason = self._identities.refusal(identity)
        if reason:
            raise self._explained(self._login_refused(identity, reason), identity)

    def _token(self, access: Access, identity: Credential, challenge: Challenge, rejected: str) -> str:
        try:
            return self._shared_token(access, identity, challenge, rejected)
        except LoginRefused:
            renewed = self._identities.renewed(access.repository, identity)
            if renewed == identity:
                raise
        return self._shared_token(access, renewed, challenge, "")

    def _shared_token(self, access: Access, identity: Credential, challenge: Challenge, rejected: str) -> str:
        owner = (identity, challenge.service)
        scopes = access.scopes() | frozenset(pair for pair in self._extra if pair[0] == access.repository)
        with self._lock:
            lock = self._fetching.setdefault((owner, scopes), threading.Lock())
        with lock:
            token = self._stored(owner, scopes, rejected)
            if token:
                return token.header
            self._check_refusals(identity)
            try:
                token = self._fetch_any(access, scopes, identity, challenge)
            except AccessDenied as error:
                raise self._explained(error, identity) from None
            with self._lock:
                self._drop([key for key, stored in self._tokens.items() if not stored.is_fresh])
                self._tokens[owner, scopes] = token
            return token.header

    def _stored(self, owner: _Owner, scopes: Scopes, rejected: str) -> _Token | None:
        """Drop the rejected token, and return one that includes these scopes.

        One with more scopes is also stored under these, so that the next request finds it without a search.
        """
        with self._lock:
            if rejected:
                self._drop([key for key, stored in self._tokens.items() if stored.header == rejected])
            token = self._tokens.get((owner, scopes))
            if token and token.serves(scopes):
                return token
            for (other, _scopes), token in self._tokens.items():
                if token.serves(scopes) and other == owner:
                    self._tokens[owner, scopes] = token
                    return token
        return None

    def _drop(self, keys: t.Iterable[tuple[_Owner, Scopes]]) -> None:
        for key in keys:
            del self._tokens[key]

    def _fetch_any(self, access: Access, scopes: Scopes, identity: Credential, challenge: Challenge) -> _Token:
        """Request all scopes. If a service refuses all of them because of one, request fewer.

        The token is stored under the scopes that were wanted, so that it is requested only once. The registry has the
        last word.
        """
        smaller = [scopes]
        if scopes and not access.catalog:
            smaller += [Access(access.repository, actions).scopes() for actions in (access.actions, _PULL)]
        attempts = [wanted for number, wanted in enumerate(smaller) if wanted not in smaller[:number]]
        for wanted in attempts[:-1]:
            try:
                return dataclasses.replace(self._fetch(wanted, identity, challenge), scopes=scopes)
            except _ScopeDenied:
                continue
        return dataclasses.replace(self._fetch(attempts[-1], identity, challenge), scopes=scopes)

    def _fetch(self, scopes: Scopes, identity: Credential, challenge: Challenge) -> _Token:
        parameters = challenge.parameters
        if not parameters.get("realm"):
            cause = "%s requires a token, but its response specifies no token service (realm)" % self._session.host
            raise ImageError(cause, hint="Check the registry's authentication settings")
        realm = urls.resolve("", parameters["realm"], "the token service of %s" % self._session.host)
        if identity:
            realm = self._safe_realm(realm)
        query = [("service", parameters["service"])] if "service" in parameters else []
        query += [("scope", scope) for scope in scope_text.formatted(scopes)]
        document = self._request_token(realm, query, identity)
        value = document.get("token") or document.get("access_token")
        if not isinstance(value, str) or not value:
            cause = "the token service %s returned no token" % urls.host(realm)
            raise ImageError(cause, hint=_SERVICE_HINT)
        life = document.get("expires_in")
        if not isinstance(life, (int, float)) or not _SHORTEST_LIFE < life < _LONGEST_LIFE:
            life = _SHORTEST_LIFE
        return _Token(_bearer(value, "of %s" % urls.host(realm)), scopes, time.monotonic() + life)

    def _request_token(self, realm: str, query: list[tuple[str, str]], identity: Credential) -> dict[str, t.Any]:
        if identity.identity_token:
            self._session.statistics.note_secret("Bearer " + identity.identity_token)
            form = [("grant_type", "refresh_token"), ("refresh_token", identity.identity_token)]
            form += [("client_id", _CLIENT_ID)] + [pair for pair in query if pair[0] == "service"]
            form.append(("scope", " ".join(value for name, value in query if name == "scope")))
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body: bytes | None = urlencode(form).encode("ascii")
            method, url = "POST", realm
        else:
            headers = {"Authorization": _basic(identity)} if identity.password else {}
            query = query + ([("account", identity.username)] if identity.username else [])
            method, url, body = "GET", realm + ("&" if "?" in realm else "?") + urlencode(query), None
        response, content = self._session.fetch(
            lambda: self._session.exchange(method, url, headers, body, waits_for_slot=False), _MAX_RESPONSE
        )
        return self._read_token(realm, response, content, identity)

    def _read_token(self, realm: str, response: Response, content: bytes, identity: Credential) -> dict[str, t.Any]:
        service = urls.host(realm)
        status = response.status
        if status != 200:
            response.drain()
            if status == 401 and identity:
                # A wrong password is wrong for every scope: trying on would only lock the account.
                reason = "the token service %s returned 401" % service
                self._identities.refuse(identity, reason)
                raise self._login_refused(identity, reason)
            if status in (400, 401, 403, 404):
                raise _ScopeDenied(
                    "access denied: the token service %s returned %d for %s" % (service, status, identity),
                    hint="Check the credentials for %s in registries or authfile" % self._session.host,
                )
            raise ImageError("the token service %s returned %d" % (service, status), hint=_SERVICE_HINT)
        try:
            document = documents.decode(content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            cause = "the token service %s returned a response that is not a JSON object" % service
            raise ImageError(cause, hint=_SERVICE_HINT)
        return document

    def _safe_realm(self, realm: str) -> str:
        """Return the URL for credentials: over TLS, unless the user accepts plain text for this host.

        Behind a proxy that terminates TLS, a registry may say http for its own token service. Raises
        :class:`CredentialsNotSent`.
        """
        service = urls.host(realm)
        known = hostname(service) == hostname(self._session.host) and self._session.base.startswith("http:")
        if realm.startswith("https:") or known or is_loopback(service) or self._session.allows_plain_http(service):
            return realm
        own = self._session.base + "/"
        ports = (urls.origin(realm)[2], urls.origin(own)[2])
        # On another port, there may be another server.
        upgraded = urls.over_tls(realm, own) if ports == (80, 443) or ports[0] == ports[1] else realm
        if upgraded != realm:
            return upgraded
        raise CredentialsNotSent(
            "the credentials for %s were not sent, because the token service %s uses plain HTTP"
            % (self._session.host, service),
            hint="Set the URL of the token service to https in the registry's configuration. If you trust the network, set "
            "plain_http: true for %s in registries instead" % service,
        )


def _basic(identity: Credential) -> str:
    pair = "%s:%s" % (identity.username, identity.password)
    return "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")


def _bearer(token: str, what: str) -> str:
    """Check the syntax of a token (RFC 6750, 2.1). Any other text would break the header, and a library error might reveal it."""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ImageError(
            "the token %s contains invalid characters" % what, hint="Check the token for spaces and line breaks"
        )
    return "Bearer " + token


def _choose(challenges: list[Challenge]) -> Challenge | None:
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme:
                return challenge
    return None
