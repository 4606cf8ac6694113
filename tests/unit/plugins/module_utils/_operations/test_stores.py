# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidReference
from ansible_collections.drayage.registry.plugins.module_utils._files import read_regular
from ansible_collections.drayage.registry.plugins.module_utils._image.reference import LocalReference, RegistryReference
from ansible_collections.drayage.registry.plugins.module_utils._operations.stores import Stores, open_stores
from ansible_collections.drayage.registry.plugins.module_utils._operations.transports import LocalImages
from ansible_collections.drayage.registry.plugins.module_utils._registry.session import Policy
from ansible_collections.drayage.registry.plugins.module_utils._stores import oci_layout
from ansible_collections.drayage.registry.tests.unit.support import images, layouts, runs

ONE, TWO = images.image("linux/amd64", b"one"), images.image("linux/amd64", b"two")


def test_all_repositories_of_a_layout_read_its_index_once(tmp_path, monkeypatch):
    path = tmp_path / "layout"
    layouts.foreign_layout(path, ("r.example/a:1", ONE), ("r.example/b:1", TWO))
    read = []

    def counted(*arguments):
        read.append(arguments)
        return read_regular(*arguments)

    monkeypatch.setattr(oci_layout, "read_regular", counted)
    with Stores([], None, Policy(), runs.run()) as stores:
        opened = [stores.open_named(LocalReference("oci", str(path), name)) for name in ("r.example/a", "r.example/b")]
        assert [store.resolve("1").digest for store in opened] == [ONE.digest, TWO.digest]
        assert len(read) == 1
        carried = stores.open_named(LocalReference("oci", str(path), "r.example/a"), frozenset([ONE.digest]))
        layouts.blob_file(path, ONE.digest).unlink()
        assert (carried.has_blob(ONE.manifest.descriptor), opened[0].has_blob(ONE.manifest.descriptor)) == (True, False)


def params(**more):
    return {"timeout": 60.0, "retries": 3, "min_rate": 100.0, "registries": [], "authfile": None, **more}


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("timeout", 86401.0, "more than 0 and at most 86400 seconds"),
        ("timeout", float("nan"), "more than 0 and at most 86400 seconds"),
        ("min_rate", float("inf"), "0 or more bytes per second"),
        ("retries", -1, "0 or more"),
    ],
)
def test_an_option_out_of_bounds_is_an_error_of_ours(option, value, wanted):
    with pytest.raises(ImageError) as raised:
        open_stores(params(**{option: value}), runs.run())
    assert str(raised.value) == "the option %s is %s, but must be %s." % (option, value, wanted)


def test_secrets_are_concealed_in_the_form_in_which_they_are_sent():
    concealed = []
    registries = [
        {"host": "r.example", "username": "_json_key", "password": {"key": "s"}, "ca_cert": "/ca", "token": None}
    ]
    with open_stores(params(registries=registries), runs.run(), concealed.append):
        assert concealed == ['{"key": "s"}']


def test_stores_of_one_registry_share_a_client_in_all_threads():
    with Stores([], None, Policy(), runs.run()) as stores, ThreadPoolExecutor(16) as pool:
        reference = RegistryReference("r.example", "app")
        clients = set(pool.map(lambda _number: id(stores._client(reference)), range(64)))
    assert len(clients) == 1


def test_what_was_opened_is_closed(tmp_path):
    path = tmp_path / "images.tar"
    with Stores([], None, Policy(), runs.run(), LocalImages) as stores:
        writer = stores.open(LocalReference("oci-archive", str(path)), writable=True)
        writer.put_blob(images.descriptor(b"one"), lambda: [b"one"], "")
        before = len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) < before


def test_what_has_to_do_with_registries_alone_opens_nothing_else(tmp_path):
    stores = Stores([], None, Policy(), runs.run())
    with (
        stores,
        pytest.raises(InvalidReference, match="oci:/srv/images:1: only images in a registry are supported here"),
    ):
        stores.open(LocalReference("oci", "/srv/images", "1"))
