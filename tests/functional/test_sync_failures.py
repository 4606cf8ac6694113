# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_sync when something is wrong: what it says, what it does all the same, and how it goes on after a kill."""

from __future__ import annotations

import json

import pytest

from devtools import faults, images, module_runner
from devtools.observe import digest_at, tags_at, tally
from devtools.process import wait_until


def release(number):
    return images.single(layers=[b"release %d" % number])


@pytest.fixture
def sync(run_module, registry, second_registry, repository):
    def run(*entries, **options):
        second_registry.forget()
        options.setdefault("src", f"{registry.host}/{repository}")
        options.setdefault("dest", f"{second_registry.host}/{repository}")
        return run_module("image_sync", images=list(entries), **options)

    return run


@pytest.fixture
def three(registry, repository):
    """Push three repositories, of which the second has an image that its registry serves damaged."""
    for number, name in enumerate(("one", "two", "three")):
        images.push(release(number), registry.host, f"{repository}/{name}", "1")
    broken = max(release(1).blobs, key=lambda digest: len(release(1).blobs[digest]))
    algorithm, encoded = broken.split(":")
    path = registry.storage / "docker/registry/v2/blobs" / algorithm / encoded[:2] / encoded / "data"
    content = path.read_bytes()
    path.write_bytes(b"x" * len(content))
    yield [{"name": name} for name in ("one", "two", "three")]
    path.write_bytes(content)


def test_one_bad_repository_among_three(sync, three, second_registry, repository):
    result = sync(*three, keep_going=True)
    assert result.failed
    assert result.changed
    assert [image["action"] for image in result.images] == ["created", "failed", "created"]
    assert "digest mismatch" in result.images[1]["error"]
    assert result.msg == result.images[1]["error"]
    assert digest_at(second_registry.host, f"{repository}/{repository}/three", "1") == release(2).digest
    assert tags_at(second_registry.host, f"{repository}/{repository}/two") == []


def test_without_keep_going_nothing_is_written_when_an_image_is_missing(sync, registry, second_registry, repository):
    images.push(release(0), registry.host, f"{repository}/one", "1")
    result = sync({"name": "one"}, {"name": "two", "tags": ["1"]})
    assert result.failed
    assert not result.changed
    assert [image["action"] for image in result.images] == ["failed", "failed"]
    assert "the image was skipped, because another image failed" in result.images[0]["error"]
    assert f"{repository}/two" in result.images[1]["error"]
    assert result.msg == result.images[1]["error"] + " Images skipped because of this: 1."
    assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}
    assert not sync({"name": "two", "tags": ["1"]}, missing_ok=True).failed


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "one", "include": ["1", "nothing.*"]}, "no tag matches nothing.*"),
        ({"name": "one", "semver": ">=7"}, "the repository has 1 tag, but the entry selects none"),
        ({"name": "absent"}, "404 NAME_UNKNOWN"),
        ({"name": "one", "include": ["("]}, "is not a valid regular expression"),
        ({"name": "one", "semver": "latest"}, "is not a valid version range"),
        ({"name": "one", "tags": ["no tag"]}, "is neither a tag nor a digest"),
        ({"name": "one:1"}, "a repository is required, but the reference has a tag or digest"),
        ({"name": "on*"}, "is not a valid name"),
    ],
)
def test_what_selects_nothing_or_makes_no_sense_is_said(entry, message, sync, registry, repository):
    images.push(release(0), registry.host, f"{repository}/one", "1")
    result = sync(entry)
    assert result.failed
    assert message in result.msg
    assert "one" in result.msg or "on*" in result.msg or "absent" in result.msg


def test_two_sources_for_one_destination(sync, registry, second_registry, repository):
    for name in ("one", "two"):
        images.push(release(0), registry.host, f"{repository}/{name}", "1")
    result = sync({"name": "one", "dest": "same"}, {"name": "two", "dest": "same"})
    assert result.failed
    assert "two images have the same destination" in result.msg
    assert f"{repository}/one:1" in result.msg
    assert {request.method for request in second_registry.requests()} <= {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dest": "team"}, "the dest option has no registry"),
        ({"slice": "3/2"}, "is not a valid slice"),
        ({"prune": True, "prune_keep": ["("]}, "prune_keep"),
        ({"base": "/nonexistent/inventory.json"}, "cannot read the inventory /nonexistent/inventory.json"),
    ],
)
def test_options_that_make_no_sense(options, message, sync, registry, repository):
    images.push(release(0), registry.host, f"{repository}/one", "1")
    result = sync({"name": "one"}, **options)
    assert result.failed
    assert message in result.msg


def test_a_killed_run_goes_on_where_it_was(run_module, registry, second_registry, repository, tmp_path):
    names = [f"service-{number}" for number in range(6)]
    for number, name in enumerate(names):
        images.push(release(number), registry.host, f"{repository}/{name}", "1")
    entries = [{"name": name, "dest": f"{repository}/all" if number < 3 else None} for number, name in enumerate(names)]
    options = {"src": f"{registry.host}/{repository}", "dest": second_registry.host}
    for entry, tag in zip(entries[:3], "abc"):
        images.push(release(names.index(entry["name"])), registry.host, f"{repository}/{entry['name']}", tag)
        entry["tags"] = [tag]
    options["images"] = [{key: value for key, value in entry.items() if value} for entry in entries]
    # One blob takes longer than the test, and the pace leaves the other images unfinished when three blobs have arrived.
    manifest = json.loads(release(5).manifests[release(5).digest][1])
    second_registry.forget()
    with faults.slow_blob(registry, manifest["layers"][0]["digest"], rate=1) as proxy:
        slow = {"registries": [{"host": second_registry.host, "requests_per_second": 10}], "jobs": 4}
        slow["src"] = f"{proxy.host}/{repository}"
        process = module_runner.start("image_sync", {**options, **slow}, home=tmp_path / "home")
        try:
            wait_until(lambda: process.poll() is not None or accepted(second_registry).get("PUT upload", 0) >= 3)
            assert process.poll() is None, process.communicate()
        finally:
            process.kill()
            process.communicate()
    before = accepted(second_registry)
    blobs = sum(len(release(number).blobs) for number in range(6))
    assert before["PUT upload"] < blobs

    result = run_module("image_sync", **options)
    after = accepted(second_registry)
    assert result.changed
    assert after["PUT upload"] == blobs
    assert after["PUT manifest"] == 6
    assert digest_at(second_registry.host, f"{repository}/all", "c") == release(2).digest
    assert not run_module("image_sync", **options).changed


def accepted(registry):
    """Count what the registry has taken in since its log was forgotten: what a kill cuts off is in the log as well."""
    return tally(request for request in registry.requests() if request.status == 201)
