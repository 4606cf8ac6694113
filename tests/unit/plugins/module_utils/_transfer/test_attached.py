# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import DigestMismatch, ImageError, InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._transfer import attached
from ansible_collections.drayage.registry.plugins.module_utils._transfer.attached import (
    Attached,
    Attachment,
    depth_first,
    find_attached,
)
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore
from ansible_collections.drayage.registry.tests.unit.support.referring_store import (
    SBOM,
    SIGNATURE,
    ReferringStore,
    referrer,
    signature_tag,
    signatures,
)

IMAGE, OTHER = image("linux/amd64", b"app"), image("linux/arm64", b"app")
FIRST, SECOND = referrer(IMAGE, b"sbom", annotations={"k": "v"}), referrer(IMAGE, b"provenance", "application/x")
ON_FIRST = referrer(FIRST, b"signature of the SBOM", "application/y")
COSIGN, TAG = signatures(b"signature"), signature_tag(IMAGE)
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def store():
    return ReferringStore().add(IMAGE)


def found(store, *subjects, types=()):
    attachments = find_attached(store, [subject.digest for subject in subjects or (IMAGE,)], types)
    return [(one.digest, one.subject, one.depth) for one in attachments]


def hint(made, size=None):
    return Descriptor(MEDIA_TYPE, made.digest, made.manifest.size if size is None else size)


class TestFinding:
    def test_referrers_of_all_levels_are_found_in_order_of_their_digests(self, store):
        store.add(FIRST, SECOND, ON_FIRST)
        level = [(digest, IMAGE.digest, 1) for digest in sorted([FIRST.digest, SECOND.digest])]
        assert found(store) == [*level, (ON_FIRST.digest, FIRST.digest, 2)]

    def test_each_list_is_requested_once(self, store):
        store.add(FIRST, SECOND, ON_FIRST)
        found(store, IMAGE, IMAGE)
        asked = store.names("entries")
        assert sorted(asked) == sorted(one.digest for one in (IMAGE, FIRST, SECOND, ON_FIRST))

    def test_an_artifact_that_is_one_of_the_subjects_is_not_requested_again(self, store):
        store.add(FIRST, ON_FIRST)
        assert found(store, IMAGE, FIRST) == [
            (FIRST.digest, IMAGE.digest, 1),
            (ON_FIRST.digest, FIRST.digest, 1),
        ]
        assert store.names("entries").count(FIRST.digest) == 1

    def test_cosign_tags_come_after_the_list(self, store):
        store.add(FIRST).add(COSIGN, tag=TAG)
        assert found(store) == [(FIRST.digest, IMAGE.digest, 1), (COSIGN.digest, IMAGE.digest, 1)]
        assert [one.tag for one in find_attached(store, [IMAGE.digest])] == ["", TAG]

    def test_one_signature_of_two_images_belongs_to_both(self, store):
        store.add(COSIGN, tag=TAG).add(COSIGN, tag=signature_tag(OTHER))
        assert found(store, IMAGE, OTHER) == [(COSIGN.digest, IMAGE.digest, 1), (COSIGN.digest, OTHER.digest, 1)]

    def test_a_cosign_tag_that_points_to_the_image_itself_is_ignored(self, store):
        assert found(store.add(IMAGE, tag=TAG)) == []

    def test_entries_that_are_not_referrers_of_the_subject_are_ignored(self, store):
        store.add(FIRST, OTHER)
        gone = image("linux/amd64", b"gone")
        store.hints[IMAGE.digest] = [hint(IMAGE), hint(OTHER), hint(gone)]
        assert found(store) == [(FIRST.digest, IMAGE.digest, 1)]
        assert IMAGE.digest not in store.names("manifest")

    def test_a_size_other_than_listed_is_an_error(self, store):
        store.manifests[FIRST.digest] = FIRST.manifest
        size = FIRST.manifest.size
        store.entries = lambda _subject: [hint(FIRST, 5)]
        message = "referrer %s is %d bytes long, but the list of referrers specifies 5 bytes" % (FIRST.digest, size)
        with pytest.raises(DigestMismatch, match=message):
            found(store)

    @pytest.mark.parametrize("levels", [8, 9])
    def test_artifacts_may_be_nested_eight_levels_deep(self, store, levels):
        subject = IMAGE
        for number in range(levels):
            subject = referrer(subject, b"level %d" % number)
            store.add(subject)
        if levels == 8:
            assert [depth for _digest, _subject, depth in found(store)] == list(range(1, 9))
            return
        with pytest.raises(InvalidContent, match="the referrers of the image are nested more than 8 levels deep"):
            found(store)

    def test_too_many_artifacts_are_an_error(self, store, monkeypatch):
        store.add(FIRST, SECOND)
        monkeypatch.setattr(attached, "MAX_MANIFESTS", 2)
        assert len(found(store)) == 2
        with pytest.raises(InvalidContent, match="the image has more than 2 referrers"):
            found(store.add(ON_FIRST))

    def test_a_store_without_referrers_is_an_error(self):
        with pytest.raises(ImageError, match="engines and Docker archives cannot store referrers"):
            found(MemoryStore().add(IMAGE))


