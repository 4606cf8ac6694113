# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, Refused
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image import media_types, referrers
from ansible_collections.drayage.registry.plugins.module_utils._image.manifest import Manifest
from ansible_collections.drayage.registry.plugins.module_utils._registry.auth import Access
from ansible_collections.drayage.registry.plugins.module_utils._registry.referrers_client import ReferrersClient
from ansible_collections.drayage.registry.tests.unit.support.odd_server import REGISTRY, Reply, found, refused

SUBJECT = "sha256:" + "a" * 64
TAG = "sha256-" + "a" * 64
LIST = "/v2/app/manifests/" + TAG
API = "/v2/app/referrers/" + SUBJECT


def referrer(name="one", subject=SUBJECT):
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "artifactType": "application/x",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digests.of(b"{}"), "size": 2},
        "layers": [],
        "subject": {"mediaType": media_types.OCI_INDEX, "digest": subject, "size": 10},
        "annotations": {"name": name},
    }
    return Manifest.parse(json.dumps(document).encode())


class Registry:
    """A registry of one repository: it has the referrers API or not, and sends OCI-Subject or not."""

    def __init__(self, api=False, states_subject=False, deletes=True, checks=False):
        self.api = api
        self.states_subject = states_subject
        self.deletes = deletes
        self.checks = checks
        self.content = {}  # by tag or digest
        self.server = None

    def __call__(self, method, target):
        path = target.partition("?")[0]
        name = path.rpartition("/")[2]
        if path.startswith("/v2/app/referrers/"):
            return self.listed(name) if self.api else Reply(404, REGISTRY)
        if path == "/v2/app/tags/list":
            tags = [name for name in self.content if ":" not in name]
            return found({"tags": tags}) if self.content else refused(404, "NAME_UNKNOWN")
        if method == "PUT":
            return self.put(name, self.server.bodies[target])
        if method == "DELETE":
            return self.delete(name)
        if name not in self.content:
            return refused(404, "MANIFEST_UNKNOWN")
        raw = self.content[name]
        kind = json.loads(raw)["mediaType"]
        return Reply(200, {"Content-Type": kind, "Docker-Content-Digest": digests.of(raw)}, raw)

    def put(self, name, raw):
        if self.checks and not all(one["digest"] in self.content for one in json.loads(raw).get("manifests") or ()):
            return refused(400, "MANIFEST_BLOB_UNKNOWN")
        self.content[name] = self.content[digests.of(raw)] = raw
        subject = json.loads(raw).get("subject", {}).get("digest")
        headers = {"OCI-Subject": subject} if self.api and self.states_subject and subject else {}
        return Reply(201, {**REGISTRY, **headers})

    def delete(self, name):
        if not self.deletes:
            return refused(405, "UNSUPPORTED")
        raw = self.content[name]
        self.content = {key: value for key, value in self.content.items() if value != raw}
        return Reply(202, REGISTRY)

    def listed(self, subject):
        manifests = [Manifest.parse(raw) for name, raw in self.content.items() if ":" in name]
        entries = [
            {"mediaType": one.media_type, "digest": one.digest, "size": one.size}
            for one in manifests
            if referrers.is_referrer(one, subject)
        ]
        return found({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries or None})


@pytest.fixture
def open_client(home, serve):
    """Return a client of the referrers of ``app`` at a registry, and the log of requests."""

    def start(registry, **options):
        client, server = serve(registry)
        if isinstance(registry, Registry):
            registry.server = server
        return ReferrersClient(client, Access("app", frozenset(("pull", "push", "delete"))), **options), server.log

    return start


def digests_of(entries):
    return sorted(entry.digest for entry in entries)


@pytest.mark.parametrize(
    ("options", "requests"),
    [
        ({"api": True, "states_subject": True}, []),
        ({"api": True}, ["GET " + API]),
        ({}, ["GET " + API, "GET " + LIST, "PUT " + LIST, "GET " + LIST]),
    ],
    ids=["OCI-Subject", "API without OCI-Subject", "tag"],
)
def test_attach_and_list(open_client, options, requests):
    registry = Registry(**options)
    client, log = open_client(registry, reads_tags=False)
    first, second = referrer("one"), referrer("two")
    client.push(first)
    client.push(second)
    pushed = len(log)
    client.attach(SUBJECT, [first, second])
    assert log[pushed:] == requests
    assert digests_of(client.entries(SUBJECT)) == sorted((first.digest, second.digest))
    assert (TAG in registry.content) is not registry.api


