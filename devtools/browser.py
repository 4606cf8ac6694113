# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a page in headless Chromium: run a script in it and return what the script returns, or take a screenshot."""

from __future__ import annotations

import html
import json
import re
import subprocess
import tempfile
from pathlib import Path

from devtools.provision import npm_package, program

AXE_VERSION = "4.14.1"

# The page is in a frame, because a window of Chromium is at least 500 pixels wide.
_FRAME = """<!DOCTYPE html><meta charset="utf-8">
<iframe id="frame" title="page" style="width: %(width)dpx; height: 2000px; border: 0"></iframe><pre id="outcome"></pre>
<script>
const frame = document.getElementById("frame");
frame.onload = async () => {
  const page = frame.contentWindow;
  const outcome = page.outcome ? await page.outcome.then(value => ({value}), error => ({error: String(error)})) : {error: "not run"};
  document.getElementById("outcome").textContent = JSON.stringify(outcome);
};
frame.srcdoc = %(page)s;
</script>"""


class PageError(Exception):
    """The script failed in the page; the message says how."""


def run_in_page(page: str, script: str, *, width: int = 1280, dark: bool = False) -> object:
    """Return what the body of an asynchronous function returns in a page, which is given as HTML."""
    # A script of the page would be looked for in the text of its element, and end at the first end tag.
    call = "<script>window.outcome = (async () => {%s})();</script></body>" % script.replace("</script", "<\\/script")
    text = _FRAME % {"width": width, "page": json.dumps(page.replace("</body>", call, 1)).replace("</", "<\\/")}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "frame.html"
        file.write_text(text, encoding="utf-8")
        output = _chromium(file, "--virtual-time-budget=20000", "--dump-dom", size=(width, 2000), dark=dark)
    found = re.search(r'<pre id="outcome">(.*?)</pre>', output, re.DOTALL)
    outcome = json.loads(html.unescape(found[1]) or '{"error": "it did not end"}') if found else {"error": output[:500]}
    if "error" in outcome:
        raise PageError(outcome["error"])
    return outcome.get("value")


def screenshot(page: str, image: Path, *, size: tuple[int, int], dark: bool = False) -> None:
    """Save what a window of this width and height shows of a page, which is given as HTML, as a PNG file."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "page.html"
        file.write_text(page, encoding="utf-8")
        _chromium(file, "--hide-scrollbars", f"--screenshot={image.resolve()}", size=size, dark=dark)


def _chromium(file: Path, *options: str, size: tuple[int, int], dark: bool) -> str:
    """Open a file, and return what is printed."""
    command = [
        program("chromium"),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={file.parent}/profile",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        f"--window-size={size[0]},{size[1]}",
        *options,
        file.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def axe_script() -> str | None:
    """Return a script that returns the serious violations that axe-core finds in the page; None without npm."""
    package = npm_package("axe-core", AXE_VERSION)
    if not package:
        return None
    axe = (package / "axe.min.js").read_text(encoding="utf-8")
    return (
        axe
        + """
    const {violations} = await axe.run(document);
    return violations.filter(each => ["serious", "critical"].includes(each.impact)).map(each =>
      `${each.id}: ${each.nodes.slice(0, 3).map(node => node.html).join(" ")}`);"""
    )
