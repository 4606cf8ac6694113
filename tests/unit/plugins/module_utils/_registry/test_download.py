# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloads against a scripted registry: what is asked for after a connection broke, and which bytes come out."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    AccessDenied,
    ConnectionFailed,
    DigestMismatch,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._registry import download
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.download import BlobReader
from ansible_collections.drayage.registry.tests.unit.support.odd_server import REGISTRY, Reply, refused

ACCESS = Access("app", frozenset(("pull",)))
CONTENT = b"0123456789"
DIGEST = digests.of(CONTENT)
GET = "GET app/blobs/" + DIGEST


@pytest.fixture
def reader(scripted, monkeypatch):
    """A reader of the blob whose registry gives these replies; its buffer has four bytes, and so much is progress."""
    monkeypatch.setattr(download, "CHUNK", 4)
    monkeypatch.setattr(download, "_PROGRESS", 4)

    def make(*replies, size=10, offset=0, end=None, **options):
        client, script = scripted(*replies, **options)
        return BlobReader(client, ACCESS, Descriptor("application/octet-stream", DIGEST, size), offset, end), script

    return make


def whole(content=CONTENT, **headers):
    return Reply(200, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def cut(content, status=200, **headers):
    """What arrives of a body before its connection is reset."""
    return whole(content, **headers)._replace(status=status, announced=len(CONTENT))


def rest(content, start, reset=False):
    reply = Reply(206, {"Content-Range": "bytes %d-9/10" % start}, content)
    return reply._replace(announced=10) if reset else reply


def content_of(reader):
    return b"".join(bytes(chunk) for chunk in reader)


def asked(script):
    return [sent.headers.get("Range") for sent in script.sent]


def test_a_blob_is_one_request(reader):
    reading, script = reader(whole())
    assert [bytes(chunk) for chunk in reading] == [b"0123", b"4567", b"89"]
    assert (script.log, asked(script)) == ([GET], [None])
    assert script.responses[0]._body.closed


def test_the_buffer_is_no_larger_than_the_blob(reader, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 1 << 40)
    reading, _script = reader(whole())
    assert content_of(reading) == CONTENT


def test_an_empty_blob_ends_at_once(reader):
    reading, _script = reader(whole(b""), size=0)
    assert content_of(reading) == b""


@pytest.mark.parametrize("broken", [cut(CONTENT[:4]), whole(CONTENT[:4])])
def test_a_body_that_ends_early_is_gone_on_with(reader, broken, clock):
    """By a reset as well as by a server that just stops: urllib3 1.26 does not tell the latter."""
    reading, script = reader(broken, rest(CONTENT[4:], 4))
    assert content_of(reading) == CONTENT
    assert asked(script) == [None, "bytes=4-"]
    assert clock.naps == [0.5]


@pytest.mark.parametrize(
    "again", [whole(), Reply(206, {}, CONTENT), Reply(206, {"Content-Range": "nonsense"}, CONTENT)]
)
def test_who_ignores_a_range_begins_again(reader, again):
    reading, _script = reader(cut(CONTENT[:6]), again)
    assert content_of(reading) == CONTENT


def test_a_status_of_200_begins_at_the_start_whatever_else_it_says(reader):
    reading, _script = reader(cut(CONTENT[:4]), whole(Content_Range="bytes 4-9/10"))
    assert content_of(reading) == CONTENT


def test_a_rest_may_begin_earlier(reader):
    reading, _script = reader(cut(CONTENT[:6]), rest(CONTENT[3:], 3))
    assert content_of(reading) == CONTENT


def test_a_part_is_asked_for_by_its_range(reader):
    part = Reply(206, {"Content-Range": "bytes 2-6/10"}, CONTENT[2:7])
    reading, script = reader(part, offset=2, end=7)
    assert content_of(reading) == CONTENT[2:7]
    assert asked(script) == ["bytes=2-6"]


@pytest.mark.parametrize("reply", [whole(), rest(CONTENT[2:], 2), rest(CONTENT[1:], 1)])
def test_of_a_part_no_more_is_passed_on(reader, reply):
    reading, script = reader(reply, offset=2, end=7)
    assert content_of(reading) == CONTENT[2:7]
    assert script.responses[0]._body.closed


def test_a_part_that_breaks_off_is_gone_on_with(reader):
    broken = Reply(206, {"Content-Range": "bytes 0-6/10"}, CONTENT[:4], announced=7)
    reading, script = reader(broken, Reply(206, {"Content-Range": "bytes 4-6/10"}, CONTENT[4:7]), end=7)
    assert content_of(reading) == CONTENT[:7]
    assert asked(script) == ["bytes=0-6", "bytes=4-6"]


def test_a_gap_is_a_broken_connection(reader):
    reading, _script = reader(cut(CONTENT[:4]), rest(CONTENT[5:], 5), retries=1)
    with pytest.raises(ConnectionFailed, match="cannot read blob %s: the connection was lost" % DIGEST):
        content_of(reading)


@pytest.mark.parametrize("retries", [0, 2])
def test_without_progress_the_retries_end(reader, retries):
    reading, script = reader(*[cut(b"")] * (retries + 1), retries=retries)
    with pytest.raises(ConnectionFailed, match="cannot reach r.example: "):
        content_of(reading)
    assert len(script.log) == retries + 1
    assert all(response._body.closed for response in script.responses)


def test_progress_makes_the_next_failure_a_first_one(reader, clock):
    reading, _script = reader(
        cut(b"0"), rest(b"123", 1, reset=True), rest(b"4567", 4, reset=True), rest(b"89", 8), retries=2
    )
    assert content_of(reading) == CONTENT
    # Neither the first byte nor the next three are four bytes of progress by themselves, but both together are.
    assert clock.naps == [0.5, 0.5, 0.5]


def test_too_little_progress_is_none(reader, clock):
    reading, script = reader(cut(b"0"), rest(b"1", 1, reset=True), rest(b"2", 2, reset=True), retries=2)
    with pytest.raises(ConnectionFailed):
        content_of(reading)
    assert clock.naps == [0.5, 1.0]
    assert asked(script) == [None, "bytes=1-", "bytes=2-"]


def test_a_compressed_body_is_refused_when_it_is_too_short(reader):
    reading, script = reader(whole(b"zip", Content_Encoding="gzip"))
    with pytest.raises(Refused, match="r.example, or a proxy in front of it, compressed its response"):
        content_of(reading)
    assert len(script.log) == 1


def test_more_than_the_size_is_passed_on_for_the_digest_to_judge(reader):
    reading, script = reader(whole(CONTENT + b"x"))
    assert content_of(reading) == CONTENT + b"x"
    assert len(script.log) == 1


def test_a_blob_that_ends_before_its_size_has_another_digest(reader):
    reading, script = reader(cut(CONTENT[:4]), Reply(416, {}, b"no such range"))
    with pytest.raises(DigestMismatch) as caught:
        content_of(reading)
    assert (
        str(caught.value)
        == "digest mismatch: blob %s should be 10 bytes long, but ends after 4 bytes. Run the task again. "
        "If it fails again, push the image to the source again." % DIGEST
    )
    assert script.responses[1]._body.closed


def test_a_blob_that_is_missing_says_where(reader):
    reading, _script = reader(refused(404, "BLOB_UNKNOWN"))
    with pytest.raises(NotFound) as caught:
        content_of(reading)
    assert str(caught.value) == "blob %s is missing from r.example. Push the image to this registry again." % DIGEST


@pytest.mark.parametrize(("reply", "error"), [(refused(403, "DENIED"), AccessDenied), (Reply(418, REGISTRY), Refused)])
def test_a_refusal_names_the_blob(reader, reply, error):
    reading, _script = reader(reply)
    with pytest.raises(error, match="cannot read blob %s: r.example returned %d" % (DIGEST, reply.status)):
        content_of(reading)
