# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How few requests find a signature, what is believed of a list of referrers, and signers that write at the same time."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import Refused
from ansible_collections.drayage.registry.plugins.module_utils._image import referrers
from ansible_collections.drayage.registry.plugins.module_utils._image.bundle import Bundle
from ansible_collections.drayage.registry.plugins.module_utils._image.simple_signing import (
    COSIGN,
    MEDIA_TYPE,
    SIGNATURE_ANNOTATION,
    Payload,
)
from ansible_collections.drayage.registry.plugins.module_utils._image.statement import SIGN, Statement, Subject
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing import writing
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.evidence import Evidence, NotVerified
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.reading import (
    SIGNATURES,
    SignatureReader,
)
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.signature import Demand
from ansible_collections.drayage.registry.plugins.module_utils._operations.signing.writing import SignatureWriter
from ansible_collections.drayage.registry.plugins.module_utils._stores.directory import Directory
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_archive import OciArchive
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support import layouts
from ansible_collections.drayage.registry.tests.unit.support.images import image
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore
from ansible_collections.drayage.registry.tests.unit.support.signing_keys import new_key

IMAGE = image()
DIGEST = IMAGE.digest
TAG = DIGEST.replace(":", "-") + ".sig"
SBOM = "https://cyclonedx.org/bom"


KEY, OTHER = new_key(), new_key()


class Lists:
    """The lists of referrers of a store, as a registry with the API returns them."""

    def __init__(self, store):
        self._store = store
        self.changed = lambda entry: entry

    def keeps(self, _tag):
        return True

    def entries(self, subject, artifact_type="", is_only=False):
        self._store.asked.append(("entries", subject))
        found = [each for each in self._store.manifests.values() if referrers.subject_of(each) == subject]
        document = referrers.with_entries(None, found).document
        return referrers.read_entries(
            json.dumps({**document, "manifests": [self.changed(each) for each in document["manifests"]]}).encode()
        )

    def attach(self, subject, manifests):
        pass


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(writing, "wait_for_others", lambda _start: None)
    made = MemoryStore().add(IMAGE)
    made.referrers = Lists(made)
    return made


def sign_bundle(store, key=KEY, digest=DIGEST, kind=SIGN, predicate=None):
    content = Bundle.sign(Statement(kind, (Subject.of(digest),), predicate or {}), key).encode()
    SignatureWriter(store).add_bundle(IMAGE.manifest.descriptor, content, kind)
    store.asked.clear()


def sign_tag(store, key=KEY, identity="registry.example.com/app"):
    payload = Payload(COSIGN, identity, DIGEST, {"a": "1"}).encode()
    annotations = {SIGNATURE_ANNOTATION: base64.b64encode(key.sign(payload)).decode()}
    SignatureWriter(store).add_layer(DIGEST, SIGNATURES, MEDIA_TYPE, payload, annotations)
    if isinstance(store, MemoryStore):
        store.asked.clear()


def verify(store, key=KEY, kind=SIGN, **options):
    evidence = Evidence(SignatureReader(store, **options), DIGEST, lambda: store.manifest(DIGEST))
    return evidence.first(Demand((key.public,), predicate_type=kind))


def reads(store):
    return [method for method, _name in store.asked]


def test_a_signature_under_a_tag_is_one_request_whatever_it_says(store):
    sign_tag(store)
    assert verify(store).claim.annotations == {"a": "1"}
    assert reads(store) == ["manifest"]


def test_a_bundle_is_one_request_beyond_that_for_the_tag(store):
    sign_bundle(store)
    assert verify(store).format == "bundle"
    assert reads(store) == ["manifest", "entries"]
    # Who deletes a referrer reads it before.
    store.asked.clear()
    assert verify(store, believes_lists=False).format == "bundle"
    assert reads(store) == ["manifest", "entries", "manifest", "open_blob"]


def test_a_large_bundle_is_read_from_its_referrer_and_the_wanted_type_first(store):
    sign_bundle(store, kind="https://example.com/other", predicate={"text": "x" * 5000})
    sign_bundle(store, kind=SBOM, predicate={"text": "x" * 5000})
    assert verify(store, kind=SBOM).claim.predicate == {"text": "x" * 5000}
    assert reads(store) == ["manifest", "entries", "manifest", "open_blob"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (lambda text: text.replace('"sig":"', '"sig":"AAAA'), "none of its signatures (1 found) was made with"),
        (lambda text: text[:-1], "the signature is corrupt: the sigstore bundle is not valid JSON"),
        (lambda text: "\ud800", "the signature is corrupt: the sigstore bundle is not valid JSON"),
    ],
)
def test_a_list_with_another_bundle_verifies_nothing(store, text, cause):
    sign_bundle(store)
    store.referrers.changed = lambda entry: {
        **entry,
        "annotations": {**entry["annotations"], referrers.BUNDLE: text(entry["annotations"][referrers.BUNDLE])},
    }
    with pytest.raises(NotVerified) as error:
        verify(store)
    assert cause in error.value.cause
    assert verify(store, believes_lists=False).format == "bundle"


