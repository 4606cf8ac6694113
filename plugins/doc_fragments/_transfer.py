# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that copy content. The argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  max_bytes:
    description:
      - The maximum number of bytes to copy. If the task would copy more, it fails before it writes anything. This also applies in check mode.
    type: int
"""
