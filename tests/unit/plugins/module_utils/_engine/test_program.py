# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._engine.program import PodmanProgram
from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ConnectionFailed,
    ImageError,
    NotFound,
    Refused,
)

ID = "sha256:" + "a" * 64


class Program:
    """A podman that answers what it is told to: one in good order is in the functional tests."""

    def __init__(self, **answers):
        self.answers = answers
        self.calls = []

    def __call__(self, argv, stdin):
        self.calls.append(argv[1:])
        return self.answers.get(argv[1], (0, "", ""))


def test_what_podman_says_last_is_the_reason():
    program = PodmanProgram(Program(rmi=(2, "", "warning: x\nError: image is in use by a container\n")))
    with pytest.raises(Refused, match=r"^podman rmi failed \(image is in use by a container\)\."):
        program.remove("r.example/a:1")


def test_the_platform_has_the_machine():
    machine = os.uname().machine
    program = PodmanProgram(Program(info=(0, "linux/arm\n", "")))
    assert program.version() == {"Os": "linux", "Arch": "arm", "Machine": machine}


def test_silent_failure():
    with pytest.raises(Refused, match=r"podman tag failed \(exit status 125\)"):
        PodmanProgram(Program(tag=(125, "", ""))).tag(ID, "r.example/a:1")


def test_image_that_is_not_there():
    program = PodmanProgram(Program(image=(1, "", "")))
    assert program.inspect("r.example/a:1") is None
    assert program.remove("r.example/a:1") is False
    with pytest.raises(NotFound):
        program.tag(ID, "r.example/a:1")


def test_images_without_names():
    program = PodmanProgram(Program(images=(0, '[{"Id": "%s"}]' % ("a" * 64), "")))
    assert program.images() == [{"Id": ID, "RepoTags": None}]
    with pytest.raises(ConnectionFailed, match="did not return valid JSON"):
        PodmanProgram(Program()).images()


def test_files_for_podman_are_gone_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    podman = Program(load=(125, "", "Error: no space"))
    program = PodmanProgram(podman)
    with pytest.raises(Refused):
        program.load(iter([b"a", b"b"]))
    path = podman.calls[-1][-1]
    assert os.path.dirname(os.path.dirname(path)) == str(tmp_path)
    program.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("listed", ["7", "[7]", "[{}]", '[{"Id": 7}]', "{}x", "null"])
def test_images_that_are_listed_in_another_way(listed):
    with pytest.raises(ImageError):
        PodmanProgram(Program(images=(0, listed, ""))).images()
