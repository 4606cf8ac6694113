# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidReference, Refused
from ansible_collections.drayage.registry.plugins.module_utils._files import read_regular
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import (
    EngineReference,
    LocalReference,
    RegistryReference,
)
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores, open_stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages
from ansible_collections.drayage.registry.plugins.module_utils._registry.credentials import Credential
from ansible_collections.drayage.registry.plugins.module_utils._registry.helper_program import MAX_OUTPUT
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from ansible_collections.drayage.registry.plugins.module_utils._stores import oci_layout
from ansible_collections.drayage.registry.tests.unit.support import images, layouts, runs
from ansible_collections.drayage.registry.tests.unit.support.odd_server import (
    REGISTRY,
    OddServer,
    Reply,
    found,
    refused,
)

ONE, TWO = images.image("linux/amd64", b"one"), images.image("linux/amd64", b"two")


def test_all_repositories_of_a_layout_read_its_index_once(tmp_path, monkeypatch):
    path = tmp_path / "layout"
    layouts.foreign_layout(path, ("r.example/a:1", ONE), ("r.example/b:1", TWO))
    read = []

    def counted(*arguments):
        read.append(arguments)
        return read_regular(*arguments)

    monkeypatch.setattr(oci_layout, "read_regular", counted)
    with Stores([], None, Policy(), runs.run()) as stores:
        opened = [stores.open_named(LocalReference("oci", str(path), name)) for name in ("r.example/a", "r.example/b")]
        assert [store.resolve("1").digest for store in opened] == [ONE.digest, TWO.digest]
        assert len(read) == 1
        carried = stores.open_named(LocalReference("oci", str(path), "r.example/a"), frozenset([ONE.digest]))
        layouts.blob_file(path, ONE.digest).unlink()
        assert (carried.has_blob(ONE.manifest.descriptor), opened[0].has_blob(ONE.manifest.descriptor)) == (True, False)


def params(**more):
    return {"timeout": 60.0, "retries": 3, "min_rate": 100.0, "registries": [], "authfile": None, **more}


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("timeout", 86401.0, "more than 0 and at most 86400 seconds"),
        ("timeout", float("nan"), "more than 0 and at most 86400 seconds"),
        ("min_rate", float("inf"), "0 or more bytes per second"),
        ("retries", -1, "0 or more"),
    ],
)
def test_an_option_out_of_bounds_is_an_error_of_ours(option, value, wanted):
    with pytest.raises(ImageError) as raised:
        open_stores(params(**{option: value}), runs.run())
    assert str(raised.value) == "the %s option is %s, but must be %s." % (option, value, wanted)


def test_secrets_are_concealed_in_the_form_in_which_they_are_sent():
    concealed = []
    registries = [
        {"host": "r.example", "username": "_json_key", "password": {"key": "s"}, "ca_cert": "/ca", "token": None}
    ]
    with open_stores(params(registries=registries), runs.run(), concealed.append):
        assert concealed == ['{"key": "s"}']


def test_stores_of_one_registry_share_a_client_in_all_threads():
    with Stores([], None, Policy(), runs.run()) as stores, ThreadPoolExecutor(16) as pool:
        reference = RegistryReference("r.example", "app")
        clients = set(pool.map(lambda _number: id(stores._client(reference)), range(64)))
    assert len(clients) == 1


def test_what_was_opened_is_closed(tmp_path):
    path = tmp_path / "images.tar"
    with Stores([], None, Policy(), runs.run(), LocalImages) as stores:
        writer = stores.open(LocalReference("oci-archive", str(path)), writable=True)
        writer.put_blob(images.descriptor(b"one"), lambda: [b"one"], "")
        before = len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) < before


def test_what_has_to_do_with_registries_alone_opens_nothing_else(tmp_path):
    stores = Stores([], None, Policy(), runs.run())
    with (
        stores,
        pytest.raises(InvalidReference, match="oci:/srv/images:1: only images in a registry are supported here"),
    ):
        stores.open(LocalReference("oci", "/srv/images", "1"))


class Registry(OddServer):
    """Wants a token, and then lists repositories; ``scopes`` are what tokens were requested for."""

    def __init__(self):
        super().__init__(self._answer)
        self.scopes = []
        self.content = Reply(200, REGISTRY, b'{"repositories": ["a", "b"], "tags": []}')

    def _answer(self, _method, target):
        if target.startswith("/token"):
            self.scopes += parse_qs(urlsplit(target).query).get("scope", [""])
            return found({"token": "t"})
        if not self.scopes:
            challenge = 'Bearer realm="http://%s/token",service="s"' % self.host
            return Reply(401, {**REGISTRY, "WWW-Authenticate": challenge}, refused(401, "UNAUTHORIZED").body)
        return self.content


@pytest.fixture
def registry():
    with Registry() as server:
        yield server


def reach(server, **more):
    return Stores(
        [RegistrySettings(server.host, plain_http=True, **more)], None, Policy(timeout=120, retries=0), runs.run()
    )


@pytest.mark.parametrize(
    ("options", "scopes"),
    [
        ({}, ["repository:app:pull"]),
        ({"writable": True}, ["repository:app:pull,push"]),
        ({"deletes": True}, ["repository:app:delete,pull"]),
        ({"writable": True, "deletes": True}, ["repository:app:delete,pull,push"]),
        ({"writable": True, "mount_from": "base"}, ["repository:app:pull,push", "repository:base:pull"]),
    ],
)
def test_a_token_has_the_permissions_that_the_task_needs(registry, options, scopes):
    with reach(registry) as stores:
        stores.open(RegistryReference(registry.host, "app"), **options).tags()
    found = [",".join(sorted(scope.rpartition(":")[2].split(","))) for scope in registry.scopes]
    assert [scope.rpartition(":")[0] + ":" + actions for scope, actions in zip(registry.scopes, found)] == scopes


