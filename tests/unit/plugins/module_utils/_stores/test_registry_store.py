# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import AccessDenied, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import RegistryReference
from ansible_collections.drayage.registry.plugins.module_utils._image.referrers import cosign_tags, list_tag
from ansible_collections.drayage.registry.plugins.module_utils._stores.content_location import Location
from ansible_collections.drayage.registry.plugins.module_utils._stores.registry_store import RegistryStore
from ansible_collections.drayage.registry.tests.unit.support.images import descriptor, entry, image
from ansible_collections.drayage.registry.tests.unit.support.odd_server import REGISTRY, Reply, found, refused
from ansible_collections.drayage.registry.tests.unit.support.scripted_transport import Script, client_of, stop_clock

ONE, BLOB = image(), descriptor(b"blob")
SIGNATURE = next(tag for tag in cosign_tags(ONE.digest) if tag.endswith(".sig"))
HEAD = {**REGISTRY, "Content-Type": ONE.manifest.media_type, "Docker-Content-Digest": ONE.digest}
HERE = Reply(200, {**HEAD, "Content-Length": str(ONE.manifest.size)})
CONTENT = Reply(200, HEAD, ONE.manifest.raw)
CREATED = Reply(201, REGISTRY)
NO_MANIFEST = refused(404, "MANIFEST_UNKNOWN")._replace(headers={**REGISTRY, "Content-Type": "application/json"})


@pytest.fixture
def scripted(monkeypatch):
    """Open the repository of a registry that gives these replies. All of them must have been asked for."""
    stop_clock(monkeypatch)
    scripts = []

    def make(*replies, actions=("push",), mount_from=""):
        scripts.append(Script(*replies))
        reference = RegistryReference("r.example", "app", "ignored")
        return RegistryStore(client_of(scripts[-1]), reference, actions, mount_from), scripts[-1]

    yield make
    assert [script.replies for script in scripts if script.replies] == []


def test_a_repository_has_a_location_and_full_references(scripted):
    store, _script = scripted()
    assert store.location == Location("docker", "docker://r.example", "app", shares_content=False)
    assert [store.reference(name) for name in ("", "1", ONE.digest)] == [
        "r.example/app",
        "r.example/app:1",
        "r.example/app@" + ONE.digest,
    ]


def test_a_name_is_resolved_with_one_head(scripted):
    store, script = scripted(HERE, NO_MANIFEST)
    assert store.resolve("1") == ONE.manifest.descriptor
    assert store.resolve("2") is None
    assert script.log == ["HEAD app/manifests/1", "HEAD app/manifests/2"]


def test_an_image_is_found_to_be_absent_only_with_a_get(scripted):
    store, script = scripted(NO_MANIFEST, NO_MANIFEST, HERE)
    assert store.find("1") is None
    assert store.find("1") == ONE.manifest.descriptor
    assert script.log == ["HEAD app/manifests/1", "GET app/manifests/1", "HEAD app/manifests/1"]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("actions", [["push"], ["delete"], []])
def test_a_destination_that_forbids_a_tag_lacks_it(scripted, status, actions):
    replies = [refused(status, "DENIED")] * (2 if status == 403 else 1)
    store, _script = scripted(*replies, actions=actions)
    if (status, actions) == (403, ["push"]):
        assert store.resolve("1") is None
    else:
        with pytest.raises(AccessDenied):
            store.resolve("1")


def test_a_manifest_is_read_with_one_get(scripted):
    store, script = scripted(CONTENT)
    assert store.manifest("1").raw == ONE.manifest.raw
    assert script.log == ["GET app/manifests/1"]


def test_tags_are_listed(scripted):
    store, script = scripted(found({"name": "app", "tags": ["1", "2"]}))
    assert store.tags() == ["1", "2"]
    assert script.log == ["GET app/tags/list"]


def test_tags_that_were_listed_or_resolved_show_signatures(scripted):
    """The warning about signatures that are left behind costs no request."""
    listed, _script = scripted(found({"name": "app", "tags": [SIGNATURE]}), actions=())
    resolved, _script = scripted(HERE, actions=())
    for store, learn in ((listed, listed.tags), (resolved, lambda: resolved.resolve(SIGNATURE))):
        assert not store.referrers.seen(ONE.digest)
        learn()
        assert store.referrers.seen(ONE.digest)
        assert not store.referrers.seen(ONE.digest, [SIGNATURE])


