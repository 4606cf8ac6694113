# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How attached artifacts reach a destination, and what a job does whose content has disappeared."""

from __future__ import annotations

import contextlib
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ContentMissing, NotFound, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.plugins.module_utils._stores.repository import Lockable
from ansible_collections.drayage.registry.plugins.module_utils._transfer.execute import execute
from ansible_collections.drayage.registry.plugins.module_utils._transfer.job import Event
from ansible_collections.drayage.registry.plugins.module_utils._transfer.plan import plan_copy
from ansible_collections.drayage.registry.plugins.module_utils._transfer.request import CopyRequest
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.jobs import executed, job_of
from ansible_collections.drayage.registry.tests.unit.support.layouts import blob_file, names
from ansible_collections.drayage.registry.tests.unit.support.referring_store import (
    ReferringStore,
    referrer,
    signature_tag,
    signatures,
)

IMAGE = image("linux/amd64", b"app", b"shared")
SBOM, SIGNED, TAG = referrer(IMAGE, b"sbom"), signatures(b"ours"), signature_tag(IMAGE)


@pytest.fixture
def store_type():
    return ReferringStore


@pytest.fixture
def source(source):
    return source.add(IMAGE, tag="latest").add(SBOM).add(SIGNED, tag=TAG)


@pytest.fixture
def layout(tmp_path):
    return OciLayout(str(tmp_path / "layout"), lambda _text: None).repository("app")


@pytest.fixture
def plan(plan):
    def make(destination, **more):
        return plan(destination, "1", referrers=True, **more)

    return make


class TestLayout:
    """All images, lists and tags of a layout are in one document, which is written for several images at once."""

    def test_an_image_arrives_with_all_that_is_attached(self, plan, layout, tmp_path):
        executed(plan(layout))
        assert set(names(tmp_path / "layout")) >= {("app:1", IMAGE.digest), ("app:" + TAG, SIGNED.digest)}
        assert [entry.digest for entry in layout.referrers.entries(IMAGE.digest)] == [SBOM.digest]

    def test_a_list_that_another_batch_has_dropped_is_attached_again(self, plan, layout, tmp_path, monkeypatch):
        stage = layout.stage

        def stage_and_fail_elsewhere(*arguments):
            file = blob_file(tmp_path / "layout", SBOM.digest)
            if file.exists() and not failed:
                file.unlink()
                with pytest.raises(ContentMissing) as error:
                    layout.commit()
                failed.append(error)
            return stage(*arguments)

        failed = []
        monkeypatch.setattr(layout, "stage", stage_and_fail_elsewhere)
        executed(plan(layout))
        assert failed and blob_file(tmp_path / "layout", SBOM.digest).exists()
        assert [entry.digest for entry in layout.referrers.entries(IMAGE.digest)] == [SBOM.digest]
        assert not plan(layout).changed

    def test_an_image_that_has_its_tag_gets_only_what_is_attached(self, plan, source, layout, tmp_path):
        executed(plan(layout))
        second = referrer(IMAGE, b"provenance")
        source.add(second)
        result = plan(layout)
        assert result.outdated_tags == []
        executed(result)
        listed = [entry.digest for entry in layout.referrers.entries(IMAGE.digest)]
        assert sorted(listed) == sorted([SBOM.digest, second.digest])
        assert dict(names(tmp_path / "layout"))["app:1"] == IMAGE.digest

    def test_signatures_of_both_sides_are_kept(self, plan, source, layout, tmp_path):
        executed(plan(layout))
        source.add(other := signatures(b"another"), tag=TAG)
        executed(plan(layout))
        merged = layout.manifest(TAG)
        assert [layer.digest for layer in merged.layers] == [digests.of(b"ours"), digests.of(b"another")]
        assert merged.digest not in (SIGNED.digest, other.digest)
        assert blob_file(tmp_path / "layout", merged.config.digest).exists()


class TestRegistry:
    def test_a_merged_signature_is_never_mounted(self, plan, source, elsewhere):
        mounted = []
        elsewhere.add(IMAGE, SBOM, tag="1").add(signatures(b"theirs"), tag=TAG)
        put_blob = elsewhere.put_blob

        def put(blob, open_blob, mount_from):
            mounted.append(mount_from)
            return put_blob(blob, open_blob, mount_from)

        elsewhere.put_blob = put
        executed(plan(elsewhere))
        config = elsewhere.manifests[elsewhere.tags[TAG]].config
        assert digests.of(elsewhere.content[config.digest]) == config.digest
        assert mounted == ["", ""]

    def test_a_failure_to_list_a_referrer_leaves_the_tag_as_it_was(self, plan, elsewhere):
        def refuse(_subject, _manifests):
            raise Refused("the list is too long")

        elsewhere.attach = refuse
        with pytest.raises(Refused, match="^s.example/app:1: the list is too long"):
            executed(plan(elsewhere))
        assert elsewhere.tags == {}


