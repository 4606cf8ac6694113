# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that the Makefile names: each sets itself up, runs, and says how long it took."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple
from xml.etree import ElementTree

from devtools.provision import BUILD, REPOSITORY
from devtools.toolchain_stacks import (
    COLLECTIONS,
    Stack,
    ToolchainError,
    clean_environment,
    controller,
    controller_python,
    link_collection,
    linters,
    locked,
    newest_core,
    oldest,
    pythons,
)

# The releases of ansible-core whose ansible-test the sanity phase runs; None is the newest that can run here.
SANITY_CORES: tuple[str | None, ...] = (None,)

# ansible-test fetches this script from a server of its own, into a cache by this name (one for a range of releases).
GET_PIP_NAMES = ("get_pip_23_1_2.py", "get_pip_24_2.py", "get_pip_25_2.py")
GET_PIP = '''\
"""Stand-in for get-pip.py: Python carries a pip of its own."""
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *wanted]))
'''


class Outcome(NamedTuple):
    """What came of a phase: whether it passed, and what to say about it in the summary."""

    passed: bool
    remark: str


def lint(arguments: list[str]) -> Outcome:
    stack = linters()
    commands = [
        ["ruff", "check", "--output-format=concise", "."],
        ["ruff", "format", "--check", "--output-format=concise", "."],
        ["yamllint", "--strict", "."],
        ["antsibull-changelog", "lint"],
        ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", "."],
        ["ansible-lint", "--nocolor", "--offline", "--profile", "production"],
        ["reuse", "lint", "--lines"],
    ]
    # antsibull-docs writes a log into the home directory.
    home = BUILD / "home"
    home.mkdir(exist_ok=True)
    failed = []
    for command in commands:
        if not _step(stack, command, quiet=True, HOME=str(home)):
            failed.append(" ".join(command[:2]) if command[0] == "ruff" else command[0])
    return Outcome(not failed, f"failed: {', '.join(failed)}" if failed else f"{len(commands)} checks")


def sanity(arguments: list[str]) -> Outcome:
    cores = [core or newest_core() for core in SANITY_CORES]
    runnable = [core for core in cores if controller_python(core)]
    if not runnable:
        raise ToolchainError(f"No Python was found for ansible-core {' or '.join(cores)}.")
    failed = [core for core in runnable if not _sanity(controller(core), arguments)]
    remark = f"ansible-core {', '.join(runnable)} on Python {', '.join(pythons())}"
    if len(runnable) < len(cores):
        remark += f", without {', '.join(core for core in cores if core not in runnable)} for want of a Python"
    return Outcome(not failed, f"failed with ansible-core {', '.join(failed)}" if failed else remark)


def _sanity(stack: Stack, arguments: list[str]) -> bool:
    place = BUILD / "sanity" / stack.core
    tree = place / "ansible_collections" / "drayage" / "registry"
    cache = place / "home" / ".ansible" / "test" / "cache"
    with locked(f"sanity-{stack.core}"):
        _copy_tree(tree)
        cache.mkdir(parents=True, exist_ok=True)
        for name in GET_PIP_NAMES:
            (cache / name).write_text(GET_PIP, encoding="utf-8")
        # It looks for Pythons by name on the PATH, and takes the shim of a version manager for one.
        directories = [stack.home / "bin", *(Path(path).parent for path in pythons().values())]
        path = os.pathsep.join([*map(str, directories), "/usr/local/bin", "/usr/bin", "/bin"])
        command = ["ansible-test", "sanity", *arguments]
        said: list[str] = []
        passed = _step(stack, command, cwd=tree, said=said, HOME=str(place / "home"), PATH=path)
    if passed and not any(line.startswith("Running sanity test") for line in said):
        print("-- ansible-test found nothing to test, which is a failure")
        return False
    return passed


def _copy_tree(target: Path) -> None:
    """Copy what git knows or would know, as it stands: ansible-test wants the tree below its full name."""
    shutil.rmtree(target, ignore_errors=True)
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, env=clean_environment(), stdout=subprocess.PIPE, check=True).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        source = REPOSITORY / name
        if source.is_symlink() or source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    # Without a repository of its own the copy would belong to that of the checkout, which ignores it.
    subprocess.run(["git", "init", "--quiet", str(target)], env=clean_environment(), check=True)


def units(arguments: list[str]) -> Outcome:
    return _pytest("units", "tests/unit", controller(), arguments)


def units_oldest(arguments: list[str]) -> Outcome:
    return _pytest("units-oldest", "tests/unit", oldest(), arguments)


def functional(arguments: list[str]) -> Outcome:
    return _pytest("functional", "tests/functional", controller(), arguments)


def functional_oldest(arguments: list[str]) -> Outcome:
    return _pytest("functional-oldest", "tests/functional", controller(), arguments, modules=oldest())


