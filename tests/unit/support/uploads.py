# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads of a blob of ten bytes: the replies of a scripted registry, and the requests that they lead to."""

from __future__ import annotations

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply
from ansible_collections.drayage.registry.tests.unit.support.scripted_transport import Script

CONTENT = b"0123456789"
QUOTED = digests.of(CONTENT).replace(":", "%3A")
SESSION = "app/blobs/uploads/1"
OTHER_SESSION = "app/blobs/uploads/2"
STARTED = Reply(202, {"Location": "/v2/" + SESSION})
STARTED_AGAIN = Reply(202, {"Location": "/v2/" + OTHER_SESSION})
STORED = Reply(201)
CANCELLED = Reply(204)
POST = "POST app/blobs/uploads/"
PUT = "PUT %s?digest=%s" % (SESSION, QUOTED)
PUT_AGAIN = "PUT %s?digest=%s" % (OTHER_SESSION, QUOTED)
PATCH, PATCH_AGAIN = "PATCH " + SESSION, "PATCH " + OTHER_SESSION
CANCEL = "DELETE " + SESSION
MOUNT = "POST app/blobs/uploads/?mount=%s&from=" % QUOTED


def blob_of(content: bytes, size: int | None = None) -> Descriptor:
    """The descriptor of a blob, or a wrong one if it has another size than its content."""
    return Descriptor("application/octet-stream", digests.of(content), len(content) if size is None else size)


BLOB = blob_of(CONTENT)


def chunks(content: bytes = CONTENT) -> t.Callable[[], list[bytes]]:
    """The content of a blob in chunks of three bytes."""
    return lambda: [content[start : start + 3] for start in range(0, len(content), 3)]


def ranges(script: Script) -> list[tuple[str, bytes | None]]:
    """The range and the body of each piece that was sent."""
    return [(sent.headers["Content-Range"], sent.body) for sent in script.sent if sent.method == "PATCH"]
