# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that look, tag and remove, in one playbook: a release from its candidate to the end of its life."""

from __future__ import annotations

import base64

import pytest

from devtools import images
from devtools.token_service import TokenService

INDEX = images.index(attestations=True)
SECRET = "wonder:land"
ENCODED = base64.b64encode(f"alice:{SECRET}".encode()).decode()


@pytest.fixture
def defaults(token_registry, token_service: TokenService, repository):
    """Push INDEX as ``1.0.0`` and ``1.1.0``, and return the defaults with which modules may do anything there."""
    scope = {"scope": [f"repository:{repository}:pull,push"]}
    token = token_service.answer_get(scope, f"Basic {ENCODED}")["token"]
    for tag in ("1.0.0", "1.1.0"):
        images.push(INDEX, token_registry.host, repository, tag, authorization=f"Bearer {token}")
    return {"registries": [{"host": token_registry.host, "username": "alice", "password": SECRET}]}


def tasks_for(place):
    def task(module, **options):
        return {"name": module, f"drayage.registry.{module}": options, "register": module}

    return [
        task("image_inspect", image=f"{place}:1.1.0", verify=True, tags=True, raw=True),
        task("image_tags", repository=place, tags={"stable": "1.1.0"}),
        task("image_delete", image=f"{place}:1.0.0"),
        {
            "name": "Check",
            "ansible.builtin.assert": {
                "that": [
                    f"image_inspect.digest == '{INDEX.digest}'",
                    "image_inspect.missing == []",
                    "image_inspect.raw | drayage.registry.manifest_digest == image_inspect.digest",
                    "image_tags.digests.stable == image_inspect.digest",
                ]
            },
        },
    ]


def test_a_release_is_looked_at_tagged_and_cleared_away_once(play, defaults, token_registry, repository):
    tasks = tasks_for(f"{token_registry.host}/{repository}")
    assert "changed=2" in play(tasks, "--check", "--diff", defaults=defaults)
    assert "changed=2" in play(tasks, "--diff", defaults=defaults)
    assert "changed=0" in play(tasks, "--diff", defaults=defaults)


def test_secrets_are_shown_nowhere(play, defaults, token_registry, token_service, repository):
    place = f"{token_registry.host}/{repository}"
    outputs = [play(tasks_for(place), "-vvv", "--diff", defaults=defaults)]
    token_service.users["alice"] = "another"
    outputs += [play([task], "-vvv", defaults=defaults, succeeds=False) for task in tasks_for(place)[:3]]
    for output in outputs:
        assert SECRET not in output
        assert ENCODED not in output
        # Every token of the service is a JWT, whose header always begins like this.
        assert "eyJ" not in output
