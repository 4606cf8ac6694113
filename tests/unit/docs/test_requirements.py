# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of a module lists the libraries and programs that its options need."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

PLUGINS = "ansible_collections.drayage.registry.plugins"
MODULES = sorted(path.stem for path in (Path(__file__).parents[3] / "plugins" / "modules").glob("[a-z]*.py"))

# What an option needs. Not every value of the option needs it.
NEEDS = {
    "policy": {"cryptography", "C(gpg)", "PyYAML"},
    "registries_d": {"PyYAML"},
    "signed_by": {"cryptography"},
    "source_file": {"PyYAML"},
    "lock_file": {"PyYAML"},
    "gpg_key": {"C(gpg)"},
}


def parts(module: str) -> list[dict]:
    """Return the documentation of a module and its fragments."""
    own = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION)
    found = [own]
    for name in own["extends_documentation_fragment"]:
        file, _dot, attribute = name[len("drayage.registry.") :].partition(".")
        fragment = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
        found.append(yaml.safe_load(getattr(fragment, attribute.upper() or "DOCUMENTATION")))
    return found


def is_for(text: str, option: str, need: str) -> bool:
    """Return whether a requirement is the one of this option, or of the whole module."""
    return text.startswith(need) and (f"O({option}" in text or "O(" not in text)


@pytest.mark.parametrize("module", MODULES)
def test_the_needs_of_all_options_are_listed(module: str) -> None:
    documents = parts(module)
    options = {name for document in documents for name in document.get("options") or {}}
    listed = [text for document in documents for text in document.get("requirements") or []]
    needed = [(name, need) for name in options & set(NEEDS) for need in NEEDS[name]]
    assert [each for each in sorted(needed) if not any(is_for(text, *each) for text in listed)] == []


def test_options_with_needs_exist() -> None:
    options = {name for module in MODULES for document in parts(module) for name in document.get("options") or {}}
    assert set(NEEDS) <= options
