# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidReference
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform, best


def offer(*texts):
    """Platforms as an index tells them."""
    found = []
    for text in texts:
        name, _at, build = text.partition("@")
        fields = dict(zip(("os", "architecture", "variant"), name.split("/")))
        found.append(Platform.from_document({**fields, "os.version": build}))
    return found


def chosen(wanted, *offered):
    return best(Platform.parse(wanted), offer(*offered))


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm/v6", Platform("linux", "arm", "v6")),
        ("Linux/AMD64", Platform("linux", "amd64")),
        (" linux/amd64 ", Platform("linux", "amd64")),
        ("linux/x86_64", Platform("linux", "amd64")),
        ("linux/x86-64", Platform("linux", "amd64")),
        ("linux/i386", Platform("linux", "386")),
        ("linux/i686", Platform("linux", "386")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/arm64/v8", Platform("linux", "arm64")),
        ("linux/arm64/v9", Platform("linux", "arm64", "v9")),
        ("linux/aarch64/v9", Platform("linux", "arm64", "v9")),
        ("linux/armhf", Platform("linux", "arm", "v7")),
        ("linux/armel", Platform("linux", "arm", "v6")),
        ("linux/amd64/v1", Platform("linux", "amd64")),
        ("linux/amd64/v3", Platform("linux", "amd64", "v3")),
        ("macos/arm64", Platform("darwin", "arm64")),
        ("windows/amd64", Platform("windows", "amd64")),
        ("windows(10.0.17763)/amd64", Platform("windows", "amd64", "", "10.0.17763")),
    ],
)
def test_two_spellings_of_a_platform_are_one_platform(text, platform):
    assert Platform.parse(text) == platform


@pytest.mark.parametrize(
    "text",
    [
        "",
        "linux",
        "linux/",
        "/amd64",
        "linux/amd64/v1/x",
        "linux amd64",
        "linux(1/amd64",
        "linux/amd64,linux/arm64",
        "all",
    ],
)
def test_what_is_not_a_platform_is_refused_with_an_example(text):
    with pytest.raises(InvalidReference, match="is not a valid platform") as caught:
        Platform.parse(text)
    assert "linux/arm64" in str(caught.value)


@pytest.mark.parametrize(
    ("document", "platform"),
    [
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, Platform("linux", "arm64")),
        ({"os": "linux", "architecture": "aarch64"}, Platform("linux", "arm64")),
        (
            {"os": "windows", "architecture": "amd64", "os.version": "10.0.1"},
            Platform("windows", "amd64", "", "10.0.1"),
        ),
        ({"os": "linux", "architecture": "amd64", "os.features": ["x"], "rootfs": {}}, Platform("linux", "amd64")),
        ({"os": None, "architecture": 5, "variant": []}, Platform("", "")),
    ],
)
def test_descriptors_and_configs_tell_platforms_alike(document, platform):
    assert Platform.from_document(document) == platform


@pytest.mark.parametrize(
    ("text", "known"),
    [("linux/amd64", True), ("unknown/unknown", False), ("unknown/amd64", False), ("linux/unknown", False)],
)
def test_unknown_platforms_are_known_as_such(text, known):
    assert Platform.parse(text).is_known is known


def test_a_platform_is_shown_as_it_is_written():
    assert [str(Platform.parse(text)) for text in ("linux/amd64", "linux/arm/v7", "linux/aarch64")] == [
        "linux/amd64",
        "linux/arm/v7",
        "linux/arm64",
    ]


