# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile responses, by the kind of request that they answer: what a malicious registry, or a broken one, may send.

``THIEF`` in a URL becomes the address of a server that waits for credentials, ``HOST`` that of the registry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

# The path of a token service that a registry names.
TOKEN_SERVICE = "/token-service"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

# What would move the cursor, start a line, reverse the text or end a string on a terminal.
NASTY = "evil\x1b[2J\x1b]0;owned\x07\nfatal: [web1]: FAILED!\r\u202e\u2066\x9b31m"
_BIG = 5 * 1024 * 1024


class Response(NamedTuple):
    """What is answered to every request of a kind, in place of what the registry would say."""

    name: str
    kind: str
    status: str
    headers: tuple[str, ...] = ()
    body: bytes = b""


def responses() -> Iterator[Response]:
    """Return all of them."""
    yield from _manifests()
    yield from _heads()
    yield from _blobs()
    yield from _locations()
    yield from _lists()
    yield from _errors()
    yield from _challenges()
    yield from _successes()


def _manifests() -> Iterator[Response]:
    wrong_blob = {"mediaType": "application/octet-stream", "digest": "sha256:" + "0" * 64, "size": 2}
    documents: dict[str, object] = {
        "an empty object": {},
        "a list": [],
        "null": None,
        "a number": 7,
        "manifests is a number": {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": 7},
        "manifests is null": {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": None},
        "layers is a string": {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": wrong_blob, "layers": "x"},
        "config is a list": {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": [], "layers": []},
        "another valid manifest": {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": wrong_blob, "layers": []},
        "a path as digest": {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {**wrong_blob, "digest": "sha256:../../../../etc/passwd"},
            "layers": [],
        },
        "a negative size": {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {**wrong_blob, "size": -1},
            "layers": [],
        },
        "a huge size": {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {**wrong_blob, "size": 10**30},
            "layers": [],
        },
        "nasty text": {"schemaVersion": 2, "mediaType": NASTY, "config": {**wrong_blob, "mediaType": NASTY}},
        "a variant of 5,000 digits": {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                {
                    **wrong_blob,
                    "mediaType": OCI_MANIFEST,
                    "platform": {"os": "linux", "architecture": "arm", "variant": "v" + "9" * 5000},
                }
            ],
        },
        "100,000 children": {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{"mediaType": OCI_MANIFEST, "digest": "sha256:" + "0" * 64, "size": 2}] * 20000,
        },
    }
    for name, document in documents.items():
        yield Response(f"manifest: {name}", "GET manifest", "200 OK", (_type(OCI_MANIFEST),), _json(document))
    raw = {
        "nothing": b"",
        "not JSON": b"<html>",
        "not UTF-8": b'{"schemaVersion": 2, "x": "\xff\xfe"}',
        "10,000 brackets": b"[" * 10000,
        "a lone surrogate": b'{"schemaVersion": 2, "mediaType": "\\ud800"}',
        "a duplicate key": b'{"schemaVersion": 2, "config": {}, "Config": {}, "config": 1}',
        "a number without end": b'{"schemaVersion": ' + b"9" * 10000 + b"}",
        "5 MiB": b" " * _BIG,
    }
    for name, body in raw.items():
        yield Response(f"manifest: {name}", "GET manifest", "200 OK", (_type(OCI_MANIFEST),), body)
    odd = (
        ("a digest of another content", "Docker-Content-Digest: sha256:" + "0" * 64),
        ("an odd type", _type(NASTY_LINE)),
    )
    for name, header in odd:
        yield Response(f"manifest: {name}", "GET manifest", "200 OK", (header,), b"{}")


# What fits into a header: no line ends.
NASTY_LINE = "evil\x1b[2J\x9b31m"


def _heads() -> Iterator[Response]:
    digest = "Docker-Content-Digest: "
    for name, headers in {
        "no headers": (),
        "a digest that is none": (digest + "x", _type(OCI_MANIFEST)),
        "a digest with a path": (digest + "sha256:../../x", _type(OCI_MANIFEST)),
        "another digest": (digest + "sha256:" + "0" * 64, _type(OCI_MANIFEST)),
        "nasty text": (digest + NASTY_LINE, _type(NASTY_LINE)),
    }.items():
        yield Response(f"HEAD: {name}", "HEAD manifest", "200 OK", headers)


def _blobs() -> Iterator[Response]:
    for name, headers, body in (
        ("other content", (), b"other"),
        ("more than there is", (), b"x" * 100_000),
        ("nothing", (), b""),
        ("compressed", ("Content-Encoding: gzip",), b"\x1f\x8b"),
        ("a range that nobody asked for", ("Content-Range: bytes 5-9/10",), b"other"),
    ):
        yield Response(f"blob: {name}", "GET blob", "200 OK", headers, body)


URLS = {
    "another host": "http://THIEF/x",
    "no scheme": "//THIEF/x",
    "user information": "http://HOST@THIEF/x",
    "a backslash": "http://THIEF\\@HOST/x",
    "two backslashes": "http:\\\\THIEF\\x",
    "one slash": "http:/THIEF/x",
    "mailto": "mailto:x@THIEF",
    "file": "file:///etc/passwd",
    "javascript": "javascript:alert(1)",
    "a broken IPv6 address": "http://[::1/x",
    "an odd port": "http://HOST99999999/x",
    "a blank": "http://THIEF /x",
    "a tab": "http://THI\tEF/x",
    "nasty text": "http://HOST/" + NASTY_LINE,
    "60,000 characters": "/" + "a" * 60_000,
    "nothing": "",
}


def _locations() -> Iterator[Response]:
    for name, url in URLS.items():
        for kind in ("GET blob", "GET manifest", "HEAD manifest"):
            yield Response(f"redirect: {name} ({kind})", kind, "307 Temporary Redirect", (f"Location: {url}",))
        yield Response(f"upload: {name}", "POST upload", "202 Accepted", (f"Location: {url}",))
        link = f'Link: <{url}>; rel="next"'
        yield Response(f"list: next page, {name}", "GET tags", "200 OK", (link,), b'{"name":"x","tags":["1"]}')


def _lists() -> Iterator[Response]:
    for name, document in {
        "tags is a number": {"tags": 7},
        "tags is null": {"tags": None},
        "names that are none": {"tags": [None, 5, {}, "", "../../x", NASTY, "a" * 5000]},
        "a list": [],
        "a string": "x",
    }.items():
        yield Response(f"list: {name}", "GET tags", "200 OK", (), _json(document))
    yield Response("list: 60,000 brackets in Link", "GET tags", "200 OK", ("Link: " + "<" * 60_000,), b'{"tags":[]}')


def _errors() -> Iterator[Response]:
    bodies: dict[str, bytes] = {
        "nasty text": _json({"errors": [{"code": NASTY, "message": NASTY, "detail": NASTY}]}),
        "no list": _json({"errors": 7}),
        "odd entries": _json({"errors": [None, 5, [], {"code": 5, "message": []}]}),
        "not UTF-8": b"\xff\xfe\x00",
        "1 MB": b"x" * 1_000_000,
        "the credentials": b"CREDENTIALS",
    }
    kinds = ("GET manifest", "GET blob", "POST upload", "PUT manifest", "GET tags", "DELETE manifest")
    for name, body in bodies.items():
        for number, kind in enumerate(kinds):
            status = ("400 Bad Request", "403 Forbidden")[number % 2]
            yield Response(f"error: {name} ({kind})", kind, status, (), body)
    warning = f'Warning: 299 - "{NASTY_LINE}"'
    yield Response("warning: nasty text", "GET manifest", "404 Not Found", (warning,), b"")


def _challenges() -> Iterator[Response]:
    for name, header in {
        "a realm elsewhere": f'Bearer realm="http://THIEF{TOKEN_SERVICE}",service="x"',
        "a realm with a backslash": 'Bearer realm="http://THIEF\\\\@127.0.0.1/token",service="x"',
        "a realm that is a file": 'Bearer realm="file:///etc/passwd"',
        "no realm": "Bearer",
        "open quotes": 'Bearer realm="http://x',
        "100,000 commas": "Basic " + "," * 60_000,
        "nasty text": f'Basic realm="{NASTY_LINE}"',
    }.items():
        for kind in ("GET manifest", "POST upload"):
            yield Response(f"challenge: {name} ({kind})", kind, "401 Unauthorized", (f"WWW-Authenticate: {header}",))


def _successes() -> Iterator[Response]:
    html = b"<html><body>Welcome</body></html>"
    for kind in ("PUT manifest", "PUT upload", "POST upload", "DELETE manifest", "GET tags", "GET blob"):
        yield Response(f"success: a page ({kind})", kind, "200 OK", ("Content-Type: text/html",), html)
    wrong = "Docker-Content-Digest: sha256:" + "0" * 64
    yield Response("success: another digest (PUT manifest)", "PUT manifest", "201 Created", (wrong,))
    yield Response("success: nothing (PUT manifest)", "PUT manifest", "204 No Content")


def _type(value: str) -> str:
    return f"Content-Type: {value}"


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
