# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The likeliest mistakes of a first-time user: each message, obeyed literally, leads to success.

In a row, ``HOST`` is a registry that has ``REPO/app`` with the tags 1 (an index) and 1.10, ``CLOSED`` one that wants the user
alice, ``TLS`` one whose certificate an unknown CA has signed (``CA``), and ``TMP`` an empty directory of this machine.
"""

from __future__ import annotations

import base64
import json

import pytest

from devtools import images

INDEX, SINGLE = images.index(), images.single(seed="first mistakes")
COPY = {"src": "HOST/REPO/app:1", "dest": "HOST/REPO/copy:1"}
SYNC = {"dest": "HOST/REPO/mirror"}
ALICE = {"host": "CLOSED", "username": "alice", "password": "wonder:land"}

# The module, the options that are right, what is wrong in them, what the message says, and what obeying it changes.
MISTAKES = {
    # References
    "a registry without a repository": ("image_copy", COPY, {"dest": "HOST"}, "Write HOST/REPOSITORY[:TAG]", {"dest": "HOST/REPO/x"}),
    "no registry": (
        "image_copy", COPY, {"dest": "app:1"},
        "dest has no registry, so it would refer to an official image on Docker Hub. Write host[:port]/REPOSITORY[:TAG]", {"dest": "HOST/REPO/x:1"},
    ),
    "a path": ("image_copy", COPY, {"dest": "TMP/x"}, "Write oci:TMP/x for an OCI layout", {"dest": "oci:TMP/x"}),
    "a layout as a URL": ("image_copy", COPY, {"dest": "oci://TMP/x:1"}, "Write oci:TMP/x:1.", {"dest": "oci:TMP/x:1"}),
    "a registry as Helm writes it": ("image_copy", COPY, {"src": "oci://HOST/REPO/app:1"}, "Write HOST/REPO/app:1.", {"src": "HOST/REPO/app:1"}),
    "a URL of a browser": ("image_copy", COPY, {"src": "http://HOST/REPO/app:1"}, "Write HOST/REPO/app:1.", {"src": "HOST/REPO/app:1"}),
    "a transport without slashes": (
        "image_copy", COPY, {"src": "docker:HOST/REPO/app:1"},
        "Write docker://HOST/REPO/app:1.", {"src": "docker://HOST/REPO/app:1"},
    ),
    "upper case": ("image_copy", COPY, {"dest": "HOST/REPO/App:1"}, "Write the repository name in lower case", {"dest": "HOST/REPO/app2:1"}),
    "a version with a plus": (
        "image_copy", COPY, {"dest": "HOST/REPO/x:1.0+b"},
        "'1.0+b' is not a valid tag. Write a tag of up to 128 letters, digits, '_', '.' and '-'", {"dest": "HOST/REPO/x:1.0_b"},
    ),
    "a short digest": (
        "image_copy", COPY, {"src": "HOST/REPO/app@sha256:abc"},
        "Write sha256: followed by 64 hexadecimal digits", {"src": f"HOST/REPO/app@{INDEX.digest}"},
    ),
    "a password in the reference": (
        "image_copy", COPY, {"src": "alice:wonder:land@CLOSED/REPO/app:1"},
        "Set the credentials in registries or authfile", {"src": "CLOSED/REPO/app:1", "registries": [ALICE]},
    ),
    # Tags and platforms
    "a tag without quotes": ("image_copy", COPY, {"tags": [1.1]}, "1.1 is a number, not a string. Put the value in quotes", {"tags": ["1.10"]}),
    "a reference for a tag": ("image_copy", COPY, {"tags": ["HOST/REPO/copy:2"]}, "Write only the tag, without a repository", {"tags": ["2"]}),
    "half a platform": (
        "image_copy", COPY, {"platforms": ["arm64"]},
        "Write os/architecture[/variant], for example linux/arm64", {"platforms": ["linux/arm64"]},
    ),
    "a platform that is missing": (
        "image_copy", COPY, {"platforms": ["linux/s390x"]},
        "Choose one of the available platforms: linux/amd64, linux/arm64.", {"platforms": ["linux/amd64", "linux/arm64"]},
    ),
    "a repository with a tag": ("image_tags", {}, {"repository": "HOST/REPO/app:1"}, "Remove the tag or digest", {"repository": "HOST/REPO/app"}),
    "a range that is none": (
        "image_tags", {"repository": "HOST/REPO/app"}, {"semver": "1.2 and up"},
        'Write the range as ">=1.2, <2"', {"semver": ">=1.2, <2"},
    ),
    # Sets
    "nothing declared": ("image_sync", SYNC, {}, "there is nothing to synchronize. Set images", {"images": ["HOST/REPO/app:1"]}),
    "a set for no registry": (
        "image_sync", {"images": ["HOST/REPO/app:1"]}, {"dest": "mirror"},
        "Write host[:port] or host[:port]/path", {"dest": "HOST/REPO/mirror"},
    ),
    "a name with a tag": (
        "image_sync", SYNC, {"images": [{"name": "HOST/REPO/app:1"}]},
        "Move the tag to tags", {"images": [{"name": "HOST/REPO/app", "tags": ["1"]}]},
    ),
    "half an expression": (
        "image_sync", SYNC, {"images": [{"name": "HOST/REPO/app", "include": ["1."]}]},
        "An expression must match the whole tag", {"images": [{"name": "HOST/REPO/app", "include": ["1\\..*"]}]},
    ),
    "no destination": ("image_sync", {"images": [{"name": "HOST/REPO/app", "tags": ["1"]}]}, {}, "Set dest for this entry or for the task", SYNC),
    "a list of names": (
        "image_sync", SYNC, {"images": [{"tag": "1", "name": "HOST/REPO/app"}]},
        "Supported parameters include: dest, exclude, include, missing_ok, name, newest, platforms, semver, semver_strict, tags",
        {"images": [{"tags": ["1"], "name": "HOST/REPO/app"}]},
    ),
    # Credentials and TLS
    "no credentials": ("image_copy", COPY, {"src": "CLOSED/REPO/app:1"}, "registries or authfile", {"registries": [ALICE]}),
    "a wrong password": (
        "image_copy", COPY, {"src": "CLOSED/REPO/app:1", "registries": [{**ALICE, "password": "wrong"}]},
        "Check the user name and password", {"registries": [ALICE]},
    ),
    "an unknown CA": (
        "image_copy", COPY, {"src": "TLS/REPO/app:1", "registries": [{"host": "TLS", "plain_http": False}]},
        "ca_path", {"registries": [{"host": "TLS", "plain_http": False, "ca_path": "CA"}]},
    ),
    "plain HTTP where there is TLS": (
        "image_copy", COPY, {"src": "TLS/REPO/app:1", "registries": [{"host": "TLS", "plain_http": True, "ca_path": "CA"}]},
        "Set plain_http: false for the host in registries", {"registries": [{"host": "TLS", "plain_http": False, "ca_path": "CA"}]},
    ),
    "TLS where there is none": (
        "image_copy", COPY, {"registries": [{"host": "HOST", "plain_http": False}]},
        "plain_http", {"registries": [{"host": "HOST", "plain_http": True}]},
    ),
}  # fmt: skip


@pytest.fixture
def fill(registry, htpasswd_registry, tls_registry, authority, repository, tmp_path):
    """Push what the rows need, and return a function that puts the places into options."""
    alice = "Basic " + base64.b64encode(b"alice:wonder:land").decode()
    images.push(INDEX, registry.host, f"{repository}/app", "1")
    images.push(SINGLE, registry.host, f"{repository}/app", "1.10")
    images.push(INDEX, htpasswd_registry.host, f"{repository}/app", "1", authorization=alice)
    images.push(INDEX, tls_registry.host, f"{repository}/app", "1", tls_ca=authority.ca)
    places = {
        "HOST": registry.host,
        "CLOSED": htpasswd_registry.host,
        "TLS": tls_registry.host,
        "REPO/": f"{repository}/",
        '"CA"': json.dumps(str(authority.ca)),
        "TMP": str(tmp_path),
    }

    def filled(options):
        text = json.dumps(options)
        for name, value in places.items():
            text = text.replace(name, value)
        return json.loads(text)

    return filled


@pytest.mark.parametrize(("module", "right", "wrong", "message", "obeyed"), MISTAKES.values(), ids=MISTAKES)
def test_the_message_leads_to_success(run_module, fill, module, right, wrong, message, obeyed):
    failed = run_module(module, **fill({**right, **wrong}))
    assert failed.failed, failed
    assert fill([message])[0] in failed.msg
    done = run_module(module, **fill({**right, **wrong, **obeyed}))
    assert not done.failed, done
