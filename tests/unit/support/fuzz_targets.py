# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever parses foreign content, by name, with the inputs to try it with."""

from __future__ import annotations

import typing as t

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from ansible_collections.drayage.registry.plugins.module_utils import _errors as errors
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.source_file import read_source_file
from ansible_collections.drayage.registry.plugins.module_utils._registry import (
    catalog,
    challenge,
    tag_list,
    urls,
)
from ansible_collections.drayage.registry.tests.unit.support import fuzz_documents as valid
from ansible_collections.drayage.registry.tests.unit.support import fuzz_parsers as parsers
from ansible_collections.drayage.registry.tests.unit.support.fuzz_inputs import TEXT, archive_like, json_like, text_of
from ansible_collections.drayage.registry.tests.unit.support.fuzz_mutations import mutated
from ansible_collections.drayage.registry.tests.unit.support.responses import response


class Target(t.NamedTuple):
    """A parser: what it is given, and a function that does with it what a task does."""

    inputs: st.SearchStrategy
    parse: t.Callable[[t.Any], object]

    def attack(self, inputs: int, number: int, mutations: int = 0) -> int:
        """Try so many inputs, chosen by the seed ``number``, and each of them again with so many mutations.

        Returns how many were tried. Raises what the parser raises but errors of ours, for the smallest input found.
        """
        tried = 0

        @seed(number)
        @settings(
            max_examples=inputs,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(self.inputs)
        def attempt(content: object) -> None:
            nonlocal tried
            for variant in (content, *mutated(content, mutations)):
                tried += 1
                try:
                    self.parse(variant)
                except errors.ImageError as error:
                    str(error)

        attempt()
        return tried


_REFERENCES = text_of(
    *(
        "docker://",
        "oci:",
        "oci-archive:",
        "dir:",
        "docker-archive:",
        "docker-daemon:",
        "/srv/x",
        "r.example",
        ":5000",
        "[::1]",
    ),
    *("/", ":", "@", valid.DIGEST, "app", "latest", "https://", "u:p@", "@0", " ", "UPPER", "a" * 300),
)
_HEADERS = (
    "Bearer ",
    "Basic ",
    'realm="https://r.example/token"',
    "=",
    ",",
    ";",
    '"',
    "\\",
    "service",
    " ",
    "scope=x",
    "abc==",
)
_LINKS = (
    "<",
    ">",
    "/v2/x/tags/list?n=1",
    "; ",
    'rel="next"',
    "rel=next",
    ",",
    '"',
    "http://[::1",
    "https://r.example:99999/",
    "\\",
)
_TIMES = ("Fri, 29 Nov 2026 ", "05:38:02 ", "GMT", "-", "9" * 20, "99999", "+2500", "0", ":", ".", "1e9", "Feb 31 ")
_VERSIONS = (
    "1",
    ".",
    "2",
    "v",
    "-rc.1",
    "+b",
    ">=",
    "<",
    "^",
    "~",
    " ",
    "||",
    ",",
    " - ",
    "*",
    "x",
    "9" * 30,
    "[",
    "(?i)",
    "[[:digit:]]",
    ")",
)

TARGETS: dict[str, Target] = {
    "reference": Target(_REFERENCES, parsers.parse_reference),
    "manifest": Target(json_like(valid.MANIFEST, valid.DOCKER_MANIFEST), parsers.parse_manifest),
    "index": Target(json_like(valid.INDEX), parsers.parse_manifest),
    "config": Target(json_like(valid.CONFIG), parsers.parse_config),
    "schema 1": Target(json_like(valid.SCHEMA1), parsers.parse_schema1),
    "index.json": Target(json_like(valid.INDEX), parsers.parse_index),
    "manifest.json of docker save": Target(json_like(valid.SAVED), parsers.parse_saved),
    "archive": Target(archive_like(), parsers.parse_archive),
    "engine": Target(
        json_like({"Id": valid.DIGEST, "RepoTags": ["a:1"], "RootFS": {"Layers": [valid.DIGEST]}}), parsers.parse_engine
    ),
    "source file": Target(json_like(valid.SOURCE), parsers.in_file(lambda path: read_source_file(path, str))),
    "source file in YAML": Target(
        text_of(
            "r.example:",
            "\n",
            "  ",
            "images:",
            "app: [",
            "1.0",
            "]",
            "{",
            "}",
            "&a ",
            "*a",
            "!!int ",
            "<<: ",
            "- ",
            ": ",
            "'",
        ).map(lambda text: text.encode("utf-8", "surrogatepass")),
        parsers.in_file(lambda path: read_source_file(path, str)),
    ),
    "inventory": Target(
        json_like({"version": 1, "images": [valid.RECORD, valid.RECORD]}), parsers.in_file(parsers.parse_inventory)
    ),
    "payload of a signature": Target(json_like(valid.PAYLOAD), parsers.parse_payload),
    "statement": Target(json_like(valid.STATEMENT), parsers.parse_statement),
    "sigstore bundle": Target(json_like(valid.BUNDLE), parsers.parse_bundle),
    "signature file": Target(
        json_like({"mimeType": "x/y", "payload": "YQ==", "annotations": {"a": "b"}}), parsers.parse_signature_file
    ),
    "policy": Target(json_like(valid.POLICY), parsers.parse_policy),
    "auth file": Target(json_like(valid.AUTHS), parsers.parse_auth_file),
    "list of tags": Target(json_like(valid.TAGS), tag_list.read_page),
    "catalog": Target(json_like({"repositories": ["a", "b/c"]}), catalog._read_page),
    "token": Target(json_like({"token": "x", "access_token": "y", "expires_in": 300}), parsers.parse_token),
    "error of a registry": Target(
        json_like({"errors": [{"code": "DENIED", "message": "m", "detail": {}}]}), parsers.parse_error
    ),
    "challenge": Target(text_of(*_HEADERS), challenge.parse),
    "Link": Target(text_of(*_LINKS), lambda text: urls.next_target(text, "https://r.example/v2/x/tags/list", "Link")),
    "Location": Target(
        text_of(*_LINKS), lambda text: urls.host(urls.resolve("https://r.example/v2/", text, "Location"))
    ),
    "Retry-After": Target(text_of(*_TIMES), lambda text: response(headers={"Retry-After": text}).retry_after),
    "versions and patterns": Target(st.tuples(text_of(*_VERSIONS), text_of(*_VERSIONS)), parsers.parse_versions),
    "platform": Target(st.one_of(TEXT, text_of("linux", "/", "arm", "(", ")", "v7", "10.0", " ")), Platform.parse),
    "digest": Target(text_of("sha256", ":", "a" * 64, "sha512", "+", "=", "/", "\n"), digests.check),
}
