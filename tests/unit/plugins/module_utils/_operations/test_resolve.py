# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import (
    InvalidReference,
    LoginRefused,
    NotFound,
    Refused,
)
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._operations.resolve import (
    find_digest,
    find_each,
    find_offering,
    parse_image,
    require_digests,
)
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index

AMD64, ARM64 = image("linux/amd64", b"a"), image("linux/arm64", b"b")
INDEX = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
APP, NONE = parse_image("r.example/app:1"), parse_image("r.example/app:none")


@pytest.fixture(autouse=True)
def app(place):
    return place.add(AMD64, ARM64, INDEX, tag="1")


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("r.example/app", "r.example/app:latest"),
        ("r.example/app:1", "r.example/app:1"),
        ("busybox", "docker.io/library/busybox:latest"),
        ("r.example/app@" + AMD64.digest, "r.example/app@" + AMD64.digest),
    ],
)
def test_the_tag_of_an_image_defaults_to_latest(text, full):
    assert str(parse_image(text)) == full


@pytest.mark.parametrize("text", ["oci:/x", "docker-daemon:app"])
def test_an_image_is_in_a_registry(text):
    with pytest.raises(InvalidReference) as caught:
        parse_image(text)
    assert str(caught.value) == text + ": only images in a registry are supported here. Write host[:port]/path[:tag]."


def test_one_digest(stores, app, monkeypatch):
    assert find_digest(APP, stores) == INDEX.digest
    assert find_digest(NONE, stores) == ""
    assert app.counted() == {"resolve": 2}

    def find(name):
        raise NotFound("there is no such repository")

    monkeypatch.setattr(app, "find", find)
    assert find_digest(APP, stores) == ""


def test_a_digest_of_an_image_that_is_available_for_platforms(stores, app):
    platforms = [Platform.parse("linux/arm64")]
    assert find_offering(APP, platforms, stores) == INDEX.digest
    assert app.counted() == {"manifest": 1}
    assert find_offering(NONE, platforms, stores) == ""
    single = parse_image("r.example/app@" + AMD64.digest)
    assert find_offering(single, platforms, stores) == AMD64.digest


def test_images_are_found_in_order_and_once(stores, app):
    by_digest = parse_image("r.example/app@" + AMD64.digest)
    found = find_each([by_digest, NONE, APP, by_digest], stores)
    assert list(found.items()) == [(by_digest, AMD64.digest), (NONE, ""), (APP, INDEX.digest)]
    assert app.counted() == {"resolve": 3}
    assert find_each([], stores) == {}


def test_the_first_request_to_each_registry_is_alone(stores, app, monkeypatch):
    """Its response shows how to log in, which the others need not find out again."""
    other = stores.repository("s.example", "app").add(AMD64, tag="1")
    order = []
    for each in (app, other):
        monkeypatch.setattr(each, "find", lambda name, each=each: order.append((each.host, name)) or each.resolve(name))
    names = [parse_image("%s/app:%d" % (host, number)) for host in ("r.example", "s.example") for number in (1, 2, 3)]
    find_each(names, stores)
    assert set(order[:2]) == {("r.example", "1"), ("s.example", "1")}
    assert len(order) == 6


def test_an_error_is_the_result_for_its_image_only(stores, app):
    app.broken.add("2")
    bad = parse_image("r.example/app:2")
    found = find_each([bad, APP], stores)
    assert found[APP] == INDEX.digest
    assert (type(found[bad]), str(found[bad])) == (Refused, "r.example/app:2: returned 500.")
    with pytest.raises(Refused):
        require_digests([APP, bad], stores)


def test_a_refused_login_is_the_result_for_its_registry_only(stores, app, monkeypatch):
    def find(name):
        raise LoginRefused("r.example refused the login")

    other = parse_image("s.example/app:1")
    stores.repository("s.example", "app").add(AMD64, tag="1")
    monkeypatch.setattr(app, "find", find)
    found = find_each([APP, other], stores)
    assert (type(found[APP]), found[other]) == (LoginRefused, AMD64.digest)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "r.example/app:a: the image does not exist."),
        (["a", "b"], "r.example/app:a, r.example/app:b: these images do not exist."),
    ],
)
def test_all_images_that_do_not_exist_are_in_the_error(stores, names, message):
    images = [APP, *(parse_image("r.example/app:" + name) for name in names)]
    with pytest.raises(NotFound) as caught:
        require_digests(images, stores)
    assert str(caught.value) == message + " Check the name, the tag and the credentials."
    assert require_digests([APP], stores) == {APP: INDEX.digest}
