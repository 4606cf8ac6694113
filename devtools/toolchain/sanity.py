# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase "sanity": ansible-test on a copy of the tree, with the releases of ansible-core that can run here."""

from __future__ import annotations

import os
from pathlib import Path

from devtools.provision import BUILD, locked
from devtools.toolchain.stacks import OLDEST_CORE, controller, newest_release, pythons
from devtools.toolchain.steps import Outcome, step
from devtools.toolchain.tree import copy_tree

# The releases of ansible-core whose ansible-test is run: the oldest supported and the newest.
SANITY_CORES = (OLDEST_CORE, newest_release())

# What depends on the code of ansible-core. The linters of the newest release find all that those of older ones do.
OF_ANSIBLE_CORE = ("ansible-doc", "compile", "import", "runtime-metadata", "validate-modules")

# ansible-test fetches this script from a server of its own, into a cache by this name (one for a range of releases).
GET_PIP_NAMES = ("get_pip_23_1_2.py", "get_pip_24_2.py", "get_pip_25_2.py")
GET_PIP = '''\
"""Stand-in for get-pip.py: Python carries a pip of its own."""
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *wanted]))
'''

# What is no part of the collection: the tools and servers of its tests. It runs on one Python, and ruff looks after it.
TOOLS = ("benchmarks/", "demo/", "devtools/", "tests/functional/")


def sanity(core: str, arguments: list[str]) -> Outcome:
    """Run the ansible-test of a release of ansible-core; where no Python can carry that release, the phase fails."""
    stack = controller(core)
    place = BUILD / "sanity" / core
    tree = place / "ansible_collections" / "drayage" / "registry"
    cache = place / "home" / ".ansible" / "test" / "cache"
    with locked(f"sanity-{core}"):
        copy_tree(tree, without=TOOLS)
        cache.mkdir(parents=True, exist_ok=True)
        for name in GET_PIP_NAMES:
            (cache / name).write_text(GET_PIP, encoding="utf-8")
        # It looks for Pythons by name on the PATH, and takes the shim of a version manager for one. For each one found
        # it makes an environment, to import every file: the oldest and that of the controller differ most.
        oldest = next(iter(pythons().values()))
        directories = [stack.home / "bin", Path(oldest).parent]
        path = os.pathsep.join([*map(str, directories), "/usr/local/bin", "/usr/bin", "/bin"])
        said: list[str] = []
        chosen = [] if arguments or core == newest_release() else [f"--test={test}" for test in OF_ANSIBLE_CORE]
        command = ["ansible-test", "sanity", *chosen, *arguments]
        passed = step(stack, command, cwd=tree, said=said, HOME=str(place / "home"), PATH=path)
    ran = sum(line.startswith("Running sanity test") for line in said)
    # ansible-test passes a tree in which it has found nothing to test.
    tried = f"Pythons {next(iter(pythons()))} and {stack.python_version}"
    return Outcome(passed and ran > 0, f"{ran} runs of tests; ansible-core {core}, {tried}")
