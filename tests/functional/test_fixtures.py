# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers, faults and images behave as the other functional tests assume."""

from __future__ import annotations

import concurrent.futures
import fcntl
import http.client
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from requests.auth import HTTPBasicAuth

from devtools import faults, images, module_runner, playbook_runner, provision
from devtools.process import wait_until
from devtools.servers import DockerRegistry, ServerError
from devtools.token_service import SERVICE, TokenRequest

IMAGE = images.single(layers=[300_000, 5_000])
BIG_LAYER = next(digest for digest, content in IMAGE.blobs.items() if len(content) > 300_000)


@pytest.fixture
def stored(registry, repository):
    """Return the URL of a repository of ``registry`` that has IMAGE as ``1``."""
    images.push(IMAGE, registry.host, repository, "1")
    registry.forget()
    return f"{registry.url}/v2/{repository}"


def through(proxy, registry, url):
    return url.replace(registry.url, proxy.url)


class TestAccessLog:
    def test_counts_every_answered_request(self, registry, stored):
        # The registry writes the line of a large answer after the client has the last byte of it.
        for count in range(1, 101):
            assert len(requests.get(f"{stored}/blobs/{BIG_LAYER}").content) == len(IMAGE.blobs[BIG_LAYER])
            assert [request.method for request in registry.requests()] == ["GET"] * count

    def test_tells_method_path_query_status_and_agent(self, registry, stored):
        requests.get(f"{stored}/tags/list?n=1", headers={"User-Agent": 'a "quoted" agent'})
        requests.head(f"{stored}/manifests/missing")
        path = stored[len(registry.url) :]
        agent = requests.utils.default_user_agent()
        assert registry.requests() == [
            ("GET", f"{path}/tags/list", "n=1", 200, 'a "quoted" agent'),
            ("HEAD", f"{path}/manifests/missing", "", 404, agent),
        ]

    def test_forgets(self, registry, stored):
        requests.get(f"{stored}/tags/list")
        registry.forget()
        assert registry.requests() == []


class TestRegistries:
    def test_are_two(self, registry, second_registry, repository):
        images.push(IMAGE, registry.host, repository, "1")
        assert requests.get(f"{second_registry.url}/v2/{repository}/tags/list").status_code == 404

    def test_htpasswd(self, htpasswd_registry, users):
        ((user, password),) = users.items()
        url = f"{htpasswd_registry.url}/v2/"
        assert requests.get(url).status_code == 401
        assert requests.get(url, auth=(user, "wrong")).status_code == 401
        assert requests.get(url, auth=(user, password)).status_code == 200

    def test_readonly(self, readonly_registry, repository):
        url = f"{readonly_registry.url}/v2/{repository}/blobs/uploads/"
        assert requests.post(url).status_code == 405

    def test_delete_is_an_option(self, registry, stored):
        url = f"{stored}/manifests/{IMAGE.digest}"
        with DockerRegistry(registry.storage, delete=False) as careful:
            assert requests.delete(through(careful, registry, url)).status_code == 405
        assert requests.delete(url).status_code == 202

    def test_tls(self, tls_registry, authority):
        url = f"{tls_registry.url}/v2/"
        assert requests.get(url, verify=authority.ca).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url)
        assert [request.status for request in tls_registry.requests()] == [200]

    def test_expired_certificate(self, authority):
        expired = DockerRegistry(tls=authority.server(expired=True))
        with expired, pytest.raises(requests.exceptions.SSLError, match="expired"):
            requests.get(f"{expired.url}/v2/", verify=authority.ca)

    def test_client_certificate(self, authority):
        client = authority.client("alice")
        with DockerRegistry(tls=authority.server(), client_ca=authority.ca) as server:
            url = f"{server.url}/v2/"
            assert requests.get(url, verify=client.ca, cert=(client.cert, client.key)).status_code == 200
            with pytest.raises(requests.exceptions.ConnectionError):
                requests.get(url, verify=client.ca)
            assert [request.status for request in server.requests()] == [200]

    def test_failure_to_start_tells_why(self, tmp_path, authority):
        broken = authority.server()._replace(key=tmp_path / "missing.key")
        with pytest.raises(ServerError, match="missing.key"):
            DockerRegistry(tls=broken).start()