@pytest.mark.parametrize(
    ("wanted", "offered", "expected"),
    [
        ("linux/arm", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v7"),
        ("linux/arm", ["linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"),
        ("linux/arm", ["linux/arm/v8", "linux/arm/v6"], "linux/arm/v6"),
        ("linux/arm/v8", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v7"),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v7"),
        ("linux/arm/v6", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v6"),
        ("linux/arm/v5", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v5"),
        ("linux/arm/v6", ["linux/arm/v5", "linux/arm/v7"], "linux/arm/v5"),
        ("linux/armhf", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"),
        ("linux/arm/v7", ["linux/arm"], "linux/arm"),
        ("linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], "linux/arm64"),
        ("linux/arm64/v8", ["linux/arm64"], "linux/arm64"),
        ("linux/arm64/v9", ["linux/arm64/v8"], "linux/arm64"),
        ("linux/arm64/v9", ["linux/arm64/v8", "linux/arm64/v9"], "linux/arm64/v9"),
        ("linux/arm64", ["linux/arm64/v9", "linux/arm64/v8"], "linux/arm64"),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"], "linux/amd64"),
        ("linux/amd64/v3", ["linux/amd64/v4", "linux/amd64/v2", "linux/amd64"], "linux/amd64/v2"),
        ("linux/amd64/v2", ["linux/amd64"], "linux/amd64"),
        ("linux/386", ["linux/amd64", "linux/386"], "linux/386"),
        ("linux/x86_64", ["linux/amd64"], "linux/amd64"),
        ("linux/ppc64le", ["linux/ppc64le"], "linux/ppc64le"),
        ("linux/ppc64le", ["linux/ppc64le/power9"], "linux/ppc64le/power9"),
        ("linux/ppc64le/power9", ["linux/ppc64le/power9"], "linux/ppc64le/power9"),
        ("linux/amd64", ["windows/amd64", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["unknown/unknown", "linux/amd64"], "linux/amd64"),
    ],
)
def test_the_best_image_that_runs_there_is_chosen(wanted, offered, expected):
    assert chosen(wanted, *offered) == set(offer(expected))


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [
        ("linux/arm/v6", ["linux/arm/v7"]),
        ("linux/arm", ["linux/arm/v8"]),
        ("linux/arm", ["linux/arm64"]),
        ("linux/arm64", ["linux/arm/v7"]),
        ("linux/arm64", ["linux/arm64/v9"]),
        ("linux/amd64", ["linux/amd64/v2"]),
        ("linux/amd64/v2", ["linux/amd64/v3"]),
        ("linux/386", ["linux/amd64"]),
        ("linux/amd64", ["windows/amd64"]),
        ("linux/amd64", ["freebsd/amd64", "linux/s390x"]),
        ("linux/ppc64le/power9", ["linux/ppc64le/power10"]),
        ("linux/ppc64le/power9", ["linux/ppc64le"]),
        ("windows(10.0.17763)/amd64", ["windows/amd64"]),
        ("windows(10.0.17763)/amd64", ["windows/amd64@10.0.20348.1"]),
        ("windows(10.0.1)/amd64", ["windows/amd64@10.0.17763.1"]),
        ("unknown/unknown", ["unknown/unknown"]),
        ("linux/amd64", []),
    ],
)
def test_an_image_that_does_not_run_there_is_no_choice(wanted, offered):
    with pytest.raises(ImageError, match="the image is not available for platform"):
        chosen(wanted, *offered)


WINDOWS = [
    "windows/amd64@10.0.17763.4131",
    "windows/amd64@10.0.17763.1",
    "windows/amd64@10.0.20348.1006",
    "linux/amd64",
]


@pytest.mark.parametrize(
    ("wanted", "builds"),
    [
        ("windows(10.0.17763)/amd64", ["10.0.17763.4131", "10.0.17763.1"]),
        ("windows(10.0.17763.1)/amd64", ["10.0.17763.1"]),
        ("windows(10.0.20348)/amd64", ["10.0.20348.1006"]),
        ("windows/amd64", ["10.0.17763.4131", "10.0.17763.1", "10.0.20348.1006"]),
    ],
)
def test_a_windows_build_is_chosen_by_its_beginning(wanted, builds):
    assert {platform.os_version for platform in chosen(wanted, *WINDOWS)} == set(builds)


def test_the_error_lists_each_platform_there_is_once_and_in_order():
    with pytest.raises(ImageError) as caught:
        chosen("linux/riscv64", "linux/s390x", "unknown/unknown", "linux/arm/v7", "linux/amd64", "linux/amd64")
    assert str(caught.value) == (
        "the image is not available for platform linux/riscv64. Choose one of the available platforms: linux/amd64, linux/arm/v7, linux/s390x."
    )


def test_the_error_says_where_there_is_nothing_to_choose_from():
    with pytest.raises(ImageError, match="Remove the platform from the task"):
        chosen("linux/amd64", "unknown/unknown")


def test_a_variant_of_thousands_of_digits_is_one_like_any_other():
    odd = Platform("linux", "arm", "v" + "9" * 5000)
    assert Platform.parse("linux/arm/v7").rank(odd) is None
    assert odd.rank(odd) == 0
