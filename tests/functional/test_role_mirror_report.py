# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the role mirror, rendered from given results, and what the terminal shows of a run."""

from __future__ import annotations

import base64
import json
import re

import pytest

from devtools import images
from devtools.provision import REPOSITORY

ROLE = REPOSITORY / "roles" / "mirror"
PLACE = "registry.example.com/mirror"


@pytest.fixture
def render(play, tmp_path):
    """Return a function that renders the page for each pair of a run's images and the images of the change before it."""

    def run(*runs):
        tasks = [{"ansible.builtin.include_vars": {"file": str(ROLE / "vars" / "main.yml")}}]
        for number, (now, before) in enumerate(runs):
            last = {"when": "2026-01-01T00:00:00Z", "images": before}
            variables = {
                "mirror_dest": PLACE,
                "mirror_report_title": "A mirror",
                "mirror_team": ["localhost"],
                "mirror_change_read": {"content": base64.b64encode(json.dumps(last).encode()).decode()},
                "mirror_change": "{{ _mirror_change }}",
            }
            template = {"src": str(ROLE / "templates" / "report.html.j2"), "dest": str(tmp_path / f"{number}.html")}
            tasks.append({"ansible.builtin.set_fact": {"mirror_synced": {"images": now}}})
            tasks.append({"ansible.builtin.template": template, "vars": variables})
        play(tasks)
        return [(tmp_path / f"{number}.html").read_text() for number in range(len(runs))]

    return run


def image(name, action="unchanged", error=""):
    about = {"src": f"quay.io/{name}", "dest": f"{PLACE}/{name}", "action": action, "digest": "", "bytes_copied": 0}
    return {**about, "error": error} if error else about


def test_the_page_sorts_versions_groups_failures_and_tells_what_became_of_them(render):
    tags = ["1.9", "1.10-rc.1", "1.10", "1.10.1", "2.0"]
    refused = [
        image(f"app:{tag}", "failed", f"Cannot read quay.io/app:{tag}: GET /v2/app/manifests/{tag} failed with 503.")
        for tag in (f"3.{number}" for number in range(150))
    ]
    other = image("tool:1", "failed", "quay.io/tool:1: not found.")
    now = [*(image(f"app:{tag}") for tag in sorted(tags)), *refused, other]
    failing, recovered, dropped, both = render(
        (now, []),
        ([image("app:1"), image("app:2")], [image("app:1", "failed", "x")]),
        ([image("app:1")], [image("app:1"), image("app:2", "failed", "x")]),
        (
            [image("app:1")],
            [image("app:1", "failed", "x"), image("app:2", "failed", "x"), image("app:3", "failed", "x")],
        ),
    )
    rows = re.findall(r'<td class="name">(?:app|tool):(\S+?)<small', re.sub(r"\n", "", failing))
    assert rows == tags

    assert failing.count("failed with 503") == 1
    assert '<span class="tag failed">150 failed</span> registry.example.com/mirror/app:3.0 and 149 more' in failing
    assert all(f"<li>{each['dest']}</li>" in failing for each in refused)
    assert (
        '<span class="tag failed">failed</span> registry.example.com/mirror/tool:1<span class="error">quay.io'
        in failing
    )

    again, gone = "What had failed before is there again: ", "What had failed before is no longer declared: "
    assert f"{again}1 image." in recovered
    assert f"<li>{PLACE}/app:1</li>" in recovered
    assert gone not in recovered
    assert f"{gone}1 image." in dropped
    assert f"<li>{PLACE}/app:2</li>" in dropped
    assert again not in dropped
    assert f"{again}1 image." in both
    assert f"{gone}2 images." in both


def test_the_terminal_shows_no_page_and_the_message_of_the_module(
    run_playbook, registry, second_registry, repository, tmp_path
):
    images.push(images.single(seed="wanted"), registry.host, f"{repository}/app", "1")
    for tag in ("old", "older"):
        images.push(images.single(seed=tag), second_registry.host, f"{repository}/app", tag)
    page = tmp_path / "index.html"
    variables = {
        "mirror_src": registry.host,
        "mirror_dest": second_registry.host,
        "mirror_images": [{"name": f"{repository}/app", "tags": ["1"]}],
        "mirror_inventory": str(tmp_path / "mirror.json"),
        "mirror_report": str(page),
        "mirror_prune": True,
    }
    output = run_playbook("drayage.registry.mirror", "--check", "--diff", variables=variables)
    assert len(output.splitlines()) < 150
    assert "<html" not in output
    summary = f"{second_registry.host} (check mode): 1 new, 0 updated, 0 unchanged, 2 removed, 0 failed;"
    assert summary in output
    output = run_playbook("drayage.registry.mirror", variables={**variables, "mirror_max_delete": 1}, succeeds=False)
    (message,) = re.findall(r'fatal: .*"msg": "(.*?)"', output)
    assert "max_delete" in message
    assert "expression evaluated" not in output
    assert not page.exists()
