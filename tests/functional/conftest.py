# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers and helpers of the functional tests; each server starts when the first test asks for it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Callable

import pytest

from devtools import faults, images, module_runner, playbook_runner
from devtools.certificates import Authority
from devtools.engines import Dockerd, Engine, Podman
from devtools.process import wait_until
from devtools.servers import DockerRegistry, GgcrRegistry, ModernRegistry, OciRegistry
from devtools.token_service import TokenService

_numbers = itertools.count(1)


@pytest.fixture
def repository() -> str:
    """Return the name of a repository that no other test uses."""
    return f"test/number-{next(_numbers)}"


@pytest.fixture
def run_module(tmp_path: Path) -> Callable[..., module_runner.Result]:
    """Return a function that runs a module: ``run_module("image_copy", check_mode=True, src=..., dest=...)``."""
    return partial(_run, _home(tmp_path))


def _home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True, mode=0o700, exist_ok=True)
    return home


def _run(
    home: Path,
    module: str,
    *,
    check_mode: bool = False,
    diff: bool = False,
    env: dict[str, str] | None = None,
    **options: object,
) -> module_runner.Result:
    return module_runner.run(module, options, home=home, check_mode=check_mode, diff=diff, env=env)


@pytest.fixture
def kill_copy(tmp_path: Path, registry: DockerRegistry, repository: str) -> Callable[..., str]:
    """Return a function that begins to copy an image and kills the module while the largest blob is under way.

    It returns a reference from which the same image can be had in full.
    """

    def is_asked_for(digest):
        return any(request.path.endswith(digest) for request in registry.requests())

    def kill(image, dest, env=None):
        source = f"{repository}/source"
        images.push(image, registry.host, source, "1")
        registry.forget()
        largest = max(image.blobs, key=lambda digest: len(image.blobs[digest]))
        with faults.slow_blob(registry, largest, rate=len(image.blobs[largest]) // 100) as proxy:
            options = {"src": f"{proxy.host}/{source}:1", "dest": dest}
            process = module_runner.start("image_copy", options, home=_home(tmp_path), env=env)
            try:
                wait_until(lambda: process.poll() is not None or is_asked_for(largest))
                assert process.poll() is None, "the module ended by itself"
            finally:
                process.kill()
                output = process.communicate(timeout=60)
        assert output == ("", "")
        return f"{registry.host}/{source}:1"

    return kill


@pytest.fixture
def run_playbook(tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs a playbook on this machine, by file or name, and returns its output.

    It and its modules run in forks. ``test_packing.py`` runs each module in a new Python process.
    """
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)

    def run(playbook, *arguments, variables=None, succeeds=True):
        python = module_runner.interpreter()
        given = {"ansible_connection": "local", "ansible_python_interpreter": python, **(variables or {})}
        output, status = playbook_runner.run(
            ["-i", "localhost,", "-e", json.dumps(given), *arguments, str(playbook)], home
        )
        assert "Traceback" not in output, output
        assert (status == 0) is succeeds, output
        return output

    return run


@pytest.fixture
def play(tmp_path: Path, run_playbook: Callable[..., str]) -> Callable[..., str]:
    """Return a function that runs tasks as a playbook on this machine and returns its output."""

    def run(tasks, *arguments, defaults=None, succeeds=True):
        group = {"group/drayage.registry.registry": defaults or {}}
        document = [{"hosts": "localhost", "gather_facts": False, "module_defaults": group, "tasks": tasks}]
        playbook = tmp_path / "playbook.yml"
        playbook.write_text(json.dumps(document))
        return run_playbook(playbook, *arguments, succeeds=succeeds)

    return run


@pytest.fixture(scope="session")
def _shared() -> Iterator[Callable[..., DockerRegistry]]:
    """Return a function that starts a registry when it is first asked for; its ``requests()`` begin with each test."""
    registries: dict[str, DockerRegistry] = {}
    with ExitStack() as stack:

        def shared(name: str, kind: type[DockerRegistry] = DockerRegistry, **options: object) -> DockerRegistry:
            if name not in registries:
                registries[name] = stack.enter_context(kind(**options))
            registries[name].forget()
            return registries[name]

        yield shared


@pytest.fixture
def registry(_shared: Callable[..., DockerRegistry]) -> DockerRegistry:
    """Return a registry without users."""
    return _shared("registry")


@pytest.fixture
def second_registry(_shared: Callable[..., DockerRegistry]) -> DockerRegistry:
    """Return one more registry without users."""
    return _shared("second")


@pytest.fixture
def htpasswd_registry(_shared: Callable[..., DockerRegistry], users: dict[str, str]) -> DockerRegistry:
    """Return a registry that wants the password of one of ``users``."""
    return _shared("htpasswd", htpasswd=users)


@pytest.fixture
def tls_registry(_shared: Callable[..., DockerRegistry], authority: Authority) -> DockerRegistry:
    """Return a registry that serves TLS with a certificate of ``authority``."""
    return _shared("tls", tls=authority.server())


@pytest.fixture
def readonly_registry(_shared: Callable[..., DockerRegistry]) -> DockerRegistry:
    """Return a registry that refuses every change."""
    return _shared("readonly", readonly=True)


@pytest.fixture
def no_delete_registry(_shared: Callable[..., DockerRegistry]) -> DockerRegistry:
    """Return a registry in which deletion is turned off, as it is by default."""
    return _shared("no-delete", delete=False)


@pytest.fixture
def modern_registry(_shared: Callable[..., DockerRegistry]) -> DockerRegistry:
    """Return a registry of distribution 3."""
    if not ModernRegistry.available():
        pytest.skip("distribution 3 has to be built, and there is no Go toolchain")
    return _shared("modern", ModernRegistry)


@pytest.fixture
def oci_registry(_shared: Callable[..., OciRegistry]) -> OciRegistry:
    """Return a registry with the referrers API."""
    return _with_referrers(_shared, OciRegistry)


@pytest.fixture
def ggcr_registry(_shared: Callable[..., OciRegistry]) -> OciRegistry:
    """Return a registry with the referrers API that never sends OCI-Subject."""
    return _with_referrers(_shared, GgcrRegistry)


def _with_referrers(shared: Callable[..., OciRegistry], kind: type[OciRegistry]) -> OciRegistry:
    if not kind.available():
        pytest.skip(f"the registry '{kind.source}' has to be built, and there is no Go toolchain")
    return shared(kind.source, kind)


@pytest.fixture(scope="session")
def _engines(authority: Authority) -> Iterator[Callable[[str], Engine]]:
    """Return a function that starts an engine when it is first asked for."""
    running: dict[str, Engine] = {}
    with ExitStack() as stack:

        def start(name: str) -> Engine:
            if not Engine.available():
                pytest.skip("container engines of our own need root")
            if name not in running:
                running[name] = stack.enter_context(Dockerd(authority) if name == "dockerd" else Podman())
            return running[name]

        yield start


@pytest.fixture
def dockerd(_engines: Callable[[str], Engine]) -> Dockerd:
    """Return a docker daemon."""
    return _engines("dockerd")


@pytest.fixture
def podman(_engines: Callable[[str], Engine]) -> Podman:
    """Return a podman service."""
    return _engines("podman")


@pytest.fixture
def token_service(users: dict[str, str]) -> Iterator[TokenService]:
    """Return a token service for ``users``; a test has its own, as it changes the service's behaviour."""
    with TokenService(users) as service:
        yield service


@pytest.fixture
def token_registry(token_service: TokenService) -> Iterator[DockerRegistry]:
    """Return a registry that wants tokens of ``token_service``."""
    with DockerRegistry(token=token_service) as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return the authority that signs all certificates of a session."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def users() -> dict[str, str]:
    """Return names and passwords; the colon is there because Basic credentials are split at one."""
    return {"alice": "wonder:land"}


@pytest.fixture
def copy_referrers(run_module: Callable[..., module_runner.Result]) -> Callable[..., module_runner.Result]:
    """Return a function that copies an image with its referrers: ``copy_referrers(src, dest, **options)``."""

    def run(src, dest, **options):
        return run_module("image_copy", src=src, dest=dest, **{"referrers": True, **options})

    return run


@pytest.fixture
def api_source(request: pytest.FixtureRequest, oci_registry: OciRegistry, repository: str) -> str:
    """Return a reference to the FAMILY of the test's file, at a registry with the referrers API."""
    request.module.FAMILY.push(oci_registry.host, f"{repository}/source", "1", lists=False)
    return f"{oci_registry.host}/{repository}/source:1"


@pytest.fixture
def carried(
    request: pytest.FixtureRequest, run_module: Callable[..., module_runner.Result]
) -> Callable[..., tuple[int, int, int, bool]]:
    """Return a function that counts what is attached to an image of FAMILY at a place, as the table of peers does.

    ``attached.EVERYTHING`` is what it returns if nothing is missing; ``more`` are digests of other referrers there.
    """
    family = request.module.FAMILY

    def look(image, more=frozenset()):
        result = run_module("image_inspect", image=image, referrers=True)
        assert not result.failed, result.msg
        found = {one["digest"] for one in result.referrers}
        assert more <= found <= {*more, *family.digests}
        counts = [
            sum(one.digest in found for one, of in family.referrers if of.digest == subject)
            for subject in (family.image.digest, family.child.digest, family.sbom.digest)
        ]
        assert len(found) == len(result.referrers)
        return (*counts, {one["tag"] for one in result.referrers if one["tag"]} == set(family.tags))

    return look
