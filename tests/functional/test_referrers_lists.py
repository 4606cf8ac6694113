# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy with referrers, where the tag of a list of referrers is odd or written by others."""

from __future__ import annotations

import pytest
import requests

from devtools import attached, images, peers
from devtools.forger import Forger
from devtools.observe import digest_at, tags_at

FAMILY = attached.Family("lists-of-referrers")


class TestOddLists:
    def test_nothing_is_written_over_what_is_no_list(self, copy_referrers, api_source, registry, repository):
        """cosign copy puts the image there, and GitLab resolves the tag to it."""
        tag = attached.list_tag(FAMILY.image.digest)
        images.push(FAMILY.image, registry.host, repository, tag)
        result = copy_referrers(api_source, f"{registry.host}/{repository}:1")
        assert result.failed
        assert (
            f"cannot list the referrers of {FAMILY.image.digest}: the registry has no referrers API, and the tag {tag} "
            "does not point to a list of referrers. Copy the image without referrers" in result.msg
        )
        assert requests.get(f"{registry.url}/v2/{repository}/tags/list").json()["tags"] == [tag]

    def test_wrong_tags_of_cosign_copy(
        self, copy_referrers, carried, registry, modern_registry, oci_registry, repository
    ):
        """It puts the image and each child under the tag of the list of their referrers, and cosign's tags where they belong."""
        for image, tag in ((FAMILY.image, "1"), (FAMILY.image, ""), (FAMILY.child, "")):
            images.push(image, registry.host, f"{repository}/source", tag or attached.list_tag(image.digest))
        for tag, signature in FAMILY.tags.items():
            images.push(signature, registry.host, f"{repository}/source", tag)
        src = f"{registry.host}/{repository}/source:1"
        for server in (modern_registry, oci_registry):
            dest = f"{server.host}/{repository}/copy:1"
            result = copy_referrers(src, dest)
            assert not result.failed, result.msg
            assert carried(dest) == (0, 0, 0, True)
            assert tags_at(server.host, f"{repository}/copy") == sorted(["1", *FAMILY.tags])
            assert copy_referrers(src, dest).changed is False

    def test_what_cosign_copies_itself(self, copy_referrers, carried, api_source, registry, repository, tmp_path):
        path = peers.find("cosign")
        if not path:
            pytest.skip("cosign has to be built, which takes minutes")
        dest = f"{registry.host}/{repository}/copy:1"
        peers.Peer(path, tmp_path / "cosign").run("copy", "--allow-http-registry", api_source, dest)
        tag = attached.list_tag(FAMILY.image.digest)
        assert digest_at(registry.host, f"{repository}/copy", tag) == FAMILY.image.digest
        assert carried(dest) == (0, 0, 0, True)
        refused = copy_referrers(api_source, dest)
        assert refused.failed
        assert f"tag {tag} does not point to a list of referrers" in refused.msg
        assert digest_at(registry.host, f"{repository}/copy", tag) == FAMILY.image.digest

    def test_another_writer_at_the_same_time(self, copy_referrers, carried, api_source, registry, repository):
        """It read the list before ours was written, and writes it after: its entries and ours are there in the end."""
        tag, own = attached.list_tag(FAMILY.image.digest), images.artifact("application/own", subject=FAMILY.image)
        images.push(FAMILY.image, registry.host, repository, "1")
        images.push(own, registry.host, repository, own.digest)
        overwritten = []

        def rule(request):
            if request.method != "PUT" or not request.target.endswith(tag) or overwritten:
                return None
            overwritten.append(request.forward())
            images.push(attached.index_of([own.descriptor()]), registry.host, repository, tag)
            return overwritten[0]

        with Forger(registry.host, rule) as proxy:
            result = copy_referrers(api_source, f"{proxy.host}/{repository}:1")
        assert not result.failed, result.msg
        assert overwritten
        assert carried(f"{registry.host}/{repository}:1", more={own.digest}) == attached.EVERYTHING

    def test_null_list_is_added_to(self, copy_referrers, carried, api_source, registry, repository):
        images.push(FAMILY.image, registry.host, repository, "1")
        images.push(attached.index_of(None), registry.host, repository, attached.list_tag(FAMILY.image.digest))
        copy_referrers(api_source, f"{registry.host}/{repository}:1")
        assert carried(f"{registry.host}/{repository}:1") == attached.EVERYTHING

    def test_subject_that_is_absent(self, run_module, copy_referrers, oci_registry, registry, repository):
        """A referrer is an image like any other, wherever its subject is."""
        images.push(FAMILY.sbom, oci_registry.host, repository, "sbom")
        images.push(FAMILY.of_sbom, oci_registry.host, repository, "x")
        dest = f"{registry.host}/{repository}:sbom"
        result = copy_referrers(f"{oci_registry.host}/{repository}:sbom", dest)
        assert not result.failed, result.msg
        assert [one["digest"] for one in result.referrers] == [FAMILY.of_sbom.digest]
        found = run_module("image_inspect", image=dest, referrers=True).referrers
        assert [one["digest"] for one in found] == [FAMILY.of_sbom.digest]
