# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase that runs the roles, by their molecule scenarios."""

from __future__ import annotations

import os
import re
import shutil

from devtools import molecule_site, provision
from devtools.toolchain.stacks import locked, molecules
from devtools.toolchain.steps import Outcome, step
from devtools.toolchain.testing import versions


def molecule(arguments: list[str]) -> Outcome:
    """Run the scenarios of the roles, all of them or those that the arguments name."""
    stack = molecules()
    home = molecule_site.SITE.parent
    if not arguments:
        provision.install_missing_packages()
    # The role registry looks for it on the PATH.
    htpasswd = os.path.dirname(provision.program("htpasswd", "apache2-utils"))
    # Obtained here, as what waits for the site gives it no time for that.
    molecule_site.programs()
    said: list[str] = []
    with locked("molecule"):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        command = ["molecule", "test", *(arguments or ["--all"])]
        settings = {
            "ANSIBLE_CONFIG": str(provision.REPOSITORY / "devtools" / "ansible.cfg"),
            "ANSIBLE_HOME": str(home / "ansible"),
            "ANSIBLE_PIPELINING": "1",
            "DRAYAGE_MOLECULE_SITE": str(molecule_site.SITE),
            "PATH": os.pathsep.join([str(stack.home / "bin"), os.environ.get("PATH", os.defpath), htpasswd]),
        }
        try:
            passed = step(stack, command, quiet=True, said=said, NO_COLOR="1", **settings)
        finally:
            molecule_site.end()
    results = re.findall(r"^(\S+) > verify: Executed: (.*)", "".join(said), re.MULTILINE)
    verified = [name for name, result in results if result.startswith("Successful")]
    # A scenario without its playbook is none, and molecule only warns.
    missing = [name for name, result in results if result.startswith("Missing")]
    if missing:
        return Outcome(False, f"no verify.yml: {', '.join(missing)}")
    return Outcome(passed and bool(verified), f"verified: {', '.join(verified) or 'nothing'}; {versions(stack)}")
