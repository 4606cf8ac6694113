# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The one import of ``requests``: guarded, so that a node without it gets a message rather than a traceback."""

from __future__ import annotations

import http.client
import ssl
import traceback
import typing as t

from .._errors import MissingLibrary

_FAILURE: tuple[Exception, str] | None = None

try:
    import requests
    import requests.adapters
    import requests.utils
    import urllib3.exceptions
    import urllib3.util.retry
    import urllib3.util.ssl_
except Exception as error:  # pylint: disable=broad-except  # one that is installed but broken raises anything
    _FAILURE = (error, traceback.format_exc())
    HTTPAdapter: t.Any = object
    BODY_ERRORS: tuple[type[Exception], ...] = (OSError, http.client.HTTPException)
else:
    HTTPAdapter = requests.adapters.HTTPAdapter
    BODY_ERRORS = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)

# What sending a request raises; requests' own exceptions are OSErrors.
REQUEST_ERRORS: tuple[type[Exception], ...] = (ValueError, *BODY_ERRORS)


def library() -> t.Any:
    """The ``requests`` package. Raises :class:`MissingLibrary`."""
    if _FAILURE is not None:
        raise MissingLibrary("requests", *_FAILURE)
    return requests


def tls_context() -> ssl.SSLContext:
    """A TLS context with the protocols and ciphers that ``requests`` uses, which trusts nobody yet."""
    return urllib3.util.ssl_.create_urllib3_context()


def ca_bundle() -> str:
    """The file with the CAs that ``requests`` trusts."""
    bundle: str = library().utils.DEFAULT_CA_BUNDLE_PATH
    return bundle


def seconds_to_wait(retry_after: str) -> float | None:
    """What a Retry-After header asks for, 0 for a date that is past; None where it cannot be read."""
    try:
        return float(urllib3.util.retry.Retry().parse_retry_after(retry_after))
    except (ValueError, OverflowError, urllib3.exceptions.HTTPError):
        return None
