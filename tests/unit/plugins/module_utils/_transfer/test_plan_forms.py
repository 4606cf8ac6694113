# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of conversions, of damaged images in the same repository, and with known digests."""

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import NotConvertible, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types
from ansible_collections.drayage.registry.plugins.module_utils._image.convert import convert_image
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._stores.docker_archive import DockerArchive
from ansible_collections.drayage.registry.plugins.module_utils._transfer.conversion import Conversion
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import plan_copy
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest, Heads
from ansible_collections.drayage.registry.tests.unit.support import engines
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.jobs import executed
from ansible_collections.drayage.registry.tests.unit.support.referring_store import signature_tag

OLD, NEW, ARM64 = (
    image(text, content, b"shared")
    for text, content in (("linux/amd64", b"old"), ("linux/amd64", b"new"), ("linux/arm64", b"arm64"))
)
INDEX = index(entry(NEW, "linux/amd64"), entry(ARM64, "linux/arm64"))
CHART = image("linux/amd64", b"chart", config_type="application/vnd.cncf.helm.config.v1+json")
SIGNATURE = image("linux/amd64", b"signature")
DOCKER, TAG = Conversion("docker"), signature_tag(NEW)


class TestSignedImages:
    """A conversion would invalidate the signature under cosign's tag."""

    @pytest.fixture(autouse=True)
    def signed_image(self, source):
        source.add(SIGNATURE, tag=TAG).add(NEW, tag="latest")

    def test_a_signed_image_is_not_converted(self, plan, elsewhere):
        message = r"would invalidate its signature \(tag %s\)\. Use format: preserve" % TAG
        with pytest.raises(NotConvertible, match="^r.example/app:latest: converting the image " + message):
            plan(elsewhere, "1", conversion=DOCKER)

    def test_it_is_converted_if_the_user_gives_up_the_signature(self, plan, elsewhere):
        result = plan(elsewhere, "1", conversion=DOCKER, unsigned=True)
        assert result.top.digest == convert_image(NEW.manifest, "docker").digest

    def test_without_a_signature_it_is_converted(self, plan, source, elsewhere):
        del source.tags[TAG]
        assert plan(elsewhere, "1", conversion=DOCKER).outdated_tags == ["1"]

    def test_a_tag_that_points_to_the_image_itself_is_not_a_signature(self, plan, source, elsewhere):
        source.tags[TAG] = NEW.digest
        assert plan(elsewhere, "1", conversion=DOCKER).outdated_tags == ["1"]

    @pytest.mark.parametrize("conversion", [Conversion(), Conversion("oci"), Conversion(attestations=False)])
    def test_nobody_looks_for_signatures_if_the_digest_stays(self, plan, source, elsewhere, conversion):
        assert plan(elsewhere, "1", conversion=conversion).top.digest == NEW.digest
        assert TAG not in source.names("resolve")

    def test_nobody_looks_for_signatures_if_the_destination_is_up_to_date(self, plan, source, elsewhere):
        elsewhere.add(convert_image(NEW.manifest, "docker"), tag="1")
        assert plan(elsewhere, "1", conversion=DOCKER).changed is False
        assert TAG not in source.names("resolve")


class TestSignedImageOfIndex:
    """A conversion of one image without its index would invalidate the signature of this image, not that of the index."""

    @pytest.fixture(autouse=True)
    def index_at_source(self, source):
        source.add(NEW, ARM64, INDEX, tag="latest")

    def test_the_signed_image_is_not_converted(self, plan, source, elsewhere):
        source.add(SIGNATURE, tag=signature_tag(ARM64))
        with pytest.raises(NotConvertible, match=r"its signature \(tag %s\)" % signature_tag(ARM64)):
            plan(elsewhere, "1", conversion=DOCKER, platforms=["linux/arm64"], as_image=True)

    @pytest.mark.parametrize("signed", [INDEX, NEW])
    def test_it_is_converted_if_another_part_is_signed(self, plan, source, elsewhere, signed):
        source.add(SIGNATURE, tag=signature_tag(signed))
        result = plan(elsewhere, "1", conversion=DOCKER, platforms=["linux/arm64"], as_image=True)
        assert result.top.digest == convert_image(ARM64.manifest, "docker").digest
        assert [name for name in source.names("resolve") if name.endswith(".sig")] == [signature_tag(ARM64)]

    @pytest.mark.parametrize("platforms", [[], ["linux/arm64"]])
    def test_a_signed_index_is_not_converted(self, plan, source, elsewhere, platforms):
        source.add(SIGNATURE, tag=signature_tag(INDEX))
        with pytest.raises(NotConvertible, match=r"its signature \(tag %s\)" % signature_tag(INDEX)):
            plan(elsewhere, "1", conversion=DOCKER, platforms=platforms)


