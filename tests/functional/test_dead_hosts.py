# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are down, silent, or so slow that a task would never end."""

from __future__ import annotations

import pytest

from devtools import images, scripted
from devtools.process import free_port, wait_until
from devtools.scripted import Scripted

TAGS = [f"v{number}" for number in range(150)]


@pytest.fixture
def sync(run_module, tmp_path):
    """Return a function that synchronizes 150 tags of a host to a directory."""

    def run(host, **more):
        declared = [{"name": "app", "tags": TAGS}]
        return run_module("image_sync", src=host, dest=f"dir:{tmp_path}/copy", images=declared, **more)

    return run


@pytest.mark.parametrize("keep_going", [True, False])
def test_150_tags_of_a_source_that_refuses_connections(sync, keep_going):
    host = f"127.0.0.1:{free_port()}"
    result = sync(host, keep_going=keep_going, retries=1)
    assert result.failed
    assert "connection refused" in result.stdout
    if keep_going:
        assert result.requests == 2
        errors = [image["error"] for image in result.images]
        assert len(errors) == len(TAGS)
        assert (
            sum(
                f"the request was not sent, because {host} did not respond to an earlier request (connection refused)"
                in text
                for text in errors
            )
            >= 148
        )


def test_150_tags_of_a_source_that_is_silent(sync):
    def script(_request):
        server.stopping.wait()
        return []

    with Scripted(script) as server:
        result = sync(server.host, keep_going=True, timeout=5, retries=1)
        wait_until(lambda: len(server.requests) == 2)
    assert server.connections == len(server.requests) == 2
    assert f"cannot reach {server.host}: no response within the timeout" in result.stdout
    assert (
        f"the request was not sent, because {server.host} did not respond to an earlier request (no response within the timeout)"
        in result.stdout
    )


def drip(server, *parts):
    """Send these parts, and then a byte now and then for ever."""
    yield from parts
    while not server.stopping.wait(0.05):
        yield b"x"


HEAD = b"HTTP/1.1 %s OK\r\nContent-Type: text/plain\r\n"


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", "the host sent data more slowly than min_rate allows"),
        (HEAD % b"200" + b"Content-Length: 100000\r\n\r\n", "the host sent data more slowly than min_rate allows"),
        (HEAD % b"403" + b"Content-Length: 100000\r\n\r\n", "returned 403"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "the connection was lost"),
    ],
    ids=["headers", "body", "error", "continue"],
)
def test_a_server_that_goes_on_for_ever(run_module, begin, reason):
    with Scripted(lambda _request: drip(server, begin)) as server:
        result = run_module("image_inspect", image=f"{server.host}/app:1", timeout=5, retries=0)
    assert reason in result.msg


def test_a_blob_that_drips(run_module, tmp_path):
    image = images.single(layers=[100_000])

    def script(request):
        if "/manifests/" in request.target:
            return scripted.answer(200, image.manifests[image.digest][1], Content_Type=image.media_type)
        size = len(image.blobs[request.target.rpartition("/")[2]])
        return drip(server, HEAD % b"200" + b"Content-Length: %d\r\n\r\n" % size)

    with Scripted(script) as server:
        options = {"src": f"{server.host}/app:1", "dest": f"oci:{tmp_path}/copy:1"}
        result = run_module("image_copy", **options, timeout=5, retries=0)
    assert "the host sent data more slowly than min_rate allows" in result.msg
