# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registries with the referrers API behave as the other functional tests assume."""

from __future__ import annotations

import pytest
import requests

from devtools import images

IMAGE = images.index(seed="referrers-servers")
REPORT = images.artifact(subject=IMAGE)


@pytest.fixture(params=["oci_registry", "ggcr_registry"])
def server(request):
    return request.getfixturevalue(request.param)


def test_access_log_has_every_request_that_was_answered(server, repository):
    images.push(IMAGE, server.host, repository, "1")
    server.forget()
    for count in range(1, 30):
        assert requests.get(f"{server.url}/v2/{repository}/manifests/1?n=1").content == IMAGE.manifests[IMAGE.digest][1]
        assert len(server.requests()) == count
    last = server.requests()[-1]
    assert (last.method, last.path, last.query, last.status) == ("GET", f"/v2/{repository}/manifests/1", "n=1", 200)


def test_lists_referrers(server, repository):
    images.push(IMAGE, server.host, repository, "1")
    listed = f"{server.url}/v2/{repository}/referrers/{IMAGE.digest}"
    assert not requests.get(listed).json()["manifests"]
    images.push(REPORT, server.host, repository, REPORT.digest)
    assert [entry["digest"] for entry in requests.get(listed).json()["manifests"]] == [REPORT.digest]


def test_the_oci_registry_states_the_subject_and_the_other_does_not(oci_registry, ggcr_registry, repository):
    stated = []
    for server in (oci_registry, ggcr_registry):
        images.push(IMAGE, server.host, repository, "1")
        images.push(REPORT, server.host, repository, "report")
        media_type, raw = REPORT.manifests[REPORT.digest]
        url = f"{server.url}/v2/{repository}/manifests/{REPORT.digest}"
        stated.append(requests.put(url, data=raw, headers={"Content-Type": media_type}).headers.get("OCI-Subject"))
    assert stated == [IMAGE.digest, None]
