# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._registry import cert_dir


@pytest.fixture
def write(tmp_path):
    """Return a function that writes files of these names to a directory below the test's, and returns its path."""

    def write_files(directory, *names):
        path = tmp_path / directory
        path.mkdir(parents=True)
        for name in names:
            (path / name).write_text("content of %s" % name)
        return str(path)

    return write_files


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], {}),
        (["README", "ca.pem"], {}),
        (["b.crt", "a.crt"], {"ca_files": ("%s/a.crt", "%s/b.crt")}),
        (["x.cert", "x.key"], {"client_cert": "%s/x.cert", "client_key": "%s/x.key"}),
    ],
)
def test_the_suffix_says_what_a_file_is(write, names, found):
    path = write("certs", *names)
    expected = {
        key: tuple(v % path for v in value) if isinstance(value, tuple) else value % path
        for key, value in found.items()
    }
    assert cert_dir.read(path) == expected


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        (["x.cert"], "contains x.cert, but not x.key"),
        (["x.key", "y.crt"], "contains x.key, but not x.cert"),
        (
            ["x.key", "x.cert", "y.key", "y.cert"],
            "contains more than one client certificate. Keep only one client certificate in the directory.",
        ),
    ],
)
def test_what_does_not_fit_together_is_an_error(write, names, cause):
    path = write("certs", *names)
    with pytest.raises(LocalFailure, match=path + " " + cause):
        cert_dir.read(path)


@pytest.mark.parametrize("host", ["", ".", "..", "a/b"])
def test_a_host_leads_nowhere_else(write, monkeypatch, tmp_path, host):
    monkeypatch.setattr(cert_dir, "_SYSTEM", (str(tmp_path / "certs.d"),))
    write("certs.d/a/b", "ca.crt")
    assert cert_dir.find(host) is None


def test_the_first_directory_that_exists_is_taken(write, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(cert_dir, "_SYSTEM", (str(tmp_path / "containers"), str(tmp_path / "docker")))
    assert cert_dir.find("r.example:5000") is None
    for place in ("docker", "containers", ".config/containers/certs.d"):
        directory = write("%s/r.example:5000" % place)
        assert cert_dir.find("r.example:5000") == directory
    assert cert_dir.find("r.example") is None


def test_a_directory_that_this_user_may_not_read_is_passed_over(write, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    hidden = write(".config/containers/certs.d/r.example")
    monkeypatch.setattr(cert_dir, "_SYSTEM", (str(tmp_path / "containers"),))
    monkeypatch.setattr("os.access", lambda path, mode: path != hidden)
    assert cert_dir.find("r.example") is None