def test_whether_there_is_an_api_is_remembered(open_client):
    """For ten subjects one request finds out, and one list of tags shows which of them has a list."""
    registry = Registry()
    registry.put("1", referrer().raw)
    registry.put(TAG, referrers.with_entries(None, [referrer()]).raw)
    client, log = open_client(registry)
    client.note_repository()
    for number in range(10):
        assert client.entries("sha256:%064d" % number) == []
    assert len(client.entries(SUBJECT)) == 1
    assert log == ["GET /v2/app/referrers/sha256:%064d" % 0, "GET /v2/app/tags/list", "GET " + LIST]


def test_threads_ask_once(open_client):
    client, log = open_client(Registry())
    client.note_repository()
    threads = [threading.Thread(target=client.entries, args=("sha256:%064d" % number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line.partition("sha256")[0] for line in log) == ["GET /v2/app/referrers/", "GET /v2/app/tags/list"]


def test_404_for_an_unknown_repository_says_nothing_about_the_api(open_client):
    """Such registries have the API, and return 404 before the first push."""
    registry = Registry()
    client, _log = open_client(registry, reads_tags=False)
    assert client.entries(SUBJECT) == []
    registry.api = True
    one = referrer()
    client.push(one)
    client.attach(SUBJECT, [one])
    assert TAG not in registry.content
    assert digests_of(client.entries(SUBJECT)) == [one.digest]


@pytest.mark.parametrize("status", [429, 500, 503, 403])
def test_a_failure_is_no_missing_api(open_client, status):
    client, log = open_client(lambda _method, _target: refused(status, ""))
    client.note_repository()
    for _attempt in range(2):
        with pytest.raises(ImageError, match="cannot list the referrers"):
            client.entries(SUBJECT)
    assert log == ["GET " + API] * 2


def test_pages_and_filter(open_client):
    def respond(_method, target):
        number = int((target.partition("page=")[2] or "1")[0])
        entry = {"mediaType": media_types.OCI_MANIFEST, "digest": "sha256:%064d" % number, "size": 1}
        link = {"Link": '<%s?page=%d>; rel="next"' % (API, number + 1)} if number < 3 else {}
        return found({"schemaVersion": 2, "manifests": [entry]}, **link)

    client, log = open_client(respond)
    entries = client.entries(SUBJECT, "application/vnd.x+json")
    assert digests_of(entries) == ["sha256:%064d" % number for number in (1, 2, 3)]
    assert log == [
        "GET %s?%s" % (API, query) for query in ("artifactType=application%2Fvnd.x%2Bjson", "page=2", "page=3")
    ]


def test_pages_without_end(open_client):
    client, log = open_client(lambda _method, _target: found({"manifests": None}, Link='<?x>; rel="next"'))
    client.entries(SUBJECT)  # a page that leads to itself is the last one
    numbers = iter(range(100))
    client, log = open_client(
        lambda _method, _target: found({"manifests": None}, Link='<?n=%d>; rel="next"' % next(numbers))
    )
    with pytest.raises(Refused, match="cannot list the referrers: .* a list that repeats itself or is too long"):
        client.entries(SUBJECT)
    assert len(log) < 20


def test_a_page_that_is_too_large(open_client):
    body = b'{"manifests": [], "x": "%s"}' % (b"y" * 4_200_000)
    client, _log = open_client(lambda _method, _target: Reply(200, REGISTRY, body))
    with pytest.raises(Refused, match="sent a response larger than 4194304 bytes"):
        client.entries(SUBJECT)


def test_a_web_page_is_no_list(open_client):
    html = Reply(200, {"Content-Type": "text/html"}, b"<html>")
    client, _log = open_client(lambda _method, _target: html)
    with pytest.raises(Refused, match="which is not a registry response"):
        client.entries(SUBJECT)


IMAGE = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [], "x": "image"}).encode()
DOCKER_LIST = json.dumps({"schemaVersion": 2, "mediaType": media_types.DOCKER_LIST, "manifests": []}).encode()


@pytest.mark.parametrize(
    ("raw", "subject"),
    [(IMAGE, digests.of(IMAGE)), (referrer().raw, SUBJECT), (DOCKER_LIST, SUBJECT), (b'{"mediaType": "x"}', SUBJECT)],
    ids=["subject", "manifest", "Docker's list", "broken"],
)
def test_what_is_no_list_is_read_as_none_and_never_overwritten(open_client, raw, subject):
    """GitLab resolves the tag to the subject; cosign puts the image there."""
    registry = Registry()
    tag = referrers.list_tag(subject)
    registry.content[tag] = raw
    client, log = open_client(registry)
    assert client.entries(subject) == []
    one = referrer(subject=subject)
    client.push(one)
    with pytest.raises(
        Refused, match="cannot list the referrers of %s: the registry has no referrers API, and the tag" % subject
    ):
        client.attach(subject, [one])
    assert registry.content[tag] == raw
    assert "PUT /v2/app/manifests/" + tag not in log