class TestRepair:
    """Content that a plan relied on has disappeared."""

    @pytest.fixture
    def damaged(self, plan, elsewhere):
        elsewhere.add(IMAGE, tag="0")
        result = plan(elsewhere)
        del elsewhere.content[digests.of(b"app")]
        return result

    @pytest.mark.parametrize("threads", [1, 2])
    def test_attached_artifacts_are_copied_again_as_well(self, damaged, elsewhere, threads):
        executed(damaged, threads=threads)
        assert elsewhere.tags == {"0": IMAGE.digest, "1": IMAGE.digest, TAG: SIGNED.digest}
        assert elsewhere.content[digests.of(b"app")] == b"app"
        assert SBOM.digest in elsewhere.names("attach")

    def test_nothing_is_mounted_in_a_repair(self, plan, source, beside):
        """Whatever the registry mounts may be what is missing."""
        result = plan(beside)
        put_manifest, refused = beside.put_manifest, []

        def refuse_once(manifest):
            if not refused:
                refused.append(manifest)
                raise ContentMissing("a blob is unknown")
            put_manifest(manifest)

        beside.put_manifest = refuse_once
        for blob in list(IMAGE.blobs):
            beside.content.pop(digests.of(blob), None)
        original = beside.put_blob

        def forget_mounted(blob, open_blob, mount_from):
            was_mounted = original(blob, open_blob, mount_from)
            if was_mounted:
                del beside.content[blob.digest]
            return was_mounted

        beside.put_blob = forget_mounted
        executed(result)
        assert {digests.of(blob): blob for blob in IMAGE.blobs}.items() <= beside.content.items()

    def test_a_source_that_has_lost_it_as_well_is_reported_once(self, damaged, source):
        del source.content[digests.of(b"app")]
        job, events = job_of(damaged), []
        execute([job], runs.run(2), observe=lambda event, _job, _blob, size: events.append((event, size)))
        assert isinstance(job.error, NotFound)
        assert str(job.error).startswith("r.example/app:latest: blob %s is not there" % digests.of(b"app"))
        assert [entry for entry in events if entry[0] is Event.FAILED] == [(Event.FAILED, 0)]
        assert job.is_done is False


class LockableStore(ReferringStore, Lockable):
    """A store in which one job repairs its image while another one writes a cosign tag with the same signatures."""

    def __init__(self, host: str, name: str) -> None:
        super().__init__(host, name)
        self._mutex = threading.RLock()
        self._is_signing = threading.Event()
        self._is_repairing = threading.Event()

    @contextlib.contextmanager
    def exclusive(self):
        with self._mutex:
            self._is_repairing.set()
            yield

    def put_manifest(self, manifest):
        if manifest.digest == SBOM.digest and not self._is_repairing.is_set():
            assert self._is_signing.wait(60)
            raise ContentMissing("a blob is unknown")
        super().put_manifest(manifest)

    def publish(self, manifest, tags, wanted):
        if manifest.digest == SIGNED.digest and not self._is_repairing.is_set():
            self._is_signing.set()
            assert self._is_repairing.wait(60)
        with self._mutex:
            super().publish(manifest, tags, wanted)


def test_a_repair_and_another_job_with_the_same_signatures_do_not_block_each_other(source, pool):
    other = image("linux/amd64", b"other")
    source.add(other, tag="other").add(SIGNED, tag=signature_tag(other))
    store = LockableStore("s.example", "app")
    requests = [CopyRequest(source, name, store, (name,), referrers=True) for name in ("latest", "other")]
    jobs = [job_of(plan_copy(request, pool)) for request in requests]
    thread = threading.Thread(target=execute, args=(jobs, runs.run(4)), daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    tagged = {"latest": IMAGE, "other": other, TAG: SIGNED, signature_tag(other): SIGNED}
    assert store.tags == {tag: manifest.digest for tag, manifest in tagged.items()}