def _pytest(phase: str, tests: str, stack: Stack, arguments: list[str], modules: Stack | None = None) -> Outcome:
    """Run tests; ``modules`` is the stack of the managed node where it is not the one that runs pytest."""
    report = BUILD / "report" / f"{phase}.xml"
    report.unlink(missing_ok=True)
    command = ["python", "-m", "pytest", f"--junitxml={report}", tests, *arguments]
    settings = {"PYTHONPYCACHEPREFIX": str(BUILD / "cache" / "python")}
    if modules:
        settings["DRAYAGE_TEST_PYTHON"] = modules.python
    versions = _versions(modules or stack)
    print(f"-- {versions}", flush=True)
    passed = _step(stack, command, **settings)
    if not report.exists():
        return Outcome(False, f"pytest did not come to its end; {versions}")
    suite = ElementTree.parse(report).getroot().find("testsuite")
    total, failures, errors, skipped = (int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped"))
    counts = {"passed": total - failures - errors - skipped, "failed": failures + errors, "skipped": skipped}
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "found no tests"
    # Tests that were all skipped have shown nothing.
    return Outcome(passed and counts["passed"] > 0, f"{told}; {versions}")


def _versions(stack: Stack) -> str:
    code = (
        "import platform, requests, urllib3, ansible.release;"
        "print(f'Python {platform.python_version()}, requests {requests.__version__}, urllib3 {urllib3.__version__},',"
        " f'ansible-core {ansible.release.__version__}')"
    )
    command = [stack.python, "-c", code]
    return subprocess.run(
        command, env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


def python_format(arguments: list[str]) -> Outcome:
    stack = linters()
    paths = arguments or ["."]
    done = [_step(stack, ["ruff", *command, "--quiet", *paths]) for command in (["check", "--fix"], ["format"])]
    return Outcome(all(done), "")


def python(arguments: list[str]) -> Outcome:
    return Outcome(_step(controller(), ["python", *arguments]), "")


def _step(
    stack: Stack,
    command: list[str],
    cwd: Path = REPOSITORY,
    quiet: bool = False,
    said: list[str] | None = None,
    **settings: str,
) -> bool:
    """Run a program of a stack and return whether it passed.

    A quiet one is heard only when it fails; the lines of one that is listened to are put into ``said``.
    """
    link_collection()
    environment = {
        **clean_environment(),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "PATH": os.pathsep.join([str(stack.home / "bin"), os.environ.get("PATH", os.defpath)]),
        **settings,
    }
    start = time.monotonic()
    print(f"-- {shlex.join(command)}", flush=True)
    listened = quiet or said is not None
    said = [] if said is None else said
    process = subprocess.Popen(
        [stack.program(command[0]), *command[1:]],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if listened else None,
        stderr=subprocess.STDOUT if listened else None,
        text=True,
    )
    with process:
        for line in process.stdout or ():
            said.append(line)
            if not quiet:
                print(line, end="", flush=True)
    passed = process.returncode == 0
    if quiet and not passed:
        print("".join(said), end="")
    verdict = "passed" if passed else f"failed with exit status {process.returncode}"
    print(f"-- {verdict} after {time.monotonic() - start:.1f} s", flush=True)
    return passed


PHASES: dict[str, Callable[[list[str]], Outcome]] = {
    "lint": lint,
    "units": units,
    "units-oldest": units_oldest,
    "functional": functional,
    "functional-oldest": functional_oldest,
    "sanity": sanity,
}
COMMANDS = {**PHASES, "format": python_format, "python": python}


def _phase(name: str, arguments: list[str]) -> tuple[bool, str]:
    """Run a phase and return whether it passed and its line of the summary."""
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    try:
        outcome = PHASES[name](arguments)
    except ToolchainError as error:
        outcome = Outcome(False, str(error))
    seconds = time.monotonic() - start
    line = f"{name:<18} {'passed' if outcome.passed else 'FAILED'} {seconds:6.1f} s  {outcome.remark}"
    print(f"== {line}", flush=True)
    return outcome.passed, line


def _test() -> bool:
    start = time.monotonic()
    results = {name: _phase(name, []) for name in PHASES}
    print("\n== summary")
    for _passed, line in results.values():
        print(line)
    failed = [name for name, (passed, _line) in results.items() if not passed]
    verdict = f"FAILED: {', '.join(failed)}" if failed else "PASSED"
    print(f"make test: {verdict} ({time.monotonic() - start:.0f} s)", flush=True)
    return not failed


def main(command: str, *arguments: str) -> int:
    if command == "test":
        return 0 if _test() else 1
    if command in PHASES:
        passed, _line = _phase(command, list(arguments))
        return 0 if passed else 1
    return 0 if COMMANDS[command](list(arguments)).passed else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except ToolchainError as error:
        sys.exit(f"toolchain: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