def test_repositories_are_those_of_a_catalog_or_of_a_layout(registry, tmp_path):
    layouts.foreign_layout(tmp_path / "l", ("r.example/a:1", ONE), ("r.example/b:1", TWO))
    with reach(registry) as stores:
        assert stores.repositories(RegistryReference(registry.host, "")) == ["a", "b"]
        names = stores.repositories(LocalReference("oci", str(tmp_path / "l")))
        assert names == ["r.example/a", "r.example/b"]
        with pytest.raises(InvalidReference) as raised:
            stores.repositories(EngineReference("docker-daemon", "", "app"))
    assert str(raised.value) == (
        "docker-daemon:app: engines cannot list repositories. Use a registry, an OCI layout or a directory."
    )


def test_a_url_is_read_without_credentials(registry):
    registry.scopes.append("nothing")
    url = "http://%s/x" % registry.host
    with reach(registry, username="alice", password="secret") as stores:
        registry.content = Reply(200, {}, b"signature")
        assert stores.read_url(url, 9) == b"signature"
        with pytest.raises(ImageError):
            stores.read_url(url, 8)
        registry.content = Reply(404)
        assert stores.read_url(url, 9) is None
        registry.content = Reply(403)
        with pytest.raises(Refused) as raised:
            stores.read_url(url, 9)
    assert str(raised.value) == (
        "cannot read %s: the server returned 403. Check the web server, and the lookaside location in registries.d."
        % url
    )
    assert set(registry.log) == {"GET /x"}


@pytest.mark.parametrize(
    ("settings", "credential"),
    [
        ({"token": "t", "username": "a", "password": "b"}, Credential(bearer="t")),
        ({"username": "a", "password": "b"}, Credential("a", "b")),
        ({"username": "a"}, Credential("a")),
        ({"password": "b"}, Credential(password="b")),
        ({}, Credential("filed", "secret")),
    ],
)
def test_options_take_precedence_over_files(tmp_path, settings, credential):
    pair = base64.b64encode(b"filed:secret").decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {"r.example": {"auth": pair}}}))
    entry = RegistrySettings("r.example", **settings)
    with Stores([entry], str(tmp_path / "auth.json"), Policy(), runs.run()) as stores:
        assert stores._credential("r.example", "app") == credential


def test_an_entry_for_another_port_is_a_remark(tmp_path):
    (tmp_path / "auth.json").write_text("{}")
    entries = [RegistrySettings("r.example:5000", username="a")]
    with Stores(entries, str(tmp_path / "auth.json"), Policy(), runs.run()) as stores:
        assert stores._credential("r.example", "app").remark == (
            "The entry for r.example:5000 in registries is not used for r.example: write the same port as in the references"
        )
        assert stores._credential("s.example", "app").remark == ""
        stores.add_registries([RegistrySettings("s.example", username="b", password="c")])
        assert stores._credential("s.example", "app") == Credential("b", "c")


def test_a_helper_must_respond_within_the_timeout():
    called = []

    def run_command(*arguments):
        called.append(arguments)
        return 0, "", ""

    with Stores([], None, Policy(timeout=7.0), Run(run_command)) as stores:
        assert stores.run_helper(["helper", "get"], "r.example") == (0, "", "")
    assert called == [(["helper", "get"], "r.example", 7.0, MAX_OUTPUT)]


@pytest.mark.parametrize(
    ("option", "least", "most"), [("timeout", 0.001, 86400), ("retries", 0, 10**6), ("min_rate", 0, 1e300)]
)
def test_options_within_their_bounds_are_accepted(option, least, most):
    for value in (least, most):
        open_stores(params(**{option: value}), runs.run()).__exit__()


@pytest.mark.parametrize(
    ("option", "value"), [("timeout", 0), ("timeout", 86400.5), ("min_rate", -1), ("min_rate", float("nan"))]
)
def test_options_just_out_of_bounds_are_refused(option, value):
    with pytest.raises(ImageError, match="the %s option is " % option):
        open_stores(params(**{option: value}), runs.run())


@pytest.mark.parametrize("jobs", [0, 1, 256, 257])
def test_the_number_of_jobs_has_bounds(jobs):
    if jobs in (1, 256):
        open_stores(params(), runs.run(jobs)).__exit__()
        return
    with pytest.raises(ImageError) as raised:
        open_stores(params(), runs.run(jobs))
    assert str(raised.value) == "the jobs option is %d, but must be from 1 to 256." % jobs


def test_options_reach_the_connections(tmp_path):
    entries = [{"host": "r.example", "username": "a", "password": None, "token": 7, "ca_cert": "x", "plain_http": True}]
    concealed = []
    with open_stores(params(registries=entries, timeout=5.0, retries=2), runs.run(9), concealed.append) as stores:
        policy = stores._policy
        assert (policy.timeout, policy.retries, policy.jobs, policy.min_rate) == (5.0, 2, 9, 100.0)
        assert stores._credential("r.example", "app") == Credential(bearer="7")
    assert concealed == ["7"]


def test_images_of_a_file_share_it(tmp_path):
    with Stores([], None, Policy(), runs.run(), LocalImages) as stores:
        opened = [
            stores.open(EngineReference("docker-archive", str(tmp_path / file), "r.example/" + name))
            for file, name in (("x", "a"), ("x", "b"), ("y", "a"))
        ]
    assert opened[0]._backend is opened[1]._backend is not opened[2]._backend
    assert opened[0]._staging is opened[2]._staging
    kinds = [
        stores.open(LocalReference(kind, str(tmp_path / "z"))).location.kind for kind in ("oci", "dir", "oci-archive")
    ]
    assert kinds == ["oci", "dir", "oci-archive"]