def test_the_bundle_of_another_digest_in_a_list_is_none_of_this_one(store):
    other = "sha256:" + "a" * 64
    sign_bundle(store, digest=other)
    with pytest.raises(NotVerified, match="the signature is for a different digest, %s" % other):
        verify(store)


@pytest.mark.parametrize("data", ["AAAA", "*", 7, None])
def test_content_in_a_descriptor_counts_only_if_it_is_that_of_its_digest(store, data):
    sign_tag(store)
    current = store.manifests[store.tags[TAG]]
    document = json.loads(current.raw)
    document["layers"][0]["data"] = data
    changed = type(current).parse(json.dumps(document).encode())
    store.manifests[changed.digest], store.tags[TAG] = changed, changed.digest
    assert verify(store).format == "tag"
    assert reads(store) == ["manifest", "open_blob"]


def test_signers_that_write_at_the_same_time_lose_nothing(store, monkeypatch):
    """Both read before one writes, and both write before one reads again, which is what each waits for."""
    meeting = threading.Barrier(2)
    met: set[tuple[int, str]] = set()

    def meet(where):
        if (threading.get_ident(), where) not in met:
            met.add((threading.get_ident(), where))
            meeting.wait(120)

    read = store.manifest

    def read_together(name):
        try:
            return read(name)
        finally:
            meet("read")

    with monkeypatch.context() as patches, ThreadPoolExecutor(2) as pool:
        patches.setattr(store, "manifest", read_together)
        patches.setattr(writing, "wait_for_others", lambda _start: meet("written"))
        list(pool.map(lambda key: sign_tag(store, key), (KEY, OTHER)))
    assert len(met) == 4
    assert len(read(TAG).layers) == 2
    for key in (KEY, OTHER):
        assert verify(store, key).format == "tag"


@pytest.mark.parametrize("make", [OciLayout, OciArchive, Directory])
def test_signers_of_the_same_files_wait_for_each_other(tmp_path, monkeypatch, make):
    """The second one starts after the first one has read the signatures, and would be done before that one writes."""
    monkeypatch.setattr(writing, "wait_for_others", lambda _start: None)
    first, second = (make(str(tmp_path / "x"), print) for _signer in range(2))
    layouts.publish(first, IMAGE, "1")
    other = threading.Thread(target=sign_tag, args=(second, OTHER))
    publish = first.publish

    def publish_late(*arguments):
        monkeypatch.setattr(first, "publish", publish)
        other.start()
        other.join(0.5)
        publish(*arguments)

    monkeypatch.setattr(first, "publish", publish_late)
    sign_tag(first)
    other.join(120)
    assert not other.is_alive()
    for key in (KEY, OTHER):
        assert verify(make(str(tmp_path / "x"), print), key).format == "tag"


def test_the_last_signature_of_a_repository_in_a_layout_is_removed(tmp_path):
    """The tag of the signatures is that of the repository, which the name of the image need not say."""
    path = str(tmp_path / "x")
    mirrored = OciLayout(path, print).repository("app")
    layouts.publish(mirrored, IMAGE, "1")
    sign_tag(mirrored)
    (layer,) = SignatureReader(mirrored).tagged(DIGEST, SIGNATURES).document["layers"]
    SignatureWriter(OciLayout(path, print)).remove_layers(DIGEST, SIGNATURES, [layer["digest"]])
    assert SignatureReader(OciLayout(path, print)).tagged(DIGEST, SIGNATURES) is None


def test_an_image_in_a_directory_is_signed_once(tmp_path):
    """The files do not keep all fields of a layer, so what is read again differs from what was written."""
    store = Directory(str(tmp_path / "x"), print)
    layouts.publish(store, IMAGE, "1")
    for _time in range(2):
        sign_tag(store)
        assert verify(store).format == "tag"
    assert [path.name for path in (tmp_path / "x").glob("*signature*")] == ["signature-1"]


def test_the_tag_of_other_signers_that_never_rest(store):
    publish = store.publish

    def overwrite(manifest, tags, wanted):
        publish(manifest, tags, wanted)
        store.tags.pop(TAG)

    store.publish = overwrite
    with pytest.raises(Refused, match="other clients overwrote the tag %s 10 times" % TAG):
        sign_tag(store)
