# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The option of modules that show their progress; its argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - A file on the managed node to which the module writes its progress as JSON once a second, if it runs for more than
        four seconds. The file is removed at the end.
      - You do not need it. The action plugin of the same name sets it on local and SSH connections, reads it, and prints a
        line such as C([web1] 12/40 images · 3.1/8.4 GB · 92 MB/s · ETA 57 s) on standard error after five seconds, and every
        ten seconds after that if anything changed.
      - Set the variable C(drayage_progress) of the play, or the environment variable E(DRAYAGE_PROGRESS) of the controller, to
        V(off) for no lines, or to V(json) for lines of JSON. The variable takes precedence. The default is V(lines).
      - With C(async) and C(poll), Ansible ends the task, and the line with its summary is missing. Tasks with C(poll=0) or
        C(no_log) show no lines.
      - A module that writes its progress ends if the controller or the connection to it ends.
    type: path
"""
