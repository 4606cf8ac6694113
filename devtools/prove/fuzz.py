# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random documents: every parser of foreign content gets valid ones with a few things wrong, and damaged variants."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor

from devtools.prove.report import Row
from devtools.toolchain.stacks import COLLECTIONS, link_collection

_TARGETS = "ansible_collections.drayage.registry.tests.unit.support.fuzz_targets"
# Variants of each document that hypothesis makes: it takes longer to make one than to parse a hundred.
_MUTATIONS = 49
# hypothesis keeps what it tried in memory, and so begins anew after so many inputs.
_AT_ONCE = 2_000


def run(seed: int, inputs: int) -> list[Row]:
    """Try so many inputs, shared among the parsers; return a row for each parser."""
    link_collection()
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    names = list(importlib.import_module(_TARGETS).TARGETS)
    each = max(1, inputs // len(names))
    rows = {name: Row(name, "a result or an error of ours") for name in names}
    cases = [
        (name, seed + number, min(_AT_ONCE, each - number * _AT_ONCE))
        for name in names
        for number in range(-(-each // _AT_ONCE))
    ]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("fork")) as pool:
        for (name, _seed, _inputs), (tried, failure) in zip(cases, pool.map(_attack, *zip(*cases))):
            rows[name].tried += tried
            if failure:
                rows[name].add(failure)
    return list(rows.values())


def _attack(name: str, seed: int, inputs: int) -> tuple[int, str]:
    """How many inputs were tried, and what came out that was no error of ours; empty if nothing did."""
    warnings.simplefilter("ignore", FutureWarning)  # Python's re, of patterns that users may write
    target = importlib.import_module(_TARGETS).TARGETS[name]
    try:
        tried = target.attack(max(1, inputs // (_MUTATIONS + 1)), seed, _MUTATIONS)
        # What is neither text nor bytes has no variants.
        return tried if tried >= inputs else tried + target.attack(inputs - tried, seed), ""
    except BaseException as error:  # several faults come as a group, which is no Exception on every Python
        notes = " ".join(getattr(error, "__notes__", []))
        return 0, f"seed {seed}: {type(error).__name__}: {error} {notes}"[:1000]
