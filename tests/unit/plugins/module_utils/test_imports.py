# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The architecture as a test: imports run downwards only and without a circle, and files stay small."""

from __future__ import annotations

import ast
import pathlib
import statistics

import pytest

from ansible_collections.drayage.registry.plugins import module_utils

ROOT = pathlib.Path(next(iter(module_utils.__path__)))
# From the bottom. What stands in one line may import from another package of the same line.
FLOORS = (
    ("_text", "_messages", "_settling", "_imports", "_interrupt"),
    ("_errors",),
    ("_files", "_process", "_argspec"),
    ("_run",),
    ("_image",),
    ("_registry",),
    ("_engine",),
    ("_stores",),
    ("_transfer",),
    ("_operations", "_progress_file"),
    ("_module",),
    ("_images_option",),
)
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "__init__.py"
}


def floor_of(module):
    (number,) = (number for number, names in enumerate(FLOORS) if module.partition(".")[0] in names)
    return number


def imports_of(module):
    """The modules that a module imports, wherever the import stands: in a function or for types only as well."""
    package = module.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package[: len(package) + 1 - node.level] + (node.module.split(".") if node.module else [])
        names = {".".join([*base, alias.name]) for alias in node.names}
        found.update(names.intersection(MODULES) or {".".join(base)})
    return found.intersection(MODULES) - {module}


IMPORTS = {module: imports_of(module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_no_import_upwards(module):
    assert {other for other in IMPORTS[module] if floor_of(other) > floor_of(module)} == set()


def test_no_circle():
    """What remains after leaving out again and again what imports nothing that remains is in a circle, or imports one."""
    remaining = dict(IMPORTS)
    while True:
        done = {module for module, imported in remaining.items() if not imported.intersection(remaining)}
        if not done:
            break
        remaining = {module: imported for module, imported in remaining.items() if module not in done}
    assert sorted(remaining) == []


def test_files_are_small():
    sizes = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in MODULES.items()}
    assert {module: size for module, size in sizes.items() if size > 400} == {}
    assert statistics.median(sizes.values()) < 140


@pytest.mark.parametrize("module", MODULES)
def test_one_file_knows_ansible(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    assert [name for name in names if name.partition(".")[0].startswith("ansible")] == [] or module == "_module"


@pytest.mark.parametrize("module", MODULES)
def test_imports_within_functions_hold_the_lock(module):
    """Threads that import from a zip file on Python 3.9 would find a module without its names."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    within = {node for function in functions for node in ast.walk(function)}
    locked = {
        inner
        for node in within
        if isinstance(node, ast.With) and [ast.unparse(item.context_expr) for item in node.items] == ["importing"]
        for inner in node.body
    }
    imports = {node for node in within if isinstance(node, ast.ImportFrom) and node.level}
    assert [ast.unparse(node) for node in imports - locked] == []
