# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the screenshot of the documentation: the report of the mirror that the demo made last."""

from __future__ import annotations

import re
import sys

from devtools import browser
from devtools.provision import BUILD, REPOSITORY

REPORT = BUILD / "demo" / "mirror" / "index.html"
IMAGE = REPOSITORY / "docs" / "images" / "mirror-report.png"
SIZE = (1100, 1060)


def main() -> None:
    """Write the image. The registry of the demo has a port of its own each time."""
    if not REPORT.exists():
        sys.exit(f"There is no {REPORT.relative_to(REPOSITORY)}: run make demo first.")
    page = re.sub(r"127\.0\.0\.1:\d+", "registry.example.com", REPORT.read_text(encoding="utf-8"))
    browser.screenshot(page, IMAGE, size=SIZE)
    print(f"{IMAGE.relative_to(REPOSITORY)}: {IMAGE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