class TestTokens:
    def test_are_wanted_and_accepted(self, token_registry, token_service, repository, users):
        wanted = requests.get(f"{token_registry.url}/v2/{repository}/tags/list")
        assert (wanted.status_code, token_service.url in wanted.headers["WWW-Authenticate"]) == (401, True)
        token = self.get(token_service, f"repository:{repository}:pull,push", HTTPBasicAuth(*next(iter(users.items()))))
        images.push(IMAGE, token_registry.host, repository, "1", authorization=f"Bearer {token}")
        assert self.status(token_registry, repository, token) == 200

    def test_anonymous_may_only_pull(self, token_registry, token_service, repository):
        token = self.get(token_service, f"repository:{repository}:pull,push")
        with pytest.raises(images.PushError, match="401"):
            images.push(IMAGE, token_registry.host, repository, "1", authorization=f"Bearer {token}")
        assert self.status(token_registry, repository, token) == 404

    def test_die_on_time(self, token_registry, token_service, repository):
        token_service.lifetime, token_service.skew = 10, -60
        token = self.get(token_service, f"repository:{repository}:pull")
        assert self.status(token_registry, repository, token) == 404
        wait_until(lambda: self.status(token_registry, repository, token) == 401)

    def test_are_for_the_granted_alone(self, token_registry, token_service, repository, users):
        token_service.grants = lambda user, kind, name, actions: []
        token = self.get(token_service, f"repository:{repository}:pull", HTTPBasicAuth(*next(iter(users.items()))))
        assert self.status(token_registry, repository, token) == 401

    def test_wrong_password(self, token_service):
        assert requests.get(token_service.url, auth=("alice", "wrong")).status_code == 401
        assert token_service.log == [TokenRequest("GET", "alice", [])]

    def test_oauth2(self, token_registry, token_service, repository):
        token_service.identity_tokens = {"long-lived": "alice"}
        form = {"grant_type": "refresh_token", "service": SERVICE, "scope": f"repository:{repository}:pull"}
        answer = requests.post(token_service.url, data={**form, "refresh_token": "long-lived"})
        assert self.status(token_registry, repository, answer.json()["access_token"]) == 404
        assert requests.post(token_service.url, data={**form, "refresh_token": "stale"}).status_code == 401
        password = {"grant_type": "password", "username": "alice", "password": "wonder:land"}
        assert requests.post(token_service.url, data=password).status_code == 200
        assert [(entry.method, entry.account) for entry in token_service.log] == [
            ("POST", "alice"),
            ("POST", None),
            ("POST", "alice"),
        ]

    def test_without_oauth2(self, token_service):
        token_service.post_supported = False
        assert requests.post(token_service.url, data={"grant_type": "password"}).status_code == 404

    def get(self, service, scope, auth=None):
        return requests.get(service.url, params={"service": SERVICE, "scope": scope}, auth=auth).json()["token"]

    def status(self, registry, repository, token):
        """Return what the registry answers to a pull: 200 or 404 if it likes the token, 401 if not."""
        url = f"{registry.url}/v2/{repository}/tags/list"
        return requests.get(url, headers={"Authorization": f"Bearer {token}"}).status_code


class TestFaults:
    def test_body_limit(self, registry, stored):
        with faults.body_limit(registry, 1000) as proxy:
            started = requests.post(f"{through(proxy, registry, stored)}/blobs/uploads/")
            assert started.headers["Location"].startswith(proxy.url)
            assert requests.patch(started.headers["Location"], data=bytes(1001)).status_code == 413
            assert requests.patch(started.headers["Location"], data=bytes(1000)).status_code == 202

    def test_fail_first(self, registry, stored):
        with faults.fail_first(registry, "GET", 429, times=2, retry_after=7) as proxy:
            url = through(proxy, registry, stored)
            answers = [requests.get(f"{url}/tags/list") for _attempt in range(3)]
            assert [answer.status_code for answer in answers] == [429, 429, 200]
            assert [answer.headers.get("Retry-After") for answer in answers] == ["7", "7", None]
            assert requests.head(f"{url}/blobs/{BIG_LAYER}").status_code == 200
            assert requests.get(f"{url}/blobs/{BIG_LAYER}").status_code == 429
        assert [request.method for request in registry.requests()] == ["GET", "HEAD"]

    def test_cut_downloads(self, registry, stored):
        with faults.cut_downloads(registry, 100_000) as proxy:
            url = f"{through(proxy, registry, stored)}/blobs/{BIG_LAYER}"
            with pytest.raises(http.client.IncompleteRead) as cut, urllib.request.urlopen(url) as answer:
                answer.read()
            received = cut.value.partial
            assert 90_000 < len(received) < 100_000
            assert received == IMAGE.blobs[BIG_LAYER][: len(received)]
            assert len(requests.get(url, headers={"Range": "bytes=250000-"}).content) > 50_000


