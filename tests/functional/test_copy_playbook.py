# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy in playbooks, as users run it: summaries, check mode, diffs, defaults, and what -vvv shows."""

from __future__ import annotations

import base64
import json

import pytest

from devtools import images
from devtools.observe import digest_at
from devtools.servers import Haproxy

INDEX = images.index()
SECRET = "wonder:land"


def copy(**options):
    return {"name": "Copy", "drayage.registry.image_copy": options}


def test_second_run_changes_nothing(play, registry, repository, tmp_path):
    images.write_layout(INDEX, tmp_path / "layout", "1")
    tasks = [
        copy(src=f"oci:{tmp_path}/layout:1", dest=f"{registry.host}/{repository}:1"),
        copy(src=f"{registry.host}/{repository}:1", dest=f"{registry.host}/{repository}/prod", tags=["stable"]),
    ]
    assert "changed=1" in play(tasks[:1], "--check")
    assert digest_at(registry.host, repository, "1") is None
    assert "changed=2" in play(tasks)
    assert digest_at(registry.host, repository + "/prod", "stable") == INDEX.digest
    assert "changed=0" in play(tasks)
    assert "changed=0" in play(tasks, "--check")


def test_diff_shows_the_digests(play, registry, repository, tmp_path):
    images.write_layout(INDEX, tmp_path / "layout", "1")
    tasks = [copy(src=f"oci:{tmp_path}/layout:1", dest=f"{registry.host}/{repository}:1")]
    output = play(tasks, "--check", "--diff")
    assert f'-    "{registry.host}/{repository}:1": null' in output
    assert f'+    "{registry.host}/{repository}:1": "{INDEX.digest}"' in output


def test_defaults_of_the_group(play, htpasswd_registry, repository, tmp_path):
    images.write_layout(INDEX, tmp_path / "layout", "1")
    registries = [{"host": htpasswd_registry.host, "username": "alice", "password": SECRET}]
    tasks = [copy(src=f"oci:{tmp_path}/layout:1", dest=f"{htpasswd_registry.host}/{repository}:1")]
    assert "changed=1" in play(tasks, defaults={"registries": registries})


class TestSecrets:
    ENCODED = base64.b64encode(f"alice:{SECRET}".encode()).decode()

    @pytest.fixture(params=["password", "authfile", "token"])
    def options(self, request, token_registry, token_service, repository, tmp_path):
        """Return options that give a secret, and all the forms of it that must not be seen."""
        if request.param == "authfile":
            auths = {"auths": {token_registry.host: {"auth": self.ENCODED}}}
            (tmp_path / "auth.json").write_text(json.dumps(auths))
            return {"authfile": str(tmp_path / "auth.json")}
        if request.param == "token":
            scope = [f"repository:{repository}:pull,push"]
            token = token_service.answer_get({"scope": scope}, f"Basic {self.ENCODED}")["token"]
            return {"registries": [{"host": token_registry.host, "token": token}]}
        return {"registries": [{"host": token_registry.host, "username": "alice", "password": SECRET}]}

    def test_are_shown_nowhere(self, play, token_registry, token_service, repository, tmp_path, options):
        images.write_layout(INDEX, tmp_path / "layout", "1")
        source, dest = f"oci:{tmp_path}/layout:1", f"{token_registry.host}/{repository}:1"
        outputs = [
            play([copy(src=source, dest=dest, **options)], "-vvv", "--diff"),
            play([copy(src=dest + "-missing", dest=dest, **options)], "-vvv", "--diff", succeeds=False),
        ]
        token_service.users["alice"] = "another"
        outputs.append(play([copy(src=dest, dest=dest + "-new", **options)], "-vvv", succeeds="token" in str(options)))
        for output in outputs:
            shown = output.replace("anonymous", "")
            assert SECRET not in shown
            assert self.ENCODED not in shown
            # Every token of the service is a JWT, whose header always begins like this.
            assert "eyJ" not in shown

    def test_are_not_in_a_signed_location(self, play, registry, repository, tmp_path):
        """The registry signs the state of an upload into its URL: a broken upload must not quote it."""
        images.write_layout(INDEX, tmp_path / "layout", "1")
        with Haproxy(registry, "http-request return status 400 if { method PUT }") as proxy:
            tasks = [copy(src=f"oci:{tmp_path}/layout:1", dest=f"{proxy.host}/{repository}:1")]
            output = play(tasks, "-vvv", succeeds=False)
        assert "returned 400" in output
        assert "_state" not in output
