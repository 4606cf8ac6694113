# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans for images with referrers and cosign signatures."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, NotConvertible
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._transfer.companions import check_referrers
from ansible_collections.drayage.registry.plugins.module_utils._transfer.conversion import Conversion
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.jobs import executed
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore
from ansible_collections.drayage.registry.tests.unit.support.referring_store import (
    SBOM,
    ReferringStore,
    referrer,
    signature_tag,
    signatures,
)

AMD64, ARM64 = image("linux/amd64", b"amd64", b"shared"), image("linux/arm64", b"arm64", b"shared")
INDEX = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
STRIPPED = INDEX.with_children(lambda position: position == 1, {})
OF_AMD64, OF_ARM64, OF_INDEX = (
    referrer(made, text) for made, text in ((AMD64, b"of amd64"), (ARM64, b"of arm64"), (INDEX, b"of the index"))
)
ON_SBOM = referrer(OF_AMD64, b"signature of an SBOM", "application/y")
SIGNED, TAG = signatures(b"ours"), signature_tag(AMD64)


@pytest.fixture
def store_type():
    return ReferringStore


@pytest.fixture
def source(source):
    return source.add(AMD64, tag="latest")


@pytest.fixture
def plan(plan):
    def make(destination, *tags, **more):
        return plan(destination, *(tags or ("1",)), referrers=True, **more)

    return make


def actions(planned):
    return {row["digest"]: row["action"] for row in planned.attached.results}


def digests_of(items):
    return sorted(item.digest for item in items)


def blobs_of(*found):
    return sorted({digests.of(content) for image in found for content in image.blobs})


class TestFirstCopy:
    def test_all_that_is_attached_is_copied_with_the_image(self, plan, source, elsewhere):
        source.add(OF_AMD64, ON_SBOM).add(SIGNED, tag=TAG)
        result = plan(elsewhere)
        assert actions(result) == dict.fromkeys((OF_AMD64.digest, ON_SBOM.digest, SIGNED.digest), "copied")
        assert [one.digest for one in result.companions] == [OF_AMD64.digest, ON_SBOM.digest]
        assert digests_of(result.blobs) == blobs_of(AMD64, OF_AMD64, ON_SBOM, SIGNED)

    def test_an_empty_destination_is_asked_for_nothing(self, plan, source, elsewhere):
        source.add(OF_AMD64).add(SIGNED, tag=TAG)
        plan(elsewhere)
        assert elsewhere.counted() == {"resolve": 1, "has_content": 1}

    def test_nothing_attached_is_nothing_more_to_copy(self, plan, elsewhere):
        result = plan(elsewhere)
        assert (result.attached.results, result.companions) == ([], [])
        assert digests_of(result.blobs) == blobs_of(AMD64)

    def test_only_artifacts_of_the_requested_types_are_copied(self, plan, source, elsewhere):
        source.add(OF_AMD64, referrer(AMD64, b"other", "application/x"))
        assert actions(plan(elsewhere, artifact_types=(SBOM,))) == {OF_AMD64.digest: "copied"}

    def test_only_content_that_is_missing_is_copied(self, plan, source, elsewhere):
        source.add(OF_AMD64)
        elsewhere.add(ARM64, tag="0").content[digests.of(b"of amd64")] = b"of amd64"
        result = plan(elsewhere)
        assert actions(result) == {OF_AMD64.digest: "copied"}
        assert digests_of(result.blobs) == sorted(
            {*blobs_of(AMD64, OF_AMD64)} - {*blobs_of(ARM64, OF_AMD64)}
            | {AMD64.manifest.config.digest, OF_AMD64.manifest.config.digest}
        )

    def test_blobs_of_the_same_registry_are_mounted_unseen(self, plan, source, beside):
        result = plan(beside)
        source.add(OF_AMD64)
        beside.add(AMD64, tag="1")
        assert result.mount_from == "app"
        result = plan(beside)
        assert (result.mount_from, digests_of(result.blobs)) == ("app", blobs_of(OF_AMD64))
        assert "has_blob" not in beside.counted()

    def test_the_same_repository_needs_no_content(self, plan, source):
        source.add(OF_AMD64)
        result = plan(ReferringStore().add(ARM64, tag="0"), "1")
        assert (result.companions, result.blobs) == ([], [])

    def test_the_destination_gets_tags_and_lists_and_then_the_image(self, plan, source, elsewhere):
        source.add(OF_AMD64, ON_SBOM).add(SIGNED, tag=TAG)
        executed(plan(elsewhere))
        assert elsewhere.tags == {TAG: SIGNED.digest, "1": AMD64.digest}
        assert elsewhere.names("publish") == [TAG, "1"]
        assert elsewhere.names("attach") == [OF_AMD64.digest, ON_SBOM.digest]
        order = [name for method, name in elsewhere.asked if method in ("attach", "publish")]
        assert order.index("1") == len(order) - 1
        assert elsewhere.content.items() >= {digests.of(content): content for content in SIGNED.blobs}.items()