class TestImages:
    @pytest.mark.parametrize(
        "image",
        [
            pytest.param(images.index(attestations=True), id="attestations"),
            pytest.param(images.index(docker=True), id="docker"),
            pytest.param(images.nested(), id="nested"),
            pytest.param(images.artifact(subject=IMAGE), id="artifact"),
        ],
    )
    def test_are_accepted(self, registry, repository, image):
        images.push(image, registry.host, repository, "1")
        answer = requests.get(f"{registry.url}/v2/{repository}/manifests/1", headers={"Accept": image.media_type})
        assert answer.content == image.manifests[image.digest][1]

    def test_are_the_same_everywhere(self):
        # The digests are pinned so that another Python or another zlib cannot make other bytes unnoticed.
        made = images.index(docker=True), images.index(attestations=True)
        assert [image.digest.split(":")[1][:12] for image in made] == ["bbc5b02b2369", "a3d782f9f51b"]

    def test_can_be_unpacked(self, tmp_path):
        image = images.big(tmp_path / "layout", layer_count=2, layer_size=1_500_000)
        images.write_layout(image, tmp_path / "layout", "big")
        unpack(f"{tmp_path / 'layout'}:big", tmp_path / "bundle")
        files = sorted((tmp_path / "bundle" / "rootfs").iterdir())
        assert [(file.name, file.stat().st_size) for file in files] == [("file-0", 1_500_000), ("file-1", 1_500_000)]

    def test_big_ones_can_be_pushed(self, registry, repository, tmp_path):
        image = images.big(tmp_path, layer_count=1, layer_size=1_500_000)
        images.push(image, registry.host, repository, "1")
        digest = next(iter(image.blobs))
        answer = requests.get(f"{registry.url}/v2/{repository}/blobs/{digest}")
        assert answer.content == image.blobs[digest].read_bytes()

    def test_hello_runs(self, tmp_path):
        images.write_layout(images.hello(["linux/amd64"], message="It runs.\n"), tmp_path / "layout", "hello")
        unpack(f"{tmp_path / 'layout'}:hello", tmp_path / "bundle")
        command = str(tmp_path / "bundle" / "rootfs" / "hello")
        assert subprocess.run([command], stdout=subprocess.PIPE, check=True).stdout == b"It runs.\n"

    def test_a_layout_keeps_its_other_images(self, tmp_path):
        for ref in ("one", "two", "one"):
            images.write_layout(images.single(seed=ref), tmp_path, ref)
        entries = json.loads((tmp_path / "index.json").read_bytes())["manifests"]
        assert [list(entry["annotations"].values()) for entry in entries] == [["two"], ["one"]]


def unpack(image, bundle):
    subprocess.run([provision.program("umoci"), "unpack", "--rootless", "--image", image, bundle], check=True)


