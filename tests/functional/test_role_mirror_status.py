# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role mirror shows that it runs: its status, metrics, overlapping runs, and what happens after a failure."""

from __future__ import annotations

import fcntl
import getpass
import json
import re
import shlex
import shutil
import subprocess

import pytest

from devtools import images

LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture
def variables(registry, repository, tmp_path):
    """Return variables of the role for a repository with one tag."""
    images.push(images.single(seed="mirrored"), registry.host, f"{repository}/from", "1")
    registry.forget()
    return {
        "mirror_dest": f"{registry.host}/{repository}/to",
        "mirror_images": [{"name": f"{registry.host}/{repository}/from", "dest": "app"}],
        "mirror_inventory": str(tmp_path / "mirror.json"),
        "mirror_report": str(tmp_path / "mirror.html"),
        "mirror_metrics": str(tmp_path / "mirror.prom"),
        "mirror_schedule_dir": str(tmp_path),
        "mirror_schedule_variables": str(tmp_path / "variables.json"),
        "mirror_schedule_user": getpass.getuser(),
        "mirror_schedule_command": "false",
        "mirror_schedule_start": False,
    }


@pytest.fixture
def mirror(run_playbook, variables):
    """Return a function that runs the playbook."""

    def run(*arguments, succeeds=True, **more):
        return run_playbook("drayage.registry.mirror", *arguments, variables={**variables, **more}, succeeds=succeeds)

    return run


def metrics(path):
    """Return the metrics of a file by name and action."""
    found = {}
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+){(.*)} (\d+)", line).groups()
            action = re.search(r'action="(\w+)"', labels)
            found[f"{name.replace('drayage_mirror_', '')}{f' {action[1]}' if action else ''}"] = int(value)
    return found


def test_each_run_leaves_its_status_its_metrics_and_its_page(mirror, run_playbook, variables, tmp_path):
    file, page, prometheus = tmp_path / "mirror-status.json", tmp_path / "mirror.html", tmp_path / "mirror.prom"
    schedule = {"mirror_schedule": "0 4 * * *", "mirror_schedule_method": "cron"}
    mirror(**schedule)
    first = json.loads(file.read_text())
    assert first["last_run"] == first["last_success"] == first["last_change"] == first["change"]["when"]
    assert first["next_run"] > first["last_run"]
    assert [(int(run["created"]), run["when"]) for run in first["history"]] == [(1, first["last_run"])]
    found = metrics(prometheus)
    assert found["success"] == 1
    assert found["images created"] == 1
    assert found["copied_bytes"] == 0  # mounted from the other repository
    assert 0 < found["next_run_timestamp_seconds"] - found["last_success_timestamp_seconds"] <= 86400

    # The scheduled run knows its schedule and leaves it alone. A new time is no change.
    file.write_text(json.dumps({**first, **dict.fromkeys(("last_run", "last_success", "last_change"), LONG_AGO)}))
    (tmp_path / "drayage-mirror").unlink()
    output = run_playbook("drayage.registry.mirror", "-e", f"@{tmp_path / 'variables.json'}")
    assert "changed=0 " in output
    assert not (tmp_path / "drayage-mirror").exists()
    second = json.loads(file.read_text())
    assert second["last_success"] >= first["last_success"]
    assert second["last_change"] == LONG_AGO
    assert second["next_run"] == first["next_run"]
    assert f'<time datetime="{second["last_run"]}">' in page.read_text()
    assert metrics(prometheus)["images unchanged"] == 1

    # A run with a failure is no success, and neither is one that could not begin.
    file.write_text(json.dumps({**second, "last_success": LONG_AGO}))
    gone = [*variables["mirror_images"], {"name": "127.0.0.1:1/gone", "tags": ["1"]}]
    for wrong in ({"mirror_images": gone}, {"mirror_src": "a//b"}):
        output = mirror(succeeds=False, **wrong)
        third = json.loads(file.read_text())
        assert third["last_success"] == LONG_AGO
        assert third["last_run"] > LONG_AGO
        (failure,) = third["failures"]
        assert failure in output.replace('\\"', '"')
        assert "<b>The last run failed.</b>" in page.read_text()
        assert metrics(prometheus)["success"] == 0
    assert metrics(prometheus)["images failed"] == 0

    # Check mode is no run.
    before = [path.read_text() for path in (file, page, prometheus)]
    mirror("--check")
    assert [path.read_text() for path in (file, page, prometheus)] == before


