# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import sys

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, LocalFailure, MissingLibrary
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse_registry
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import Entry
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.source_file import read_source_file
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings

DIGEST = "sha256:" + "a" * 64
# Every key that skopeo-sync(1) knows.
COMPLETE = (
    """
registry.example.com:
  images:
    busybox: []
    redis:
      - "1.0"
      - 2.10
      - %s
  images-by-tag-regex:
    nginx: ^1\\.13\\.[12]-alpine-perl$
  images-by-semver:
    alpine: ">= 3.12.0"
  credentials:
    username: john
    password: 0123
  tls-verify: true
quay.io/team:
  tls-verify: false
  images:
    sub/etcd:
      - latest
docker.io:
  images:
    alpine:
"""
    % DIGEST
)


@pytest.fixture
def read(tmp_path):
    """Read a text or a document as a source file; warnings are kept."""

    def read_text(content):
        path = tmp_path / "sync.yml"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_source_file(str(path), read_text.warnings.append)

    read_text.warnings = []
    return read_text


def test_every_key_is_understood(read):
    example, quay, hub = read(COMPLETE)
    assert (example.host, quay.host, hub.host) == ("registry.example.com", "quay.io", "docker.io")
    assert example.entries == [
        {"name": "registry.example.com/busybox"},
        {"name": "registry.example.com/redis", "tags": ["1.0", "2.10", DIGEST]},
        {"name": "registry.example.com/nginx", "include": [r"^1\.13\.[12]-alpine-perl$"], "anchored": False},
        {"name": "registry.example.com/alpine", "semver": ">= 3.12.0", "semver_strict": False},
    ]
    assert example.settings == RegistrySettings(
        "registry.example.com", username="john", password="0123", plain_http=False
    )
    assert quay.entries == [{"name": "quay.io/team/sub/etcd", "tags": ["latest"]}]
    assert quay.settings == RegistrySettings("quay.io/team", validate_certs=False)
    assert hub.entries == [{"name": "docker.io/library/alpine"}]
    assert hub.settings is None
    assert read.warnings == []


def test_a_password_does_not_show(read):
    assert "0123" not in repr(read(COMPLETE))


def test_json_is_the_same(read):
    document = {
        "r.example": {
            "images": {"a": [], "b": ["1"]},
            "images-by-tag-regex": {"c": "1"},
            "tls-verify": False,
            "credentials": {"username": "u", "password": "p"},
        }
    }
    (found,) = read(document)
    assert [entry["name"] for entry in found.entries] == ["r.example/a", "r.example/b", "r.example/c"]
    assert found.settings == RegistrySettings("r.example", username="u", password="p", validate_certs=False)


@pytest.mark.parametrize("path", ["", "deep/"])
def test_a_host_may_have_a_path(read, path):
    (found,) = read({"localhost:5000/%steam/" % path: {"images": {"a": ["1"]}, "tls-verify": False}})
    assert found.host == "localhost:5000"
    assert found.entries[0]["name"] == "localhost:5000/%steam/a" % path
    reference = parse_registry(found.entries[0]["name"])
    assert found.settings.matches(reference.host, reference.repository)


def test_a_tag_that_stands_twice_is_one(read):
    assert read({"r.example": {"images": {"a": ["1", "1"]}}})[0].entries[0]["tags"] == ["1"]


@pytest.mark.parametrize(
    ("pattern", "tags", "chosen"),
    [
        ("3", ["3.3.0-rc1", "3.10.0", "2"], ["3.3.0-rc1", "3.10.0"]),
        ("^v1|^v2$", ["v1.5", "v2", "v2.1", "xv1"], ["v1.5", "v2"]),
        ("(?i)^ALP", ["alpine", "Alpine3", "x"], ["alpine", "Alpine3"]),
        ("(?i)a|b", ["A", "B", "c"], ["A", "B"]),
        (r"^1\.13\.[12]-alpine-perl$", ["1.13.1-alpine-perl", "1.13.3-alpine-perl"], ["1.13.1-alpine-perl"]),
    ],
)
def test_patterns_select_as_in_go(read, pattern, tags, chosen):
    (found,) = read({"r.example": {"images-by-tag-regex": {"a": pattern}}})
    assert sorted(Entry(**found.entries[0]).selection().select(tags)) == sorted(chosen)


def test_versions_are_loose_as_with_skopeo(read):
    (found,) = read({"r.example": {"images-by-semver": {"a": ">=3"}}})
    tags = ["20240101", "v3.1", "3.2.0", "3.3.0-rc1", "3.10.0", "4", "latest"]
    assert Entry(**found.entries[0]).selection().select(tags) == ["v3.1", "3.2.0", "3.10.0", "4", "20240101"]


def test_merge_keys_work(read):
    text = "x.example: &x\n  tls-verify: false\n  images: {a: []}\ny.example:\n  <<: *x\n  images: {b: []}\n"
    _x, found = read(text)
    assert found.entries == [{"name": "y.example/b"}]
    assert found.settings.validate_certs is False


@pytest.mark.parametrize(("word", "checked"), [("false", False), ("no", False), ("Off", False), ("yes", True)])
def test_the_words_for_booleans(read, word, checked):
    (found,) = read("r.example: {tls-verify: %s, images: {a: []}}" % word)
    assert (found.settings is None or found.settings.validate_certs) is checked


def test_a_registry_without_images_is_told(read):
    read("r.example:\n  tls-verify: true\n")
    assert len(read.warnings) == 1
    assert "contains no images for r.example" in read.warnings[0]


