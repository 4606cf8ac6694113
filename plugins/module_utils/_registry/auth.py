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

import dataclasses
import re
import threading
import typing as t

from .._errors import AccessDenied, ImageError, LoginRefused
from . import scopes as scope_text
from .challenge import Challenge, parse
from .credentials import Credential
from .failures import peek_details, read_details
from .identities import REGISTRY, Find, Forget, Identities, Service, keep, login_refused
from .scopes import Scopes
from .session import Session
from .token_services import ScopeDenied, Token, TokenServices, basic, bearer
from .transport import Response

# Who a token is for, and the realm and name of its service.
_Owner = tuple[Credential, Service]
_PULL = frozenset(("pull",))
# The scope of distribution's list of repositories: a kind and a name, where all others have a name alone.
_CATALOG = ("registry:catalog", "*")
# Statuses below 500 that do not prove that the password is right: servers may return them before they check it.
_UNCHECKED = (401, 403, 407, 429)
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


class Authenticator:
    """Authorization headers for one registry. Thread-safe: all threads share the token that one of them fetches."""

    def __init__(self, session: Session, find: Find, forget: Forget = keep) -> None:
        self._session = session
        self._identities = Identities(find, forget)
        self._services = TokenServices(session, self._identities)
        self._lock = threading.Lock()
        self._fetching: dict[object, threading.Lock] = {}
        self._confirming = threading.Lock()
        # By repository: few hosts have several token services. The last one of a credential is tried for its other
        # repositories. A password is not sent to a service that was not stated for it.
        self._challenges: dict[str, Challenge] = {}
        self._last_challenges: dict[Credential, Challenge] = {}
        # By owner and the scopes that were wanted, which may be fewer than the token has.
        self._tokens: dict[tuple[_Owner, Scopes], Token] = {}
        self._extra: Scopes = frozenset()
        self._postponed: set[str] = set()

    def identity(self, access: Access) -> Credential:
        """Return the credential for this access."""
        return self._identities.of(access.repository)

    def header(self, access: Access) -> str:
        """Return the Authorization header for a request; empty if the registry has not asked for one yet."""
        identity = self.identity(access)
        if identity.bearer:
            header = bearer(identity.bearer, "for %s" % self._session.host)
            self._session.statistics.note_secret(header)
            return header
        challenge = self._challenge_for(access, identity)
        if challenge is None:
            return ""
        try:
            if challenge.scheme == "basic":
                return self._password(identity)
            return self._token(access, identity, challenge, rejected="")
        except AccessDenied:
            if access.repository in self._challenges:
                raise
            return ""  # the registry may ask for something else, such as a token of another service

    def _challenge_for(self, access: Access, identity: Credential) -> Challenge | None:
        return self._challenges.get(access.repository) or self._last_challenges.get(identity)

    def _note_challenge(self, access: Access, identity: Credential, challenge: Challenge) -> None:
        with self._lock:
            self._challenges[access.repository] = self._last_challenges[identity] = challenge

    def is_asked(self, response: Response, access: Access, sent: str) -> bool:
        """Return whether a response asks for an Authorization other than ``sent``. The body stays readable."""
        status = response.status
        if sent.startswith("Basic ") and status < 500 and status not in _UNCHECKED:
            identity = self.identity(access)
            if basic(identity) == sent:
                self._identities.accept(identity, REGISTRY)
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
            challenge = self._challenge_for(access, identity)
            if challenge is None or challenge.scheme != "bearer" or not rejected or was_fresh:
                return ""
            return self._token(access, identity, challenge, rejected)
        if challenge.scheme == "basic":
            if identity.password and basic(identity) == rejected:
                identity = self._identities.renewed(access.repository, identity)
            self._note_challenge(access, identity, challenge)
            return "" if basic(identity) == rejected else self._password(identity)
        wanted = scope_text.parse(challenge.parameters.get("scope", "")) if rejected else frozenset()
        if was_fresh and wanted <= access.scopes() | self._extra:
            return self._once_more(challenge, rejected)
        self._note_challenge(access, identity, challenge)
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
        challenge = self._challenge_for(access, identity)
        is_basic = challenge is not None and challenge.scheme == "basic"
        if response.status != 401 or not is_basic or not identity.password or identity.bearer:
            return None
        reason = "the registry returned %s" % str(read_details(response))
        self._identities.suspect(identity, reason)
        return self._explained(login_refused(self._session.host, identity, reason), identity)

    def explained(self, error: ImageError, access: Access) -> ImageError:
        """Add a remark about the credentials to the hint of an access error. Other errors are returned unchanged."""
        return self._explained(error, self.identity(access))

    @staticmethod
    def _explained(error: ImageError, identity: Credential) -> ImageError:
        if isinstance(error, AccessDenied) and identity.remark:
            error.hint = ". ".join(part.rstrip(".") for part in (error.hint, identity.remark) if part)
        return error

    def _password(self, identity: Credential) -> str:
        """Return the header with the password, if there is one. Raise LoginRefused if the registry refused it."""
        if not identity.password:
            return ""
        if self._identities.suspicion(identity):
            self._confirm(identity)
        self._check_refusals(identity, REGISTRY)
        return basic(identity)

    def _confirm(self, identity: Credential) -> None:
        """Send a suspected password to ``/v2/``, which is the same for all repositories, and remember the result."""
        with self._confirming:
            reason = self._identities.suspicion(identity)
            if not reason:
                return
            headers = {"Authorization": basic(identity)}
            response = self._session.exchange("GET", self._session.base + "/v2/", headers, waits_for_slot=False)
            response.drain()
            if response.status == 401 and self._session.is_own(response.url):
                self._identities.refuse(identity, REGISTRY, reason)
            else:  # even if it is an error: without proof, each repository decides
                self._identities.accept(identity, REGISTRY)

    def _check_refusals(self, identity: Credential, service: Service) -> None:
        """Raise LoginRefused again for a credential that was refused."""
        reason = self._identities.refusal(identity, service)
        if reason:
            raise self._explained(login_refused(self._session.host, identity, reason), identity)

    def _token(self, access: Access, identity: Credential, challenge: Challenge, rejected: str) -> str:
        try:
            return self._shared_token(access, identity, challenge, rejected)
        except LoginRefused:
            renewed = self._identities.renewed(access.repository, identity)
            if renewed == identity:
                raise
        self._last_challenges.setdefault(renewed, challenge)
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
            self._check_refusals(identity, challenge.service)
            try:
                token = self._fetch_any(access, scopes, identity, challenge)
            except AccessDenied as error:
                raise self._explained(error, identity) from None
            with self._lock:
                self._drop([key for key, stored in self._tokens.items() if not stored.is_fresh])
                self._tokens[owner, scopes] = token
            return token.header

    def _stored(self, owner: _Owner, scopes: Scopes, rejected: str) -> Token | None:
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

    def _fetch_any(self, access: Access, scopes: Scopes, identity: Credential, challenge: Challenge) -> Token:
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
                return dataclasses.replace(self._services.fetch(wanted, identity, challenge), scopes=scopes)
            except ScopeDenied:
                continue
        return dataclasses.replace(self._services.fetch(attempts[-1], identity, challenge), scopes=scopes)


def _choose(challenges: list[Challenge]) -> Challenge | None:
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme:
                return challenge
    return None
