# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases that run pytest, each on its stacks."""

from __future__ import annotations

import os
import subprocess
from xml.etree import ElementTree

from devtools import peers, provision, scratch
from devtools.provision import BUILD
from devtools.servers import ModernRegistry
from devtools.toolchain.coverage import measured
from devtools.toolchain.stacks import OLDEST_CORE, Stack, clean_environment, controller, oldest
from devtools.toolchain.steps import Outcome, step

# What the oldest stack runs: all that its Python, requests, urllib3, cryptography or ansible-core can change, and each
# module, plugin and kind of place once. What else there is to test is the same code on any stack, and takes long.
ON_THE_OLDEST = (
    "test_copy_auth.py",
    "test_copy_bad_input.py",
    "test_copy_faults.py",
    "test_copy_files.py",
    "test_copy_hostile.py",
    "test_copy_playbook.py",
    "test_copy_registry.py",
    "test_copy_tls.py",
    "test_dead_hosts.py",
    "test_engines.py",
    "test_examples.py::test_examples_run[plugins]",
    "test_hostile_text.py",
    "test_hostile_urls.py",
    "test_limits.py",
    "test_lock.py",
    "test_login.py",
    "test_lookups.py",
    "test_odd_answers.py",
    "test_packing.py",
    "test_progress.py",
    "test_return_values.py",
    "test_role_mirror.py",
    "test_role_refusals.py",
    "test_sign.py",
    "test_sign_gpg.py",
    "test_sync.py",
    "test_sync_source_file.py",
    "test_templates.py",
)

# What two phases store at the same time, and as much again for what they run.
_LEAST_MEMORY = 6 * 2**30

# What the phase "smoke" runs.
SMOKE = ("test_copy_playbook.py::test_second_run_changes_nothing",)


def units(arguments: list[str]) -> Outcome:
    return _pytest("units", ["tests/unit"], controller(), arguments)


def units_oldest(arguments: list[str]) -> Outcome:
    # The other unit tests check the documentation, which is the same on all stacks.
    return _pytest("units-oldest", ["tests/unit/plugins"], oldest(), arguments)


def functional(arguments: list[str]) -> Outcome:
    _obtain(arguments)
    return _pytest("functional", ["tests/functional", *_side_by_side(arguments)], controller(), arguments)


def functional_oldest(arguments: list[str]) -> Outcome:
    _obtain(arguments)
    tests = [*(f"tests/functional/{test}" for test in ON_THE_OLDEST), *_side_by_side(arguments)]
    return _pytest("functional-oldest", tests, controller(OLDEST_CORE), arguments, modules=oldest())


def smoke(arguments: list[str]) -> Outcome:
    """Run what takes seconds and fails when anything big is broken: a copy between registries, in a playbook too."""
    return _pytest("smoke", [f"tests/functional/{test}" for test in SMOKE], controller(), arguments)


def on_core(core: str, arguments: list[str]) -> Outcome:
    """Run the units and the smoke test on one release of ansible-core."""
    tests = ["tests/unit", *(f"tests/functional/{test}" for test in SMOKE)]
    return _pytest(f"core-{core}", tests, controller(core), arguments)


def _side_by_side(arguments: list[str]) -> list[str]:
    """Return what has pytest run tests in several processes: they wait for servers and disks. Few tests need one."""
    return [] if arguments else [f"--numprocesses={(os.cpu_count() or 1) + 1}", "--dist=worksteal"]


def _obtain(arguments: list[str]) -> None:
    """Install and build programs before the tests, so that no test fails for the network; single tests may not need it."""
    if not arguments:
        provision.install_missing_packages()
        ModernRegistry.available()
    if os.environ.get(peers.BUILD_ALL):  # a test that builds them would be stopped when its time is over
        peers.build()


def _pytest(phase: str, tests: list[str], stack: Stack, arguments: list[str], modules: Stack | None = None) -> Outcome:
    """Run tests; ``modules`` is the stack of the managed node where it is not the one that runs pytest."""
    report = BUILD / "report" / f"{phase}.xml"
    report.unlink(missing_ok=True)
    command = ["python", "-m", "pytest", f"--junitxml={report}", *tests, *arguments]
    if phase == "units":
        command = measured(command, phase)
    settings: dict[str, str] = {}
    if modules:
        settings["DRAYAGE_TEST_PYTHON"] = modules.python
    if phase != "functional":
        settings["DRAYAGE_COVERAGE"] = ""
    told_versions = versions(modules or stack)
    print(f"-- {told_versions}", flush=True)
    with scratch.directory(_LEAST_MEMORY) as directory:
        passed = step(stack, command, TMPDIR=directory, **settings)
    if not report.exists():
        return Outcome(False, f"pytest did not come to its end; {told_versions}")
    suite = ElementTree.parse(report).getroot().find("testsuite")
    total, failures, errors, skipped = (int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped"))
    counts = {"passed": total - failures - errors - skipped, "failed": failures + errors, "skipped": skipped}
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "found no tests"
    # Tests that were all skipped have shown nothing.
    return Outcome(passed and counts["passed"] > 0, f"{told}; {told_versions}")


def versions(stack: Stack) -> str:
    """Return what is in a stack, in words."""
    code = (
        "import platform, requests, urllib3, ansible.release;"
        "print(f'Python {platform.python_version()}, requests {requests.__version__}, urllib3 {urllib3.__version__},',"
        " f'ansible-core {ansible.release.__version__}')"
    )
    command = [stack.python, "-c", code]
    return subprocess.run(
        command, env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
