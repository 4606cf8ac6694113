# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The lock for imports within functions, which keep tasks from loading code that they do not use."""

from __future__ import annotations

import threading

# Hold this during each import within a function. Ansible packs a module as a zip file, and Python 3.9 imports from it
# without telling other threads that an import has not finished: they find a module without its names. (zipimport has
# exec_module, which does, since Python 3.10.)
importing = threading.RLock()
