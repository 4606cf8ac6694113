# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ImageError,
    InvalidContent,
    LocalFailure,
    MissingLibrary,
    NotFound,
    local_failure,
    naming,
    parsing,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ImageError("it broke"), "it broke."),
        (ImageError("it broke."), "it broke."),
        (ImageError("it broke", "r.example/x:1"), "r.example/x:1: it broke."),
        (ImageError("it broke", "r.example/x:1", "Mend it"), "r.example/x:1: it broke. Mend it."),
        (ImageError("it broke", hint="Mend it."), "it broke. Mend it."),
    ],
)
def test_the_message_is_sentences_about_a_reference(error, text):
    assert str(error) == text


def test_an_error_is_about_the_reference_that_the_nearest_layer_names():
    with pytest.raises(NotFound, match="^inner: it is not there"), naming("outer"), naming("inner"):
        raise NotFound("it is not there")


def test_naming_leaves_other_errors_alone():
    with pytest.raises(KeyError), naming("x"):
        raise KeyError("y")


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "Free up some space"),
        (errno.EDQUOT, "Free up some space"),
        (errno.EACCES, "become"),
        (errno.EPERM, "become"),
        (errno.EROFS, "writable location"),
    ],
)
def test_a_failure_on_disk_tells_the_file_the_reason_and_what_to_do(number, hint):
    error = local_failure(OSError(number, os.strerror(number), "/srv/x"), "write", "/srv")
    assert isinstance(error, LocalFailure)
    assert "cannot write /srv/x: %s" % os.strerror(number).lower() in str(error)
    assert hint in error.hint


def test_a_failure_that_names_no_file_is_about_what_was_worked_on():
    error = local_failure(OSError(errno.EIO, os.strerror(errno.EIO)), "read", "/srv")
    assert str(error) == "cannot read /srv: %s." % os.strerror(errno.EIO).lower()


def test_a_failure_without_a_number_tells_what_it_says():
    assert "it is gone" in str(local_failure(OSError("It is gone"), "read", "/srv"))


def _nested(depth):
    return [_nested(depth - 1)]


@pytest.mark.parametrize(
    "parse",
    [
        lambda: int("9" * 5000 + "x"),
        lambda: b"\xff".decode("utf-8"),
        "\ud800".encode,
        lambda: {}["history"],
        lambda: [*range(0)][0],
        lambda: iter(7),
        lambda: None.get("x"),
        lambda: int(float("inf")),
        lambda: _nested(-1),
    ],
)
def test_whatever_parsing_raises_says_what_is_malformed(parse):
    with pytest.raises(InvalidContent) as raised, parsing("its index", hint="Write it anew"):
        parse()
    assert str(raised.value) == "its index is malformed. Write it anew."


def test_parsing_leaves_errors_of_ours_and_of_the_system_alone():
    with pytest.raises(NotFound, match="it is not there"), parsing("its index"):
        raise NotFound("it is not there")
    with pytest.raises(OSError, match="broken"), parsing("its index"):
        raise OSError("broken")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (None, "the Python library requests is missing."),
        (ModuleNotFoundError("No module named 'requests'", name="requests"), "the Python library requests is missing."),
        (
            ModuleNotFoundError("No module named 'idna'", name="idna"),
            "the Python library requests is installed but cannot be imported: ModuleNotFoundError: No module named 'idna'. "
            "Reinstall the library and its dependencies for the Python that runs the module.",
        ),
        (
            AttributeError("module 'lib' has no attribute 'X'"),
            "the Python library requests is installed but cannot be imported: AttributeError: module 'lib' has no attribute "
            "'X'. Reinstall the library and its dependencies for the Python that runs the module.",
        ),
    ],
)
def test_a_library_that_is_broken_is_not_missing(error, message):
    assert str(MissingLibrary("requests", error)) == message


def test_the_reason_of_the_system_is_the_same_in_every_language():
    error = OSError(errno.ENOSPC, "Auf dem Ger\u00e4t ist kein Speicherplatz mehr verf\u00fcgbar", "/srv/x")
    assert str(local_failure(error, "write")) == (
        "cannot write /srv/x: no space left on device. Free up some space, or choose another location."
    )
