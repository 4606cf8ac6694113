# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook mirror: a registry with TLS and users, the page, what fails, cron, and secrets.

extensions/molecule/mirror has the role's usual course, with two hosts and systemd.
"""

from __future__ import annotations

import getpass
import json

import pytest

from devtools import images, observe
from devtools.servers import DockerRegistry

APP = images.index(seed="app")
NEXT = images.index(seed="next")
TOOL = images.single(seed="tool")


@pytest.fixture
def guarded_registry(authority, users):
    """Return a registry with TLS and users."""
    with DockerRegistry(tls=authority.server(), htpasswd=users) as server:
        yield server


def digests_in(server, repository):
    """Return what the tags of a repository name, as the registry's storage has it."""
    tags = server.storage / "docker/registry/v2/repositories" / repository / "_manifests/tags"
    return {link.parent.parent.name: link.read_text() for link in tags.glob("*/current/link")}


def test_a_mirror_is_kept_and_reported(
    run_playbook, registry, guarded_registry, authority, users, repository, tmp_path
):
    ((username, password),) = users.items()
    page, cron = tmp_path / "index.html", tmp_path / "drayage-mirror"
    variables = {
        "mirror_src": f"{registry.host}/{repository}",
        "mirror_dest": f"{guarded_registry.host}/mirror",
        "mirror_images": [{"name": "app"}, {"name": "tool", "tags": ["stable"]}],
        "mirror_registries": [
            {
                "host": guarded_registry.host,
                "username": username,
                "password": password,
                "ca_path": str(authority.ca),
                "plain_http": False,
            }
        ],
        "mirror_inventory": str(tmp_path / "state" / "mirror.json"),
        "mirror_report": str(page),
        "mirror_report_title": "Bits & <pieces>",
        "mirror_schedule": "daily",
        "mirror_schedule_method": "cron",
        "mirror_schedule_dir": str(tmp_path),
        "mirror_schedule_variables": str(tmp_path / "etc" / "mirror.json"),
        "mirror_schedule_user": getpass.getuser(),
        "mirror_schedule_command": "echo 100%",
    }

    def mirror(*arguments, succeeds=True, **more):
        given = {**variables, **more}
        output = run_playbook("drayage.registry.mirror", *arguments, variables=given, succeeds=succeeds)
        assert password not in output
        return output

    images.push(APP, registry.host, f"{repository}/app", "1.0")
    images.push(TOOL, registry.host, f"{repository}/tool", "stable")
    mirror("-vvv", "--diff")
    assert digests_in(guarded_registry, f"mirror/{repository}/app") == {"1.0": APP.digest}
    assert digests_in(guarded_registry, f"mirror/{repository}/tool") == {"stable": TOOL.digest}
    text = page.read_text()
    assert "<title>Bits &amp; &lt;pieces&gt;</title>" in text
    assert f'{repository}/app:1.0<span class="tag new">new</span>' in text
    assert f'data-copy="{APP.digest}"' in text
    assert "linux/amd64, linux/arm64" in text
    assert "http://" not in text
    assert "https://" not in text
    assert cron.read_text().endswith(f"\n@daily {getpass.getuser()} echo 100\\%\n")
    settings = tmp_path / "etc" / "mirror.json"
    assert settings.stat().st_mode & 0o777 == 0o600
    assert json.loads(settings.read_text())["mirror_registries"][0]["password"] == {"__ansible_unsafe": password}

    # What fails is on the page, and what does not is brought and on the page too.
    images.push(NEXT, registry.host, f"{repository}/app", "2.0")
    broken = [*variables["mirror_images"], {"name": "tool", "tags": ["gone"]}]
    assert "tool:gone" in mirror(succeeds=False, mirror_images=broken)
    assert digests_in(guarded_registry, f"mirror/{repository}/app") == {"1.0": APP.digest, "2.0": NEXT.digest}
    text = page.read_text()
    assert "1 new, 1 failed" in text
    assert f'<span class="tag failed">failed</span> {guarded_registry.host}/mirror/{repository}/tool:gone' in text
    assert "1.0<span" not in text

    # Without a change on either side the page says once that what failed is no longer declared, and then stays as it is.
    output = mirror("-v")
    assert APP.digest not in output
    assert '"content": ' not in output
    text = page.read_text()
    assert "Failed before, and no longer declared: 1 image." in text
    assert f"<li>{guarded_registry.host}/mirror/{repository}/tool:gone</li>" in text
    assert "Recovered after" not in text
    assert "changed=0 " in mirror("--diff")

    # Without a schedule there is nothing to do: neither is the source asked, nor anything removed from the mirror.
    (tmp_path / "drayage-mirror.service").touch()
    (tmp_path / "drayage-mirror.timer").touch()
    gone = {
        "mirror_schedule_state": "absent",
        "mirror_images": [],
        "mirror_src": "127.0.0.1:1/gone",
        "mirror_prune": True,
    }
    assert "changed=1 " in mirror("--diff", mirror_schedule_start=False, **gone)
    assert [path.name for path in tmp_path.glob("drayage-mirror*")] == []
    assert not settings.exists()
    assert "changed=0 " in mirror("--diff", **gone)
    assert digests_in(guarded_registry, f"mirror/{repository}/app") == {"1.0": APP.digest, "2.0": NEXT.digest}


def test_a_directory_that_cannot_hold_the_inventory_is_a_failure_before_anything_is_copied(
    run_playbook, registry, second_registry, repository
):
    """No user can create a file in /sys."""
    images.push(TOOL, registry.host, f"{repository}/tool", "stable")
    variables = {
        "mirror_dest": second_registry.host,
        "mirror_images": [{"name": f"{registry.host}/{repository}/tool"}],
        "mirror_inventory": "/sys/inventory.json",
    }
    output = run_playbook("drayage.registry.mirror", variables=variables, succeeds=False)
    assert "cannot create the lock /sys/inventory-1-of-1.lock" in output
    assert observe.tags_at(second_registry.host, f"{repository}/tool") == []