@pytest.mark.parametrize("is_set", [True, False])
def test_an_artifact_in_a_set_keeps_its_format(plan, source, elsewhere, is_set):
    source.add(CHART, tag="latest")
    if is_set:
        assert plan(elsewhere, "1", conversion=DOCKER, is_set=True).top.digest == CHART.digest
        return
    with pytest.raises(NotConvertible, match="it is not a container image"):
        plan(elsewhere, "1", conversion=DOCKER)


def test_an_image_in_a_set_is_converted(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    converted = convert_image(NEW.manifest, "docker")
    assert plan(elsewhere, "1", conversion=DOCKER, is_set=True).top.digest == converted.digest


class TestSameRepository:
    """The image gets another form in its own repository, which lacks some of its content."""

    @pytest.fixture
    def same(self, source):
        source.add(NEW, ARM64, INDEX, tag="latest")
        source.is_damaged = True
        return source

    def test_its_own_damage_cannot_be_repaired(self, plan, same):
        with pytest.raises(NotFound, match="^r.example/app:latest: some manifests or blobs of the image are missing"):
            plan(same, "1")

    def test_a_form_that_does_not_exist_yet_is_not_damage(self, plan, same):
        result = plan(same, "1", conversion=DOCKER)
        assert result.outdated_tags == ["1"]
        assert len(result.manifests) == 2

    @pytest.mark.parametrize("content", [b"new", b"shared", NEW.blobs[0]])
    def test_a_blob_that_is_lost_is_damage(self, plan, same, content):
        del same.content[digests.of(content)]
        with pytest.raises(NotFound, match="some manifests or blobs of the image are missing"):
            plan(same, "1", conversion=DOCKER)

    def test_a_child_that_is_lost_is_damage(self, plan, same):
        platforms = ["linux/arm64"]
        assert plan(same, "1", platforms=platforms).outdated_tags == ["1"]
        del same.manifests[ARM64.digest]
        with pytest.raises(NotFound, match="some manifests or blobs of the image are missing"):
            plan(same, "1", platforms=platforms)


class TestSameRepositoryOfRegistry:
    """A registry guarantees the content of its images, so it is checked only if all content is, or if the index is sparse."""

    MESSAGE = "^r.example/app:latest: some manifests or blobs of the image are missing"

    @pytest.fixture(autouse=True)
    def same(self, source):
        return source.add(NEW, ARM64, INDEX, tag="latest")

    @pytest.mark.parametrize("tag", ["latest", "2"])
    @pytest.mark.parametrize("more", [{}, {"platforms": ["linux/arm64"]}, {"conversion": DOCKER}])
    def test_a_thorough_copy_finds_a_lost_blob(self, plan, same, tag, more):
        assert plan(same, tag, thorough=True, **more).blobs == []
        del same.content[digests.of(b"arm64")]
        with pytest.raises(NotFound, match=self.MESSAGE):
            plan(same, tag, thorough=True, **more)

    def test_a_thorough_copy_finds_a_lost_child(self, plan, same):
        del same.manifests[ARM64.digest]
        with pytest.raises(NotFound, match="^r.example/app:latest: "):
            plan(same, "latest", thorough=True)

    def test_a_thorough_copy_of_a_whole_image_changes_nothing(self, plan, same):
        assert not plan(same, "latest", thorough=True).changed

    def test_a_thorough_copy_adds_only_manifests_that_it_makes(self, plan, same):
        result = plan(same, "2", thorough=True, conversion=DOCKER)
        assert {manifest.media_type for manifest in result.manifests} == {media_types.DOCKER_MANIFEST}

    def test_a_sparse_index_has_the_selected_images(self, plan, same):
        del same.manifests[NEW.digest]
        assert plan(same, "2", platforms=["linux/arm64"], sparse=True).manifests == []
        with pytest.raises(NotFound, match="^r.example/app:latest: "):
            plan(same, "2", platforms=["linux/amd64"], sparse=True)


class TestKnownHeads:
    """A run over a set has compared both sides already."""

    @pytest.fixture
    def plan(self, pool, source, elsewhere):
        def make(heads, **more):
            return plan_copy(CopyRequest(source, "latest", elsewhere, ("1",), **more), pool, heads)

        return make

    def test_no_request_is_sent_for_an_image_that_is_up_to_date(self, plan, source, elsewhere):
        head = NEW.manifest.descriptor
        result = plan(Heads(head, head))
        assert (result.changed, result.top, result.previous) == (False, head, {"1": NEW.digest})
        assert source.asked == elsewhere.asked == []

    def test_an_outdated_image_is_read_by_its_known_digest(self, plan, source, elsewhere):
        source.add(NEW)
        result = plan(Heads(NEW.manifest.descriptor, OLD.manifest.descriptor))
        assert (result.outdated_tags, result.previous) == (["1"], {"1": OLD.digest})
        assert source.asked == [("manifest", NEW.digest)]
        assert "resolve" not in elsewhere.counted()

    def test_a_new_image_has_no_previous_digest(self, plan, source):
        source.add(NEW, tag="latest")
        assert plan(Heads(NEW.manifest.descriptor, None)).previous == {"1": None}


def test_an_image_without_a_name_may_be_known_by_another_algorithm(plan, source, elsewhere):
    """A directory has one image and no tags; its digest is that of the requested algorithm."""
    sha512 = Manifest.parse(NEW.manifest.raw, digest=digests.of(NEW.manifest.raw, "sha512"))
    source.add(sha512, tag="latest")
    elsewhere.add(NEW, tag="")
    elsewhere.tags[""] = NEW.digest
    assert plan(elsewhere, "").outdated_tags == [""]
    elsewhere.add(sha512)
    result = plan(elsewhere, "")
    assert (result.changed, result.previous) == (False, {"": sha512.digest})


def test_an_unnamed_image_that_is_another_one_is_replaced(plan, source, elsewhere):
    source.add(NEW, tag="latest")
    elsewhere.add(OLD)
    elsewhere.tags[""] = OLD.digest
    result = plan(elsewhere, "")
    assert (result.outdated_tags, result.previous) == ([""], {"": OLD.digest})


def test_an_image_that_an_archive_does_not_have_is_an_error(pool, elsewhere, tmp_path):
    path = tmp_path / "images.tar"
    DockerArchive(str(path)).add(engines.saved(b"amd", names=("r.example/app:1",)))
    elsewhere.add(engines.pushed(b"amd", text="linux/amd64"), tag="1")
    with pytest.raises(NotFound, match="r.example/app:2"):
        plan_copy(CopyRequest(engines.store(path), "2", elsewhere, ("1",)), pool)


def test_a_converted_image_arrives_under_its_tag(plan, source, elsewhere):
    source.add(NEW, ARM64, INDEX, tag="latest")
    result = plan(elsewhere, "1", conversion=DOCKER, platforms=["linux/arm64"])
    executed(result)
    (child,) = elsewhere.manifests[elsewhere.tags["1"]].children
    assert child.digest == convert_image(ARM64.manifest, "docker").digest
    assert child.platform == Platform("linux", "arm64")