@pytest.mark.parametrize("reads_tags", [True, False])
def test_a_registry_that_resolves_the_tag_to_the_subject(open_client, reads_tags):
    """GitLab does: the children of an index are no referrers of it, and nothing is written over the tag."""
    registry = Registry()
    children = [{"mediaType": media_types.OCI_MANIFEST, "digest": referrer().digest, "size": len(referrer().raw)}]
    image = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": children}).encode()
    subject = digests.of(image)
    registry.put("1", image)
    listed = "/v2/app/manifests/" + referrers.list_tag(subject)

    def respond(method, target):
        return registry(method, "/v2/app/manifests/" + subject if (method, target) == ("GET", listed) else target)

    client, log = open_client(respond, reads_tags=reads_tags)
    client.note_repository()
    assert client.entries(subject) == []
    with pytest.raises(Refused, match="does not point to a list of referrers"):
        client.attach(subject, [referrer(subject=subject)])
    assert not [line for line in log if line.startswith("PUT")]


def test_another_writer_removes_the_entry(open_client):
    """It read the list before ours was written, and writes it after: reading again shows it."""
    registry = Registry()
    other = referrers.with_entries(None, [referrer("other")]).raw
    overwrites = [True, True]
    put = registry.put

    def put_and_lose(name, raw):
        reply = put(name, raw)
        if name == TAG and overwrites:
            overwrites.pop()
            put(name, other)
        return reply

    registry.put = put_and_lose
    client, _log = open_client(registry)
    one = referrer()
    client.push(one)
    client.attach(SUBJECT, [one])
    assert digests_of(client.entries(SUBJECT)) == sorted((one.digest, referrer("other").digest))


def test_an_entry_whose_manifest_was_deleted(open_client):
    """Distribution refuses a list that has it, so that nothing could be attached any more."""
    registry = Registry(checks=True)
    first, second, third = referrer("one"), referrer("two"), referrer("three")
    client, _log = open_client(registry)
    for manifest in (first, second, third):
        client.push(manifest)
    client.attach(SUBJECT, [first, second])
    registry.delete(first.digest)
    client.attach(SUBJECT, [third])
    assert digests_of(client.entries(SUBJECT)) == digests_of([second, third])


def test_a_writer_that_never_ends_is_an_error(open_client):
    registry = Registry()
    put = registry.put
    registry.put = lambda name, raw: put(name, raw if name != TAG else referrers.with_entries(None, []).raw)
    client, log = open_client(registry)
    client._client.session.back_off = lambda _attempt: None
    one = referrer()
    client.push(one)
    with pytest.raises(Refused, match="other clients overwrote the list of referrers 10 times"):
        client.attach(SUBJECT, [one])
    assert log.count("PUT " + LIST) == 10


def test_threads_of_a_run_lose_nothing(open_client):
    registry = Registry()
    client, log = open_client(registry, reads_tags=False)
    manifests = [referrer(str(number)) for number in range(8)]
    for manifest in manifests:
        client.push(manifest)
    threads = [threading.Thread(target=client.attach, args=(SUBJECT, [manifest])) for manifest in manifests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests_of(client.entries(SUBJECT)) == digests_of(manifests)
    assert log.count("PUT " + LIST) == 8


@pytest.mark.parametrize("deletes", [True, False])
def test_detach(open_client, deletes):
    """The last entry takes the list along, where the registry deletes."""
    registry = Registry(deletes=deletes)
    client, _log = open_client(registry)
    first, second = referrer("one"), referrer("two")
    for manifest in (first, second):
        client.push(manifest)
    client.attach(SUBJECT, [first, second])
    client.detach(SUBJECT, [first.digest])
    assert digests_of(client.entries(SUBJECT)) == [second.digest]
    client.detach(SUBJECT, [second.digest])
    assert client.entries(SUBJECT) == []
    assert (TAG in registry.content) is not deletes


def test_detach_leaves_lists_to_the_api(open_client):
    registry = Registry(api=True)
    client, log = open_client(registry)
    one = referrer()
    client.push(one)
    client.detach(SUBJECT, [one.digest])
    assert log[1:] == ["GET " + API]


def test_cosign_tags_cost_one_list(open_client):
    registry = Registry(api=True)
    for tag in ("1", TAG + ".sig", TAG + ".sbom", TAG + ".other"):
        registry.put(tag, referrer().raw)
    client, log = open_client(registry)
    assert client.cosign_tags(SUBJECT) == [TAG + ".sbom", TAG + ".sig"]
    assert client.cosign_tags("sha256:" + "0" * 64) == []
    assert log == ["GET /v2/app/tags/list"]
