# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import DigestMismatch
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.verified import Verified, skipped
from ansible_collections.drayage.registry.plugins.module_utils._transfer.outgoing import Outgoing

CHUNKS = [b"one", b"two", b"three"]
CONTENT = b"".join(CHUNKS)
DIGEST = digests.of(CONTENT)


def outgoing(events, digest=DIGEST):
    content = Verified(lambda offset: skipped(CHUNKS, offset), digest, len(CONTENT))
    return Outgoing(content, "r.example/app:1", lambda at: events.append(("start", at)), events.append)


def test_what_leaves_is_reported_before_it_is_passed_on():
    events = []
    content = outgoing(events)
    assert events == []
    assert [(chunk, list(events)) for chunk in content] == [
        (b"one", [("start", 0), 3]),
        (b"two", [("start", 0), 3, 3]),
        (b"three", [("start", 0), 3, 3, 5]),
    ]


def test_content_that_goes_back_starts_again_there():
    events = []
    content = outgoing(events)
    next(content)
    next(content)
    content.close()
    content.rewind(4)
    assert b"".join(content) == CONTENT[4:]
    assert events[3:] == [("start", 4), 2, 5]


def test_errors_are_about_the_source():
    with pytest.raises(DigestMismatch, match="^r.example/app:1: digest mismatch"):
        list(outgoing([], digests.of(b"else")))