class TestUnchanged:
    """Both sides have the image."""

    @pytest.fixture(autouse=True)
    def image_at_the_destination(self, elsewhere):
        elsewhere.add(AMD64, tag="1")

    def test_lists_that_have_the_same_cost_a_request_each(self, plan, source, elsewhere):
        source.add(OF_AMD64)
        elsewhere.add(OF_AMD64)
        result = plan(elsewhere)
        assert not result.changed
        assert result.attached.results == [
            {
                "digest": OF_AMD64.digest,
                "subject": AMD64.digest,
                "artifact_type": SBOM,
                "tag": None,
                "depth": 1,
                "action": "unchanged",
            }
        ]
        assert source.counted() == {"resolve": 1, "entries": 1, "cosign_tags": 1}
        assert elsewhere.counted() == {"resolve": 1, "entries": 1}

    def test_without_referrers_at_the_source_the_destination_is_not_asked(self, plan, source, elsewhere):
        assert plan(elsewhere).attached.results == []
        assert elsewhere.counted() == {"resolve": 1}

    def test_a_referrer_that_is_missing_is_copied(self, plan, source, elsewhere):
        source.add(OF_AMD64, second := referrer(AMD64, b"second"))
        elsewhere.add(OF_AMD64)
        result = plan(elsewhere)
        assert actions(result) == {OF_AMD64.digest: "unchanged", second.digest: "copied"}
        assert (result.outdated_tags, digests_of(result.companions)) == ([], [second.digest])
        assert result.changed

    def test_an_entry_for_the_image_itself_is_not_a_referrer(self, plan, source, elsewhere):
        source.hints[AMD64.digest] = elsewhere.hints[AMD64.digest] = [AMD64.manifest.descriptor]
        assert plan(elsewhere).attached.results == []

    def test_a_filter_by_type_reads_the_manifests(self, plan, source, elsewhere):
        source.add(OF_AMD64, referrer(AMD64, b"other", "application/x"))
        elsewhere.add(OF_AMD64)
        assert actions(plan(elsewhere, artifact_types=(SBOM,))) == {OF_AMD64.digest: "unchanged"}

    def test_a_filter_by_type_reads_nothing_if_nothing_is_attached(self, plan, source, elsewhere):
        assert not plan(elsewhere, artifact_types=(SBOM,)).changed
        assert "manifest" not in source.counted()

    def test_a_filter_by_type_applies_to_a_cosign_tag_alone(self, plan, source, elsewhere):
        source.add(SIGNED, tag=TAG)
        elsewhere.add(SIGNED, tag=TAG)
        assert plan(elsewhere, artifact_types=(SBOM,)).attached.results == []

    def test_a_cosign_tag_with_the_same_digest_is_unchanged(self, plan, source, elsewhere):
        source.add(SIGNED, tag=TAG)
        elsewhere.add(SIGNED, tag=TAG)
        result = plan(elsewhere)
        assert not result.changed
        assert result.attached.results == [
            {
                "digest": SIGNED.digest,
                "subject": AMD64.digest,
                "artifact_type": None,
                "tag": TAG,
                "depth": 1,
                "action": "unchanged",
            }
        ]
        assert "manifest" not in {*source.counted(), *elsewhere.counted()}

    def test_a_cosign_tag_that_is_missing_is_copied(self, plan, source, elsewhere):
        source.add(SIGNED, tag=TAG)
        result = plan(elsewhere)
        assert (actions(result), result.attached.tags) == ({SIGNED.digest: "copied"}, {TAG: SIGNED.manifest})
        assert digests_of(result.blobs) == blobs_of(SIGNED)
        assert result.companions == []

    def test_signatures_of_both_sides_are_merged(self, plan, source, elsewhere):
        both = signatures(b"theirs", b"ours")
        source.add(SIGNED, tag=TAG)
        elsewhere.add(signatures(b"theirs"), tag=TAG)
        result = plan(elsewhere)
        assert actions(result) == {both.digest: "copied"}
        assert digests_of(result.blobs) == [digests.of(b"ours")]
        executed(result)
        assert elsewhere.tags[TAG] == both.digest
        assert set(blobs_of(both)) <= set(elsewhere.content)
        elsewhere.asked.clear()
        assert not plan(elsewhere).changed

    def test_a_destination_with_all_signatures_keeps_its_own(self, plan, source, elsewhere):
        more = signatures(b"theirs", b"ours")
        source.add(SIGNED, tag=TAG)
        elsewhere.add(more, tag=TAG)
        assert not plan(elsewhere).changed
        source.add(OF_AMD64)
        result = plan(elsewhere)
        assert actions(result) == {OF_AMD64.digest: "copied", more.digest: "unchanged"}
        assert elsewhere.tags[TAG] == more.digest

    def test_more_signatures_at_the_source_replace_those_of_the_destination(self, plan, source, elsewhere):
        more = signatures(b"theirs", b"ours")
        source.add(more, tag=TAG)
        elsewhere.add(signatures(b"theirs"), tag=TAG)
        executed(plan(elsewhere))
        assert elsewhere.tags[TAG] == more.digest

    def test_a_thorough_copy_reads_all_and_mends_what_is_missing(self, plan, source, elsewhere):
        source.add(OF_AMD64, ON_SBOM)
        elsewhere.add(OF_AMD64, ON_SBOM)
        assert actions(plan(elsewhere, thorough=True)) == dict.fromkeys((OF_AMD64.digest, ON_SBOM.digest), "unchanged")
        elsewhere.hints[AMD64.digest] = [OF_AMD64.manifest.descriptor]
        del elsewhere.manifests[OF_AMD64.digest], elsewhere.content[digests.of(b"of amd64")]
        assert not plan(elsewhere).changed
        result = plan(elsewhere, thorough=True)
        assert actions(result) == {OF_AMD64.digest: "copied", ON_SBOM.digest: "unchanged"}
        assert digests_of(result.blobs) == [digests.of(b"of amd64")]

    def test_an_error_of_the_source_has_its_reference(self, plan, source, elsewhere):
        def fail(_subject):
            raise ImageError("cannot list referrers")

        source.entries = fail
        with pytest.raises(ImageError, match="^r.example/app:latest: cannot list referrers"):
            plan(elsewhere)
        elsewhere.tags.clear()
        with pytest.raises(ImageError, match="^r.example/app:latest: cannot list referrers"):
            plan(elsewhere)


