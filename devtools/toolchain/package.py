# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase "package": build the archive for Galaxy, let Galaxy's importer judge it, install it elsewhere and use it."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

from devtools import images
from devtools.provision import BUILD, REPOSITORY, locked
from devtools.servers import DockerRegistry
from devtools.toolchain.stacks import bare, linters
from devtools.toolchain.steps import Outcome, home, step
from devtools.toolchain.tree import copy_tree

PLACE = BUILD / "package"

# What the importer says once it has seen everything.
IMPORTED = "Importer processing completed successfully"

# The session build-import-check of nox uses the same settings.
CONFIG = REPOSITORY / "devtools" / "toolchain" / "galaxy-importer.cfg"

# All that may be at the top of the archive, and what must be in it.
ALLOWED = {"changelogs", "docs", "LICENSES", "meta", "playbooks", "plugins", "roles", "tests"}
ALLOWED |= {"CHANGELOG.md", "CONTRIBUTING.md", "FILES.json", "MANIFEST.json", "README.md", "REUSE.toml"}
REQUIRED = {"README.md", "LICENSES/GPL-3.0-or-later.txt", "meta/runtime.yml", "meta/execution-environment.yml"}

PLAYBOOK = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Copy into the registry",
                "drayage.registry.image_copy": {"src": "{{ src }}", "dest": "{{ dest }}"},
                "register": "copied",
            },
            {
                "name": "Look at what is there",
                "drayage.registry.image_inspect": {"image": "{{ dest }}"},
                "register": "seen",
            },
            {
                "name": "Compare",
                "ansible.builtin.assert": {
                    "that": ["seen.digest == digest", "copied.digest == digest", "copied.changed == changes | bool"]
                },
            },
        ],
    }
]


def package(arguments: list[str]) -> Outcome:
    """Leave the archive in PLACE."""
    with locked("package"):
        shutil.rmtree(PLACE, ignore_errors=True)
        tree = PLACE / "ansible_collections" / "drayage" / "registry"
        copy_tree(tree)
        build = ["ansible-galaxy", "collection", "build", "--output-path", str(PLACE)]
        if not step(linters(), build, cwd=tree, quiet=True):
            return Outcome(False, "the archive cannot be built")
        archive = next(PLACE.glob("drayage-registry-*.tar.gz"))
        faults = _faults(archive)
        if not _import(archive):
            faults.append("Galaxy would not take it as it is")
        if not _use(archive):
            faults.append("it does not work where it is installed")
    return Outcome(
        not faults, "; ".join(faults) or f"{archive.relative_to(REPOSITORY)}, {archive.stat().st_size} bytes"
    )


def _faults(archive: Path) -> list[str]:
    """Return what is wrong with the contents of the archive."""
    with tarfile.open(archive) as opened:
        names = {name for name in opened.getnames() if name != "."}
    extra = sorted(name for name in names if name.split("/")[0] not in ALLOWED or "/." in name)
    plugins = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "plugins").rglob("*.py")}
    missing = sorted((REQUIRED | plugins) - names)
    faults = [f"it holds {', '.join(extra[:5])}"] if extra else []
    return faults + ([f"it lacks {', '.join(missing[:5])}"] if missing else [])


def _import(archive: Path) -> bool:
    said: list[str] = []
    command = ["python", "-m", "galaxy_importer.main", str(archive)]
    passed = step(linters(), command, cwd=PLACE, quiet=True, said=said, HOME=home(), GALAXY_IMPORTER_CONFIG=str(CONFIG))
    # It passes what it only warns of, and what its linters say comes as a warning.
    warnings = [line for line in said if line.startswith(("WARNING", "ERROR"))]
    print("".join(warnings), end="")
    return passed and not warnings and f"{IMPORTED}\n" in said


def _use(archive: Path) -> bool:
    """Install the archive beside nothing but ansible-core and requests; copy an image into a registry, twice."""
    stack = bare()
    collections = str(PLACE / "installed")
    install = ["ansible-galaxy", "collection", "install", "--offline", "-p", collections, str(archive)]
    if not step(stack, install, cwd=PLACE, quiet=True, HOME=home(), ANSIBLE_COLLECTIONS_PATH=collections):
        return False
    image = images.index()
    images.write_layout(image, PLACE / "layout", "1")
    playbook = PLACE / "playbook.yml"
    playbook.write_text(json.dumps(PLAYBOOK), encoding="utf-8")
    with DockerRegistry() as registry:
        given = {"src": f"oci:{PLACE / 'layout'}:1", "dest": f"{registry.host}/app:1", "digest": image.digest}
        given["ansible_python_interpreter"] = stack.python
        return all(
            step(
                stack,
                ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", json.dumps({**given, "changes": changes})]
                + [str(playbook)],
                cwd=PLACE,
                quiet=True,
                HOME=home(),
                ANSIBLE_COLLECTIONS_PATH=collections,
            )
            for changes in (True, False)
        )
