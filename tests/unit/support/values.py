# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that threads share, and that nobody may change."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

_ROOT = "ansible_collections.drayage.registry.plugins.module_utils."


def changeable(package: str) -> set[str]:
    """Return the data classes of a package whose fields can be changed."""
    name = _ROOT + package
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(importlib.import_module(name).__path__, name + ".")
    ]
    found = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    own = {each for each in found if dataclasses.is_dataclass(each) and each.__module__.startswith(name + ".")}
    return {each.__name__ for each in own if not each.__dataclass_params__.frozen}  # type: ignore[attr-defined]
