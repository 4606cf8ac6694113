# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task may declare: tags are text, and images are mappings or plain references."""

from __future__ import annotations

import pytest

from devtools import images
from devtools.observe import digest_at, tags_at

NUMBER = (
    "1.1 is a number, not a string. Put the value in quotes, because YAML reads an unquoted 1.10 as the number 1.1."
)
BOOLEAN = "true is a boolean, not a string. Put the value in quotes, because YAML reads an unquoted yes, no, on or off as a boolean."
COPY = {"src": "127.0.0.1:1/app:1", "dest": "127.0.0.1:1/copy:1"}
TAGS = {"repository": "127.0.0.1:1/app"}


def of(**entry):
    """Return the options of image_sync for a single entry."""
    return {"dest": "127.0.0.1:1", "images": [{"name": "127.0.0.1:1/app", **entry}]}


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("image_copy", {**COPY, "tags": ["1.9", 1.1]}, f"tags: {NUMBER}"),
        ("image_copy", {**COPY, "tags": 1.1}, f"tags: {NUMBER}"),
        ("image_copy", {**COPY, "tags": [True]}, f"tags: {BOOLEAN}"),
        ("image_sync", of(tags=[1.1]), f"images[0].tags: {NUMBER}"),
        ("image_sync", of(tags=[True]), f"images[0].tags: {BOOLEAN}"),
        ("image_sync", of(include=[1.1]), f"images[0].include: {NUMBER}"),
        ("image_sync", of(exclude=[True]), f"images[0].exclude: {BOOLEAN}"),
        ("image_sync", of(semver=1.1), f"images[0].semver: {NUMBER}"),
        ("image_sync", {**of(), "prune_keep": [1.1]}, f"prune_keep: {NUMBER}"),
        ("image_tags", {**TAGS, "include": [1.1]}, f"include: {NUMBER}"),
        ("image_tags", {**TAGS, "exclude": [True]}, f"exclude: {BOOLEAN}"),
        ("image_tags", {**TAGS, "semver": 1.1}, f"semver: {NUMBER}"),
        ("image_sync", of(tag="1"), "images[0]: tag. Supported parameters include: dest, exclude"),
        (
            "image_sync",
            {"dest": "127.0.0.1:1", "images": [{"tags": ["1"]}]},
            "images[0]: missing required arguments: name",
        ),
        ("image_sync", of(newest="many"), "images[0]: argument 'newest' is of type "),
        ("image_sync", {"dest": "127.0.0.1:1", "images": [7]}, "images[0] is neither a mapping nor"),
    ],
)
def test_what_is_declared_wrongly_is_refused(run_module, module, options, message):
    """Nothing is asked of a registry before: nobody listens at the port."""
    result = run_module(module, **options)
    assert result.failed
    assert result.msg.startswith(message)


def test_plain_references(run_module, registry, second_registry, repository):
    pinned, other = images.single(seed="pinned"), images.single(seed="other")
    images.push(pinned, registry.host, f"{repository}/app", "old")
    images.push(other, registry.host, f"{repository}/app", "1.10")
    images.push(other, registry.host, f"{repository}/tool", "latest")
    source = f"{registry.host}/{repository}"
    declared = [
        f"{source}/app:1.10",
        f"{source}/app:1.9@{pinned.digest}",
        f"{source}/tool",
        {"name": f"{source}/tool", "tags": ["latest"], "dest": f"{repository}/renamed"},
    ]
    options = {"dest": second_registry.host, "images": declared}
    foreseen = run_module("image_sync", **options, check_mode=True)
    result = run_module("image_sync", **options)
    assert not result.failed, result
    assert result.images == foreseen.images
    assert tags_at(second_registry.host, f"{repository}/app") == ["1.10", "1.9"]
    assert digest_at(second_registry.host, f"{repository}/app", "1.9") == pinned.digest
    for name in ("tool", "renamed"):
        assert digest_at(second_registry.host, f"{repository}/{name}", "latest") == other.digest
    assert not run_module("image_sync", **options).changed


ROLES = [
    ("promote", {"promote_src": "127.0.0.1:1/a:1", "promote_dest": "127.0.0.1:1/b"}, "promote_tags", [1.1], "promote_tags: 1.1"),
    ("promote", {"promote_src": "127.0.0.1:1/a:1", "promote_dest": "127.0.0.1:1/b"}, "promote_tags", [True], "promote_tags: true"),
    ("mirror", {"mirror_dest": "127.0.0.1:1"}, "mirror_images", [{"name": "127.0.0.1:1/a", "tags": [1.1]}], "images[0].tags: 1.1"),
    ("airgap_export", {}, "airgap_export_images", [{"name": "127.0.0.1:1/a", "tags": [True]}], "images[0].tags: true"),
]  # fmt: skip


@pytest.mark.parametrize(("role", "variables", "name", "value", "message"), ROLES)
def test_roles_refuse_them_too(play, tmp_path, role, variables, name, value, message):
    variables = {
        **variables,
        name: value,
        "mirror_inventory": f"{tmp_path}/i.json",
        "airgap_export_dest": f"{tmp_path}/b",
    }
    task = {"ansible.builtin.include_role": {"name": f"drayage.registry.{role}"}, "vars": variables}
    assert message in play([task], succeeds=False)


def test_a_role_takes_plain_references(play, registry, repository, tmp_path):
    image = images.single(seed="plain")
    images.push(image, registry.host, f"{repository}/from/app", "1.10")
    variables = {
        "mirror_dest": f"{registry.host}/{repository}/to",
        "mirror_images": [f"{registry.host}/{repository}/from/app:1.10"],
        "mirror_inventory": f"{tmp_path}/mirror.json",
    }
    play([{"ansible.builtin.include_role": {"name": "drayage.registry.mirror"}, "vars": variables}])
    assert digest_at(registry.host, f"{repository}/to/{repository}/from/app", "1.10") == image.digest
