# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists that are broken, cut off, or do not end."""

from __future__ import annotations

import json

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    ConnectionFailed,
    LoginRefused,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import parse
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores
from ansible_collections.drayage.registry.plugins.module_utils._registry import session as sessions
from ansible_collections.drayage.registry.plugins.module_utils._registry import tag_list
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings
from ansible_collections.drayage.registry.tests.unit.support import runs
from ansible_collections.drayage.registry.tests.unit.support.odd_server import (
    REGISTRY,
    OddServer,
    Reply,
    found,
    refused,
)

LISTS = {"tags": "/v2/app/tags/list", "repositories": "/v2/_catalog"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(sessions, "_FIRST_PAUSE", 0.0)


@pytest.fixture(params=LISTS)
def kind(request):
    return request.param


@pytest.fixture
def read(home, kind):
    """Serve what a function answers for a query, and return the function that reads the list, and the server's log."""
    servers = []

    def serve(answer):
        server = OddServer(lambda _method, target: answer(target.partition("?")[2])).__enter__()
        stores = Stores([], None, Policy(timeout=120, retries=2), runs.run()).__enter__()
        servers.extend((stores, server))
        repository = parse("%s/app" % server.host)
        if kind == "tags":
            return stores.open(repository).tags, server.log
        return lambda: stores.repositories(repository), server.log

    yield serve
    for server in servers:
        server.__exit__(None, None, None)


def page(kind, names, following=""):
    headers = {"Link": '<%s?%s>; rel="next"' % (LISTS[kind], following)} if following else {}
    return found({kind: names}, **headers)


def broken(reply, length=10):
    return reply._replace(body=reply.body[:length], announced=len(reply.body))


def chunked(reply):
    """The same in chunks, of which the last never comes."""
    body = b"%x\r\n%s\r\n" % (len(reply.body), reply.body)
    headers = {**reply.headers, "Transfer-Encoding": "chunked", "Content-Length": ""}
    return Reply(reply.status, headers, body, announced=1)


@pytest.mark.parametrize("fault", [broken, chunked])
def test_a_page_that_breaks_is_asked_for_again(kind, fault, read):
    pages = {"": page(kind, ["a"], "last=a"), "last=a": page(kind, ["b"])}
    faults = {"": 1, "last=a": 2}

    def answer(query):
        faults[query] -= 1
        return fault(pages[query]) if faults[query] >= 0 else pages[query]

    names, log = read(answer)
    assert names() == ["a", "b"]
    assert len(log) == 2 + 1 + 2


def test_a_page_that_breaks_for_ever_is_an_error(kind, read):
    names, log = read(lambda _query: broken(page(kind, ["a"])))
    with pytest.raises(ConnectionFailed):
        names()
    assert len(log) == 3


def test_404_of_a_later_page_is_no_absence(kind, read):
    names, _log = read(lambda query: refused(404, "NAME_UNKNOWN") if query else page(kind, ["a"], "last=a"))
    with pytest.raises(Refused, match="returned 404 for page 2 of the list. Run the task again"):
        names()


def test_404_of_the_first_page_is_absence(kind, read):
    names, _log = read(lambda _query: Reply(404, REGISTRY))
    with pytest.raises(NotFound):
        names()


def test_cursors_without_end(kind, read):
    """Each page has the same names, and the link to one more page."""
    numbers = iter(range(1000))
    names, log = read(lambda _query: page(kind, ["a", "b"], "n=%d" % next(numbers)))
    with pytest.raises(
        Refused, match="a list that repeats itself or is too long .2 names up to page 11.. Check the pagination"
    ):
        names()
    assert len(log) == 11


def test_names_without_end(kind, read, monkeypatch):
    monkeypatch.setattr(tag_list, "_PAGES", 20)
    numbers = iter(range(1000))

    def answer(_query):
        number = next(numbers)
        return page(kind, ["name-%d" % number], "n=%d" % number)

    names, _log = read(answer)
    with pytest.raises(Refused, match="a list that repeats itself or is too long .20 names up to page 20."):
        names()


def test_more_names_than_anybody_has(kind, read, monkeypatch):
    monkeypatch.setattr(tag_list, "_NAMES", 3)
    names, _log = read(lambda _query: page(kind, list("abcd"), "last=d"))
    with pytest.raises(Refused, match="a list that repeats itself or is too long .4 names up to page 1."):
        names()


def test_pages_in_a_circle(kind, read):
    """There is more than these pages, but no way to it."""
    names, _log = read(lambda query: page(kind, ["b"], "x") if query else page(kind, ["a"], "x"))
    with pytest.raises(Refused, match="a list that repeats itself or is too long .2 names up to page 2."):
        names()


def test_an_empty_last_page_may_lead_to_itself(kind, read):
    names, log = read(lambda query: page(kind, [] if query else ["a"], "last=a"))
    assert names() == ["a"]
    assert len(log) == 2


def test_pages_of_what_the_user_may_not_see_are_empty(kind, read):
    def answer(query):
        number = int(query or 0)
        return page(kind, ["z"] if number == 5 else [], str(number + 1) if number < 6 else "")

    names, _log = read(answer)
    assert names() == ["z"]


def test_a_token_whose_answer_breaks_is_asked_for_again(home):
    challenge = 'Bearer realm="http://%s/token",service="r"'
    token = Reply(200, {}, json.dumps({"token": "t"}).encode())
    answers = {"/token": [broken(token), token], "/v2/app/tags/list": [None, found({"tags": ["1"]})]}

    def answer(_method, target):
        reply = answers[target.partition("?")[0]].pop(0)
        return reply or Reply(401, {"WWW-Authenticate": challenge % server.host})

    with OddServer(answer) as server, Stores([], None, Policy(timeout=120, retries=2), runs.run()) as stores:
        assert stores.open(parse("%s/app" % server.host)).tags() == ["1"]


def test_a_wrong_password_is_not_taken_for_a_catalog_that_is_closed(home):
    denied = Reply(401, {**REGISTRY, "WWW-Authenticate": 'Basic realm="r"'})
    with OddServer(lambda _method, _target: denied) as server:
        entry = RegistrySettings(server.host, username="deploy", password="wrong")
        stores = Stores([entry], None, Policy(timeout=120, retries=0), runs.run())
        with stores, pytest.raises(LoginRefused) as caught:
            stores.repositories(parse(server.host + "/app"))
    assert caught.value.hint == "Check the user name and password for %s in registries or authfile" % server.host
