# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All modules with a real dockerd, with podman's service, and with the program podman where no service listens."""

from __future__ import annotations

import json
import os
from functools import partial

import pytest

from devtools import images
from devtools.observe import tags_at, tally


@pytest.fixture(params=["dockerd", "podman"])
def engine(request):
    """Return each of the engines."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def run(run_module, engine):
    """Return a function that runs a module beside ``engine``."""
    return partial(run_module, env=engine.environment())


@pytest.fixture
def pushed(registry, repository):
    """Return a function that pushes an image, and returns its reference."""

    def push(image, tag="1.4"):
        images.push(image, registry.host, repository, tag)
        registry.forget()
        return f"{registry.host}/{repository}:{tag}"

    return push


def config_of(image, platform=None):
    """Return the digest of the config of an image, or of its child."""
    return image.document(image.child(platform) if platform else None)["config"]["digest"]


def test_image_goes_in_and_comes_back_with_its_config(run, engine, registry, pushed, repository):
    image = images.single(labels={"seed": engine.transport})
    src, name = pushed(image), f"example.com/{repository}"
    dest = f"{engine.transport}:{name}"
    planned = run("image_copy", src=src, dest=dest, check_mode=True, diff=True)
    assert engine.names() & {f"{name}:1.4"} == set()
    copied = run("image_copy", src=src, dest=dest, diff=True)
    for key in ("changed", "dest", "digest", "src_digest", "tags", "blobs", "bytes_copied", "diff"):
        assert planned.raw[key] == copied.raw[key], key
    assert copied.dest == f"{dest}:1.4"
    assert (copied.digest, copied.src_digest) == (config_of(image), image.digest)
    assert engine.image_id(f"{name}:1.4") == config_of(image)

    registry.forget()
    assert run("image_copy", src=src, dest=dest).changed is False
    more = run("image_copy", src=src, dest=f"{dest}:2", tags=["stable"])
    assert (more.changed, more.bytes_copied) == (True, 0)
    assert tally(registry.requests()).get("GET blob", 0) == 0
    assert {f"{name}:{tag}" for tag in ("1.4", "2", "stable")} <= engine.names()
    aside = run("image_copy", src=f"{dest}:2", dest=f"{dest}:aside")
    assert (aside.changed, aside.digest, aside.bytes_copied) == (True, config_of(image), 0)

    back = f"{registry.host}/{repository}/back"
    first = run("image_copy", src=f"{dest}:2", dest=back)
    assert (first.changed, first.src_digest) == (True, config_of(image))
    config, inspected = config_of(image), run("image_inspect", image=f"{back}:2")
    assert inspected.manifest["config"]["digest"] == config
    assert inspected.digest == first.digest
    registry.forget()
    again = run("image_copy", src=f"{dest}:2", dest=back, diff=True)
    assert (again.changed, again.digest, again.src_digest) == (False, first.digest, config)
    assert {request.method for request in registry.requests()} <= {"GET", "HEAD"}
    assert run("image_copy", src=f"{dest}:2", dest=f"{back}:3").digest == first.digest


def test_image_that_a_registry_has_stays_as_it_is_there(run, engine, registry, pushed, repository):
    """Compressed anew it would have another digest, and a tag would move for nothing."""
    image = images.single(seed=f"stays in {engine.transport}")
    src, dest = pushed(image), f"{engine.transport}:example.com/{repository}"
    run("image_copy", src=src, dest=dest)
    registry.forget()
    result = run("image_copy", src=f"{dest}:1.4", dest=src, tags=["stable"])
    assert (result.changed, result.digest, result.bytes_copied) == (True, image.digest, 0)
    assert tally(registry.requests()) == {"GET manifest": 2, "HEAD manifest": 2, "PUT manifest": 1}
    assert tags_at(registry.host, repository) == ["1.4", "stable"]


def test_one_platform_of_an_index(run, engine, pushed, repository):
    machine = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[os.uname().machine]
    other = {"linux/amd64": "linux/arm64", "linux/arm64": "linux/amd64"}[machine]
    image = images.index(attestations=True, seed=engine.transport)
    options = {"src": pushed(image), "dest": f"{engine.transport}:example.com/{repository}:1"}
    assert run("image_copy", **options).digest == config_of(image, machine)
    assert run("image_copy", **options).changed is False
    taken = run("image_copy", **options, platforms=[other])
    assert (taken.changed, taken.digest) == (True, config_of(image, other))
    assert engine.image_id(f"example.com/{repository}:1") == config_of(image, other)
    result = run("image_copy", **options, platforms=list(images.make.MULTI))
    assert "this destination can store only one. Set platforms to one of: linux/amd64, linux/arm64." in result.msg


def test_looking_tagging_and_removing(run, engine, pushed, repository):
    image = images.single(seed=f"looked at in {engine.transport}", labels={"a": "b"})
    place = f"{engine.transport}:example.com/{repository}"
    run("image_copy", src=pushed(image), dest=place, tags=["1.5"])
    config = config_of(image)
    found = run("image_inspect", image=f"{place}:1.4", tags=True, verify=True, raw=True)
    assert (found.exists, found.digest, found.labels, found.tags) == (True, config, {"a": "b"}, ["1.4", "1.5"])
    assert (found.missing, found.architecture) == ([], "amd64")
    assert json.loads(found.raw["raw"])["config"]["digest"] == config
    assert run("image_inspect", image=f"{engine.transport}:{config}").digest == config
    assert run("image_inspect", image=f"{place}:0").exists is False

    assert run("image_tags", repository=place, digests=True).digests == {"1.4": config, "1.5": config}
    assert run("image_tags", repository=place, tags={"stable": "1.4"}).changed is True
    assert run("image_tags", repository=place, tags={"stable": config}).changed is False
    assert run("image_tags", repository=place + "/nothing").exists is False

    for check_mode in (True, False):
        removed = run("image_delete", image=f"{place}:1.5", check_mode=check_mode)
        assert (removed.changed, removed.removed_tags, removed.kept_tags) == (True, ["1.5"], ["stable", "1.4"])
    assert run("image_delete", image=f"{place}:1.5").changed is False
    assert run("image_delete", image=f"{place}:1.4", scope="manifest").removed_tags == ["stable", "1.4"]
    assert run("image_inspect", image=f"{engine.transport}:{config}").exists is False


@pytest.fixture
def pulled(engine, registry, repository):
    """Return a function that makes the engine pull an image by its digest, and returns its ID and repository."""

    def pull(image, *tags):
        images.push(image, registry.host, repository, "1")
        name = f"{registry.host}/{repository}"
        options = ["--tls-verify=false"] if engine.transport == "containers-storage" else []
        engine.run("pull", "--quiet", *options, f"{name}@{image.digest}")
        for tag in tags:
            engine.run("tag", f"{name}@{image.digest}", tag.format(name=name))
        return config_of(image), name

    return pull


@pytest.fixture
def container(engine):
    """Return a function that makes a container of an image, which does not run."""
    made = []

    def create(image):
        made.append(engine.run("create", "--network=none", image, "/x").strip())

    yield create
    for name in made:
        engine.run("rm", name)


def test_an_image_with_a_digest_as_its_name_is_deleted_by_its_id(run, engine, pulled):
    config, name = pulled(images.single(seed=f"by ID {engine.transport}"), "{name}:v1", "other.example/x:1")
    assert run("image_tags", repository=f"{engine.transport}:{name}").tags == ["v1"]
    deleted = run("image_delete", image=f"{engine.transport}:{config}", scope="manifest")
    assert (deleted.changed, deleted.digest) == (True, config)
    assert config not in engine.run("images", "--no-trunc", "--quiet")
    assert run("image_delete", image=f"{engine.transport}:{config}", scope="manifest").changed is False


def test_an_image_with_digests_of_several_repositories_is_deleted_by_its_id(run, engine, registry, repository, pulled):
    image = images.single(seed=f"several {engine.transport}")
    images.push(image, registry.host, f"{repository}/two", "1")
    config, name = pulled(image, "{name}:v1")
    options = ["--tls-verify=false"] if engine.transport == "containers-storage" else []
    engine.run("pull", "--quiet", *options, f"{name}/two@{image.digest}")
    assert run("image_delete", image=f"{engine.transport}:{config}", scope="manifest").changed is True
    assert config not in engine.run("images", "--no-trunc", "--quiet")


def test_the_last_tag_takes_names_with_a_digest_along(run, engine, pulled):
    config, name = pulled(images.single(seed=f"last tag {engine.transport}"), "{name}:v1")
    assert run("image_delete", image=f"{engine.transport}:{name}:v1").removed_tags == ["v1"]
    assert config not in engine.run("images", "--no-trunc", "--quiet")


def test_an_image_of_a_container_keeps_all_of_its_names(run, engine, repository, pushed, container):
    place, config = f"{engine.transport}:example.com/{repository}", config_of(images.single(seed="used"))
    run("image_copy", src=pushed(images.single(seed="used")), dest=place, tags=["2", "3"])
    before = engine.names()
    container(f"example.com/{repository}:2")
    for image in (f"{place}:2", f"{engine.transport}:{config}"):
        result = run("image_delete", image=image, scope="manifest")
        assert "container" in result.msg
        assert engine.names() == before


def test_what_no_engine_can_run_is_refused(run, engine, registry, pushed, repository):
    artifact = images.artifact()
    result = run("image_copy", src=pushed(artifact), dest=f"{engine.transport}:example.com/{repository}:1")
    assert result.msg == (
        f"{registry.host}/{repository}:1.4: {artifact.digest} is an artifact, but engines and Docker archives can store only images. "
        "Use a registry or an OCI layout."
    )
    assert tally(registry.requests()).get("GET blob", 0) == 0


def test_docker_over_tcp_with_tls(run_module, dockerd, pushed, repository):
    image = images.single(seed="tls")
    environment = dockerd.tls_environment()
    options = {"src": pushed(image), "dest": f"docker-daemon:example.com/{repository}:1"}
    assert run_module("image_copy", **options, env=environment).changed is True
    assert dockerd.image_id(f"example.com/{repository}:1") == config_of(image)
    assert run_module("image_copy", **options, env=environment).changed is False
    refused = run_module("image_copy", **options, env={"DOCKER_HOST": environment["DOCKER_HOST"]})
    assert "engine" in refused.msg


def test_podman_without_a_service(run_module, podman, registry, pushed, repository, tmp_path):
    image = images.single(seed="program")
    run = partial(run_module, env=podman.program_environment(tmp_path))
    place = f"containers-storage:example.com/{repository}"
    assert run("image_copy", src=pushed(image), dest=place, tags=["2"]).changed is True
    assert podman.image_id(f"example.com/{repository}:2") == config_of(image)
    assert run("image_copy", src=pushed(image), dest=place).changed is False
    assert run("image_copy", src=f"{place}:2", dest=f"{place}:3").bytes_copied == 0
    back = run("image_copy", src=f"{place}:2", dest=f"{registry.host}/{repository}/back")
    found = run("image_inspect", image=f"{registry.host}/{repository}/back:2")
    assert (found.digest, found.manifest["config"]["digest"]) == (back.digest, config_of(image))
    assert run("image_delete", image=f"{place}:1.4", scope="manifest").removed_tags == ["1.4", "2", "3"]
    assert run("image_delete", image=f"{place}:2").changed is False


def test_engine_that_is_not_there(run_module, tmp_path):
    result = run_module("image_inspect", image="docker-daemon:a", env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert result.msg == (
        f"docker-daemon:docker.io/library/a: cannot reach the engine at unix://{tmp_path}/none.sock: no such file or "
        "directory. Start the engine, or set DOCKER_HOST or CONTAINER_HOST in the task's environment."
    )


def test_neither_service_nor_program_of_podman(run_module, tmp_path):
    if os.path.exists("/run/podman/podman.sock"):
        pytest.skip("a podman of this machine listens")
    result = run_module("image_inspect", image="containers-storage:a", env={"PATH": str(tmp_path)})
    assert result.msg == (
        "containers-storage:docker.io/library/a: podman is not available: the node has neither a Podman socket nor the podman program. "
        "Install podman, or set CONTAINER_HOST to the address of the Podman service."
    )
