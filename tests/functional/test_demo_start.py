# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo starts with a Python that ansible-core supports, or says which version it requires."""

from __future__ import annotations

import os
import subprocess

from devtools.provision import REPOSITORY


def test_an_old_python_is_not_taken(tmp_path):
    names = ["python3", *(f"python3.{minor}" for minor in range(9, 15))]
    for name in names:
        # A Python 3.9, as far as the question is concerned.
        (tmp_path / name).write_text(
            '#!/bin/sh\ncase "$*" in *"(3, 9)"*) exit 0;; *demo*) echo started;; *) exit 1;; esac\n'
        )
        (tmp_path / name).chmod(0o755)
    given = {"PATH": os.pathsep.join([str(tmp_path), "/usr/bin", "/bin"])}
    ran = subprocess.run(
        ["/bin/sh", str(REPOSITORY / "demo" / "run")], env=given, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "Python 3.10 or newer was not found" in ran.stderr
