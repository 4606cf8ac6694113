# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles that copy refuse what is not signed, scheduled runs included."""

from __future__ import annotations

import getpass
import json

from devtools import images, observe
from devtools.signing import Key

IMAGE = images.single(seed="gate of roles")
KEY = Key()


def test_only_a_signed_image_is_promoted(run_playbook, run_module, registry, repository):
    staging, production = f"{repository}/staging", f"{repository}/prod"
    images.push(IMAGE, registry.host, staging, "candidate")
    variables = {
        "promote_src": f"{registry.host}/{staging}:candidate",
        "promote_dest": f"{registry.host}/{production}",
        "promote_signed_by": {"public_keys": [KEY.public]},
    }
    output = run_playbook("drayage.registry.promote", variables=variables, succeeds=False)
    assert f"{IMAGE.digest} has no signature" in output
    assert observe.digest_at(registry.host, production, IMAGE.digest) is None
    run_module("image_sign", image=f"{registry.host}/{staging}:candidate", key_content=KEY.private)
    run_playbook("drayage.registry.promote", variables=variables)
    assert observe.digest_at(registry.host, production, "stable") == IMAGE.digest


def test_a_mirror_has_only_what_is_signed_on_a_schedule_too(
    run_playbook, run_module, registry, second_registry, repository, tmp_path
):
    for tag, image in (("signed", IMAGE), ("unsigned", images.single(seed="unsigned"))):
        images.push(image, registry.host, repository, tag)
    run_module("image_sign", image=f"{registry.host}/{repository}:signed", key_content=KEY.private)
    settings = tmp_path / "etc" / "mirror.json"
    variables = {
        "mirror_src": registry.host,
        "mirror_dest": second_registry.host,
        "mirror_images": [{"name": repository, "tags": ["signed", "unsigned"]}],
        "mirror_inventory": str(tmp_path / "inventory.json"),
        "mirror_keep_going": True,
        "mirror_signed_by": {"public_keys": [KEY.public]},
        "mirror_schedule": "daily",
        "mirror_schedule_method": "cron",
        "mirror_schedule_dir": str(tmp_path),
        "mirror_schedule_variables": str(settings),
        "mirror_schedule_start": False,
        "mirror_schedule_user": getpass.getuser(),
        "mirror_schedule_command": "true",
    }
    output = run_playbook("drayage.registry.mirror", variables=variables, succeeds=False)
    assert "has no signature" in output
    assert observe.digest_at(second_registry.host, repository, "signed") == IMAGE.digest
    assert observe.digest_at(second_registry.host, repository, "unsigned") is None
    variables["mirror_images"][0]["tags"] = ["signed"]
    run_playbook("drayage.registry.mirror", variables=variables)
    written = json.loads(settings.read_text(), object_hook=lambda found: found.get("__ansible_unsafe", found))
    assert written["mirror_signed_by"] == variables["mirror_signed_by"]
