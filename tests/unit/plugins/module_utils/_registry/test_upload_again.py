# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uploads that are refused: which of them are sent again."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.upload import BlobUploader
from ansible_collections.drayage.registry.tests.unit.support.odd_server import (
    Reply,
    found,
    refused,
)

ACCESS = Access("app", frozenset(("pull", "push")))
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_upload_is_sent_again_with_a_new_token_if_the_old_one_ended_under_way(serve, status):
    tokens = iter(("first", "second"))
    states = iter((refused(status, "DENIED", "the token has expired"), Reply(201)))

    def respond(method, target):
        if target.startswith("/token"):
            return found({"token": next(tokens)})
        if target == "/v2/":
            return Reply(401, {"WWW-Authenticate": 'Bearer realm="http://%s/token"' % server.host})
        if method == "POST":
            return Reply(202, {"Location": "/v2/app/blobs/uploads/1"})
        return next(states) if method == "PUT" else Reply(204)

    client, server = serve(respond)
    client.call("GET", "", ACCESS).close()
    blob = Descriptor("application/octet-stream", DIGEST, 3)
    assert BlobUploader(client, ACCESS).push(blob, lambda: [b"abc"]) is False
    assert sum(line.startswith("PUT") for line in server.log) == 2


def test_a_refused_upload_is_not_sent_again(serve):
    def respond(method, _target):
        if method == "POST":
            return Reply(202, {"Location": "/v2/app/blobs/uploads/1"})
        return refused(403, "DENIED", "quota exceeded") if method == "PUT" else Reply(204)

    client, server = serve(respond)
    blob = Descriptor("application/octet-stream", DIGEST, 3)
    with pytest.raises(AccessDenied, match="quota exceeded"):
        BlobUploader(client, ACCESS).push(blob, lambda: [b"abc"])
    assert sum(line.startswith("PUT") for line in server.log) == 1
