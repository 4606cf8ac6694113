# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_sync between registries: what it brings, that it does so once, what it predicts, and the requests it costs."""

from __future__ import annotations

import pytest

from devtools import images
from devtools.observe import digest_at, tags_at, tally
from devtools.servers import Haproxy

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


def test_only_what_is_selected_comes(sync, push, second_registry, prefix):
    push("app", _1_0_0=release(0), _1_1_0=release(1), _1_2_0=release(2), _2_0_0=release(3), edge=release(4))
    chosen, matched, pinned = (f"{prefix}/{name}" for name in ("chosen", "matched", "pinned"))
    selected = sync(
        images=[
            {"name": "app", "tags": ["edge"], "semver": "^1", "newest": 2, "exclude": ["1.2.*"], "dest": chosen},
            {"name": "app", "include": ["2.*", "1.0.*"], "dest": matched},
            {"name": "app", "tags": [release(3).digest], "dest": pinned},
        ]
    )
    assert selected.changed
    assert tags_at(second_registry.host, chosen) == ["1.0.0", "1.1.0", "edge"]
    assert tags_at(second_registry.host, matched) == ["1.0.0", "2.0.0"]
    assert digest_at(second_registry.host, pinned, release(3).digest) == release(3).digest
    assert not sync(images=[{"name": "app", "tags": [release(3).digest], "dest": pinned}]).changed


def test_a_layer_of_many_images_is_uploaded_once_and_mounted_after(sync, push, registry, second_registry, prefix):
    names = [f"service-{number}" for number in range(8)]
    for number, name in enumerate(names):
        push(name, latest=release(number))
    result = sync(images=[{"name": name} for name in names])
    assert result.summary["created"] == 8
    blobs = {digest for number in range(8) for digest in release(number).blobs}
    downloads = tally(registry.requests())["GET blob"]
    counted = tally(second_registry.requests())
    assert downloads == len(blobs)
    assert counted["PUT upload"] == len(blobs)
    assert counted["PUT manifest"] == 8
    sizes = {digest: len(content) for number in range(8) for digest, content in release(number).blobs.items()}
    assert result.summary["bytes_copied"] == sum(sizes.values())
    for name in names:
        assert digest_at(second_registry.host, f"{prefix}/{name}", "latest") == release(names.index(name)).digest


def test_what_the_destination_has_is_mounted_into_a_new_repository(sync, push, second_registry, prefix):
    """It was found there when the update of another repository was planned."""
    push("app", latest=release(1))
    sync(images=[{"name": "app"}])
    push("app", latest=release(2))
    push("new", latest=release(3))
    declared = [{"name": "app"}, {"name": "new"}]
    predicted = sync(images=declared, check_mode=True)
    result = sync(images=declared)
    assert predicted.images == result.images
    shared = set(release(1).blobs) & set(release(2).blobs) & set(release(3).blobs)
    size = sum(len(release(1).blobs[digest]) for digest in shared)
    assert f", {size / 1000:.1f} kB to mount." in predicted.msg
    assert f", {size / 1000:.1f} kB mounted." in result.msg
    fresh = (set(release(2).blobs) | set(release(3).blobs)) - shared
    assert tally(second_registry.requests())["PUT upload"] == len(fresh)
    assert digest_at(second_registry.host, f"{prefix}/new", "latest") == release(3).digest


def test_layers_are_mounted_where_a_new_repository_is_no_source_for_itself(
    run_module, push, registry, second_registry, prefix
):
    """Blobs of the second image alone, which are larger, come first; whether a killed run left them there is refused."""
    for name, layer in (("one", b"one"), ("two", b"t" * 5000)):
        push(name, _1=images.single(layers=[*SHARED, layer]))
    own = f"{prefix}/two"
    rule = f"http-request return status 404 if {{ path_beg /v2/{own}/ }} {{ url_param(from),url_dec -m str {own} }}"
    with Haproxy(second_registry, rule) as proxy:
        entries = [{"name": "one"}, {"name": "two"}]
        result = run_module("image_sync", src=f"{registry.host}/{prefix}", dest=proxy.host, images=entries, jobs=1)
    assert result.summary["created"] == 2
    statuses = [
        request.status
        for request in second_registry.requests()
        if f"/{own}/" in request.path and "mount=" in request.query
    ]
    assert statuses == [201] * len(SHARED)


