# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the checkout, for tools that would be misled by what else lies in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from devtools.provision import REPOSITORY
from devtools.toolchain.stacks import clean_environment


def copy_tree(target: Path, without: tuple[str, ...] = ()) -> None:
    """Copy what git knows or would know, as it stands: tools want the tree below its full name.

    Paths that begin as one of ``without`` stay behind.
    """
    shutil.rmtree(target, ignore_errors=True)
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, env=clean_environment(), stdout=subprocess.PIPE, check=True).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        source = REPOSITORY / name
        if not name.startswith(without) and (source.is_symlink() or source.is_file()):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    # Without a repository of its own the copy would belong to that of the checkout, which ignores it.
    subprocess.run(["git", "init", "--quiet", str(target)], env=clean_environment(), check=True)
