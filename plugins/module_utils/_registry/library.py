# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The only import of ``urllib3``. It is guarded, so that a node without it gets a message instead of a traceback.

``requests`` installs it. Importing ``requests`` takes as long as importing this whole collection, and it doubles the
time of each request.
"""

from __future__ import annotations

import http.client
import importlib.machinery
import importlib.util
import os
import ssl
import traceback
import types
import typing as t

from .._errors import MissingLibrary

_FAILURE: tuple[Exception, str] | None = None

try:
    import urllib3
    import urllib3.exceptions
    import urllib3.util
    import urllib3.util.retry
    import urllib3.util.ssl_
except Exception as error:  # pylint: disable=broad-except  # one that is installed but broken raises anything
    _FAILURE = (error, traceback.format_exc())
    BODY_ERRORS: tuple[type[Exception], ...] = (OSError, http.client.HTTPException)
else:
    BODY_ERRORS = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)

# What sending a request raises.
REQUEST_ERRORS: tuple[type[Exception], ...] = (ValueError, *BODY_ERRORS)


def library() -> t.Any:
    """Return the ``urllib3`` package. Raises :class:`MissingLibrary`."""
    if _FAILURE is None:
        return urllib3
    if importlib.util.find_spec("requests") is None:
        raise MissingLibrary("requests", details=_FAILURE[1])
    raise MissingLibrary("urllib3", *_FAILURE)


def socks_proxy_manager(proxy: str, **options: t.Any) -> t.Any:
    """Return connections through a SOCKS proxy. Raises :class:`MissingLibrary`."""
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError as error:
        raise MissingLibrary("PySocks", error, traceback.format_exc()) from None
    return SOCKSProxyManager(proxy, **options)


def tls_context() -> ssl.SSLContext:
    """Return a TLS context with the protocols and ciphers of ``requests``. It does not trust any CA yet."""
    return urllib3.util.ssl_.create_urllib3_context()


def ca_bundle() -> str:
    """Return the file with the CAs that ``requests`` trusts: that of certifi, or of the system if a distribution patches it.

    Raises :class:`MissingLibrary`.
    """
    spec = importlib.util.find_spec("requests")
    for directory in spec.submodule_search_locations or () if spec else ():
        path = os.path.join(directory, "certs.py")
        if os.path.exists(path):  # it needs nothing else of the package
            loader = importlib.machinery.SourceFileLoader("requests.certs", path)
            certs = types.ModuleType(loader.name)
            loader.exec_module(certs)
            return str(certs.where())
    try:
        import requests.utils
    except Exception as error:  # pylint: disable=broad-except
        raise MissingLibrary("requests", error, traceback.format_exc()) from None
    return str(requests.utils.DEFAULT_CA_BUNDLE_PATH)


def seconds_to_wait(retry_after: str) -> float | None:
    """Return the seconds that a Retry-After header asks for; 0 for a date in the past, None if it cannot be parsed."""
    try:
        return float(urllib3.util.retry.Retry().parse_retry_after(retry_after))
    except (ValueError, OverflowError, urllib3.exceptions.HTTPError):
        return None