class TestTypes:
    def test_only_artifacts_of_these_types_are_found_with_all_that_is_attached_to_them(self, store):
        store.add(FIRST, SECOND, ON_FIRST)
        assert found(store, types=[SBOM]) == [
            (FIRST.digest, IMAGE.digest, 1),
            (ON_FIRST.digest, FIRST.digest, 2),
        ]
        assert found(store, types=["application/y"]) == []

    @pytest.mark.parametrize(("types", "count"), [([SIGNATURE], 1), ([SBOM], 0), ([], 1)])
    def test_an_artifact_under_a_cosign_tag_has_the_types_of_its_layers(self, store, types, count):
        assert len(found(store.add(COSIGN, tag=TAG), types=types)) == count

    def test_the_layers_of_a_referrer_do_not_count(self, store):
        layer_type = FIRST.manifest.layers[0].media_type
        assert found(store.add(FIRST), types=[layer_type]) == []


def test_each_artifact_is_followed_by_what_is_attached_to_it():
    one, two, on_one, on_two = (
        Attachment(made.manifest, subject.digest, depth)
        for made, subject, depth in [
            (FIRST, IMAGE, 1),
            (SECOND, IMAGE, 1),
            (ON_FIRST, FIRST, 2),
            (referrer(SECOND, b"z"), SECOND, 2),
        ]
    )
    of_other = Attachment(COSIGN.manifest, OTHER.digest, 1, signature_tag(OTHER))
    everything = [one, two, of_other, on_one, on_two]
    assert depth_first(everything, [IMAGE.digest]) == [one, on_one, two, on_two]
    assert depth_first(everything, [OTHER.digest, IMAGE.digest]) == [of_other, one, on_one, two, on_two]
    assert depth_first(everything, []) == []


class TestResults:
    REFERRER = Attachment(FIRST.manifest, IMAGE.digest, 1)
    SIGNED = Attachment(COSIGN.manifest, IMAGE.digest, 1, TAG)
    NESTED = Attachment(ON_FIRST.manifest, FIRST.digest, 2)

    def test_all_fields_of_a_referrer(self):
        assert self.REFERRER.result == {
            "digest": FIRST.digest,
            "subject": IMAGE.digest,
            "artifact_type": SBOM,
            "media_type": MEDIA_TYPE,
            "size": len(FIRST.manifest.raw),
            "annotations": {"k": "v"},
            "scheme": "referrers",
            "tag": None,
            "depth": 1,
        }

    def test_a_cosign_tag_is_another_scheme(self):
        assert (self.SIGNED.result["scheme"], self.SIGNED.result["tag"]) == ("tag", TAG)

    def test_an_artifact_may_have_no_type(self):
        bare = image("linux/amd64", b"x", config_type="").manifest
        assert Attachment(bare, IMAGE.digest, 1).result["artifact_type"] is None

    def test_every_group_has_its_action(self):
        listed = {"digest": OTHER.digest, "action": "unchanged"}
        rows = Attached([self.REFERRER], [self.NESTED], [self.SIGNED], [listed]).results
        assert rows[0] == listed
        assert rows[1] == {
            "digest": FIRST.digest,
            "subject": IMAGE.digest,
            "artifact_type": SBOM,
            "tag": None,
            "depth": 1,
            "action": "copied",
        }
        assert [(row["digest"], row["action"]) for row in rows[2:]] == [
            (ON_FIRST.digest, "unchanged"),
            (COSIGN.digest, "left_out"),
        ]

    def test_the_destination_gets_all_but_what_is_left_out(self):
        listed = [{"digest": OTHER.digest, "action": "unchanged"}, {"digest": SECOND.digest, "action": "left_out"}]
        made = Attached([self.REFERRER], [self.NESTED], [self.SIGNED], listed)
        assert made.digests == {FIRST.digest, ON_FIRST.digest, OTHER.digest}

    def test_lists_and_tags_are_written_apart(self):
        made = Attached([self.REFERRER, self.SIGNED, self.NESTED])
        assert made.by_subject == {IMAGE.digest: [FIRST.manifest], FIRST.digest: [ON_FIRST.manifest]}
        assert made.tags == {TAG: COSIGN.manifest}

    def test_a_diff_has_what_is_there_before_and_after(self):
        before, after = [ON_FIRST.digest], sorted([ON_FIRST.digest, FIRST.digest, COSIGN.digest])
        made = Attached([self.REFERRER, self.SIGNED], [self.NESTED])
        assert made.diff() == ({"referrers": before}, {"referrers": after})
        assert Attached([], [self.NESTED]).diff() == ({}, {})
