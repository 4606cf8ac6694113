# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Stores for plugins that run on the controller: the same options, credentials and client as in modules."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.drayage.registry.plugins.module_utils._argspec import registry_options
from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores, open_stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages
from ansible_collections.drayage.registry.plugins.module_utils._process import run_command
from ansible_collections.drayage.registry.plugins.module_utils._run import Run


def registry_params(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the shared options of a plugin, checked and completed as for a module, without other options.

    Options that are missing or None get their defaults. Raises :class:`ImageError`.
    """
    spec = registry_options()
    given = {name: value for name, value in options.items() if name in spec and value is not None}
    result = ArgumentSpecValidator(spec).validate(given)
    if result.error_messages:
        raise ImageError("; ".join(result.error_messages))
    return dict(result.validated_parameters)


def open_for_reading(params: dict[str, t.Any]) -> Stores:
    """Open the stores for options that :func:`registry_params` has checked. A context manager.

    Nothing is written to these stores. ``run.statistics`` has the warnings, and hides secrets in messages. Raises
    :class:`ImageError`.
    """
    return open_stores(params, Run(run_command, params["jobs"], dry_run=True), local=LocalImages)
