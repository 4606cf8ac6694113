# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the role mirror, rendered from given results, and what the terminal shows of a run."""

from __future__ import annotations

import base64
import html
import json
import re

import pytest

from devtools import browser, images
from devtools.provision import REPOSITORY

ROLE = REPOSITORY / "roles" / "mirror"
PLACE = "registry.example.com/mirror"


def encoded(document):
    """Return a file as the module slurp returns it."""
    return {"content": base64.b64encode(json.dumps(document).encode()).decode()}


@pytest.fixture
def render(play, tmp_path):
    """Return a function that renders the page for each pair of a run's images and the images of the change before it."""

    def run(*runs, known=(), **more):
        tasks = [{"ansible.builtin.include_vars": {"file": str(ROLE / "vars" / "main.yml")}}]
        for number, (now, before) in enumerate(runs):
            status = {
                "last_run": "2026-01-02T00:00:00Z",
                "duration": 3,
                "last_success": "2026-01-02T00:00:00Z",
                "last_change": "2026-01-01T00:00:00Z",
                "next_run": "",
                "failures": [],
                "history": [],
                "change": {"when": "2026-01-01T00:00:00Z", "images": before},
                **more,
            }
            variables = {
                "mirror_dest": PLACE,
                "mirror_report_title": "A mirror",
                "mirror_team": ["localhost"],
                "mirror_ended": "2026-01-02T00:00:00Z",
                "mirror_status": status,
                "mirror_status_read": encoded(status),
                "mirror_change": "{{ _mirror_change }}",
            }
            template = {"src": str(ROLE / "templates" / "report.html.j2"), "dest": str(tmp_path / f"{number}.html")}
            synced = now if isinstance(now, dict) else {"images": now}
            known_images = encoded({"images": list(known)})
            tasks.append({"ansible.builtin.set_fact": {"mirror_synced": synced, "mirror_inventory_read": known_images}})
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
    rows = re.findall(r'<td class="name">(?:app|tool):(\S+?)<button', re.sub(r"\n", "", failing))
    assert rows == tags

    assert failing.count("failed with 503") == 1
    assert '<span class="tag failed">150 failed</span> registry.example.com/mirror/app:3.0 and 149 more' in failing
    assert all(f"<li>{each['dest']}</li>" in failing for each in refused)
    assert (
        '<span class="tag failed">failed</span> registry.example.com/mirror/tool:1<span class="error">quay.io'
        in failing
    )

    again, gone = "Recovered after an earlier failure: ", "Failed before, and no longer declared: "
    assert f"{again}1 image." in recovered
    assert f"<li>{PLACE}/app:1</li>" in recovered
    assert gone not in recovered
    assert f"{gone}1 image." in dropped
    assert f"<li>{PLACE}/app:2</li>" in dropped
    assert again not in dropped
    assert f"{again}1 image." in both
    assert f"{gone}2 images." in both


def record(name, number, created="2026-01-01T00:00:00Z"):
    """Return a record of an inventory; all images share a layer."""
    digest = f"sha256:{number:064x}"
    about = {"ref": f"{PLACE}/{name}", "src": f"quay.io/{name}", "digest": digest, "platforms": ["linux/amd64"]}
    blobs = {"blobs": ["sha256:base", digest], "blob_sizes": [1000, 10**number], "size": 1000 + 10**number}
    return {**about, **blobs, "created": created}


def test_the_page_shows_what_vouches_for_each_image(render):
    known = [
        {**record("app:1", 3), "attached": ["attestation", "provenance", "sbom", "signature"]},
        {**record("app:2", 4), "attached": ["signature"]},
        {**record("app:3", 5), "attached": []},
        record("app:4", 6),
    ]
    now = [image(f"app:{number}") for number in range(1, 5)]
    shown, hidden = render((now, []), ({"images": now[2:]}, []), known=known)
    assert '<th scope="col"><button type="button">Signed / SBOM / provenance</button></th>' in shown
    cells = re.findall(r'<td data-label="Attached">([^<]*)</td>', shown)
    assert cells == ["signed, SBOM, provenance, attested", "signed", "", ""]
    assert "SBOM" not in hidden


@pytest.fixture
def page(render):
    """Return a page with everything that a page can have."""
    now = [
        image("app:1.9"),
        image("app:1.10", "created"),
        *(image(f"app:3.{number}", "failed", f"Cannot read app:3.{number}: 503.") for number in range(3)),
        image("tool:gone", "deleted"),
    ]
    changes = {"created": 2, "updated": "1", "deleted": 0, "failed": 3, "bytes_copied": 7}
    signed = {**record("app:1.10", 4), "attached": ["sbom", "signature"]}
    known = [record("app:1.9", 3), signed, record("other/tool:1", 5)]
    history = [{"when": f"2026-01-0{day}T00:00:00Z", **changes} for day in (1, 2, 3)]
    failures = ["3 of 5 images failed: <app>."]
    (text,) = render(
        (now, []), known=known, history=history, failures=failures, next_run="2026-01-03T00:00:00Z", last_success=""
    )
    return text


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
def test_axe_finds_no_serious_violation(page, dark, width):
    axe = browser.axe_script()
    if not axe:
        pytest.skip("axe-core is a package of npm")
    assert browser.run_in_page(page, axe, dark=dark, width=width) == []


