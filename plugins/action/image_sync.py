# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._text import clean
from ansible_collections.drayage.registry.plugins.plugin_utils._progress_lines import RegistryAction, display


class ActionModule(RegistryAction):
    """Run the module image_sync, and show its progress. With -v, show its message instead of all images."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the result of the module. With -v, its images would fill the terminal."""
        result = super().run(tmp, task_vars)
        if not result.get("failed") and "images" in result and display.verbosity < 2:
            result["_ansible_verbose_override"] = True
            if display.verbosity == 1 and not self._task.no_log:
                host = (task_vars or {}).get("inventory_hostname", "")
                display.display("[%s] %s" % (host, clean(result["msg"])))
        return result
