# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Get bearer tokens from the token service of a registry (distribution's token authentication spec)."""

from __future__ import annotations

import base64
import dataclasses
import re
import time
import typing as t
from urllib.parse import urlencode

from .._errors import AccessDenied, CredentialsNotSent, ImageError
from .._image import document as documents
from . import scopes as scope_text
from . import urls
from .challenge import Challenge
from .credentials import Credential
from .identities import Identities, login_refused
from .scopes import Scopes
from .session import Session
from .settings import hostname, is_loopback
from .transport import Response

_CLIENT_ID = "drayage.registry"
_MAX_RESPONSE = 1024 * 1024
_SERVICE_HINT = "Check the token service's log, and any proxy in front of it"
# Token spec: expires_in defaults to 60 s and is never less; some services send nonsense below that.
_SHORTEST_LIFE = 60.0
_LONGEST_LIFE = 30 * 24 * 3600.0
# A token that is about to end is not used for a request that may be queued behind others.
_MARGIN = 5.0


@dataclasses.dataclass(frozen=True)
class Token:
    """A bearer token for these scopes; it ends at a time of the monotonic clock."""

    header: str = dataclasses.field(repr=False)
    scopes: Scopes
    expires: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() < self.expires - _MARGIN

    def serves(self, scopes: Scopes) -> bool:
        return scopes <= self.scopes and self.is_fresh


class ScopeDenied(AccessDenied):
    """The token service refused these scopes, but may grant fewer."""


class TokenServices:
    """The token services that the challenges of one registry state."""

    def __init__(self, session: Session, identities: Identities) -> None:
        self._session = session
        self._identities = identities

    def fetch(self, scopes: Scopes, identity: Credential, challenge: Challenge) -> Token:
        """Return a token for these scopes from the service that a challenge states.

        Raises :class:`LoginRefused`, :class:`ScopeDenied`, :class:`CredentialsNotSent` and :class:`ImageError`.
        """
        parameters = challenge.parameters
        if not parameters.get("realm"):
            cause = "%s requires a token, but its response specifies no token service (realm)" % self._session.host
            raise ImageError(cause, hint="Check the registry's authentication settings")
        realm = urls.resolve("", parameters["realm"], "the token service of %s" % self._session.host)
        if identity:
            realm = self._safe_realm(realm)
        query = [("service", parameters["service"])] if "service" in parameters else []
        query += [("scope", scope) for scope in scope_text.formatted(scopes)]
        response, content = self._request(realm, query, identity)
        if response.status == 401 and identity:
            # A wrong password is wrong for every scope: trying on would only lock the account.
            reason = "the token service %s returned 401" % urls.host(realm)
            self._identities.refuse(identity, challenge.service, reason)
            raise login_refused(self._session.host, identity, reason)
        document = self._read(realm, response, content, identity)
        self._identities.accept(identity, challenge.service)
        value = document.get("token") or document.get("access_token")
        if not isinstance(value, str) or not value:
            cause = "the token service %s returned no token" % urls.host(realm)
            raise ImageError(cause, hint=_SERVICE_HINT)
        life = document.get("expires_in")
        if not isinstance(life, (int, float)) or not _SHORTEST_LIFE < life < _LONGEST_LIFE:
            life = _SHORTEST_LIFE
        return Token(bearer(value, "of %s" % urls.host(realm)), scopes, time.monotonic() + life)

    def _request(self, realm: str, query: list[tuple[str, str]], identity: Credential) -> tuple[Response, bytes]:
        """Return the response, and its body if the status is 200."""
        if identity.identity_token:
            self._session.statistics.note_secret("Bearer " + identity.identity_token)
            form = [("grant_type", "refresh_token"), ("refresh_token", identity.identity_token)]
            form += [("client_id", _CLIENT_ID)] + [pair for pair in query if pair[0] == "service"]
            form.append(("scope", " ".join(value for name, value in query if name == "scope")))
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body: bytes | None = urlencode(form).encode("ascii")
            method, url = "POST", realm
        else:
            headers = {"Authorization": basic(identity)} if identity.password else {}
            query = query + ([("account", identity.username)] if identity.username else [])
            method, url, body = "GET", realm + ("&" if "?" in realm else "?") + urlencode(query), None
        response, content = self._session.fetch(
            lambda: self._session.exchange(method, url, headers, body, waits_for_slot=False), _MAX_RESPONSE
        )
        if response.status != 200:
            response.drain()
        return response, content

    def _read(self, realm: str, response: Response, content: bytes, identity: Credential) -> dict[str, t.Any]:
        service = urls.host(realm)
        status = response.status
        if status != 200:
            if status in (400, 401, 403, 404):
                raise ScopeDenied(
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


def basic(identity: Credential) -> str:
    """Return the Authorization header with the user name and the password."""
    pair = "%s:%s" % (identity.username, identity.password)
    return "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")


def bearer(token: str, what: str) -> str:
    """Return the Authorization header with a token, and check its syntax (RFC 6750, 2.1).

    Any other text would break the header, and a library error might reveal it.
    """
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ImageError(
            "the token %s contains invalid characters" % what, hint="Check the token for spaces and line breaks"
        )
    return "Bearer " + token
