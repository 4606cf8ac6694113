# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Options that modules share. plugins/doc_fragments/ has their documentation."""

from __future__ import annotations

import json
import typing as t

from ._errors import ImageError

# Not str: ansible-core before 2.19 makes a mapping of what lookup('file') returns for a JSON key, see text_of_secret().
PASSWORD: dict[str, t.Any] = {"type": "raw", "no_log": True}

_REGISTRY: dict[str, dict[str, t.Any]] = {
    "host": {"type": "str", "required": True},
    "username": {"type": "str"},
    "password": PASSWORD,
    "token": {"type": "str", "no_log": True},
    "ca_path": {"type": "path", "aliases": ["ca_cert"]},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "validate_certs": {"type": "bool", "default": True},
    "plain_http": {"type": "bool"},
    "max_connections": {"type": "int"},
    "requests_per_second": {"type": "float"},
}


def text_of_secret(value: object, option: str) -> str | None:
    """Return a secret as text: JSON for a mapping or list. Raises :class:`ImageError` for other values that are not text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ImageError("%s is not a string" % option, hint="Put the value in quotes")


def registry_options() -> dict[str, dict[str, t.Any]]:
    """Return the options for connections to registries."""
    return {
        "registries": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": _REGISTRY,
            "required_together": [("username", "password")],
            "mutually_exclusive": [("token", "password")],
            "required_by": {"client_key": "client_cert"},
        },
        "authfile": {"type": "path", "aliases": ["auth_file"]},
        "timeout": {"type": "float", "default": 60.0},
        "min_rate": {"type": "float", "default": 100.0},
        "retries": {"type": "int", "default": 3},
        "jobs": {"type": "int", "default": 32},
    }


def transfer_options() -> dict[str, dict[str, t.Any]]:
    """Return the options of the fragment _transfer."""
    return {"max_bytes": {"type": "int"}, **progress_options()}


def progress_options() -> dict[str, dict[str, t.Any]]:
    """Return the options of the fragment _progress."""
    return {"progress_file": {"type": "path"}}


def conversion_options() -> dict[str, dict[str, t.Any]]:
    """Return the options for conversions. plugins/doc_fragments/_conversion.py has their documentation."""
    return {
        "format": {"type": "str", "choices": ["preserve", "oci", "docker"], "default": "preserve"},
        "attestations": {"type": "str", "choices": ["keep", "drop"], "default": "keep"},
        "remove_signatures": {"type": "bool", "default": False},
    }


def verification_options() -> dict[str, dict[str, t.Any]]:
    """Return the options that require signatures. plugins/doc_fragments/_verification.py has their documentation."""
    return {
        "signed_by": {
            "type": "dict",
            "options": {
                "public_keys": {"type": "list", "elements": "str", "required": True, "no_log": False},
                "identity": {"type": "dict"},
                "attestations": {"type": "list", "elements": "str", "default": []},
            },
        },
        "policy": {"type": "path"},
        "registries_d": {"type": "path"},
    }


def referrers_options() -> dict[str, dict[str, t.Any]]:
    """Return the options for referrers. plugins/doc_fragments/_referrers.py has their documentation."""
    return {
        "referrers": {"type": "bool", "default": False},
        "artifact_types": {"type": "list", "elements": "str", "default": []},
    }


def check_text(option: str, value: object) -> None:
    """Reject a value, or an element of a list or mapping, that YAML has not read as text.

    AnsibleModule would silently convert it to text: 1.10, which YAML reads as a number, would become ``1.1``, and
    ``yes`` would become ``True``. Integers are accepted, because their text stays the same. Raises
    :class:`ImageError`.
    """
    for item in _items(value):
        if isinstance(item, bool):
            kind, reason = "boolean", "YAML reads an unquoted yes, no, on or off as a boolean"
        elif isinstance(item, float):
            kind, reason = "number", "YAML reads an unquoted 1.10 as the number 1.1"
        elif isinstance(item, (str, int)):
            continue
        else:
            cause = "%s: all elements must be strings, but one is %s" % (option, _kind(item))
            raise ImageError(cause, hint="Write each element as a string in quotes")
        cause = "%s: %s is a %s, not a string" % (option, str(item).lower(), kind)
        raise ImageError(cause, hint="Put the value in quotes, because %s" % reason)


def check_filled(option: str, value: object) -> None:
    """Reject empty text, which is often the result of a template. It must not disable what the option requires.

    Raises :class:`ImageError`.
    """
    if value == "":
        raise ImageError("%s is empty" % option, hint="Set a value, or omit the option")


def _items(value: object) -> t.Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else [] if value is None else [value]


def _kind(value: object) -> str:
    return {dict: "a mapping", list: "a list", type(None): "empty"}.get(type(value), "of another type")