def test_a_run_that_overlaps_with_another_says_so_and_ends(mirror, registry, tmp_path):
    lock = tmp_path / "mirror-1-of-1.lock"
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        output = mirror()
        assert (
            f"Another run is in progress and holds the lock {lock}. Nothing was done. Run the task again when the other run has ended."
            in output
        )
        assert "changed=0 " in output
        assert registry.requests() == []
        assert not (tmp_path / "mirror.html").exists()
    mirror()
    assert not lock.exists()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="only systemd knows what it understands")
def test_systemd_runs_a_command_after_a_failure(mirror, tmp_path):
    service, failure = tmp_path / "drayage-mirror.service", tmp_path / "drayage-mirror-failure.service"
    mirror(mirror_schedule="daily", mirror_schedule_method="systemd", mirror_on_failure="/bin/echo 100%")
    assert "\nOnFailure=drayage-mirror-failure.service\n" in service.read_text()
    assert failure.read_text().endswith('\nExecStart=/bin/sh -c "/bin/echo 100%%"\n')
    assert json.loads((tmp_path / "mirror-status.json").read_text())["next_run"].endswith("T00:00:00Z")
    mirror(mirror_schedule="daily", mirror_schedule_method="systemd")
    assert "OnFailure" not in service.read_text()
    assert not failure.exists()


def shell_command(unit):
    """Return the arguments that systemd passes to the program of a service."""
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(line.partition("=")[2])
    return [word.replace("%%", "%").replace("$$", "$") for word in words]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="only systemd can verify units")
def test_a_command_means_the_same_to_systemd_and_cron(mirror, tmp_path):
    command = """echo "a 'b'" 'c "d"' 100% \\\\ $HOME $$HOME | tr a-c A-C"""
    given = {"mirror_schedule": "daily", "mirror_schedule_command": command, "mirror_on_failure": command}
    mirror(mirror_schedule_method="systemd", **given)
    units = [tmp_path / "drayage-mirror.service", tmp_path / "drayage-mirror-failure.service"]
    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert "drayage-mirror" not in verified.stderr
    of_systemd = [shell_command(unit) for unit in units]
    mirror(mirror_schedule_method="cron", mirror_schedule="daily", mirror_schedule_command=command)
    line = (tmp_path / "drayage-mirror").read_text().splitlines()[-1]
    cron = ["/bin/sh", "-c", line.split(" ", 2)[2].replace("\\%", "%")]
    expected, *found = (
        re.sub(r"[0-9]+HOME", "PID", subprocess.run(each, capture_output=True, text=True, check=True).stdout)
        for each in (cron, *of_systemd)
    )
    assert found == [expected] * 2
    assert expected.startswith("A 'B' C \"d\" 100% \\ /")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="only systemd can verify units")
def test_a_command_of_several_lines_is_one_command_for_systemd(mirror, tmp_path):
    lines = 'echo "a\n%b"\necho c\\n\n'
    mirror(mirror_schedule="daily", mirror_schedule_method="systemd", mirror_on_failure=lines)
    unit = tmp_path / "drayage-mirror-failure.service"
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert "drayage-mirror" not in verified.stderr
    assert unit.read_text().endswith('\nExecStart=/bin/sh -c "echo \\"a\\n%%b\\"\\necho c\\\\n"\n')


def test_a_schedule_of_another_program_need_not_be_one_of_cron(mirror, tmp_path):
    """AWX may run the role in a container without systemd."""
    for schedule in ("Mon..Fri 04:00", "61 4 * * *"):
        output = mirror(mirror_schedule=schedule, mirror_schedule_method="cron", mirror_schedule_state="kept")
        assert json.loads((tmp_path / "mirror-status.json").read_text())["next_run"] == ""
    assert "cron cannot parse mirror_schedule '61 4 * * *', so the report shows no next run" in output


def test_cron_runs_a_command_after_a_failure(mirror, tmp_path):
    told = tmp_path / "told"
    mirror(mirror_schedule="daily", mirror_schedule_method="cron", mirror_on_failure=f"touch {told}")
    line = (tmp_path / "drayage-mirror").read_text().splitlines()[-1]
    assert line == f"@daily {getpass.getuser()} {{ false; }} || touch {told}"
    subprocess.run(["sh", "-c", line.split(" ", 2)[2]], check=True)
    assert told.exists()
    mirror(mirror_schedule_state="absent", mirror_schedule_method="cron")
    assert not (tmp_path / "drayage-mirror").exists()
