# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove that what is promised holds when things fail: ``python -m devtools.prove [--quick] [--seed N] [SECTION ...]``."""

from __future__ import annotations

import argparse
import sys
import time

from devtools.prove import fuzz, hostile, hostile_files, kills, planted, planted_keys, report, sweep, tokens, writers

# By name: what it does with a seed and whether it is to be quick. The first line of each module says what it is.
SECTIONS = {
    "kills": lambda seed, quick: kills.run(seed, 1, 2) if quick else kills.run(seed, 150, None),
    "writers": lambda seed, quick: writers.run(1 if quick else 20),
    "hostile": lambda seed, quick: hostile.run(seed, 40 if quick else None),
    "tokens": lambda seed, quick: tokens.run(seed, 6 if quick else None),
    "secrets": lambda seed, quick: (
        planted.run(seed, 40 if quick else None) + planted_keys.run(seed, 20 if quick else None)
    ),
    "files": lambda seed, quick: hostile_files.run(seed, 10, 30) if quick else hostile_files.run(seed, 500, None),
    "fuzz": lambda seed, quick: fuzz.run(seed, 1_000 if quick else 1_000_000),
    "faults": lambda seed, quick: sweep.run(seed, 40 if quick else None),
}


def main() -> int:
    """Run the sections, print a table for each, and return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"one of: {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a sample of each section, in a minute")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeat what this seed has chosen")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.sections) - set(SECTIONS))
    if unknown:
        parser.error(f"there is no section {', '.join(unknown)}")
    print(f"-- seed {arguments.seed}", flush=True)
    kept = True
    for name in arguments.sections or SECTIONS:
        start = time.monotonic()
        rows = SECTIONS[name](arguments.seed, arguments.quick)
        kept = report.show(name, rows, time.monotonic() - start) and kept
    print(f"\n== {'every promise was kept' if kept else 'SOME PROMISES WERE BROKEN'} (seed {arguments.seed})")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
