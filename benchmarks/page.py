# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the documentation with the figures: its tables are replaced by those that were measured."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.report import Section
from devtools.provision import REPOSITORY

PAGE = REPOSITORY / "docs/docsite/rst/benchmarks.rst"

# A comment with the name of a measurement, and the block of indented lines below it.
_BLOCK = re.compile(r"^\.\. measured: ([a-z-]+)\n\n\.\. [a-z-]+::.*\n(?:\n?   .*\n)*", re.MULTILINE)
_VERSIONS = "versions"
# Measurements without a place come before it.
_LAST = "How the numbers were measured\n"


def update(sections: Mapping[str, Section], heading: str, page: Path = PAGE) -> None:
    """Put the tables of these measurements in place of those on the page, or behind them where it has none yet."""
    places: set[str] = set()

    def replaced(match: re.Match[str]) -> str:
        name = match.group(1)
        places.add(name)
        if name == _VERSIONS:
            return f".. measured: {name}\n\n{_listing(heading)}"
        return f".. measured: {name}\n\n{_table(sections[name])}" if name in sections else match.group(0)

    before, last, after = _BLOCK.sub(replaced, page.read_text(encoding="utf-8")).partition(_LAST)
    for name, section in sections.items():
        if name not in places:
            title = section.title.partition(": ")[2].capitalize()
            before += f"{title}\n{'-' * len(title)}\n\n.. measured: {name}\n\n{_table(section)}\n"
    page.write_text(before + last + after, encoding="utf-8")


def _table(section: Section) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([section.header, *section.rows])
    header, *rows = (f"   {line}\n" for line in lines.getvalue().splitlines())
    return f".. csv-table::\n   :header: {header.strip()}\n\n{''.join(rows)}"


def _listing(heading: str) -> str:
    lines = [line[2:].replace("**", "") for line in heading.splitlines() if line.startswith("- ")]
    return ".. code-block:: text\n\n" + "".join(f"   {line}\n" for line in lines)
