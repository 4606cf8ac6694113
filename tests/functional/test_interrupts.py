# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C while a server stalls."""

from __future__ import annotations

import signal

import pytest

from devtools import images, module_runner, scripted
from devtools.process import wait_until
from devtools.scripted import Scripted


@pytest.fixture(autouse=True)
def interruptible():
    """What is started in the background ignores SIGINT, and so would the modules."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_module_without_a_progress_file_ends(tmp_path):
    image = images.single(layers=[100_000])

    def script(request):
        if "/manifests/" in request.target:
            return scripted.answer(200, image.manifests[image.digest][1], Content_Type=image.media_type)
        server.stopping.wait()
        return []

    with Scripted(script) as server:
        options = {"src": f"{server.host}/app:1", "dest": f"oci:{tmp_path}/copy:1", "timeout": 600}
        process = module_runner.start("image_copy", options, home=tmp_path)
        try:
            wait_until(lambda: any("/blobs/" in request.target for request in server.requests))
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGINT
