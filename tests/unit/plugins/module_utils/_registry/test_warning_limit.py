# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry that causes a warning with each response."""

from __future__ import annotations

from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.odd_server import Reply

ACCESS = Access("app", frozenset(("pull",)))
IMAGE = image()
REST = "r.example caused more warnings of this kind; only the first 10 are shown"


def shown(client, replies):
    """The warnings of a task that reads as many manifests."""
    for _reply in replies:
        client.get_manifest(ACCESS, "1")
    return client.session.statistics.warnings


def manifest(**headers):
    headers["Content-Type"] = IMAGE.manifest.media_type
    return Reply(200, {name.replace("_", "-"): text for name, text in headers.items()}, IMAGE.manifest.raw)


def test_a_warning_with_the_number_of_the_request_is_shown_a_few_times(scripted):
    replies = [manifest(Warning='299 - "request %d"' % number) for number in range(100)]
    expected = ["r.example warns: request %d" % number for number in range(10)]
    assert shown(scripted(*replies)[0], replies) == [*expected, REST]


def test_of_a_header_full_of_warnings_a_few_are_shown(scripted):
    reply = manifest(Warning=", ".join('299 - "%d"' % number for number in range(4000)))
    expected = ["r.example warns: %d" % number for number in range(10)]
    assert shown(scripted(reply)[0], [reply]) == [*expected, REST]


def test_ten_different_warnings_are_all(scripted):
    replies = [manifest(Warning='299 - "request %d"' % (number % 10)) for number in range(30)]
    assert shown(scripted(*replies)[0], replies) == ["r.example warns: request %d" % number for number in range(10)]


def test_digests_in_headers_are_warned_of_a_few_times_whatever_the_registry_warns_of(scripted):
    replies = [
        manifest(Warning='299 - "%d"' % number, Docker_Content_Digest="sha256:%064d" % number) for number in range(20)
    ]
    warnings = shown(scripted(*replies)[0], replies)
    assert len([text for text in warnings if "in the Docker-Content-Digest header" in text]) == 10
    assert len([text for text in warnings if " warns: " in text]) == 10
    assert warnings[20:] == [REST]
