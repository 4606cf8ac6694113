# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries whose texts would move the cursor, forge lines of output, or show what was sent to them."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from devtools import images, scripted
from devtools.scripted import Scripted

PASSWORD = "tell:nobody"
ENCODED = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
FORGED = "x\x1b[1A\x1b[2Kok: [host]\r\nchanged\u202e"


@pytest.mark.parametrize("quoted", [ENCODED, PASSWORD, f"Basic {ENCODED}"])
def test_credentials_that_a_server_quotes(run_module, tmp_path, quoted):
    """They come from an auth file, so Ansible does not know them."""

    def script(request):
        if "Authorization" not in request.headers:
            return scripted.error(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="x"')
        return scripted.error(403, "DENIED", f"{FORGED} you sent {quoted}", Warning=f'299 - "you sent {quoted}"')

    with Scripted(script) as server:
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {server.host: {"auth": ENCODED}}}))
        result = run_module("image_inspect", image=f"{server.host}/app:1", authfile=str(tmp_path / "auth.json"))
    assert "returned 403 DENIED (xok: [host] changed you sent " in result.msg
    assert result.msg.isprintable()
    assert f"{server.host} warns: you sent " in result.stdout
    assert PASSWORD not in result.stdout
    assert ENCODED not in result.stdout


def test_texts_of_an_image_are_shown_without_controls(run_module):
    image = images.single()
    document = image.document()
    document["annotations"] = {"title": FORGED}
    manifest = json.dumps(document).encode()
    media_type = document["mediaType"]

    def script(request):
        if "/manifests/" in request.target:
            return scripted.answer(200, manifest, Content_Type=media_type, Warning='299 - "a\x9b2Jb"')
        return scripted.answer(200, bytes(image.blobs[request.target.rpartition("/")[2]]))

    with Scripted(script) as server:
        result = run_module("image_inspect", image=f"{server.host}/app:1", raw=True)
    assert result.annotations == {"title": "x\ufffd[1A\ufffd[2Kok: [host]\ufffd\nchanged\ufffd"}
    assert result.raw["raw"] == manifest.decode()


def test_blob_that_a_proxy_compressed(run_module, tmp_path):
    image = images.single(layers=[100_000])

    def script(request):
        if "/manifests/" in request.target:
            return scripted.answer(200, image.manifests[image.digest][1], Content_Type=image.media_type)
        packed = gzip.compress(bytes(image.blobs[request.target.rpartition("/")[2]]))[:50]
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
        return [head, b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)]

    with Scripted(script) as server:
        result = run_module("image_copy", src=f"{server.host}/app:1", dest=f"oci:{tmp_path}/copy:1")
    assert (
        f"{server.host}, or a proxy in front of it, compressed its response, even though compression was not requested."
        in result.msg
    )
