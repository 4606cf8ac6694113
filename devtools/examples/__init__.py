# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation, found where they stand and made to run on this machine."""

from __future__ import annotations

from devtools.examples.extract import Block, Document, documents
from devtools.examples.site import IMAGE, Site

__all__ = ["IMAGE", "Block", "Document", "Site", "documents"]