def test_a_moved_tag_is_updated_and_a_kept_one_is_not_even_asked_for(sync, push, registry, second_registry, prefix):
    push("app", stable=release(1), _1=release(1))
    sync(images=[{"name": "app"}])
    push("app", stable=release(2), _2=release(2))

    kept = sync(images=[{"name": "app"}], existing="keep")
    assert actions(kept) == {"app:stable": "unchanged", "app:1": "unchanged", "app:2": "created"}
    assert digest_at(second_registry.host, f"{prefix}/app", "stable") == release(1).digest
    again = sync(images=[{"name": "app"}], existing="keep")
    assert not again.changed
    assert tally(registry.requests()) == tally(second_registry.requests()) == {"GET tags": 1}

    updated = sync(images=[{"name": "app"}], diff=True)
    assert actions(updated) == {"app:1": "unchanged", "app:2": "unchanged", "app:stable": "updated"}
    assert updated.raw["diff"]["before"] == {f"{second_registry.host}/{prefix}/app": {"stable": release(1).digest}}
    assert digest_at(second_registry.host, f"{prefix}/app", "stable") == release(2).digest
    assert updated.summary["bytes_copied"] == 0


def test_platforms_make_an_index_of_its_own_and_stay_unchanged(sync, push, second_registry, prefix):
    push("app", _1=images.index(attestations=True))
    first = sync(images=[{"name": "app", "platforms": ["linux/arm64"]}])
    second = sync(images=[{"name": "app"}], platforms=["linux/arm64"])
    assert (first.changed, second.changed) == (True, False)
    assert (
        digest_at(second_registry.host, f"{prefix}/app", "1") == first.images[0]["digest"] == second.images[0]["digest"]
    )
    assert first.images[0]["digest"] != images.index(attestations=True).digest


def test_all_repositories_below_a_path(sync, push, registry, second_registry, prefix):
    push("team/one", _1=release(1))
    push("team/deep/two", _1=release(2))
    push("other", _1=release(3))
    below = sync(images=[{"name": "team/*", "dest": f"{prefix}-copy"}])
    assert sorted(actions(below).values()) == ["created", "created"]
    assert digest_at(second_registry.host, f"{prefix}-copy/deep/two", "1") == release(2).digest
    named = sync(src=None, images=[{"name": f"{registry.host}/{prefix}/team/*"}], dest=f"{second_registry.host}/x")
    assert digest_at(second_registry.host, f"x/{prefix}/team/one", "1") == release(1).digest
    assert named.summary["created"] == 2


@pytest.mark.parametrize(
    ("scoped", "name"), [(None, "{prefix}/team/app"), (True, "{host}/{prefix}/team/app"), (False, "app")]
)
def test_names_at_the_destination(scoped, name, run_module, push, registry, second_registry, prefix):
    push("team/app", _1=release(1))
    result = run_module(
        "image_sync",
        images=[{"name": f"{registry.host}/{prefix}/team/app"}],
        dest=f"{second_registry.host}/{prefix}-root",
        scoped=scoped,
    )
    if scoped:
        # A port cannot be part of the name of a repository.
        assert "a host with a port cannot be part of a repository name. Set scoped: false" in result.msg
        return
    path = name.format(prefix=prefix, host=registry.host)
    assert result.images[0]["dest"] == f"{second_registry.host}/{prefix}-root/{path}:1"
    assert digest_at(second_registry.host, f"{prefix}-root/{path}", "1") == release(1).digest


def test_shares_of_hosts_are_disjoint_and_complete(sync, push, second_registry, prefix):
    push("app", **{f"_1_{number}": release(number) for number in range(12)})
    shares = [sync(images=[{"name": "app"}], slice=f"{number}/3") for number in (1, 2, 3)]
    brought = [image["dest"] for share in shares for image in share.images]
    assert len(brought) == len(set(brought)) == 12
    assert tags_at(second_registry.host, f"{prefix}/app") == sorted(f"1.{number}" for number in range(12))
    pruned = [sync(images=[{"name": "app", "tags": ["1.0"]}], prune=True, slice=f"{number}/3") for number in (1, 2, 3)]
    assert sum(share.summary["deleted"] for share in pruned) == 11
    assert tags_at(second_registry.host, f"{prefix}/app") == ["1.0"]


def test_a_chain_of_promotions_reads_lists_with_pages(run_module, modern_registry, prefix):
    """The repository in the middle is a destination and a source. Each run moves the images one step."""
    for number in range(3):
        images.push(release(number), modern_registry.host, f"{prefix}/upstream", f"1.{number}")
    pages = "http-request set-query n=1 if { path_end /tags/list } !{ query -m sub n= }"
    with Haproxy(modern_registry, pages) as proxy:
        steps = [f"{proxy.host}/{prefix}/{name}" for name in ("upstream", "staging", "prod")]
        chain = [{"name": steps[0], "dest": steps[1]}, {"name": steps[1], "dest": steps[2], "missing_ok": True}]
        created = [run_module("image_sync", images=chain).summary["created"] for _run in range(3)]
    assert created == [3, 3, 0]
    assert digest_at(modern_registry.host, f"{prefix}/prod", "1.2") == release(2).digest
    assert any("last=" in request.query for request in modern_registry.requests())
