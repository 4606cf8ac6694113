# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change random places in a package of ``plugins/module_utils``, and see whether its unit tests notice.

``python -m devtools.mutants _registry --count 100`` prints each change that no test noticed, and the rate of the others.
Each change is tried in a fork, with the tests that run its line, and never written to a file.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.machinery
import os
import pickle
import random
import signal
import tempfile
import time
import types
import typing as t
from pathlib import Path

import coverage
import pytest

# Imported once here, because every fork needs them
for _library in ("hypothesis", "requests"):
    importlib.import_module(_library)

ROOT = Path(__file__).resolve().parents[1]
SOURCES, TESTS = ROOT / "plugins/module_utils", ROOT / "tests/unit/plugins/module_utils"
# Seconds for one change; whoever takes so long hangs, which somebody would notice.
TIMEOUT = 120.0
# The statuses of pytest without a result (internal error, usage, no tests), and of a fork that broke down.
NO_RESULT = (3, 4, 5, 99)
# No cache, and no error for a warning, such as that a library was imported before the tests.
OPTIONS = ("-q", "-p", "no:cacheprovider", "-W", "default")
_PAIRS: dict[type, type] = {ast.Eq: ast.NotEq, ast.Lt: ast.LtE, ast.Gt: ast.GtE, ast.Is: ast.IsNot, ast.In: ast.NotIn}
_PAIRS[ast.And] = ast.Or
OPPOSITES = {**_PAIRS, **{second: first for first, second in _PAIRS.items()}}


class Mutant(t.NamedTuple):
    """A change: the node of that number in ``ast.walk`` of the file is replaced as ``kind`` says."""

    path: Path
    line: int
    number: int
    kind: str


def places(path: Path) -> t.Iterator[Mutant]:
    """Yield all changes of a file: comparisons, and/or, not, constants that are no prose, and returned values."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(part) for node in ast.walk(tree) for part in _texts(node)}
    for number, node in enumerate(ast.walk(tree)):
        kind = "" if id(node) in skipped else _kind(node)
        if kind:
            yield Mutant(path, node.lineno, number, kind)  # type: ignore[attr-defined]


def _texts(node: ast.AST) -> t.Iterator[ast.AST]:
    """What is never changed: annotations and docstrings."""
    for name in ("annotation", "returns"):
        if isinstance(getattr(node, name, None), ast.AST):
            yield from ast.walk(getattr(node, name))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value


def _kind(node: ast.AST) -> str:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OPPOSITES:
        return "%s becomes %s" % (type(node.ops[0]).__name__, OPPOSITES[type(node.ops[0])].__name__)
    if isinstance(node, ast.BoolOp):
        return "%s becomes %s" % (type(node.op).__name__, OPPOSITES[type(node.op)].__name__)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return "not is dropped"
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        return "None is returned"
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float, str, bytes)):
        is_prose = isinstance(node.value, str) and " " in node.value
        return "" if is_prose else "%r becomes %r" % (node.value, _other(node.value))
    return ""


def _other(value: t.Any) -> t.Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return value + (b"X" if isinstance(value, bytes) else "X")


def changed(mutant: Mutant) -> types.CodeType:
    """Compile the file of a mutant with its change."""
    tree = ast.parse(mutant.path.read_text(encoding="utf-8"))
    for number, node in enumerate(ast.walk(tree)):
        if number == mutant.number:
            _change(tree, node)
    return compile(ast.fix_missing_locations(tree), str(mutant.path), "exec")


def _change(tree: ast.AST, node: ast.AST) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = OPPOSITES[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = OPPOSITES[type(node.op)]()
    elif isinstance(node, ast.Return):
        node.value = ast.Constant(None)
    elif isinstance(node, ast.Constant):
        node.value = _other(node.value)
    elif isinstance(node, ast.UnaryOp):
        node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)


class _Observer:
    """Tells coverage which test is running."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        self._measured.switch_context(item.nodeid)


def observe(package: Path, result: Path) -> int:
    """Run all tests of a package, and write to ``result`` which of them run which lines of which file."""
    measured = coverage.Coverage(data_file=None, config_file=False, include=[str(SOURCES / package / "*")])
    measured.start()
    status = pytest.main([*OPTIONS, str(TESTS / package)], plugins=[_Observer(measured)])
    measured.stop()
    data = measured.get_data()
    lines = {os.path.realpath(file): data.contexts_by_lineno(file) for file in data.measured_files()}
    result.write_bytes(pickle.dumps(lines))
    return int(status)


def attempt(mutant: Mutant, tests: t.Sequence[str]) -> int:
    """Run tests with the change of a mutant, and return the status of pytest."""
    code, original = changed(mutant), importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> types.CodeType | None:
        is_changed = os.path.realpath(loader.path) == str(mutant.path)
        return code if is_changed else original(loader, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]
    return int(pytest.main([*OPTIONS, "-x", *tests]))


def in_fork(function: t.Callable[[], int], timeout: float = 600.0) -> int:
    """Run a function in a fork without output; return its result, or -1 where it does not end in time or breaks down."""
    process = os.fork()
    if not process:
        os.setpgid(0, 0)
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        status = 99
        try:
            status = function()
        finally:
            os._exit(status)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return -1


def main() -> None:
    """Try the changes one after the other."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("package", help="below plugins/module_utils, as _image or _operations/sync; or one file of it")
    parser.add_argument("--count", type=int, default=100, help="how many changes to try, of all that there are")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    options = parser.parse_args()
    os.chdir(ROOT)
    package, files = Path(options.package), "*.py"
    if package.suffix:
        package, files = package.parent, package.name
    found = [mutant for path in sorted((SOURCES / package).glob(files)) for mutant in places(path)]
    chosen = sorted(random.Random(options.seed).sample(found, min(options.count, len(found))))
    with tempfile.NamedTemporaryFile() as result:
        if in_fork(lambda: observe(package, Path(result.name))):
            raise SystemExit("the unit tests of %s fail without any change" % package)
        lines = pickle.loads(Path(result.name).read_bytes())
    values = TESTS / package / "test_values.py"
    constants = [str(values)] if values.exists() else []
    survivors = 0
    for mutant in chosen:
        of_file = lines.get(str(mutant.path), {})
        tests = sorted({test for test in of_file.get(mutant.line, ()) if test})
        # Lines that run at the import belong to all tests of the file, and to the tests of the constants of a package.
        tests = tests or [*sorted({test for some in of_file.values() for test in some if test}), *constants]
        status = in_fork(lambda mutant=mutant, tests=tests: attempt(mutant, tests), TIMEOUT) if tests else 0  # type: ignore[misc]
        if status in NO_RESULT:
            raise SystemExit("the unit tests of %s did not run with a change (status %d)" % (mutant.path.name, status))
        if status == 0:
            survivors += 1
            print("%s:%d: %s" % (mutant.path.relative_to(ROOT), mutant.line, mutant.kind), flush=True)
    noticed = len(chosen) - survivors
    print("%d of %d changes were noticed: %.1f %%" % (noticed, len(chosen), 100.0 * noticed / max(len(chosen), 1)))


if __name__ == "__main__":
    main()
