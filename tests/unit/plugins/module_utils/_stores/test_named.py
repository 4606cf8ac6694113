# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import NotFound
from ansible_collections.drayage.registry.plugins.module_utils._stores.named import repositories
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_layout import OciLayout
from ansible_collections.drayage.registry.tests.unit.support.images import image

MADE = image("linux/amd64", b"layer")


@pytest.fixture
def layout(tmp_path):
    """A layout that has the content of an image, under no name yet."""
    layout = OciLayout(str(tmp_path / "layout"), print)
    for content, blob in zip(MADE.blobs, MADE.manifest.blobs):
        layout.put_blob(blob, lambda content=content: [content], "")
    return layout


@pytest.fixture
def repository(layout):
    """A repository of it, beside others whose names begin like its own."""
    for name in ("r.example/a", "r.example:5000/app", "r.example/app-b"):
        layout.repository(name).publish(MADE.manifest, ["1"], None)
    return layout.repository("r.example/app")


def test_an_image_by_digest_has_a_name_of_its_own(layout, repository):
    repository.publish(MADE.manifest, ["1"], None)
    assert repository.resolve(MADE.digest) is None
    assert repository.find(MADE.digest).digest == MADE.digest
    repository.publish(MADE.manifest, [], None)
    assert repository.tags() == ["1", MADE.digest]
    assert repository.reference(MADE.digest).endswith("/layout:r.example/app@" + MADE.digest)
    repository.delete_tag("1", MADE.digest)
    assert repository.tags() == [MADE.digest]
    assert repository.resolve(MADE.digest).digest == repository.manifest(MADE.digest).digest == MADE.digest
    assert "r.example/app" in repositories(layout.tags(), layout.reference(""), print)


def test_other_repositories_are_not_seen(layout, repository):
    with pytest.raises(NotFound, match=r"layout:r.example/app: the repository contains no images"):
        repository.tags()
    with pytest.raises(NotFound):
        layout.repository("r.example").tags()
    assert repositories(layout.tags(), layout.reference(""), print) == [
        "r.example/a",
        "r.example/app-b",
        "r.example:5000/app",
    ]


def test_names_without_a_repository_are_told(layout, repository):
    layout.publish(MADE.manifest, ["1.0", "r.example/app", "localhost:5000/app"], None)
    warnings = []
    assert "localhost" not in repositories(layout.tags(), layout.reference(""), warnings.append)
    (told,) = warnings
    assert told.endswith(
        "/layout: skipped images whose names do not have the form REPOSITORY:TAG: 1.0, localhost:5000/app, r.example/app"
    )