class TestModuleRunner:
    def test_returns_what_the_module_does(self, run_module, registry, repository, stored):
        result = run_module("image_copy", src=f"{registry.host}/{repository}:1", dest=f"{registry.host}/{repository}:2")
        assert (result.failed, result.rc, result.changed, result.digest) == (False, 0, True, IMAGE.digest)

    def test_returns_failures(self, run_module):
        result = run_module("image_copy", src="127.0.0.1:1/x")
        assert (result.failed, result.rc, "dest" in result.msg) == (True, 1, True)

    def test_credentials_of_the_developer_do_not_leak_in(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REGISTRY_AUTH_FILE", "/tmp/secrets")
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        result = self.run(tmp_path, monkeypatch, "import json, os; print(json.dumps(dict(os.environ)))")
        assert not {"REGISTRY_AUTH_FILE", "HTTPS_PROXY"} & set(result.raw)
        assert {result.HOME, result.XDG_RUNTIME_DIR, result.DOCKER_CONFIG} == {
            str(tmp_path),
            str(tmp_path / "run"),
            str(tmp_path / ".docker"),
        }

    @pytest.mark.parametrize("code", ["raise RuntimeError", "print('{}'); raise RuntimeError", "print('no JSON')"])
    def test_refuses_crashes(self, tmp_path, monkeypatch, code):
        with pytest.raises(AssertionError, match="broken"):
            self.run(tmp_path, monkeypatch, code)

    def test_runs_share_nothing(self, tmp_path, monkeypatch):
        code = "import json, os, requests; seen = vars(requests).setdefault('mark', os.getpid()) != os.getpid()"
        code += "\nos.environ['MARK'] = 'left'; print(json.dumps({'seen': seen, 'pid': os.getpid()}))"
        first, second = (self.run(tmp_path, monkeypatch, code) for _number in range(2))
        assert (first.seen, second.seen, first.pid == second.pid) == (False, False, False)

    def test_runs_are_where_the_test_is(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        before = os.umask(0o027)
        try:
            code = "import json, os; print(json.dumps({'umask': os.umask(0), 'cwd': os.getcwd()}))"
            result = self.run(tmp_path, monkeypatch, code)
        finally:
            os.umask(before)
        assert (result.umask, result.cwd) == (0o027, str(tmp_path))

    def test_a_run_can_be_ended_by_a_signal(self, tmp_path, monkeypatch):
        code = "import os; print('{}', flush=True); os.kill(os.getpid(), 9)"
        assert self.run(tmp_path, monkeypatch, code).rc == -9

    def test_kills_what_takes_too_long(self, tmp_path, monkeypatch):
        lock = tmp_path / "lock"
        code = f"import fcntl, time; file = open('{lock}', 'w'); fcntl.flock(file, fcntl.LOCK_EX); time.sleep(600)"
        monkeypatch.setattr(module_runner, "_TIMEOUT", 1)
        with pytest.raises(subprocess.TimeoutExpired):
            self.run(tmp_path, monkeypatch, code)
        with lock.open("w") as file:
            wait_until(lambda: _can_lock(file))

    def run(self, tmp_path, monkeypatch, code):
        """Run a module of our own, in a collection of our own."""
        modules = tmp_path / "plugins" / "modules"
        modules.mkdir(parents=True, exist_ok=True)
        (modules / "broken.py").write_text(code)
        monkeypatch.setattr(module_runner, "link_collection", lambda: tmp_path)
        return module_runner.run("broken", {}, home=tmp_path)


class TestPlaybookRunner:
    def test_kills_what_takes_too_long_with_what_it_has_started(self, tmp_path, monkeypatch):
        monkeypatch.setattr(playbook_runner, "_TIMEOUT", 10)
        lock = tmp_path / "lock"
        task = {"ansible.builtin.command": f"flock {lock} sleep 600"}
        playbook = tmp_path / "play.yml"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        arguments = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
        with pytest.raises(AssertionError, match="did not end within 10 s. Its output so far"):
            playbook_runner.run([*arguments, str(playbook)], tmp_path)
        with lock.open("w") as file:
            wait_until(lambda: _can_lock(file))


def _can_lock(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class TestProvision:
    @pytest.fixture(autouse=True)
    def nothing_known(self):
        """Let programs be looked for that other tests have found."""
        provision.program.cache_clear()

    def test_finds_programs(self):
        assert provision.program("sh") == shutil.which("sh")

    def test_finds_servers_that_are_not_on_path(self, monkeypatch):
        installed = provision.program("nginx")
        provision.program.cache_clear()
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        assert provision.program("nginx") == installed

    def test_takes_no_program_while_packages_are_installed(self, monkeypatch, tmp_path):
        monkeypatch.setattr(provision, "MACHINE_LOCKS", tmp_path)
        with ThreadPoolExecutor(1) as pool, provision.locked("apt", tmp_path):
            running = pool.submit(provision.program, "sh")
            with pytest.raises(concurrent.futures.TimeoutError):
                running.result(0.2)
        assert running.result(60) == shutil.which("sh")

    def test_waits_for_another_apt_get(self, monkeypatch, tmp_path):
        said = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)"
        script = f'mkdir {tmp_path}/tried 2>/dev/null && echo "{said}" >&2 && exit 100; exit "$(cat {tmp_path}/status)"'
        (tmp_path / "apt-get").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "apt-get").chmod(0o755)
        (tmp_path / "status").write_text("0")
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        provision._apt(["update"], "fetch lists")
        (tmp_path / "status").write_text("3")
        with pytest.raises(provision.ProvisionError, match="exit status 3"):
            provision._apt(["update"], "fetch lists")