@pytest.mark.parametrize(
    ("content", "place", "cause"),
    [
        ("r.example: {images: {a: []}, tls_verify: false}", "r.example", "unknown key 'tls_verify'"),
        ("r.example: {images: [a]}", "r.example: images", "must be a mapping"),
        ("r.example: {images: {a: latest}}", "r.example: images: a", "must be a list"),
        ("r.example: {images: {a: [[x]]}}", "r.example: images: a", "a tag in the list is not a string"),
        ('{"r.example": {"images": {"a": [1.10]}}}', "r.example: images: a", "Put tags in quotes"),
        ("r.example: {images: {a: [a/b]}}", "r.example: images: a", "'a/b' is neither a tag nor a digest"),
        (
            "r.example: {images: {'a:1': []}}",
            "r.example: images: a:1",
            "a repository is required, but the key contains a tag or digest",
        ),
        ("r.example: {images: {A: []}}", "r.example: images: A", "Write the repository name in lower case"),
        ("myregistry: {images: {a: []}}", "myregistry", "'myregistry' is not a valid registry host"),
        ("r.example: {images-by-tag-regex: {a: '('}}", "r.example: images-by-tag-regex: a", "regular expression"),
        ("r.example: {images-by-tag-regex: {a: [x]}}", "r.example: images-by-tag-regex: a", "must be a string"),
        (r"r.example: {images-by-tag-regex: {a: '^1\z'}}", "images-by-tag-regex: a", "only Go supports"),
        ("r.example: {images-by-tag-regex: {a: '[[:digit:]]'}}", "images-by-tag-regex: a", "only Go supports"),
        ("r.example: {images-by-tag-regex: {a: 'v[.[:digit:]]+'}}", "images-by-tag-regex: a", "only Go supports"),
        ("r.example: {images-by-semver: {a: new}}", "r.example: images-by-semver: a", "is not a valid version range"),
        ("r.example: {images: {a: []}, tls-verify: maybe}", "r.example: tls-verify", "must be true or false"),
        ("r.example: {credentials: {username: u}}", "r.example: credentials", "both username and password"),
        ("r.example: {credentials: hunter2}", "r.example: credentials", "must be a mapping"),
        ("r.example: {credentials: {user: u, password: hunter2}}", "r.example: credentials", "the keys username"),
        ('{"r.example": {"credentials": {"username": "u", "password": 5}}}', "password", "must be a string"),
        ("u:hunter2@r.example: {images: {a: []}}", "r.example", "a reference must not contain credentials"),
        ("r.example: {images: {a: [], a: [x]}}", "line 1", "a mapping contains the same key twice"),
        ("- a\n- b\n", "sync.yml", "must be a mapping"),
        ("", "sync.yml", "contains no registries"),
        ("a: [\n\nb: hunter2", "sync.yml, line 3", "neither valid YAML nor valid JSON"),
        ("r.example: {images: {a: !!int x}}", "sync.yml", "neither valid YAML nor valid JSON"),
        (
            "r.example: {images: {a: !!python/object/apply:os.getcwd []}}",
            "sync.yml",
            "neither valid YAML nor valid JSON",
        ),
        pytest.param("[" * 5000, "sync.yml", "neither valid YAML nor valid JSON", id="nested too deep"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(read, content, place, cause):
    with pytest.raises(ImageError) as caught:
        read(content)
    message = str(caught.value)
    assert place in message
    assert cause in message
    assert "sync.yml" in message
    assert "hunter2" not in message
    assert "\n" not in message


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LocalFailure, match="cannot read the file .*/absent.yml: no such file or directory"):
        read_source_file(str(tmp_path / "absent.yml"), print)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LocalFailure, match="is not valid UTF-8"):
        read_source_file(str(tmp_path / "x"), print)


def test_yaml_alone_needs_a_library(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert read({"r.example": {"images": {"a": []}}})
    with pytest.raises(MissingLibrary, match="PyYAML"):
        read(COMPLETE)


class TestCertificates:
    @pytest.fixture
    def settings(self, read, tmp_path):
        """Return a function that writes these files, and returns the settings that the directory stands for."""

        def write(*names):
            directory = tmp_path / "certs"
            directory.mkdir()
            for name in names:
                (directory / name).write_text("content of %s" % name)
            return read({"r.example": {"images": {"a": []}, "cert-dir": "certs"}})[0].settings

        return write

    def test_they_are_trusted_and_shown(self, settings, tmp_path):
        found = settings("ca.crt", "client.cert", "client.key")
        assert found.ca_files == (str(tmp_path / "certs/ca.crt"),)
        assert found.client_cert == str(tmp_path / "certs/client.cert")
        assert found.plain_http is False

    def test_what_does_not_fit_together_is_told(self, settings):
        with pytest.raises(ImageError, match="sync.yml: r.example: cert-dir: .* contains x.cert, but not x.key"):
            settings("x.cert")

    def test_a_directory_that_is_not_there_is_named(self, read):
        with pytest.raises(LocalFailure, match="cert-dir: cannot read the certificates in /nowhere: no such file"):
            read({"r.example": {"images": {"a": []}, "cert-dir": "/nowhere"}})


@pytest.mark.parametrize(("host", "plain_http"), [("localhost:5000", True), ("127.0.0.1", True), ("r.example", None)])
def test_verification_is_turned_off_on_loopback_for_plain_http(read, host, plain_http):
    found = read({host: {"images": {"a": []}, "tls-verify": False}})[0].settings
    assert found == RegistrySettings(host, validate_certs=False, plain_http=plain_http)


def test_a_source_file_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "sync.yml")
    with pytest.raises(LocalFailure, match="cannot read the file .*/sync.yml: not a regular file"):
        read_source_file(str(tmp_path / "sync.yml"), lambda warning: None)
