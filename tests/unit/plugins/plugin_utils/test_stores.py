# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import stat

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import LocalReference
from ansible_collections.drayage.registry.plugins.plugin_utils._stores import open_for_reading, registry_params
from ansible_collections.drayage.registry.tests.unit.support import images, layouts


def test_a_plugin_reads_images_with_the_defaults_of_the_modules(tmp_path):
    image = images.image("linux/amd64", b"one")
    layouts.foreign_layout(tmp_path / "layout", ("1", image))
    with open_for_reading(registry_params({})) as stores:
        assert stores.open(LocalReference("oci", str(tmp_path / "layout"))).resolve("1").digest == image.digest
        assert (stores.run.jobs, stores.run.dry_run, stores.run.statistics.requests) == (32, True, 0)


def test_a_plugin_asks_the_credential_helpers_of_its_authfile(tmp_path, monkeypatch):
    helper = tmp_path / "docker-credential-test"
    helper.write_text('#!/bin/sh\nread server\necho "{\\"Username\\": \\"$server\\", \\"Secret\\": \\"s\\"}"\n')
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    authfile = tmp_path / "auth.json"
    authfile.write_text(json.dumps({"credHelpers": {"r.example": "test"}}))
    with open_for_reading(registry_params({"authfile": str(authfile)})) as stores:
        assert str(stores._authfiles.find("r.example", "app")) == "user r.example"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retries": -1}, "the retries option is -1, but must be 0 or more."),
        ({"jobs": 257}, "the jobs option is 257, but must be from 1 to 256."),
        ({"timeout": 0}, "the timeout option is 0.0, but must be more than 0 and at most 86400 seconds."),
        ({"registries": [{"plain_http": True}]}, "missing required arguments: host found in registries."),
        (
            {"registries": [{"host": "https://r.example"}]},
            "registries: 'https://r.example' is not a valid host. Write host[:port], or host[:port]/path, without https:// or "
            "credentials.",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ImageError) as raised:
        open_for_reading(registry_params(options))
    assert str(raised.value) == message
