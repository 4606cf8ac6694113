# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The one import of ``requests``: guarded, so that a node without it gets a message rather than a traceback."""

from __future__ import annotations

import http.client
import typing as t

from .._errors import MissingLibrary

try:
    import requests
    import requests.adapters
    import requests.utils
    import urllib3.exceptions
except ImportError:
    requests = None  # type: ignore[assignment]
    BODY_ERRORS: tuple[type[BaseException], ...] = (OSError, http.client.HTTPException)
else:
    BODY_ERRORS = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)


def library() -> t.Any:
    """The ``requests`` package. Raises :class:`MissingLibrary`."""
    if requests is None:
        raise MissingLibrary("requests")
    return requests
