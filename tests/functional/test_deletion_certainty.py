# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No tag is lost by the deletion of another one, whatever a registry or a proxy says about the tags that there are.

The operations run in this process, against real registries, behind a proxy that forges responses.
"""

from __future__ import annotations

import itertools
import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import DeleteOptions, delete
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.declaration import Entry, SyncOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.sync import sync
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from ansible_collections.drayage.registry.plugins.module_utils._stores.registry_store import RegistryStore
from devtools import images
from devtools.forger import LOST, Forger, Response, error
from devtools.observe import digest_at, tags_at

OLD, NEW = images.single(seed="old"), images.single(seed="new")


@pytest.fixture(params=["by tag", "by digest only"])
def server(request):
    """Return a registry that deletes tags, and one that deletes manifests only."""
    return request.getfixturevalue("modern_registry" if request.param == "by tag" else "registry")


@pytest.fixture
def stores(tmp_path):
    """Return a function that opens stores as a module does, without retries that take time."""

    def run_command(_argv, _stdin):
        raise AssertionError("nothing here needs a credential helper")

    authfile = tmp_path / "auth.json"
    authfile.write_text("{}")

    def opened(retries=0):
        return Stores([], str(authfile), Policy(30.0, retries, 8), Run(run_command, jobs=8))

    return opened


def run_delete(stores, host, repository):
    """Delete the tag ``gone``; return whether it is said to be gone."""
    with stores() as opened:
        return bool(delete(DeleteOptions(f"{host}/{repository}:gone"), opened).digest)


def run_prune(stores, host, repository):
    """Delete the tag ``gone``, which is not selected, while ``fresh`` is brought."""
    declared = Entry(f"{repository}-source", dest=f"{host}/{repository}", tags=["keep", "fresh"])
    options = SyncOptions(src=host, images=[declared], prune=True, prune_keep=["twin"])
    with stores() as opened:
        synced = sync(options, opened)
    if synced.failure:
        raise ImageError(synced.failure)
    return any(image.action == "deleted" for image in synced.images)


def is_list(request, repository):
    return request.target.partition("?")[0] == f"/v2/{repository}/tags/list"


def forged_list(kind, repository):
    """Return the rule for the list of tags."""
    recorded = Response(200, [("Content-Type", "application/json")], json.dumps({"tags": ["gone", "keep"]}).encode())
    alone = recorded._replace(body=json.dumps({"tags": ["keep", "twin"]}).encode())
    link = ("Link", f'</v2/{repository}/tags/list?last=keep>; rel="next"')
    responses = {
        "stale": recorded,
        "without the tag": alone,
        "absent": error(404, "NAME_UNKNOWN"),
        "refused": error(401, "UNAUTHORIZED"),
        "forbidden": error(403, "DENIED"),
    }

    def rule(request):
        if not is_list(request, repository):
            return None
        if kind == "cut":
            page = recorded._replace(headers=[*recorded.headers, link])
            return error(404, "NAME_UNKNOWN") if "last=" in request.target else page
        return responses.get(kind)

    return rule


def forged_head(status, repository):
    """Return the rule for looks at the tag ``twin``, and at what a sync has just written."""
    names = [f"/v2/{repository}/manifests/{name}" for name in ("twin", "fresh")]

    def rule(request):
        if status and request.method in ("GET", "HEAD") and request.target in names:
            return error(status, "MANIFEST_UNKNOWN" if status == 404 else "DENIED")
        return None

    return rule


@pytest.mark.parametrize("operation", [run_delete, run_prune])
@pytest.mark.parametrize("head", [None, 404, 403])
@pytest.mark.parametrize("listed", ["complete", "stale", "without the tag", "cut", "absent", "refused", "forbidden"])
def test_all_other_tags_survive(stores, server, repository, listed, head, operation):
    """``twin`` points to the same image as the tag that is deleted, and so does ``fresh``, which the sync writes."""
    for tag, image in (("gone", OLD), ("twin", OLD), ("keep", NEW)):
        images.push(image, server.host, repository, tag)
    for tag, image in (("fresh", OLD), ("keep", NEW)) if operation is run_prune else ():
        images.push(image, server.host, f"{repository}-source", tag)
    with Forger(server.host, forged_list(listed, repository), forged_head(head, repository)) as proxy:
        try:
            succeeded = operation(stores, proxy.host, repository)
        except ImageError as failure:
            assert str(failure)
            succeeded = False
    assert digest_at(server.host, repository, "twin") == OLD.digest
    assert digest_at(server.host, repository, "keep") == NEW.digest
    there = set(tags_at(server.host, repository))
    if operation is run_prune and "fresh" in there:
        assert digest_at(server.host, repository, "fresh") == OLD.digest
    if succeeded:
        assert "gone" not in there
        assert operation is run_delete or "fresh" in there
    if listed == "complete" and head is None:
        assert succeeded


@pytest.mark.parametrize("listed", ["stale", "refused HEAD", "page for HEAD"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_tags_that_the_source_does_not_list_are_confirmed(stores, server, repository, listed, dry_run):
    """The list of the source lacks ``twin``, which exists, and ``gone``, which does not."""
    for tag, image in (("keep", NEW), ("twin", OLD)):
        images.push(image, server.host, f"{repository}-source", tag)
    for tag, image in (("keep", NEW), ("twin", OLD), ("gone", OLD)):
        images.push(image, server.host, repository, tag)
    short = Response(200, [("Content-Type", "application/json")], json.dumps({"tags": ["keep"]}).encode())
    page = Response(404, [("Content-Type", "text/html")], b"")

    def rule(request):
        if is_list(request, f"{repository}-source"):
            return short
        if request.method == "HEAD" and request.target == f"/v2/{repository}-source/manifests/twin":
            return {"refused HEAD": error(403, "DENIED"), "page for HEAD": page}.get(listed)
        return None

    entry = Entry(f"{repository}-source", dest=f"{server.host}/{repository}")
    with Forger(server.host, rule) as proxy, stores() as opened:
        opened.run.dry_run = dry_run
        synced = sync(SyncOptions(src=proxy.host, images=[entry], prune=True), opened)
    assert [image.name for image in synced.images if image.action == "deleted"] == ["gone"]
    assert any("the tag list is incomplete" in text for text in opened.run.statistics.warnings)
    assert tags_at(server.host, repository) == (["gone", "keep", "twin"] if dry_run else ["keep", "twin"])


def trigger(repository, tag, action):
    """Return a rule that calls ``action`` once, right after the first look at a tag was answered."""
    done = []

    def rule(request):
        if done or request.method != "HEAD" or request.target != f"/v2/{repository}/manifests/{tag}":
            return None
        response = request.forward()
        done.append(action())
        return response

    return rule


class TestAnotherTaskAtTheSameTime:
    """It points ``prod`` to the image whose only tag is deleted, just after that tag was looked at."""

    @pytest.mark.parametrize("is_new", [True, False])
    def test_among_few_tags(self, stores, registry, repository, is_new):
        for tag, image in (("gone", OLD), ("keep", NEW), *([] if is_new else [("prod", NEW)])):
            images.push(image, registry.host, repository, tag)
        rule = trigger(
            repository, "keep" if is_new else "prod", lambda: images.push(OLD, registry.host, repository, "prod")
        )
        with Forger(registry.host, rule) as proxy:
            assert run_delete(stores, proxy.host, repository)
        assert digest_at(registry.host, repository, "prod") == OLD.digest
        assert tags_at(registry.host, repository) == ["keep", "prod"]

    def test_among_many_tags(self, stores, registry, repository, monkeypatch):
        images.push(OLD, registry.host, repository, "gone")
        images.push(NEW, registry.host, repository, "prod")
        tags = registry.storage / f"docker/registry/v2/repositories/{repository}/_manifests/tags"
        for number in range(1500):
            (tags / f"rc-{number}/current").mkdir(parents=True)
            (tags / f"rc-{number}/current/link").write_text(NEW.digest)
        find, looks = RegistryStore.find, itertools.count(1)

        def look(store, name):
            found = find(store, name)
            if next(looks) == 1502:  # all have been looked at
                images.push(OLD, registry.host, repository, "prod")
            return found

        monkeypatch.setattr(RegistryStore, "find", look)
        assert run_delete(stores, registry.host, repository)
        assert digest_at(registry.host, repository, "prod") == OLD.digest
        assert len(tags_at(registry.host, repository)) == 1501


class TestLostResponses:
    """A DELETE is done and its response is lost; when it is repeated, the registry returns 404."""

    def lose_first(self, is_wanted):
        lost = []

        def rule(request):
            if lost or request.method != "DELETE" or not is_wanted(request.target):
                return None
            lost.append(request.forward())
            return LOST

        return rule, lost

    def test_of_a_tag(self, stores, modern_registry, repository):
        images.push(OLD, modern_registry.host, repository, "gone")
        rule, lost = self.lose_first(lambda target: target.endswith("/gone"))
        with Forger(modern_registry.host, rule) as proxy, stores(retries=1) as opened:
            deleted = delete(DeleteOptions(f"{proxy.host}/{repository}:gone"), opened)
        assert lost
        assert (deleted.method, deleted.removed) == ("tag", ["gone"])
        assert tags_at(modern_registry.host, repository) == []

    def test_of_a_unique_manifest(self, stores, registry, repository):
        """The tag was put back, and the task failed."""
        for tag in ("gone", "keep"):
            images.push(OLD, registry.host, repository, tag)
        pushed = []
        rule, lost = self.lose_first(lambda target: bool(pushed))

        def watch(request):
            if request.method == "PUT" and request.target.endswith("/manifests/gone"):
                pushed.append(request.target)

        with Forger(registry.host, watch, rule) as proxy, stores(retries=1) as opened:
            deleted = delete(DeleteOptions(f"{proxy.host}/{repository}:gone"), opened)
        assert len(lost) == len(pushed) == 1
        assert deleted.method == "unique_manifest"
        assert tags_at(registry.host, repository) == ["keep"]

    def test_for_good(self, stores, registry, repository):
        """Without a retry, a look at the tag shows what happened."""
        for tag in ("gone", "keep"):
            images.push(OLD, registry.host, repository, tag)

        def rule(request):
            if request.method == "DELETE" and request.forward().status == 202:
                return LOST
            return None

        with Forger(registry.host, rule) as proxy:
            assert run_delete(stores, proxy.host, repository)
        assert tags_at(registry.host, repository) == ["keep"]


@pytest.mark.parametrize("status", [200, 202, 404])
def test_a_web_page_is_no_confirmation(stores, server, repository, status):
    page = Response(status, [("Content-Type", "text/html; charset=utf-8")], b"<html>Down for maintenance</html>")
    images.push(OLD, server.host, repository, "gone")

    def rule(request):
        return page if request.method == "DELETE" else None

    with Forger(server.host, rule) as proxy, pytest.raises(ImageError) as failure:
        run_delete(stores, proxy.host, repository)
    assert f"{proxy.host} returned {status} with a web page" in str(failure.value)
    assert tags_at(server.host, repository) == ["gone"]


@pytest.mark.parametrize("deletes", [True, False])
def test_other_success_is_confirmed(stores, modern_registry, repository, deletes):
    images.push(OLD, modern_registry.host, repository, "gone")

    def rule(request):
        if request.method != "DELETE":
            return None
        if deletes:
            request.forward()
        return Response(204, [])

    with Forger(modern_registry.host, rule) as proxy:
        if deletes:
            assert run_delete(stores, proxy.host, repository)
        else:
            with pytest.raises(ImageError, match="returned 204, but the .* still exists"):
                run_delete(stores, proxy.host, repository)
    assert tags_at(modern_registry.host, repository) == ([] if deletes else ["gone"])


class TestManifestWithAllItsTags:
    """What goes is reported in full, or nothing goes."""

    @pytest.mark.parametrize("listed", ["without the tag", "absent"])
    def test_uncertain_list(self, stores, server, repository, listed):
        for tag in ("gone", "twin"):
            images.push(OLD, server.host, repository, tag)
        with Forger(server.host, forged_list(listed, repository)) as proxy, stores() as opened:
            options = DeleteOptions(f"{proxy.host}/{repository}:gone", "manifest")
            with pytest.raises(ImageError, match="cannot determine which tags would be deleted") as failure:
                delete(options, opened)
        assert "Nothing was deleted." in str(failure.value)
        assert tags_at(server.host, repository) == ["gone", "twin"]

    def test_a_digest_alone(self, stores, server, repository):
        """It may have no tag at all, so it is deleted, and a warning says that the tags are not certain."""
        images.push(OLD, server.host, repository, "gone")
        images.push(NEW, server.host, repository, "keep")
        with Forger(server.host, forged_list("absent", repository)) as proxy, stores() as opened:
            options = DeleteOptions(f"{proxy.host}/{repository}@{OLD.digest}", "manifest")
            assert delete(options, opened).digest == OLD.digest
            assert [
                f"The return value removed_tags may be incomplete for {OLD.digest}" in text
                for text in opened.run.statistics.warnings
            ] == [True]
        assert digest_at(server.host, repository, "keep") == NEW.digest


class TestInterrupted:
    """A run that is killed after it has pointed the tag to an empty image; here the connection breaks for good."""

    @pytest.fixture(params=[False, True], ids=["oci", "docker"])
    def left(self, request, stores, registry, repository):
        """Return the digest of the image whose deletion was interrupted."""
        image = images.single(docker=request.param)
        for tag in ("gone", "twin"):
            images.push(image, registry.host, repository, tag)
        pushed = []

        def rule(request):
            if request.method == "PUT" and request.target.endswith("/manifests/gone") and not pushed:
                pushed.append(request.target)
                return request.forward()
            return LOST if pushed else None

        with Forger(registry.host, rule) as proxy, pytest.raises(ImageError) as failure:
            run_delete(stores, proxy.host, repository)
        assert f"The tag may now point to an empty image (previous digest: {image.digest}). Run the task" in str(
            failure.value
        )
        assert digest_at(registry.host, repository, "gone") != image.digest
        registry.forget()
        return image.digest

    def test_it_is_no_image_for_others(self, run_module, registry, repository, left):
        where = f"{registry.host}/{repository}"
        sentence = (
            f"the tag points to an empty image that an interrupted deletion left behind (previous digest: {left}). "
            "Run image_delete for this tag again to complete the deletion, or push the image again."
        )
        results = [
            run_module("image_copy", src=f"{where}:gone", dest=f"{where}-copy:1"),
            run_module("image_copy", src=f"{where}:gone", dest=f"{where}:latest"),
            run_module("image_tags", repository=where, tags={"prod": "gone"}),
            run_module("image_inspect", image=f"{where}:gone", verify=True),
            run_module("image_sync", dest=f"{where}-copy", images=[{"name": where, "tags": ["gone"]}]),
        ]
        assert [result.msg for result in results] == [f"{where}:gone: {sentence}"] * len(results)
        assert {request.method for request in registry.requests()} == {"GET", "HEAD"}

    @pytest.mark.parametrize("with_digest", [False, True])
    def test_another_run_completes_it(self, run_module, registry, repository, left, with_digest):
        image = f"{registry.host}/{repository}:gone" + (f"@{left}" if with_digest else "")
        result = run_module("image_delete", image=image)
        assert (result.changed, result.removed_tags, result.kept_tags) == (True, ["gone"], [])
        assert result.method == "digest"
        assert tags_at(registry.host, repository) == ["twin"]
        assert digest_at(registry.host, repository, "twin") == left
        assert run_module("image_delete", image=image).changed is False

    def test_the_whole_image_can_be_deleted_instead(self, run_module, registry, repository, left):
        task = {"image": f"{registry.host}/{repository}:gone@{left}", "scope": "manifest"}
        for check_mode in (True, False):
            result = run_module("image_delete", **task, check_mode=check_mode)
            assert (result.changed, result.digest, result.removed_tags) == (True, left, ["gone", "twin"])
        assert tags_at(registry.host, repository) == []
        assert digest_at(registry.host, repository, left) is None
        assert run_module("image_delete", **task).changed is False
