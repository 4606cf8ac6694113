# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What image_sync removes, and what it never does."""

from __future__ import annotations

import pytest

from devtools import images
from devtools.observe import digest_at, tags_at


def release(number):
    return images.single(layers=[b"release %d" % number])


@pytest.fixture
def sync(run_module, registry, second_registry, repository):
    """Return a function that prunes what is below the repository's name on ``second_registry``."""

    def run(*names, **options):
        options.setdefault("images", [{"name": name} for name in names])
        second_registry.forget()
        return run_module(
            "image_sync", src=f"{registry.host}/{repository}", dest=second_registry.host, prune=True, **options
        )

    return run


@pytest.fixture
def push(registry, second_registry, repository):
    def run(name, *tags, there=(), image=None):
        for side, names in ((registry, tags), (second_registry, there)):
            for number, tag in enumerate(names):
                images.push(image or release(number), side.host, f"{repository}/{name}", tag)

    return run


def left(second_registry, repository, name="app"):
    return tags_at(second_registry.host, f"{repository}/{name}")


def test_only_what_is_no_longer_selected_goes(sync, push, second_registry, repository):
    same = release(0)
    push("app", "1", "2", there=["1", "2", "old-a", "old-b", "rollback-1"], image=same)
    push("other", there=["old"])

    predicted = sync("app", check_mode=True, prune_keep=["rollback-.*"], diff=True)
    assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}
    first = sync("app", prune_keep=["rollback-.*"], diff=True)
    assert predicted.images == first.images
    assert predicted.raw["diff"] == first.raw["diff"]
    assert first.summary["deleted"] == 2
    # All tags name one manifest, which this registry deletes by its digest only: the others must have outlived it.
    assert left(second_registry, repository) == ["1", "2", "rollback-1"]
    assert digest_at(second_registry.host, f"{repository}/app", "1") == same.digest
    assert left(second_registry, repository, "other") == ["old"]
    assert not sync("app", prune_keep=["rollback-.*"]).changed


def test_what_several_entries_select_together_stays(sync, push, second_registry, repository):
    push("app", "1", "2", "3", there=["1", "2", "3"])
    entries = [{"name": "app", "tags": ["1"]}, {"name": "app", "include": ["2"]}]
    result = sync(images=entries)
    assert result.summary["deleted"] == 1, result
    assert left(second_registry, repository) == ["1", "2"]


def test_too_many_deletions_are_refused_before_anything_is_written(sync, push, second_registry, repository):
    push("app", "1", "new", there=["1", "a", "b", "c"])
    refused = sync("app", max_delete=2)
    assert refused.failed
    assert refused.msg.startswith("prune would delete 3 tags, but max_delete allows 2: ")
    assert f"{repository}/app:c. Nothing was written" in refused.msg
    assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}
    assert sync("app", max_delete=3).summary["deleted"] == 3


@pytest.mark.parametrize("missing_ok", [True, False])
@pytest.mark.parametrize("entry", [{}, {"tags": ["7"]}])
def test_a_source_that_tells_nothing_removes_nothing(entry, missing_ok, sync, push, second_registry, repository):
    push("gone", there=["1", "2"])
    result = sync(images=[{"name": "gone", **entry}], missing_ok=missing_ok, keep_going=True)
    assert result.failed is not missing_ok
    assert left(second_registry, repository, "gone") == ["1", "2"]


def test_nothing_is_removed_where_an_image_could_not_be_brought(sync, push, second_registry, repository):
    push("app", "1", there=["1", "old"])
    push("fine", "1", there=["1", "old"])
    entries = [{"name": "app", "tags": ["1", "missing"]}, {"name": "fine"}]
    result = sync(images=entries, keep_going=True)
    assert result.failed
    assert left(second_registry, repository) == ["1", "old"]
    assert left(second_registry, repository, "fine") == ["1"]
