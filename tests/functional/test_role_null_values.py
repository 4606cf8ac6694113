# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable that is null, for example in the variables of one host, is not set. Before ansible-core 2.19, a template made it empty text."""

from __future__ import annotations

import getpass
import json

import pytest

from devtools import images, observe
from devtools.provision import REPOSITORY
from devtools.refusals import refusals
from devtools.signing import Key

IMAGE = images.single(seed="null values")


@pytest.fixture
def pushed(registry, repository):
    images.push(IMAGE, registry.host, f"{repository}/from/app", "1")
    return f"{registry.host}/{repository}"


def test_a_mirror_with_null_values(run_playbook, registry, repository, pushed, tmp_path):
    nulls = ["src", "source_file", "lock_file", "scoped", "max_delete", "signed_by", "policy"]
    nulls += ["slice", "report", "metrics", "schedule", "schedule_dir"]
    variables = {
        **{f"mirror_{name}": None for name in nulls},
        "mirror_dest": f"{pushed}/to",
        "mirror_images": [{"name": f"{pushed}/from/app", "dest": "app"}],
        "mirror_inventory": str(tmp_path / "mirror.json"),
    }
    run_playbook("drayage.registry.mirror", variables=variables)
    assert observe.digest_at(registry.host, f"{repository}/to/app", "1") == IMAGE.digest


def test_a_scheduled_mirror_keeps_null_values_unset(run_playbook, pushed, tmp_path):
    """Null for ``mirror_scoped`` became false, so the scheduled run used other destinations than the first run."""
    nulls = ["src", "source_file", "lock_file", "scoped", "max_delete", "signed_by", "policy"]
    nulls += ["slice", "report", "metrics"]
    given = {
        "mirror_dest": f"{pushed}/to",
        "mirror_images": [{"name": f"{pushed}/from/app", "dest": "app"}],
        "mirror_inventory": str(tmp_path / "mirror.json"),
        "mirror_schedule": "daily",
        "mirror_schedule_method": "cron",
        "mirror_schedule_dir": str(tmp_path),
        "mirror_schedule_variables": str(tmp_path / "variables.json"),
        "mirror_schedule_user": getpass.getuser(),
        "mirror_schedule_command": "true",
    }
    written = []
    for variables in (given, {**given, **{f"mirror_{name}": None for name in nulls}}):
        run_playbook("drayage.registry.mirror", variables=variables)
        settings = json.loads((tmp_path / "variables.json").read_text())
        written.append([settings, (tmp_path / "drayage-mirror").read_text()])
    assert "mirror_scoped" not in written[0][0]
    assert written[1] == written[0]


def test_a_promotion_with_null_values(run_playbook, registry, repository, pushed):
    variables = {
        "promote_src": f"{pushed}/from/app:1",
        "promote_dest": f"{pushed}/prod",
        "promote_digest": None,
        "promote_lock_file": None,
        "promote_signed_by": None,
        "promote_policy": None,
    }
    run_playbook("drayage.registry.promote", variables=variables)
    assert observe.digest_at(registry.host, f"{repository}/prod", "stable") == IMAGE.digest


def test_a_promotion_of_null_is_refused_as_one_without_a_source(play, tmp_path):
    given = {"promote_dest": "127.0.0.1:1/app"}
    attempts = [("promote", each) for each in (given, {**given, "promote_src": None})]
    assert refusals(play, tmp_path / "messages.json", *attempts) == [
        "promote_src is missing. Nothing was changed. Set it to the image to promote."
    ] * len(attempts)