@pytest.mark.parametrize(
    ("actions", "replies", "log"),
    [
        (["push"], [refused(404, "BLOB_UNKNOWN")], ["HEAD"]),
        ([], [refused(404, "BLOB_UNKNOWN"), refused(404, "BLOB_UNKNOWN")], ["HEAD", "GET"]),
    ],
)
def test_a_blob_that_nobody_will_push_is_absent_only_with_a_get(scripted, actions, replies, log):
    store, script = scripted(*replies, actions=actions)
    assert store.has_blob(BLOB) is False
    assert script.log == ["%s app/blobs/%s" % (method, BLOB.digest) for method in log]


@pytest.mark.parametrize("actions", [["push"], []])
def test_a_blob_is_found_with_one_head(scripted, actions):
    store, _script = scripted(Reply(200, {**REGISTRY, "Content-Length": str(BLOB.size)}), actions=actions)
    assert store.has_blob(BLOB) is True


def test_a_blob_is_read(scripted):
    store, script = scripted(Reply(200, {**REGISTRY, "Content-Length": "4"}, b"blob"))
    assert b"".join(map(bytes, store.open_blob(BLOB))) == b"blob"
    assert script.log == ["GET app/blobs/" + BLOB.digest]


def test_a_repository_that_exists_may_have_content(scripted):
    store, script = scripted(found({"name": "app", "tags": ["1"]}))
    assert store.has_content() is True
    assert len(script.log) == 1


def test_an_image_is_published_under_each_tag_or_by_its_digest(scripted):
    store, script = scripted(CREATED, CREATED, CREATED)
    store.publish(ONE.manifest, ["1", "2"], None)
    store.publish(ONE.manifest, [], None)
    assert script.log == ["PUT app/manifests/" + name for name in ("1", "2", ONE.digest)]
    assert {request.body for request in script.sent} == {ONE.manifest.raw}


@pytest.mark.parametrize("tags", [["1", "stable"], ["1", SIGNATURE]])
def test_the_error_has_the_tag_that_the_registry_refuses(scripted, tags):
    store, _script = scripted(CREATED, refused(412, "PRECONDITION", "configured as immutable"))
    with pytest.raises(Refused, match="^r.example/app:%s: cannot push the manifest, because the tag is" % tags[1]):
        store.publish(ONE.manifest, tags, None)


def test_the_error_has_the_tag_of_a_list_that_the_registry_refuses(scripted):
    immutable = refused(412, "PRECONDITION", "configured as immutable")
    store, _script = scripted(found({"tags": ["1"]}), Reply(404, REGISTRY), NO_MANIFEST, immutable)
    store.tags()
    with pytest.raises(Refused, match="^r.example/app:%s: cannot push the" % list_tag(ONE.digest)):
        store.referrers.attach(ONE.digest, [image("unknown/unknown", b"sbom", subject=entry(ONE)).manifest])


def test_a_child_is_stored_by_its_digest(scripted):
    store, script = scripted(CREATED)
    store.put_manifest(ONE.manifest)
    assert script.log == ["PUT app/manifests/" + ONE.digest]


def test_a_registry_that_lists_a_pushed_referrer_needs_no_list(scripted):
    referrer = image("unknown/unknown", b"sbom", subject=entry(ONE))
    store, script = scripted(Reply(201, {**REGISTRY, "OCI-Subject": ONE.digest}))
    store.put_manifest(referrer.manifest)
    store.referrers.attach(ONE.digest, [referrer.manifest])
    assert script.log == ["PUT app/manifests/" + referrer.digest]


def test_a_blob_is_mounted_from_another_repository(scripted):
    store, script = scripted(CREATED, mount_from="base")
    assert store.put_blob(BLOB, list, "base") is True
    assert script.log == ["POST app/blobs/uploads/?mount=%s&from=base" % BLOB.digest.replace(":", "%3A")]


@pytest.mark.parametrize(("replies", "exists"), [([Reply(202, REGISTRY)], True), ([NO_MANIFEST, NO_MANIFEST], False)])
def test_an_image_is_deleted_by_its_digest(scripted, replies, exists):
    store, script = scripted(*replies)
    assert store.delete(ONE.digest) is exists
    assert script.log[0] == "DELETE app/manifests/" + ONE.digest
