# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase "sanity": ansible-test on a copy of the tree, with the releases of ansible-core that can run here."""

from __future__ import annotations

import os
from pathlib import Path

from devtools.provision import BUILD, locked
from devtools.toolchain.stacks import OLDEST_CORE, controller, newest_release, pythons, uv
from devtools.toolchain.steps import Outcome, step
from devtools.toolchain.tree import copy_tree

# The releases of ansible-core whose ansible-test is run: the oldest supported and the newest.
SANITY_CORES = (OLDEST_CORE, newest_release())

# What depends on the code of ansible-core. The linters of the newest release find all that those of older ones do.
OF_ANSIBLE_CORE = ("ansible-doc", "compile", "import", "runtime-metadata", "validate-modules")

# ansible-test fetches this script from a server of its own, into a cache by this name (one for a range of releases).
GET_PIP_NAMES = ("get_pip_23_1_2.py", "get_pip_24_2.py", "get_pip_25_2.py")
GET_PIP = '''\
"""Stand-in for get-pip.py: installs a module pip that hands everything over to uv."""
import pathlib
import sysconfig

package = pathlib.Path(sysconfig.get_path("purelib"), "pip")
package.mkdir(exist_ok=True)
(package / "__main__.py").write_text({pip!r}, encoding="utf-8")
'''
PIP = """\
import os
import subprocess
import sys

action, *rest = sys.argv[1:]
rest = [word for word in rest if word != "-y"]  # uv does not ask
if action == "install":
    # The first import would compile, and a test fails for the warnings that this prints.
    rest.append("--compile-bytecode")
command = [{uv!r}, "pip", action, "--quiet", "--python", sys.executable, *rest]
sys.exit(subprocess.call(command, env={{**os.environ, **{environment!r}}}))
"""

# The variables that the stand-in passes to uv. None of them contains credentials, because it is written to a file.
FOR_UV = ("HOME", "SSL_CERT_DIR", "SSL_CERT_FILE", "UV_CACHE_DIR")

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
        # The home of ansible-test is a new one, and it drops most variables. uv keeps its cache and settings in HOME.
        known = {name: os.environ[name] for name in FOR_UV if name in os.environ}
        pip = PIP.format(uv=uv(), environment=known)
        for name in GET_PIP_NAMES:
            (cache / name).write_text(GET_PIP.format(pip=pip), encoding="utf-8")
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
