# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks promote and rollback, which are called by name; extensions/molecule/promote has the role's usual course."""

from __future__ import annotations

import base64
import json

from devtools import images, observe
from devtools.forger import Forger, Response

OLD = images.single(seed="old")
NEW = images.single(seed="new", labels={"org.opencontainers.image.version": "1.4.2"})
NEWER = images.single(seed="newer")


def test_promotions_and_the_way_back(run_playbook, registry, repository):
    staging, production = f"{repository}/staging", f"{repository}/prod"
    variables = {
        "promote_src": f"{registry.host}/{staging}:candidate",
        "promote_dest": f"{registry.host}/{production}",
        "promote_tags": ["live", "2.0"],
        "promote_rollback_suffix": ".before",
    }

    def run(name, *arguments, succeeds=True, **more):
        return run_playbook(f"drayage.registry.{name}", *arguments, variables={**variables, **more}, succeeds=succeeds)

    def tags():
        return {
            tag: observe.digest_at(registry.host, production, tag) for tag in observe.tags_at(registry.host, production)
        }

    images.push(OLD, registry.host, staging, "candidate")
    nothing = run("rollback", succeeds=False)
    assert f"{registry.host}/{production} has no tag live.before or 2.0.before" in nothing

    planned = run("promote", "--check", "--diff")
    assert "changed=2 " in planned
    assert f'"live: {OLD.digest[:19]}, new"' in planned
    assert tags() == {}
    assert "changed=2 " in run("promote", "--diff")
    assert tags() == {"live": OLD.digest, "2.0": OLD.digest}

    images.push(NEW, registry.host, staging, "candidate")
    refused = run("promote", promote_digest=OLD.digest, succeeds=False)
    assert f"its digest is {NEW.digest}, but the expected digest is {OLD.digest}. Nothing was changed." in refused
    assert tags() == {"live": OLD.digest, "2.0": OLD.digest}

    live = {"promote_tags": ["live"]}
    promoted = run("promote", promote_digest=NEW.digest, **live)
    assert "changed=3 " in promoted
    assert f'"live: {OLD.digest[:19]} → {NEW.digest[:19]} (prod 1.4.2)"' in promoted
    after = {"live": NEW.digest, "live.before": OLD.digest, "2.0": OLD.digest}
    assert tags() == after

    # Of both tags only one has been another image.
    assert "changed=1 " in run("rollback", "--check")
    assert tags() == after
    undone = run("rollback")
    assert "changed=1 " in undone
    assert f'"live: {NEW.digest[:19]} → {OLD.digest[:19]}"' in undone
    assert tags() == {**after, "live": OLD.digest}


def test_a_tag_may_be_an_integer(play, registry, repository):
    staging, production = f"{repository}/staging", f"{repository}/prod"
    images.push(OLD, registry.host, production, "2")
    images.push(NEW, registry.host, staging, "candidate")
    given = {
        "promote_src": f"{registry.host}/{staging}:candidate",
        "promote_dest": f"{registry.host}/{production}",
        "promote_tags": ["live", 2],
    }
    role = {"ansible.builtin.include_role": {"name": "drayage.registry.promote"}}
    shown = {"ansible.builtin.debug": {"msg": "at 2: {{ promote_result.tags['2'] | default('nothing') }}"}}
    output = play([{**role, "vars": given}, shown])
    assert observe.digest_at(registry.host, production, "2") == NEW.digest
    assert observe.digest_at(registry.host, production, "2-previous") == OLD.digest
    assert f"2: {OLD.digest[:19]} → {NEW.digest[:19]} (prod 1.4.2)" in output
    assert f"at 2: {NEW.digest}" in output

    play([{**role, "vars": {**given, "promote_rollback": True}}])
    assert observe.digest_at(registry.host, production, "2") == OLD.digest
    assert observe.digest_at(registry.host, production, "live") == NEW.digest


def test_tags_that_the_list_lacks(play, registry, repository):
    """A cache in front of the registry returns a tag list from before ``stable`` was pushed, and without rollback tags."""
    production = f"{repository}/prod"
    images.push(OLD, registry.host, production, "stable")
    images.push(NEW, registry.host, production, "candidate")
    outdated = Response(200, [("Content-Type", "application/json")], json.dumps({"tags": ["candidate"]}).encode())

    def rule(request):
        return outdated if request.target.partition("?")[0] == f"/v2/{production}/tags/list" else None

    def tags():
        names = observe.tags_at(registry.host, production)
        return {tag: observe.digest_at(registry.host, production, tag) for tag in names}

    with Forger(registry.host, rule) as proxy:

        def run(*arguments, **more):
            given = {"promote_src": "{{ item }}:candidate", "promote_dest": "{{ item }}", **more}
            role = {"ansible.builtin.include_role": {"name": "drayage.registry.promote"}, "vars": given}
            return play([{**role, "loop": [f"{proxy.host}/{production}"]}], *arguments)

        before, after = tags(), {"stable": NEW.digest, "stable-previous": OLD.digest, "candidate": NEW.digest}
        moved = f"stable: {OLD.digest[:19]} → {NEW.digest[:19]} (prod 1.4.2)"
        assert moved in run("--check")
        assert tags() == before
        assert moved in run()
        assert tags() == after
        assert "changed=0 " in run()
        assert tags() == after
        assert "changed=1 " in run(promote_rollback=True)
        assert tags() == {**after, "stable": OLD.digest}


def test_the_way_back_is_kept_when_a_promotion_fails(play, registry, repository):
    staging, production = f"{repository}/staging", f"{repository}/prod"
    images.push(OLD, registry.host, production, "stable-previous")
    images.push(NEW, registry.host, production, "stable")
    images.push(NEWER, registry.host, staging, "candidate")
    blob = next(iter(NEWER.blobs)).split(":")[1]
    data = registry.storage / "docker/registry/v2/blobs/sha256" / blob[:2] / blob / "data"
    data.unlink()
    role = {
        "ansible.builtin.include_role": {"name": "drayage.registry.promote"},
        "vars": {
            "promote_src": f"{registry.host}/{staging}:candidate",
            "promote_dest": f"{registry.host}/{production}",
        },
    }
    play([role], succeeds=False)
    assert observe.digest_at(registry.host, production, "stable") == NEW.digest
    assert observe.digest_at(registry.host, production, "stable-previous") == OLD.digest


def test_credentials_are_shown_nowhere(run_playbook, play, htpasswd_registry, users, repository):
    place = f"{htpasswd_registry.host}/{repository}"
    ((username, password),) = users.items()
    basic = base64.b64encode(f"{username}:{password}".encode()).decode()
    images.push(NEW, htpasswd_registry.host, repository, "candidate", authorization=f"Basic {basic}")
    registries = [{"host": htpasswd_registry.host, "username": username, "password": password}]
    variables = {"promote_src": f"{place}:candidate", "promote_dest": place}
    role = {"ansible.builtin.include_role": {"name": "drayage.registry.promote"}, "vars": variables}
    outputs = [
        run_playbook(
            "drayage.registry.promote", "-vvv", "--diff", variables={**variables, "promote_registries": registries}
        ),
        play([role], "-vvv", "--diff", defaults={"registries": registries}),
    ]
    assert "changed=1 " in outputs[0]
    assert "changed=0 " in outputs[1]
    for output in outputs:
        assert password not in output
        assert basic not in output
