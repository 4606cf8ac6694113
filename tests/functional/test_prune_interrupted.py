# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run after an interrupted prune deletes what the first one left, and an image that has its tag never loses its signature.

The operation runs in this process, against real registries, behind a proxy that stops to answer.
"""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import Entry, SyncOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.sync import sync
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from devtools import attached, images
from devtools.forger import LOST, Forger, error
from devtools.observe import blob_at, digest_at, tags_at

OLD, KEPT = images.single(seed="old"), images.single(seed="kept")
SIGNATURE = images.artifact("application/vnd.dev.cosign.simplesigning.v1+json")
SBOM = images.artifact(attached.SBOM_TYPE, subject=OLD)
ATTACHED = ["sha256-%s%s" % (OLD.digest[7:], suffix) for suffix in (".att", ".sig")]


@pytest.fixture(params=["by tag", "by digest only"])
def server(request):
    """Return a registry that deletes tags, and one that deletes manifests only."""
    return request.getfixturevalue("modern_registry" if request.param == "by tag" else "registry")


@pytest.fixture
def prune(tmp_path, server, repository):
    """Return a function that deletes the tag ``old`` in a repository, which is not selected, and returns what the sync returned."""
    authfile = tmp_path / "auth.json"
    authfile.write_text("{}")
    images.push(KEPT, server.host, f"{repository}-source", "keep")

    def run(host, name, referrers=False):
        declared = Entry(f"{server.host}/{repository}-source", dest=f"{host}/{name}", tags=["keep"])
        run = Run(lambda _argv, _stdin: pytest.fail("nothing here needs a helper"), jobs=1)
        with Stores([], str(authfile), Policy(30.0, 0, 1), run) as stores:
            return sync(SyncOptions(images=[declared], prune=True, keep_going=True, referrers=referrers), stores)

    return run


def fill(server, name):
    for tag, image in (("keep", KEPT), ("old", OLD), *((tag, SIGNATURE) for tag in ATTACHED)):
        images.push(image, server.host, name, tag)


def has_signatures(server, name):
    """Whether all that cosign reads of the signatures of ``old`` is there."""
    return set(ATTACHED) <= set(tags_at(server.host, name)) and all(
        blob_at(server.host, name, layer["digest"]) for layer in SIGNATURE.document()["layers"]
    )


def stop_at(number, is_done):
    """Return the rule that fails everything from the given change on; ``is_done`` passes that one on, and loses its response."""
    changes = itertools.count(1)
    stopped = []

    def rule(request):
        if not stopped and request.method not in ("GET", "HEAD") and next(changes) == number:
            stopped.append(request.forward() if is_done else None)
        return LOST if stopped else None

    return rule, stopped


@pytest.mark.parametrize(
    ("is_done", "referrers"),
    [(True, False), (False, False), (True, True)],
    ids=["after the change", "before the change", "with referrers"],
)
def test_the_next_run_deletes_the_rest(server, repository, prune, is_done, referrers):
    for number in itertools.count(1):
        name = f"{repository}-{number}"
        fill(server, name)
        if referrers:
            attached.attach([(SBOM, OLD)], server.host, name, lists=True)
        rule, stopped = stop_at(number, is_done)
        with Forger(server.host, rule) as proxy:
            prune(proxy.host, name, referrers)
            if digest_at(server.host, name, "old") == OLD.digest:
                assert has_signatures(server, name), number
            proxy.rules.clear()
            assert not prune(proxy.host, name, referrers).failure
            assert tags_at(server.host, name) == ["keep"], number
            assert not prune(proxy.host, name, referrers).changed
        if not stopped:
            break
    assert number > 5


def test_a_tag_that_cannot_be_deleted_keeps_its_signatures(server, repository, prune):
    fill(server, repository)

    def refuse(request):
        is_change = request.method in ("PUT", "DELETE") and request.target.endswith("/manifests/old")
        return error(403, "DENIED") if is_change else None

    with Forger(server.host, refuse) as proxy:
        for _run in range(2):
            assert prune(proxy.host, repository).failure
            assert digest_at(server.host, repository, "old") == OLD.digest
            assert has_signatures(server, repository)
        proxy.rules.clear()
        assert not prune(proxy.host, repository).failure
    assert tags_at(server.host, repository) == ["keep"]


def test_nothing_is_changed_where_nothing_can_be_deleted(server, repository, prune):
    fill(server, repository)
    before = digest_at(server.host, repository, ATTACHED[0])
    with Forger(server.host, lambda request: error(403, "DENIED") if request.method == "DELETE" else None) as proxy:
        assert prune(proxy.host, repository).failure
        assert "PUT" not in [method for method, _target in proxy.requests]
    assert digest_at(server.host, repository, ATTACHED[0]) == before


def test_signatures_of_other_images_without_a_tag_stay(server, repository, prune):
    fill(server, repository)
    other = images.single(seed="other")
    images.push(other, server.host, repository, other.digest)
    tag = "sha256-%s.sig" % other.digest[7:]
    images.push(SIGNATURE, server.host, repository, tag)
    for _run in range(2):
        assert not prune(server.host, repository).failure
        assert tags_at(server.host, repository) == ["keep", tag]
