# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without referrers a task warns once of what it leaves behind, if it knows of it, and sends no request to find out."""

from __future__ import annotations

import pytest

from devtools import attached, images
from devtools.observe import tally
from devtools.signing import Key

FAMILY = attached.Family("left-behind")


@pytest.fixture
def warnings_of(run_module):
    """Return a function that runs a module, and returns its warnings about what is left behind."""

    def run(module, **options):
        result = run_module(module, **options)
        assert not result.failed, result.msg
        return [text for text in result.warnings if "referrers" in text]

    return run


def warning(*images_):
    count = "1 copied image" if len(images_) == 1 else f"{len(images_)} copied images"
    return (
        f"The signatures, SBOMs or other referrers of {count} were not copied ({', '.join(images_)}). "
        "Set referrers: true to copy them."
    )


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_layout_shows_it(warnings_of, run_module, oci_registry, repository, tmp_path, check_mode):
    FAMILY.push(oci_registry.host, repository, "1", lists=False)
    layout = f"oci:{tmp_path}/layout:1"
    run_module("image_copy", src=f"{oci_registry.host}/{repository}:1", dest=layout, referrers=True)
    copies = {"src": layout, "dest": f"{oci_registry.host}/{repository}/copy:1", "check_mode": check_mode}
    assert warnings_of("image_copy", **copies) == [warning(layout)]
    assert warnings_of("image_copy", **copies) == ([warning(layout)] if check_mode else [])  # nothing is copied
    assert warnings_of("image_copy", **{**copies, "dest": f"{copies['dest']}-2", "referrers": True}) == []


def test_a_registry_is_not_asked(warnings_of, oci_registry, registry, repository):
    FAMILY.push(oci_registry.host, repository, "1", lists=False)
    oci_registry.forget()
    src = f"{oci_registry.host}/{repository}:1"
    assert warnings_of("image_copy", src=src, dest=f"{registry.host}/{repository}:1") == []
    assert set(tally(oci_registry.requests())) == {"GET manifest", "GET blob"}


def test_verifying_shows_it(warnings_of, run_module, oci_registry, registry, repository):
    key = Key()
    images.push(images.single(), oci_registry.host, repository, "1")
    src, dest = f"{oci_registry.host}/{repository}:1", f"{registry.host}/{repository}"
    for number, format_ in enumerate(("tag", "bundle")):
        run_module("image_sign", image=src, key_content=key.private, formats=[format_])
        given = {"src": src, "dest": f"{dest}:{number}", "signed_by": {"public_keys": [key.public]}}
        assert warnings_of("image_copy", **given) == [warning(src)], format_
        run_module("image_sign", image=src, key_content=key.private, formats=[format_], state="absent")
    # Within a repository it stays where it is.
    run_module("image_sign", image=src, key_content=key.private)
    given = {"src": src, "dest": f"{src}-copy", "signed_by": {"public_keys": [key.public]}}
    assert warnings_of("image_copy", **given) == []


def test_a_list_of_tags_shows_it(warnings_of, registry, oci_registry, repository):
    for number in (1, 2):
        family = attached.Family(f"left-behind-{number}")
        family.push(registry.host, f"{repository}/app", str(number), lists=number == 1)
    images.push(images.single(), registry.host, f"{repository}/app", "3")
    src, dest = f"{registry.host}/{repository}", f"{oci_registry.host}/{repository}"
    selected = {"src": src, "dest": dest, "images": [{"name": "app", "include": ["[0-9]"]}]}
    assert warnings_of("image_sync", **selected) == [warning(f"{src}/app:1", f"{src}/app:2")]
    assert warnings_of("image_sync", **selected) == []
    # All tags are selected, and with them those that belong to digests.
    everything = {"src": src, "dest": f"{dest}/every", "images": [{"name": "app"}]}
    assert warnings_of("image_sync", **everything) == []
