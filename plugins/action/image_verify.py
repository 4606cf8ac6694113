# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.drayage.registry.plugins.plugin_utils._progress_lines import RegistryAction


class ActionModule(RegistryAction):
    """Run the module image_verify, and show its progress."""
