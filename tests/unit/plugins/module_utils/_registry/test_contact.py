# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a host that was tried before."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ConnectionFailed
from ansible_collections.drayage.registry.plugins.module_utils._registry.connection_errors import (
    PermanentConnectionError,
)
from ansible_collections.drayage.registry.plugins.module_utils._registry.contact import Contacts
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings


def test_one_entry_of_a_host_that_is_not_trusted_does_not_speak_for_another():
    contacts = Contacts()
    url = "https://r.example/v2/"

    def contact(entry):
        return contacts.of(url, "r.example", entry.trust, 3)

    strict, lax = RegistrySettings("r.example"), RegistrySettings("r.example/app", validate_certs=False)
    with pytest.raises(PermanentConnectionError), contact(strict).attempt(False, lambda: None, lambda _number: None):
        raise PermanentConnectionError("the certificate of r.example is not trusted")
    with contact(lax).attempt(False, lambda: None, lambda _number: None):
        pass
    assert contact(lax).is_reached
    same = RegistrySettings("r.example/other", username="u", password="p")
    with pytest.raises(ConnectionFailed, match="not trusted"):
        contact(same).attempt(False, lambda: None, lambda _number: None).__enter__()


def test_those_that_waited_for_the_first_response_do_not_wait_for_each_other():
    contact = Contacts().of("https://r.example/v2/", "r.example", RegistrySettings("r.example").trust, 3)
    begun, together = threading.Semaphore(0), threading.Barrier(3)

    def ask():
        begun.release()
        with contact.attempt(False, lambda: None, lambda _number: None):
            together.wait(60)

    with ThreadPoolExecutor(3) as pool:
        with contact.attempt(False, lambda: None, lambda _number: None):
            waiting = [pool.submit(ask) for _number in range(3)]
            for _one in waiting:
                begun.acquire(timeout=60)
        for one in waiting:
            one.result()
