# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that templates left empty must not disable what the user requires."""

import pytest

from devtools.signing import Key

KEY = Key()
COPY = {"src": "oci:{path}:1", "dest": "oci:{path}/copy:1"}
SYNC = {"src": "registry.example.com", "dest": "mirror.example.com", "images": ["app"]}
VERIFY = {"public_keys": [KEY.public]}
SIGN = {"key_content": KEY.private}
IMAGE = {"image": "oci:{path}:1", "identity": "registry.example.com/app"}
NO_IDENTITY = "identity is empty. Set its type, or omit the option."


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("image_copy", {**COPY, "policy": ""}, "policy is empty. Set a value, or omit the option."),
        ("image_copy", {**COPY, "policy": "default", "registries_d": ""}, "registries_d is empty."),
        ("image_copy", {**COPY, "signed_by": {**VERIFY, "identity": {}}}, NO_IDENTITY),
        ("image_copy", {**COPY, "signed_by": {}}, "missing required arguments: public_keys found in signed_by"),
        ("image_copy", {**COPY, "signed_by": {"public_keys": []}}, "public_keys is empty"),
        ("image_sync", {**SYNC, "policy": ""}, "policy is empty."),
        ("image_verify", {"image": "oci:{path}:1", "policy": ""}, "policy is empty."),
        ("image_verify", {"image": "", **VERIFY}, "image is empty."),
        ("image_verify", {"bundle": "", **VERIFY}, "bundle is empty."),
        ("image_verify", {"bundle": "{path}", **VERIFY, "identity": {}}, NO_IDENTITY),
        ("image_verify", {"image": "oci:{path}:1", **VERIFY, "identity": {}}, NO_IDENTITY),
        ("image_verify", {"image": "oci:{path}:1", **VERIFY, "annotations": {"env": None}}, "but one is empty"),
        ("image_verify", {"image": "oci:{path}:1", "policy": "default", "identity": {}}, "required by 'identity'"),
        ("image_sign", {"bundle": "", **SIGN}, "bundle is empty."),
        ("image_sign", {**IMAGE, **SIGN, "predicate": {}, "predicate_type": ""}, "predicate_type is empty."),
        ("image_sign", {**IMAGE, **SIGN, "predicate_type": "", "state": "absent"}, "predicate_type is empty."),
        ("image_sign", {**IMAGE, **SIGN, "annotations": {"release": True}}, "annotations: true is a boolean"),
    ],
)
def test_an_empty_value_is_an_error(run_module, tmp_path, module, options, message):
    def filled(value):
        return value.replace("{path}", str(tmp_path / "images")) if isinstance(value, str) else value

    result = run_module(module, **{name: filled(value) for name, value in options.items()}).raw
    assert result["failed"]
    assert message in result["msg"]
    assert not (tmp_path / "images").exists()