class TestLeftOut:
    def test_a_destination_without_referrers_gets_only_cosign_tags(self, plan, source, elsewhere):
        elsewhere.refused.add("")
        source.add(OF_AMD64, ON_SBOM).add(SIGNED, tag=TAG)
        rows = {OF_AMD64.digest: "left_out", ON_SBOM.digest: "left_out", SIGNED.digest: "copied"}
        result = plan(elsewhere)
        assert (actions(result), result.companions) == (rows, [])
        executed(result)
        again = plan(elsewhere)
        assert not again.changed
        # What is attached to a referrer that is left out cannot be seen in the list.
        assert actions(again) == {OF_AMD64.digest: "left_out", SIGNED.digest: "unchanged"}

    def test_what_is_attached_to_an_artifact_without_a_place_has_none_either(self, plan, source, elsewhere):
        elsewhere.refused.add(TAG)
        on_signature = referrer(SIGNED, b"timestamp")
        source.add(OF_AMD64, on_signature).add(SIGNED, tag=TAG)
        result = plan(elsewhere)
        assert actions(result) == {
            OF_AMD64.digest: "copied",
            SIGNED.digest: "left_out",
            on_signature.digest: "left_out",
        }
        executed(result)
        again = plan(elsewhere)
        assert (again.changed, actions(again)) == (False, {OF_AMD64.digest: "unchanged", SIGNED.digest: "left_out"})

    def test_an_artifact_with_two_tags_that_have_no_place_is_not_copied(self, plan, source, elsewhere):
        tags = [TAG, TAG.replace(".sig", ".att")]
        elsewhere.refused.update(tags)
        for tag in tags:
            source.add(SIGNED, tag=tag)
        result = plan(elsewhere)
        assert (result.attached.missing, actions(result)) == ([], {SIGNED.digest: "left_out"})
        assert sorted(row["tag"] for row in result.attached.results) == sorted(tags)

    def test_an_index_that_loses_children_loses_its_own_referrers(self, plan, source, elsewhere):
        source.add(ARM64, OF_AMD64, OF_ARM64, OF_INDEX).add(INDEX, tag="latest")
        result = plan(elsewhere, platforms=["linux/arm64"])
        assert result.top.digest == STRIPPED.digest
        assert actions(result) == {OF_ARM64.digest: "copied", OF_INDEX.digest: "left_out"}

    def test_a_sparse_index_keeps_its_referrers(self, plan, source, elsewhere):
        source.add(ARM64, OF_AMD64, OF_ARM64, OF_INDEX).add(INDEX, tag="latest")
        result = plan(elsewhere, platforms=["linux/arm64"], sparse=True)
        assert actions(result) == {OF_ARM64.digest: "copied", OF_INDEX.digest: "copied"}

    def test_an_image_without_its_index_keeps_its_own_referrers(self, plan, source, elsewhere):
        source.add(ARM64, OF_AMD64, OF_ARM64, OF_INDEX).add(INDEX, tag="latest")
        result = plan(elsewhere, platforms=["linux/arm64"], as_image=True)
        assert result.top.digest == ARM64.digest
        assert actions(result) == {OF_ARM64.digest: "copied", OF_INDEX.digest: "left_out"}

    def test_a_whole_index_is_copied_with_what_is_attached_to_its_children(self, plan, source, elsewhere):
        source.add(ARM64, OF_AMD64, OF_ARM64, OF_INDEX).add(INDEX, tag="latest")
        result = plan(elsewhere)
        assert actions(result) == dict.fromkeys((OF_INDEX.digest, OF_AMD64.digest, OF_ARM64.digest), "copied")
        executed(result)
        assert {OF_INDEX.digest, OF_AMD64.digest, OF_ARM64.digest} <= set(elsewhere.manifests)

    def test_a_stripped_nested_index_loses_its_referrers_and_its_image_does_not(self, plan, source, elsewhere):
        outer = index(entry(INDEX))
        source.add(ARM64, INDEX, OF_ARM64, OF_INDEX).add(outer, tag="latest")
        result = plan(elsewhere, platforms=["linux/arm64"])
        assert [one.digest for one in result.attached.missing] == [OF_ARM64.digest]

    def test_a_nested_index_keeps_its_referrers_and_those_of_its_children(self, plan, source, elsewhere):
        source.add(ARM64, INDEX, OF_ARM64, OF_INDEX).add(index(entry(INDEX)), tag="latest")
        assert actions(plan(elsewhere)) == {OF_INDEX.digest: "copied", OF_ARM64.digest: "copied"}

    def test_a_conversion_that_would_invalidate_them_is_refused(self, plan, source, elsewhere):
        source.add(OF_AMD64)
        message = "converting the image would invalidate its signatures and other referrers \\(1\\)"
        with pytest.raises(NotConvertible, match=message):
            plan(elsewhere, conversion=Conversion("docker"))
        result = plan(elsewhere, conversion=Conversion("docker"), unsigned=True)
        assert actions(result) == {OF_AMD64.digest: "left_out"}
        assert result.top.digest != AMD64.digest

    def test_a_conversion_of_an_image_without_referrers_is_allowed(self, plan, elsewhere):
        result = plan(elsewhere, conversion=Conversion("docker"))
        assert result.attached.results == []
        assert result.top.digest != AMD64.digest

    def test_an_image_that_is_taken_out_of_its_index_and_converted_loses_its_own(self, plan, source, elsewhere):
        source.add(ARM64, OF_ARM64, OF_INDEX).add(INDEX, tag="latest")
        options = {"conversion": Conversion("docker"), "platforms": ["linux/arm64"], "as_image": True}
        with pytest.raises(NotConvertible, match=r"its signatures and other referrers \(1\)"):
            plan(elsewhere, **options)
        rows = dict.fromkeys((OF_ARM64.digest, OF_INDEX.digest), "left_out")
        assert actions(plan(elsewhere, unsigned=True, **options)) == rows

    def test_the_referrers_of_its_index_do_not_prevent_this(self, plan, source, elsewhere):
        source.add(ARM64, OF_INDEX, OF_AMD64).add(INDEX, tag="latest")
        result = plan(elsewhere, conversion=Conversion("docker"), platforms=["linux/arm64"], as_image=True)
        assert actions(result) == {OF_INDEX.digest: "left_out"}


def test_a_store_without_referrers_is_an_error(plan, source):
    with pytest.raises(ImageError, match="engines and Docker archives cannot store referrers"):
        plan(MemoryStore("s.example"))
    with pytest.raises(ImageError, match="engines and Docker archives cannot store referrers"):
        check_referrers(source, MemoryStore("s.example"))
    check_referrers(source)
