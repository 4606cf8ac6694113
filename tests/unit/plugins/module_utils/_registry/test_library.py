# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest
import requests

from ansible_collections.drayage.registry.plugins.module_utils._errors import MissingLibrary
from ansible_collections.drayage.registry.plugins.module_utils._registry import library


@pytest.fixture
def find_requests(monkeypatch):
    """Let ``requests`` be found at this place; None: nowhere."""

    def choose(directory):
        spec = importlib.machinery.ModuleSpec("requests", None, is_package=True)
        spec.submodule_search_locations.append(str(directory))
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: directory and spec)

    return choose


def test_the_cas_are_those_that_requests_trusts():
    assert library.ca_bundle() == requests.utils.DEFAULT_CA_BUNDLE_PATH


def test_a_distribution_may_let_requests_trust_others(find_requests, tmp_path):
    (tmp_path / "certs.py").write_text("def where():\n    return '/etc/ssl/other.pem'\n")
    find_requests(tmp_path)
    assert library.ca_bundle() == "/etc/ssl/other.pem"


def test_requests_may_be_in_a_collection(monkeypatch):
    """The import hooks of Ansible claim every path below a collection, such as an environment in a checkout."""
    monkeypatch.setattr(sys, "path_hooks", [importlib.machinery.FileFinder, *sys.path_hooks])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    assert library.ca_bundle() == requests.utils.DEFAULT_CA_BUNDLE_PATH


def test_an_archive_of_requests_is_imported(find_requests, tmp_path):
    find_requests(tmp_path / "requests.zip")
    assert library.ca_bundle() == requests.utils.DEFAULT_CA_BUNDLE_PATH


def test_cas_without_requests_are_a_plain_error(find_requests, monkeypatch):
    find_requests(None)
    monkeypatch.setitem(sys.modules, "requests", None)
    monkeypatch.setitem(sys.modules, "requests.utils", None)
    with pytest.raises(MissingLibrary) as caught:
        library.ca_bundle()
    assert caught.value.library == "requests"


@pytest.mark.parametrize(("has_requests", "name", "is_absent"), [(False, "requests", True), (True, "urllib3", False)])
def test_the_message_is_about_what_has_to_be_installed(
    find_requests, monkeypatch, tmp_path, has_requests, name, is_absent
):
    find_requests(tmp_path if has_requests else None)
    monkeypatch.setattr(library, "_FAILURE", (ImportError("x"), "its traceback"))
    with pytest.raises(MissingLibrary) as caught:
        library.library()
    assert (caught.value.library, caught.value.is_absent, caught.value.details) == (name, is_absent, "its traceback")


def test_a_socks_proxy_needs_its_own_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "urllib3.contrib.socks", None)
    with pytest.raises(MissingLibrary) as caught:
        library.socks_proxy_manager("socks5://proxy.example:1080")
    assert caught.value.library == "PySocks"


def test_requests_is_not_imported():
    """It takes as long as all that is imported here."""
    tree = ast.parse(Path(library.__file__).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    in_functions = {node for function in functions for node in ast.walk(function)}
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import) and node not in in_functions
        for alias in node.names
    }
    assert "urllib3" in imported
    assert not {name for name in imported if name.startswith("requests")}