def test_the_page_copies_filters_sorts_and_says_that_the_mirror_is_late(page):
    script = """
    const copied = [];
    Object.defineProperty(navigator, "clipboard", {value: {writeText: async text => copied.push(text)}, configurable: true});
    const settle = () => new Promise(resolve => setTimeout(resolve));
    const names = () => [...document.querySelectorAll("#images tbody tr:not([hidden]) .name")].map(cell => cell.textContent.split("new")[0].split("copy")[0]);
    const shown = () => document.querySelectorAll(".filtered > li:not([hidden])").length;
    const first = document.querySelector("#images tbody tr");
    for (const button of first.querySelectorAll("[data-copy]")) { button.focus(); button.click(); await settle(); }
    const told = document.getElementById("copied").textContent;
    const focused = document.activeElement.dataset.copy;
    const keyboard = [...document.querySelectorAll("[data-copy]")].every(button => button.tagName === "BUTTON" && button.tabIndex === 0);
    document.execCommand = () => copied.push(document.activeElement.value);
    Object.defineProperty(window, "isSecureContext", {value: false});
    first.querySelector("[data-copy]").click(); await settle();
    const before = names();
    document.querySelectorAll("#images th button")[5].click();
    document.querySelectorAll("#images th button")[5].click();
    const sorted = names();
    const filter = document.getElementById("filter");
    const filtered = {};
    for (const word of ["tool", "3.1", "new", "sha256:%s"]) {
      filter.value = word;
      filter.dispatchEvent(new Event("input"));
      filtered[word.slice(0, 7)] = [names(), shown()];
    }
    return {copied, told, focused, keyboard, before, sorted, filtered, late: document.getElementById("late").hidden,
      count: document.getElementById("count").textContent, loaded: performance.getEntriesByType("resource").length,
      size: [innerWidth, document.documentElement.scrollWidth - document.documentElement.clientWidth]};
    """
    digest = f"sha256:{3:064x}"
    found = browser.run_in_page(page, script % f"{3:064x}", width=390)
    assert found["copied"] == [f"{PLACE}/app:1.9", digest, f"{PLACE}/app:1.9"]
    assert found["told"] == f"Copied {digest}"
    assert found["focused"] == digest
    assert found["keyboard"] is True
    assert found["before"] == ["app:1.9", "app:1.10"]
    assert found["sorted"] == ["app:1.10", "app:1.9"]
    assert found["filtered"] == {
        "tool": [[], 1],
        "3.1": [[], 2],
        "new": [["app:1.10"], 0],
        "sha256:": [["app:1.9"], 0],
    }
    assert found["late"] is False
    assert found["count"] == "1 of 2"
    assert found["size"] == [390, 0]
    assert found["loaded"] == 0

    assert 'data-label="Unique" data-value="1000">1000.00 Bytes</td>' in page
    assert "<b>109.38 KB</b>stored, counting shared layers once</li>" in page
    assert page.count('<i style="--part:') == 2
    assert page.count("<rect ") == 9
    legend = page.split("Changes over time")[1].split("</p>")[0]
    assert re.findall(r'<span class="tag \w+">(\w+)</span>', legend) == ["new", "updated", "removed", "failed"]
    # Nothing was copied.
    assert "3 failed.</p>" in page
    assert "2026-01-03 00:00:00 UTC: 2 new, 1 updated, 0 removed, 3 failed</title>" in page
    assert "3 of 5 images failed: &lt;app&gt;." in page


def test_a_run_that_could_not_begin_shows_the_inventory(render):
    known = [record("app:1.9", 3), record("app:1.10", 4)]
    (text,) = render(({"msg": "no"}, [image("app:1", "failed", "x")]), known=known, failures=["no"])
    assert re.findall(r'<td class="name">(\S+?)<', text) == ["app:1.9", "app:1.10"]
    assert "This page shows the mirror as it was before that run." in text


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
    summary = f"{second_registry.host}: Check mode: 1 to create, 2 to delete; "
    assert summary in output
    output = run_playbook("drayage.registry.mirror", variables={**variables, "mirror_max_delete": 1}, succeeds=False)
    (message,) = re.findall(r'fatal: .*"msg": "(.*?)"', output)
    assert "max_delete" in message
    assert "expression evaluated" not in output
    # The page says that the run failed, and shows the mirror as it was.
    text = page.read_text()
    assert "<b>The last run failed.</b> This page shows the mirror as it was before that run." in text
    assert f'<p class="name">{html.escape(message)}</p>' in text
    assert '<li class="bad"><b><time' in text
    assert "<b>never</b>last success" in text
