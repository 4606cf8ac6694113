# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The CAs and client certificates for connections to a host, in one TLS context for all of them.

The context is created once. ``requests`` would read all trusted certificates again for each connection, which takes
longer than most requests. It would also report an invalid file as a broken connection.
"""

from __future__ import annotations

import os
import ssl

from .._errors import LocalFailure
from .._files import check_named
from .settings import RegistrySettings

_OPENSSL_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# A client certificate may come from a certificate directory as well, where the name of an option would mislead.
_NAMES = {
    "ca_path": "ca_path for %s in registries",
    "client_cert": "the client certificate for %s",
    "client_key": "the key of the client certificate for %s",
}


def check_files(settings: RegistrySettings) -> None:
    """Raise :class:`LocalFailure`, which says what the file is for, if a file in the settings cannot be read.

    OpenSSL would only report a failure without a reason, or block on a pipe forever.
    """
    for option, name in _NAMES.items():
        path = getattr(settings, option)
        if path:
            _check(path, name % settings.host, is_directory_allowed=option == "ca_path")


def configure(made: ssl.SSLContext, settings: RegistrySettings, bundle: str) -> None:
    """Set the CAs and the client certificate of a TLS context; ``bundle`` is the CA file to use by default.

    Raises :class:`LocalFailure` that names the unusable file.
    """
    check_files(settings)
    if not settings.validate_certs:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    else:
        made.verify_mode = ssl.CERT_REQUIRED  # urllib3 1.26 compares the host name itself, and leaves that off here
        if settings.ca_path:
            _trust(made, settings.ca_path, _NAMES["ca_path"] % settings.host)
        else:
            _trust_system(made, bundle)
        for path in settings.ca_files:
            _trust(made, path, "a CA for %s" % settings.host)
    if settings.client_cert:
        _show(made, settings.client_cert, settings)


def _trust_system(made: ssl.SSLContext, bundle: str) -> None:
    """Trust the CAs from the environment, or else the bundle of ``requests``: that of certifi, or on Debian that of the system."""
    for name in _BUNDLE_VARIABLES:
        if os.environ.get(name):
            return _trust(made, os.environ[name], name + " in the environment")
    named = [name for name in _OPENSSL_VARIABLES if os.environ.get(name)]
    if named:
        made.load_default_certs()  # OpenSSL reads both variables itself, and has a default in place of the other one
    if "SSL_CERT_FILE" not in named:
        _trust(made, bundle, "the CA bundle of requests")
    return None


def _check(path: str, source: str, is_directory_allowed: bool = False) -> None:
    if not (is_directory_allowed and os.path.isdir(path)):  # OpenSSL's hashed directories
        check_named(path, "%s:" % source)


def _trust(made: ssl.SSLContext, path: str, source: str) -> None:
    _check(path, source, is_directory_allowed=True)
    try:
        made.load_verify_locations(**{"capath" if os.path.isdir(path) else "cafile": path})
    except OSError:  # that of OpenSSL is one too
        cause = "the file %s (%s) contains no CA certificates in PEM format" % (path, source)
        raise LocalFailure(cause, hint="Use a file with CA certificates in PEM format") from None


def _show(made: ssl.SSLContext, path: str, settings: RegistrySettings) -> None:
    def no_passphrase() -> str:
        raise LocalFailure(
            "the private key of the client certificate for %s is encrypted" % settings.host,
            hint="Store the key without a passphrase, in a file that only the task's user can read",
        )

    key = settings.client_key
    try:
        made.load_cert_chain(path, key, no_passphrase)
    except ssl.SSLError as error:
        where = "%s (client certificate for %s)" % (path, settings.host)
        if error.reason == "KEY_VALUES_MISMATCH":
            cause = "the certificate %s does not match the key %s" % (where, key or path)
            raise LocalFailure(cause, hint="Use the private key of this certificate") from None
        if key:
            cause = "the files %s and %s do not contain a certificate and its private key in PEM format" % (where, key)
            raise LocalFailure(cause, hint="Convert both files to PEM format") from None
        cause = "the file %s does not contain a certificate and its private key in PEM format" % where
        raise LocalFailure(cause, hint="Set client_key if the key is in a separate file") from None
