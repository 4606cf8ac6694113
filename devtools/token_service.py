# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token service as registries have one beside them, with what a test needs to make its tokens go wrong."""

from __future__ import annotations

import base64
import binascii
import http.server
import json
import math
import tempfile
import threading
import time
from pathlib import Path
from typing import Callable, NamedTuple
from urllib.parse import parse_qs, urlsplit

from devtools.token_signer import TokenSigner

SERVICE = "drayage-test-registry"
ISSUER = "drayage-test-issuer"

# Decides what is granted: user (None if anonymous), type, name and wanted actions -> granted actions.
Grants = Callable[["str | None", str, str, "list[str]"], "list[str]"]


class TokenRequest(NamedTuple):
    """A request for a token; ``account`` is None for an anonymous one."""

    method: str
    account: str | None
    scopes: list[str]


class Denied(Exception):
    """The credentials are wrong."""


def default_grants(user: str | None, _type: str, _name: str, actions: list[str]) -> list[str]:
    """Grant everything to known users, and pull to everybody."""
    return actions if user else [action for action in actions if action == "pull"]


class TokenService:
    """Issues tokens at ``url``; a context manager. Its attributes may be changed while it runs.

    ``users`` maps names to passwords, ``identity_tokens`` maps refresh tokens to names. Tokens are said to live for
    ``lifetime`` seconds, and do so by the registry's clock if ``skew`` is 0. docker-registry accepts a token for 60 s
    longer than it says, so ``skew=-60`` makes tokens die on time, and less makes them die early.
    ``log`` has every request, in order. ``post_supported=False`` makes it one of the services that know only GET.
    """

    def __init__(
        self,
        users: dict[str, str],
        *,
        grants: Grants = default_grants,
        lifetime: int = 300,
        skew: int = 0,
        identity_tokens: dict[str, str] | None = None,
        post_supported: bool = True,
    ) -> None:
        self.users = users
        self.grants = grants
        self.lifetime = lifetime
        self.skew = skew
        self.identity_tokens = identity_tokens or {}
        self.post_supported = post_supported
        self.log: list[TokenRequest] = []
        self._directory = tempfile.TemporaryDirectory(prefix="drayage-")
        self._certificate = Path(self._directory.name) / "token.pem"
        self._signer = TokenSigner(self._certificate)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"

    def registry_config(self) -> dict:
        """Return the ``auth`` section of a docker-registry that trusts this service."""
        token = {"realm": self.url, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(self._certificate)}
        return {"token": token}

    def start(self) -> TokenService:
        """Serve in a thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._directory.cleanup()

    def __enter__(self) -> TokenService:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def answer_get(self, query: dict[str, list[str]], authorization: str) -> dict:
        """Answer a request with Basic credentials, or with none."""
        scopes = " ".join(query.get("scope", [])).split()
        user, password = _basic(authorization)
        self.log.append(TokenRequest("GET", user, scopes))
        if user is not None:
            self._check(user, password)
        return {"token": self._token(user, scopes), "expires_in": self.lifetime}

    def answer_post(self, form: dict[str, list[str]]) -> dict:
        """Answer an OAuth2 request with a password or a refresh token."""
        scopes = " ".join(form.get("scope", [])).split()
        if _first(form, "grant_type") == "refresh_token":
            user = self.identity_tokens.get(_first(form, "refresh_token"))
            self.log.append(TokenRequest("POST", user, scopes))
            if user is None:
                raise Denied
        else:
            user = _first(form, "username")
            self.log.append(TokenRequest("POST", user, scopes))
            self._check(user, _first(form, "password"))
        return {"access_token": self._token(user, scopes), "expires_in": self.lifetime, "scope": " ".join(scopes)}

    def _check(self, user: str, password: str) -> None:
        if self.users.get(user) != password:
            raise Denied

    def _token(self, user: str | None, scopes: list[str]) -> str:
        # Up, as tokens know whole seconds only and none may live shorter than it says.
        now = math.ceil(time.time())
        return self._signer.token(
            {
                "iss": ISSUER,
                "sub": user or "",
                "aud": SERVICE,
                "nbf": now - 600,
                "exp": now + self.lifetime + self.skew,
                "access": [self._access(user, scope) for scope in scopes],
            }
        )

    def _access(self, user: str | None, scope: str) -> dict:
        kind, rest = scope.split(":", 1)
        name, actions = rest.rsplit(":", 1)
        return {"type": kind, "name": name, "actions": self.grants(user, kind, name, actions.split(","))}


def _basic(authorization: str) -> tuple[str | None, str]:
    """Return user and password of an Authorization header; no user without one."""
    if not authorization:
        return None, ""
    try:
        user, _colon, password = base64.b64decode(authorization.split(" ", 1)[1]).decode().partition(":")
    except (IndexError, binascii.Error, UnicodeDecodeError) as error:
        raise Denied from error
    return user, password


def _first(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _handler_of(service: TokenService) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            self._respond(lambda: service.answer_get(query, self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            if service.post_supported:
                self._respond(lambda: service.answer_post(form))
            else:
                self._send(404, {"errors": [{"code": "NOT_FOUND", "message": "no such page"}]})

        def _respond(self, answer: Callable[[], dict]) -> None:
            try:
                self._send(200, answer())
            except Denied:
                self._send(401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]})

        def _send(self, status: int, document: dict) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Stay silent: the service keeps a log of its own."""

    return Handler
