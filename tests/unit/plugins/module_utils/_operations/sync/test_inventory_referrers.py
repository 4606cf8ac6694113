# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory of repositories that have the same image, but not the same referrers."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import Tags
from ansible_collections.drayage.registry.tests.unit.support.referring_store import SBOM, ReferringStore, referrer

IMAGE = image("linux/amd64", b"base")
INDEX = index(entry(IMAGE, "linux/amd64"))
SIGNATURE = referrer(IMAGE, b"signature", "application/vnd.dev.cosign.artifact.sig.v1+json")


@pytest.fixture
def repositories(memory):
    """The repositories ``a`` and ``z`` on both sides, which support referrers; the source has the same images in both."""
    for host in ("s.example", "d.example"):
        for name in ("a", "z"):
            store = memory.repository(host, name, ReferringStore)
            store.tags = Tags()
    for name in ("a", "z"):
        memory["s.example/" + name].add(IMAGE, tag="1").add(INDEX, tag="2")
    return memory


@pytest.fixture
def inventory(tmp_path):
    return tmp_path / "inventory.json"


@pytest.fixture
def run(sync, inventory):
    """Sync a tag of both repositories, or of one. Return the result, and each record's referrers and attached kinds by reference."""

    def run(tag, *names, **options):
        entries = [{"name": name, "tags": [tag]} for name in names or ("a", "z")]
        synced = sync(*entries, **{"inventory": str(inventory), "referrers": True, **options})
        records = json.loads(inventory.read_text())["images"]
        return synced, {one["ref"].partition("/")[2]: (one.get("referrers"), one["attached"]) for one in records}

    return run


@pytest.mark.parametrize("tag", ["1", "2"])
@pytest.mark.parametrize(("signed", "other"), [("a", "z"), ("z", "a")])
def test_each_repository_keeps_its_own_referrers(repositories, run, signed, other, tag):
    repositories["s.example/" + signed].add(SIGNATURE)
    expected = {
        "%s:%s" % (signed, tag): ([SIGNATURE.digest], ["signature"]),
        "%s:%s" % (other, tag): ([], []),
    }
    assert run(tag)[1] == expected
    again, records = run(tag)
    assert not again.changed
    assert records == expected


@pytest.mark.parametrize(("referrers", "expected"), [(True, ([], [])), (False, (None, []))])
def test_a_new_repository_does_not_get_the_referrers_of_another(repositories, run, referrers, expected):
    repositories["s.example/z"].add(SIGNATURE)
    run("1", "z")
    assert run("1", "a", referrers=referrers)[1]["a:1"] == expected


def test_the_kinds_within_an_image_remain(repositories, run):
    """They are in the image itself, unlike those of its referrers."""
    sbom = image("linux/amd64", b"document", artifactType=SBOM)
    for name in ("a", "z"):
        repositories["s.example/" + name].add(sbom, tag="3")
    signature = referrer(sbom, b"signature", "application/vnd.dev.cosign.artifact.sig.v1+json")
    repositories["s.example/z"].add(signature)
    run("3", "z")
    assert run("3", "a")[1] == {"a:3": ([], ["sbom"]), "z:3": ([signature.digest], ["sbom", "signature"])}


def test_an_image_without_referrers_is_read_once_for_all_repositories(repositories, run):
    run("2", "z")
    store = repositories["d.example/a"]
    _synced, records = run("2", "a")
    assert records == {"a:2": ([], []), "z:2": ([], [])}
    assert store.names("manifest") == []


def test_a_bundle_has_the_image_if_only_another_repository_of_the_site_has_its_signature(
    repositories, run, sync, inventory, tmp_path
):
    repositories["s.example/z"].add(SIGNATURE)
    run("1")
    repositories["s.example/a"].add(SIGNATURE)
    entries = [{"name": name, "tags": ["1"]} for name in ("a", "z")]
    synced = sync(*entries, dest="oci:%s/bundle" % tmp_path, base=str(inventory), referrers=True)
    assert [image.is_left_out for image in synced.images] == [False, True]
