# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_sync between registries: what it brings, that it does so once, what it predicts, and the requests it costs."""

from __future__ import annotations

import pytest

from devtools import images
from devtools.observe import digest_at, tags_at, tally

SHARED = [b"the base that all share", b"the runtime that all share"]


def release(number):
    """Return an image with two shared layers and one of its own."""
    return images.single(layers=[*SHARED, b"release %d" % number])


@pytest.fixture
def prefix(repository):
    """Return a path that no other test uses."""
    return repository


@pytest.fixture
def push(registry, prefix):
    def run(name, **tags):
        for tag, image in tags.items():
            images.push(image, registry.host, f"{prefix}/{name}", tag.lstrip("_").replace("_", "."))

    return run


@pytest.fixture
def sync(run_module, registry, second_registry, prefix):
    """Return a function that syncs from ``registry`` to ``second_registry``, below the prefix on both."""

    def run(**options):
        options.setdefault("src", f"{registry.host}/{prefix}")
        options.setdefault("dest", second_registry.host)
        registry.forget()
        second_registry.forget()
        return run_module("image_sync", **options)

    return run


def actions(result):
    return {image["dest"].rpartition("/")[2]: image["action"] for image in result.images}


def test_a_set_arrives_with_its_digests_and_a_second_run_asks_only(sync, push, registry, second_registry, prefix):
    index = images.index(attestations=True)
    push("app", _1_0=release(0), _1_1=release(1), _1_2=release(2), latest=release(2))
    push("tools/cli", stable=index)
    declared = [{"name": "app"}, {"name": "tools/cli", "tags": ["stable"]}]

    predicted = sync(images=declared, check_mode=True, diff=True)
    assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}
    first = sync(images=declared, diff=True)
    assert first.changed
    assert first.images == predicted.images
    assert first.summary == predicted.summary
    assert first.raw["diff"] == predicted.raw["diff"]
    assert first.summary["created"] == 5
    assert digest_at(second_registry.host, f"{prefix}/app", "1.1") == release(1).digest
    assert digest_at(second_registry.host, f"{prefix}/tools/cli", "stable") == index.digest
    diff = first.raw["diff"]
    assert diff["before"][f"{second_registry.host}/{prefix}/app"] == {}
    assert diff["after"][f"{second_registry.host}/{prefix}/app"]["latest"] == release(2).digest

    second = sync(images=declared)
    assert not second.changed
    assert set(actions(second).values()) == {"unchanged"}
    assert second.summary["bytes_copied"] == 0
    # One list a repository and one HEAD a tag on each side; no list where the tags are named.
    assert tally(registry.requests()) == {"GET tags": 1, "HEAD manifest": 5}
    assert tally(second_registry.requests()) == {"GET tags": 2, "HEAD manifest": 5}
