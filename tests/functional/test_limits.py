# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits that a user sets, and limits that a registry tells: a proxy refuses who does not keep them."""

from __future__ import annotations

import pytest

from devtools import faults, images
from devtools.observe import digest_at
from devtools.servers import Haproxy

# As fast to push as a registry answers.
SMALL = images.single(layers=[100 + size for size in range(20)])

# Each layer is more than is read at once, so that its upload begins before its download has ended.
LARGE = images.single(layers=[700_000 + size for size in range(12)])


def test_rate_of_requests_is_kept(run_module, registry, repository, tmp_path):
    """Some 45 requests at 20 a second; who sends more than 26 in any second is refused, and not asked to try again."""
    images.write_layout(SMALL, tmp_path / "layout", "1")
    with faults.refuse_above(registry, "sc0_http_req_rate gt 26") as proxy:
        dest = f"{proxy.host}/{repository}:1"
        limited = {"host": proxy.host, "requests_per_second": 20}
        result = run_module("image_copy", src=f"oci:{tmp_path}/layout:1", dest=dest, registries=[limited], jobs=4)
    assert result.raw.get("digest") == SMALL.digest, result.raw
    assert len(registry.requests()) > 26


@pytest.mark.parametrize("limit", [1, 3])
def test_number_of_connections_is_kept(run_module, registry, repository, limit):
    """Blobs go from one repository to another with no mounting: a connection to read, and one to write at once."""
    images.push(LARGE, registry.host, repository, "1")
    rules = "http-request return status 405 if METH_POST { url_param(mount) -m found }"
    with faults.refuse_above(registry, f"fe_conn gt {limit + 1}", rules) as proxy:
        result = run_module(
            "image_copy",
            src=f"{proxy.host}/{repository}:1",
            dest=f"{proxy.host}/{repository}/copy:1",
            registries=[{"host": proxy.host, "max_connections": limit}],
            jobs=8,
        )
    assert result.raw.get("blobs") == {"copied": len(LARGE.blobs), "mounted": 0, "skipped": 0}, result.raw
    assert digest_at(registry.host, repository + "/copy", "1") == LARGE.digest


def test_quota_that_is_used_up_is_waited_for(run_module, registry, repository):
    """The first answer says so. With no tries, only who then stays away long enough is let in."""
    rule = """
        stick-table type integer size 1 store gpc0,http_req_rate(1500ms)
        http-request track-sc0 int(1)
        http-request sc-inc-gpc0(0)
        http-request set-var(txn.number) sc0_get_gpc0
        http-request return status 429 if { sc0_get_gpc0 eq 2 } { sc0_http_req_rate gt 1 }
        http-response set-header RateLimit-Remaining 0 if { var(txn.number) -m int eq 1 }
        http-response set-header RateLimit-Reset 2 if { var(txn.number) -m int eq 1 }
    """
    images.push(LARGE, registry.host, repository, "1")
    with Haproxy(registry, rule) as proxy:
        result = run_module("image_inspect", image=f"{proxy.host}/{repository}:1", retries=0)
    assert result.raw.get("digest") == LARGE.digest, result.raw
    assert result.requests > 1


def test_quota_that_will_not_come_back_soon_is_told(run_module, registry, repository):
    headers = 'hdr ratelimit-limit "100;w=21600" hdr ratelimit-remaining "0;w=21600"'
    with Haproxy(registry, f"http-request return status 429 {headers} hdr Retry-After 0") as proxy:
        result = run_module("image_inspect", image=f"{proxy.host}/{repository}:1")
    assert "returned 429" in result.msg
    assert "limit of 100 requests in 6 hours has been reached" in result.msg


@pytest.mark.parametrize(("option", "least"), [("max_connections", "1"), ("requests_per_second", "0.01")])
def test_limit_that_lets_nothing_through_is_refused(run_module, registry, repository, option, least):
    entry = {"host": registry.host, option: 0}
    result = run_module("image_inspect", image=f"{registry.host}/{repository}:1", registries=[entry])
    assert result.msg.startswith(f"registries: {option} for {registry.host} is 0")
    assert result.msg.endswith(f"but must be {least} or more.")
    assert registry.requests() == []


def test_catalog_has_a_scope_of_its_own(run_module, token_registry, token_service, registry, repository):
    def sync(**users):
        return run_module(
            "image_sync",
            src=token_registry.host,
            dest=registry.host,
            images=[{"name": "*"}],
            missing_ok=True,
            registries=[{"host": token_registry.host, **users}],
        )

    result = sync(username="alice", password="wonder:land")
    assert result.raw.get("images") == [], result.raw
    assert ["registry:catalog:*"] in [request.scopes for request in token_service.log]
    assert "Write the name of each repository" in sync().msg


def test_absent_catalog_is_explained(run_module, registry, second_registry):
    with Haproxy(registry, "http-request return status 404 if { path /v2/_catalog }") as proxy:
        result = run_module("image_sync", src=proxy.host, dest=second_registry.host, images=[{"name": "*"}])
    assert "cannot list the repositories" in result.msg
    assert "Write the name of each repository" in result.msg
