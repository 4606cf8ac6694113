# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.image_list_file import (
    is_image_list,
    read_image_list,
)
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.plain_document import read
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.regsync_file import (
    is_regsync,
    read_regsync,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings

DIGEST = "sha256:" + "0" * 64

# After the example in regsync's documentation.
REGSYNC = """
version: 1
x-anchor: {any: thing}
creds:
  - {registry: "registry:5000", tls: disabled, user: u, pass: p, reqPerSec: 2.5, reqConcurrent: 3}
  - {registry: docker.io, tls: insecure}
defaults: {ratelimit: {min: 100, retry: 15m}, parallel: 2, interval: 60m, backup: "", digestTags: false}
sync:
  - {source: "busybox:latest", target: "registry:5000/library/busybox:latest", type: image, schedule: "15 3 * * *"}
  - source: alpine
    target: registry:5000/library/alpine
    type: repository
    platforms: [linux/amd64]
    tags: {allow: ["3", '3\\.\\d+'], deny: ['3\\.0']}
  - {source: quay.example, target: "registry:5000/quay", type: registry}
"""


@pytest.fixture
def node(tmp_path):
    """Return a function that reads a document."""

    def make(text):
        path = tmp_path / "file.yml"
        path.write_text(text)
        return read(str(path))

    return make


@pytest.mark.parametrize(("tls", "scheme"), [("", "http"), (", tls: enabled", "https"), (", tls: disabled", "http")])
def test_tls_can_be_enabled_on_loopback(node, tls, scheme):
    document = node('version: 1\ncreds: [{registry: "localhost:5000"%s}]\nsync: []\n' % tls)
    [settings] = read_regsync(document, lambda warning: None).settings
    assert settings.scheme("localhost:5000") == scheme


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("a", "r.example/b", {"tags": ["latest"]}),
        ("a:1", "r.example/b:1", {"tags": ["1"]}),
        # The target of regsync is a tag, unless it has only a digest.
        ("a@" + DIGEST, "r.example/b", {"tags": ["latest"], "digest": DIGEST}),
        ("a@" + DIGEST, "r.example/b:1", {"tags": ["1"], "digest": DIGEST}),
        ("a:1@" + DIGEST, "r.example/b", {"tags": ["latest"], "digest": DIGEST}),
        ("a:1@" + DIGEST, "r.example/b:2", {"tags": ["2"], "digest": DIGEST}),
        ("a:1@" + DIGEST, "r.example/b:2@" + DIGEST, {"tags": ["2"], "digest": DIGEST}),
        ("a:1@" + DIGEST, "r.example/b@" + DIGEST, {"tags": [DIGEST]}),
    ],
)
def test_which_image_becomes_which_tag(node, source, target, expected):
    text = "sync: [{source: '%s', target: '%s', type: image}]" % (source, target)
    [entry] = read_regsync(node(text), lambda _warning: None).entries
    assert entry == {"name": "docker.io/library/a", "dest": "r.example/b", **expected}


@pytest.mark.parametrize("version", ["", "version: 0", "version: 1", "version:"])
@pytest.mark.parametrize("limit", ["0", "0.0", ""])
def test_zero_and_nothing_are_the_defaults_of_regsync(node, version, limit):
    text = "%s\nsync: []\ncreds:\n- registry: a.b\n  reqPerSec: %s\n  reqConcurrent: %s\n"
    found = read_regsync(node(text % (version, limit, limit)), lambda _warning: None)
    assert found.settings == [RegistrySettings("a.b")]


@pytest.mark.parametrize("user", ["u", '{{env "USER"}}'])
def test_a_template_is_ignored_if_the_task_has_the_credentials(node, user):
    """They take precedence over those of the file in any case."""
    text = "sync: []\ncreds: [{registry: a.b, user: '%s', pass: '{{env \"PASS\"}}', tls: insecure}]"
    hosts = []
    found = read_regsync(node(text % user), lambda _warning: None, lambda host: hosts.append(host) or True)
    assert found.settings == [RegistrySettings("a.b", validate_certs=False)]
    assert hosts == ["a.b"]


