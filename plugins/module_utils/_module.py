# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The interface to AnsibleModule: options, results and messages.

Nothing below this file depends on Ansible, and nothing else ends the module.
"""

from __future__ import annotations

import contextlib
import gc
import typing as t

# Nothing that is imported goes away. Looking for garbage all the same takes a tenth of the time of these imports.
gc.disable()

from ansible.module_utils.basic import AnsibleModule, _load_params, missing_required_lib
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ._argspec import check_filled, check_text, registry_options, text_of_secret
from ._errors import ImageError, MissingLibrary
from ._imports import importing
from ._interrupt import limited_cleanup
from ._operations.stores import NoLocalStores, OpenLocal, Stores, open_stores
from ._process import run_command
from ._run import Run
from ._text import clean_values

gc.freeze()
gc.enable()


class RegistryModule:
    """An AnsibleModule with the shared options, and the stores for them.

    ``texts`` are options whose values must already be text in YAML, such as tags. ``filled`` are options that must not
    be empty text. ``local`` opens images that are not in registries, see :class:`Stores`.
    """

    def __init__(
        self,
        argument_spec: dict[str, dict[str, t.Any]],
        texts: t.Sequence[str] = (),
        filled: t.Sequence[str] = (),
        local: OpenLocal = NoLocalStores,
        **kwargs: t.Any,
    ) -> None:
        spec = {**argument_spec, **registry_options()}
        self.ansible = AnsibleModule(argument_spec=spec, supports_check_mode=True, **kwargs)
        self.params: dict[str, t.Any] = self.ansible.params
        self.check_mode: bool = self.ansible.check_mode
        self._local = local
        self._check_values(texts, filled)
        self._conceal_private_keys()

    def run(self, operation: t.Callable[[Stores], dict[str, t.Any]]) -> t.NoReturn:
        """Call ``operation``, and end the module with its result or with the message of its error.

        The key ``diff`` of the result is shown only if the user requested diffs. If the result has the key
        ``failure``, the module fails with this message and includes the other results.
        """
        run = Run(run_command, self.params["jobs"], self.check_mode)
        try:
            opened = open_stores(self.params, run, self.ansible.no_log_values.add, self._local)
            with limited_cleanup(), self._progress(run), opened as stores:
                result = operation(stores)
        except MissingLibrary as error:
            message = missing_required_lib(error.library) if error.is_absent else str(error)
            self.ansible.fail_json(msg=message, **({"exception": error.details} if error.details else {}))
        except ImageError as error:
            self._warn(run)
            self.ansible.fail_json(msg=run.statistics.hide(str(error)))
        self._warn(run)
        if not self.ansible._diff:
            result.pop("diff", None)
        result["requests"] = run.statistics.requests
        if "failure" in result:
            _hide_secrets(result, run.statistics.hider())
        clean_values(result, exempt=("raw",))
        if "failure" in result:
            result["msg"] = result.pop("failure")
            self.ansible.fail_json(**result)
        self.ansible.exit_json(**result)

    def secret(self, value: object, option: str) -> str | None:
        """Return the text of an option with a secret, see :func:`text_of_secret`, and keep it out of results and logs."""
        text = text_of_secret(value, option)
        if text:
            self.ansible.no_log_values.add(text)
        return text

    def _conceal_private_keys(self) -> None:
        """Keep private keys out of results if they are passed instead of public keys by mistake."""
        for options in (self.params, self.params.get("signed_by") or {}):
            for given in options.get("public_keys") or ():
                if "PRIVATE" in given:
                    self.ansible.no_log_values.add(given)

    def _progress(self, run: Run) -> t.ContextManager[object]:
        path = self.params.get("progress_file")
        if not path:
            return contextlib.nullcontext()
        with importing:
            # Most tasks have no such file, and each task pays for its imports.
            from ._progress_file import Progress, written

        run.progress = Progress()
        return written(path, run.progress)

    def _warn(self, run: Run) -> None:
        for warning in run.statistics.warnings:
            self.ansible.warn(warning)

    def _check_values(self, texts: t.Sequence[str], filled: t.Sequence[str]) -> None:
        given = _load_params() if texts else {}  # AnsibleModule has made text of everything
        try:
            for option in texts:
                check_text(option, given.get(option))
            for option in filled:
                check_filled(option, self.params[option])
        except ImageError as error:
            self.ansible.fail_json(msg=str(error))


def _hide_secrets(result: dict[str, t.Any], hide: t.Callable[[str], str]) -> None:
    """Remove secrets from the error messages in a result and of its images, in place. They may quote a server."""
    for row in (result, *(result.get("images") or ())):
        for key in ("failure", "error"):
            if row.get(key):
                row[key] = hide(row[key])


def validated(name: str, value: object, spec: dict[str, dict[str, t.Any]], texts: t.Sequence[str]) -> dict[str, t.Any]:
    """Check and complete an element of a list of mappings, as AnsibleModule does for elements of type dict.

    ``name`` identifies the element in messages. ``texts`` are keys whose values must already be text in YAML. Raises
    ImageError.
    """
    if not isinstance(value, dict):
        cause = "%s is neither a mapping nor an image reference" % name
        raise ImageError(cause, hint="Write an image reference, or a mapping with the key 'name'")
    for key in texts:
        check_text("%s.%s" % (name, key), value.get(key))
    result = ArgumentSpecValidator(spec).validate(value)
    if result.error_messages:
        raise ImageError("%s: %s" % (name, "; ".join(result.error_messages)))
    validated_parameters: dict[str, t.Any] = result.validated_parameters
    return validated_parameters