def test_an_air_gap_with_null_values(run_playbook, registry, repository, pushed, tmp_path):
    key = tmp_path / "key.pem"
    key.write_text(Key().private)
    nulls = ["src", "source_file", "lock_file", "key_content", "passphrase"]
    variables = {
        **{f"airgap_export_{name}": None for name in nulls},
        "airgap_export_key": str(key),
        "airgap_export_dest": str(tmp_path / "bundle"),
        "airgap_export_images": [{"name": f"{pushed}/from/app"}],
        "airgap_import_src": str(tmp_path / "bundle"),
        "airgap_import_dest": f"{pushed}/to",
        "airgap_import_inventory": str(tmp_path / "site.json"),
        "airgap_import_signed_by": None,
        "airgap_import_policy": None,
    }
    run_playbook("drayage.registry.airgap_export", variables=variables)
    run_playbook("drayage.registry.airgap_import", variables=variables)
    assert observe.digest_at(registry.host, f"{repository}/to/{repository}/from/app", "1") == IMAGE.digest


def test_an_export_with_neither_a_base_nor_a_key(run_playbook, pushed, tmp_path):
    variables = {
        **{f"airgap_export_{name}": None for name in ("base", "key", "key_content", "passphrase")},
        "airgap_export_dest": str(tmp_path / "bundle"),
        "airgap_export_images": [{"name": f"{pushed}/from/app"}],
        "airgap_export_update_base": True,
    }
    run_playbook("drayage.registry.airgap_export", variables=variables)
    names = sorted(path.name for path in (tmp_path / "bundle").iterdir())
    assert names == ["SHA256SUMS", "images", "inventory.json"]


def test_a_certificate_of_null_is_no_certificate(run_playbook, tmp_path):
    variables = {
        "registry_become": False,
        "registry_key": "a key",
        "registry_certificate": None,
        "registry_packages": [],
        "registry_users": [],
        "registry_config_dir": str(tmp_path / "config"),
    }
    output = run_playbook("drayage.registry.registry", "--check", variables=variables, succeeds=False)
    assert "registry_certificate and registry_key belong together, but only one of them is set." in output


def test_null_is_no_command_to_run_after_a_failure(play):
    """It became the command ``None``."""
    values = {"ansible.builtin.include_vars": {"file": str(REPOSITORY / "roles" / "mirror" / "vars" / "main.yml")}}
    show = {"ansible.builtin.debug": {"msg": "The command is [{{ _mirror_on_failure }}]."}}
    assert "The command is []." in play([values, {**show, "vars": {"mirror_on_failure": None}}])


def test_an_empty_policy_is_not_null(play, pushed, tmp_path):
    mirror = {"mirror_dest": f"{pushed}/to", "mirror_inventory": str(tmp_path / "mirror.json")}
    mirror["mirror_images"] = [{"name": f"{pushed}/from/app"}]
    promote = {"promote_src": f"{pushed}/from/app:1", "promote_dest": f"{pushed}/prod"}
    attempts = ("mirror", {**mirror, "mirror_policy": ""}), ("promote", {**promote, "promote_policy": ""})
    assert refusals(play, tmp_path / "messages.json", *attempts) == [
        "policy is empty. Set a value, or omit the option."
    ] * len(attempts)


@pytest.mark.parametrize(("digest", "names"), [(None, "promote_lock_file"), ("", "promote_digest")])
def test_without_a_digest_the_lock_file_still_counts(play, registry, repository, pushed, tmp_path, digest, names):
    lock = tmp_path / "images.lock"
    lock.write_text(f"kind: ImagesLock\nimages:\n- image: {pushed}/from/app@sha256:{'a' * 64}\n")
    variables = {"promote_src": f"{pushed}/from/app:1", "promote_dest": f"{pushed}/prod", "promote_digest": digest}
    attempt = ("promote", {**variables, "promote_lock_file": str(lock)})
    (message,) = refusals(play, tmp_path / "messages.json", attempt)
    assert message.startswith(f"Cannot promote {pushed}/from/app:1: its digest is {IMAGE.digest}, ")
    assert message.endswith(f"Nothing was changed. Check promote_src and {names}.")
    assert observe.digest_at(registry.host, f"{repository}/prod", "stable") is None