def test_regsync(node):
    warnings: list[str] = []
    document = node(REGSYNC)
    assert is_regsync(document)
    found = read_regsync(document, warnings.append)
    assert found.entries == [
        {"name": "docker.io/library/busybox", "dest": "registry:5000/library/busybox", "tags": ["latest"]},
        {
            "name": "docker.io/library/alpine",
            "dest": "registry:5000/library/alpine",
            "include": ["3", r"3\.\d+"],
            "exclude": [r"3\.0"],
            "platforms": ["linux/amd64"],
        },
        {"name": "quay.example/*", "dest": "registry:5000/quay"},
    ]
    assert found.settings == [
        RegistrySettings(
            "registry:5000", username="u", password="p", plain_http=True, requests_per_second=2.5, max_connections=3
        ),
        RegistrySettings("docker.io", validate_certs=False),
    ]
    (warning,) = warnings
    assert warning.endswith("these keys are ignored: interval, parallel, ratelimit, schedule")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 2\nsync: []", "the key 'version' must be 1. Set version: 1."),
        (
            "version: 1\nsync: []\nimages: x",
            "unknown key 'images'. Use one of the supported keys: version, creds, defaults, sync.",
        ),
        ("version: 1\nsync: [{source: a}]", "sync[0]: the key 'target' is missing. Add the key."),
        (
            "version: 1\nsync: [{source: a, target: b, type: other}]",
            "type: the value must be one of: image, repository, registry.",
        ),
        (
            "version: 1\nsync: [{source: 'a:1', target: 'b/c:2', type: image}]",
            "sync[0]: the entry copies docker.io/library/a:1 to docker.io/b/c:2, which has a different tag. "
            "Use image_copy for this image, because image_sync does not change tags.",
        ),
        (
            f"version: 1\nsync: [{{source: 'a:1', target: 'b/c:1@{DIGEST}', type: image}}]",
            f"sync[0]: the target docker.io/b/c:1@{DIGEST} has a digest that the source docker.io/library/a:1 does not have. "
            "Remove the digest from the target, or add it to the source.",
        ),
        (
            "version: 1\nsync: []\ncreds: [{registry: a.b, reqPerSec: -1}]",
            "reqPerSec: the value must be a number that is not negative.",
        ),
        (
            "version: 1\nsync: []\ncreds: [{registry: a.b, reqConcurrent: many}]",
            "reqConcurrent: the value must be a number that is not negative.",
        ),
        (
            "version: 1\nsync: [{source: a, target: b, type: repository, hooks: {pre: x}}]",
            "sync[0]: the key 'hooks' is not supported. Remove the key, or use regsync.",
        ),
        (
            "version: 1\nsync: [{source: a, target: b, type: repository, tagSets: x}]",
            "sync[0]: unknown key 'tagSets'.",
        ),
        (
            "version: 1\nsync: [{source: '{{env \"A\"}}', target: b, type: repository}]",
            "source: the value is a regsync template, which is not supported. Write the value instead of the template.",
        ),
        (
            "version: 1\nsync: []\ncreds: [{registry: a.b, user: u}]",
            "creds: the entry must have both user and pass. Add the missing key.",
        ),
        (
            "version: 1\nsync: []\ncreds: [{registry: a.b, regcert: x}]",
            "creds: the key 'regcert' is not supported. "
            "Use one of the supported keys: registry, user, pass, tls, reqPerSec, reqConcurrent. Set everything else in registries.",
        ),
        (
            "version: 1\nsync: []\ncreds: [{registry: a.b, user: u, pass: '{{env \"PASS\"}}'}]",
            "pass: the value is a regsync template, which is not supported. "
            "Set the credentials for this host in registries, or remove user and pass to use an auth file.",
        ),
        ("version: 1\nsync: [{source: a, target: b, type: repository, tags: {allow: ['(']}}]", "tags: "),
        (
            "version: 1\nsync: [{source: a, target: b, type: repository, platform: x}]",
            "platform: the key 'platform' is not supported, because it extracts one image from an index.",
        ),
    ],
)
def test_what_regsync_files_cannot_say(node, text, message):
    with pytest.raises(ImageError) as error:
        read_regsync(node(text), lambda _warning: None)
    assert message in str(error.value)
    assert "file.yml" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        """
        kind: ImageSetConfiguration
        apiVersion: mirror.openshift.io/v2alpha1
        archiveSize: 4
        mirror:
          operators: []
          additionalImages: [{name: "quay.io/a/b:1"}, {name: "quay.io/a/c@%s"}, {name: d}]
        """
        % DIGEST,
        """
        apiVersion: content.hauler.cattle.io/v1
        kind: Images
        metadata: {name: all}
        spec: {images: [{name: "quay.io/a/b:1"}, {name: "quay.io/a/c@%s"}, {name: d}]}
        """
        % DIGEST,
    ],
    ids=["oc-mirror", "Hauler"],
)
def test_lists_of_images(node, text):
    document = node(text)
    assert is_image_list(document)
    assert not is_regsync(document)
    assert read_image_list(document) == [
        {"name": "quay.io/a/b", "tags": ["1"]},
        {"name": "quay.io/a/c", "tags": [DIGEST]},
        {"name": "docker.io/library/d", "tags": ["latest"]},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "kind: ImageSetConfiguration\napiVersion: mirror.openshift.io/v1alpha2\nmirror: {operators: [{catalog: x}]}",
            "mirror: the key 'operators' is not supported. Use one of the supported keys: additionalImages.",
        ),
        (
            "kind: Images\napiVersion: content.hauler.cattle.io/v1\nspec: {images: [{name: a, key: cosign.pub}]}",
            "images[0]: the key 'key' is not supported.",
        ),
        (
            "kind: Images\napiVersion: content.hauler.cattle.io/v1\nspec: {images: [{name: A}]}",
            "name: 'A' is not a valid repository name.",
        ),
    ],
)
def test_what_lists_of_images_cannot_say(node, text, message):
    with pytest.raises(ImageError) as error:
        read_image_list(node(text))
    assert message in str(error.value)
