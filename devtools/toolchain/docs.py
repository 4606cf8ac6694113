# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase "docs": the documentation as HTML, by antsibull-docs and sphinx, in which every warning is an error."""

from __future__ import annotations

import re
import shutil
import zlib
from pathlib import Path

from devtools.provision import BUILD, REPOSITORY, locked
from devtools.toolchain.stacks import linters
from devtools.toolchain.steps import Outcome, home, step

PLACE = BUILD / "docs"

# What our pages need on a phone in addition to the style sheet of the theme.
STYLE = REPOSITORY / "devtools" / "toolchain" / "docs.css"

# The link of the title bar. The theme links to the root of the web server, which a local build does not have.
HOME_PAGE = "https://github.com/drayage/registry"

# Where the images are published.
IMAGES = "https://raw.githubusercontent.com/drayage/registry/main/docs/images/"

# Where the documentation of Ansible itself is, and the pages of it that ours name; the plugins come on top.
ANSIBLE_DOCS = "https://docs.ansible.com/projects/ansible/devel/"
ANSIBLE_PAGES = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
_BUILTIN = re.compile(
    r"ansible_collections\.ansible\.builtin\.(\w+_(?:become|cache|callback|connection|filter|inventory|lookup|module|role|shell|strategy|test|vars))\b"
)


def docs(arguments: list[str]) -> Outcome:
    """Build the pages below PLACE. That they name what there is in ansible-core has been seen to by lint."""
    stack = linters()
    with locked("docs"):
        shutil.rmtree(PLACE, ignore_errors=True)
        # antsibull-docs writes only to directories in which nobody else can.
        (PLACE / "rst").mkdir(parents=True, mode=0o755)
        shared = ["--use-current", "--squash-hierarchy", "--fail-on-error"]
        title = [
            "--project",
            "drayage.registry",
            "--title",
            "drayage.registry",
            "--copyright",
            "the drayage.registry contributors",
        ]
        # The first makes the settings and the second the pages, as the script does that the first leaves for users.
        passed = step(
            stack,
            [
                "antsibull-docs",
                "sphinx-init",
                *shared,
                "--lenient",
                *title,
                "--extra-html-theme-options",
                f"documentation_home_url={HOME_PAGE}",
                "--dest-dir",
                str(PLACE),
                "drayage.registry",
            ],
            quiet=True,
            HOME=home(),
        ) and step(
            stack,
            [
                "antsibull-docs",
                "--config-file",
                str(PLACE / "antsibull-docs.cfg"),
                "collection",
                "--cleanup",
                "everything",
                *shared,
            ]
            + ["--dest-dir", str(PLACE / "rst"), "drayage.registry"],
            quiet=True,
            HOME=home(),
        )
        if passed:
            _know_ansible(PLACE)
            _take_images(PLACE / "rst")
            _add_style(PLACE)
            passed = step(
                stack,
                [
                    "sphinx-build",
                    "-M",
                    "html",
                    str(PLACE / "rst"),
                    str(PLACE),
                    "-c",
                    str(PLACE),
                    "-q",
                    "-W",
                    "--keep-going",
                ],
                HOME=home(),
            )
    pages = list((PLACE / "html").rglob("*.html"))
    return Outcome(passed and bool(pages), f"{len(pages)} pages in {(PLACE / 'html').relative_to(REPOSITORY)}")


def _take_images(place: Path) -> None:
    """Show the images of this tree: antsibull-docs copies none, so pages link to the published ones."""
    shutil.copytree(REPOSITORY / "docs" / "images", place / "images")
    for path in place.rglob("*.rst"):
        text = path.read_text(encoding="utf-8")
        if IMAGES in text:
            path.write_text(text.replace(IMAGES, "/images/"), encoding="utf-8")


def _add_style(place: Path) -> None:
    """Add our style sheet to every page."""
    (place / "static").mkdir()
    shutil.copy(STYLE, place / "static" / STYLE.name)
    with (place / "conf.py").open("a", encoding="utf-8") as settings:
        settings.write(f"\nhtml_static_path = ['static']\nhtml_css_files = [{STYLE.name!r}]\n")


def _know_ansible(place: Path) -> None:
    """Give sphinx a list of the pages of Ansible that ours name, so that links to them need no network to be made."""
    texts = (path.read_text(encoding="utf-8") for path in (place / "rst").rglob("*.rst"))
    plugins = sorted({name for text in texts for name in _BUILTIN.findall(text)})
    pages = {
        **ANSIBLE_PAGES,
        **{
            f"ansible_collections.ansible.builtin.{name}": f"collections/ansible/builtin/{name}.html"
            for name in plugins
        },
    }
    # The format of sphinx: a header of four lines, and then a line for each label, compressed.
    header = "# Sphinx inventory version 2\n# Project: Ansible\n# Version: devel\n# The remainder is compressed using zlib.\n"
    labels = "".join(f"{label} std:label -1 {page} {label}\n" for label, page in pages.items())
    (place / "ansible.inv").write_bytes(header.encode() + zlib.compress(labels.encode()))
    with (place / "conf.py").open("a", encoding="utf-8") as settings:
        settings.write(f"\nintersphinx_mapping = {{'ansible': ({ANSIBLE_DOCS!r}, {str(place / 'ansible.inv')!r})}}\n")
