# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The option of modules that show their progress. The argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - A file on the managed node. If the module runs for more than four seconds, it writes its progress to this file as JSON, once per second.
        The module removes the file when it exits.
      - You do not need to set this option. For local and SSH connections, the module's action plugin sets it and reads the file. After five
        seconds, the plugin prints a line such as C([web1] 12/40 images · 3.1/8.4 GB · 92 MB/s · ETA 57 s) to standard error. It prints
        another line every ten seconds if anything has changed.
      - To change the output, set the Ansible variable C(drayage_progress) or, on the controller, the environment variable E(DRAYAGE_PROGRESS).
        V(lines) is the default, V(json) prints each line as JSON, and V(off) prints nothing. The Ansible variable takes precedence.
      - For tasks with C(async), the plugin does not print the last line, which is the summary. For tasks with C(poll=0) or C(no_log), it prints
        nothing.
      - While the module writes this file, it stops if Ansible exits on the controller or if the connection to the controller is lost. Tasks with
        C(async) continue.
    type: path
"""
