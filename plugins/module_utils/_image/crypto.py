# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The only import of ``cryptography``. It is guarded, so that only signing and verifying require the library."""

from __future__ import annotations

import re
import traceback

from .._errors import ImageError, MissingLibrary

_FAILURE: tuple[Exception, str] | None = None

# The oldest release that is tested.
OLDEST = (3, 3, 2)

try:
    import cryptography
    import cryptography.exceptions
    from cryptography.hazmat.primitives import hashes, poly1305, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
except Exception as error:  # pylint: disable=broad-except  # one that is installed but broken raises anything
    _FAILURE = (error, traceback.format_exc())

__all__ = ["cryptography", "ec", "ed25519", "hashes", "padding", "poly1305", "require", "rsa", "serialization"]


def require() -> None:
    """Raise :class:`MissingLibrary` without ``cryptography``, and :class:`ImageError` if it is too old."""
    if _FAILURE is not None:
        missing = MissingLibrary("cryptography", *_FAILURE)
        raise MissingLibrary("cryptography") if missing.is_absent else missing
    version = tuple(int(number) for number in re.findall("[0-9]+", cryptography.__version__)[:3])
    if version < OLDEST:
        raise ImageError(
            "the Python library cryptography %s is too old" % cryptography.__version__,
            hint="Install version %s or later for the Python that runs the module" % ".".join(map(str, OLDEST)),
        )
