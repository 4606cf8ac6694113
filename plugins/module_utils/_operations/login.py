# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Log in to and out of a registry: verify credentials and store them in the file where other programs find them."""

from __future__ import annotations

import dataclasses

from .._errors import AccessDenied, CredentialsNotSent, ImageError, InvalidReference, NotFound, naming
from .._image import reference as references
from .._registry.authfile import AuthFile
from .._registry.credentials import ANONYMOUS, Credential, canonical, credential_of
from .._registry.registry_client import RegistryClient
from .stores import Stores


@dataclasses.dataclass(frozen=True)
class LoginOptions:
    """The options of registry_login, as the user wrote them."""

    host: str
    username: str | None
    password: str | None
    state: str


@dataclasses.dataclass(frozen=True)
class LoggedIn:
    """The user name for the host in the auth file as it may be shown, before and after; None without credentials."""

    host: str
    authfile: str
    before: str | None
    after: str | None
    changed: bool


def login(options: LoginOptions, stores: Stores) -> LoggedIn:
    """Verify and store credentials, or remove them. A dry run only predicts the result.

    Raises :class:`ImageError`.
    """
    name = _name(options.host)
    credential = ANONYMOUS if options.state == "absent" else _credential(options)
    file = AuthFile(stores.authfile, stores.run_helper, stores.run.warn)
    if credential:
        host, _slash, path = name.partition("/")
        with naming(name):
            _verify(stores.client_as(credential, host, path))
    change = file.change(name, credential, stores.run.dry_run)
    return LoggedIn(name, file.path, change.before.shown_name or None, credential.shown_name or None, bool(change))


def _verify(client: RegistryClient) -> None:
    """Raise an error unless the registry accepts the credentials. A registry without authentication accepts all of them."""
    try:
        client.check()
    except AccessDenied as error:
        # Elsewhere credentials come from registries or authfile, and hints say so.
        if not isinstance(error, CredentialsNotSent):
            error.hint = "Check username and password"
        raise
    except NotFound as error:
        error.hint = "Check that the host is a registry"
        raise


def _name(text: str) -> str:
    """Return the host, with the path if there is one, as it is written in references."""
    # Without its slash, HOST/v2/ is a path, as in references. In an auth file, it is the host.
    name = canonical(text.strip().rstrip("/")) if "://" not in text else ""
    try:
        reference = references.parse_registry("%s/name" % name)
    except InvalidReference:
        reference = None
    if reference is None or reference.host != name.partition("/")[0]:
        raise ImageError(
            "host: %r is not a valid registry name" % text.rpartition("@")[2],
            hint="Write host[:port] or host[:port]/path. Unless it is localhost, the host must contain a dot or have a port",
        )
    return name


def _credential(options: LoginOptions) -> Credential:
    username, password = options.username or "", options.password or ""
    if not username:
        raise ImageError("username is empty", hint="Set the username option")
    if ":" in username:
        raise ImageError(
            "username contains a colon", hint="Remove the colon, because HTTP basic authentication does not allow it"
        )
    if not password:
        raise ImageError("password is empty", hint="Set the password option")
    return credential_of(username, password)
