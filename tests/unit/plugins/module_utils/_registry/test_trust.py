# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import ssl

import pytest
import requests

from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.module_utils._registry import library, trust
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import RegistrySettings

BUNDLE = requests.utils.DEFAULT_CA_BUNDLE_PATH


class Context:
    """A TLS context that remembers what was loaded into it."""

    def __init__(self):
        self.trusted = []
        self.shown = None
        self.check_hostname = True
        self.verify_mode = None

    def load_verify_locations(self, cafile=None, capath=None):
        self.trusted.append(cafile or capath)

    def load_default_certs(self):
        self.trusted.append("openssl")

    def load_cert_chain(self, cert, key, _password):
        self.shown = (cert, key)


def configured(**settings):
    """A TLS context as it is made with these settings."""
    made = library.tls_context()
    trust.configure(made, RegistrySettings("r.example", **settings), BUNDLE)
    return made


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Make the context of these settings in this environment; what it loads are names of files below ``tmp_path``."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)

    def file(name):
        path = tmp_path / name
        path.touch()
        return str(path)

    def make(environment=(), **settings):
        for name in environment:
            monkeypatch.setenv(name, file(name))
        for option, value in settings.items():
            if isinstance(value, str):
                settings[option] = file(value)
            elif isinstance(value, tuple):
                settings[option] = tuple(map(file, value))
        context = Context()
        trust.configure(context, RegistrySettings("r.example", **settings), file("bundle"))
        context.trusted = [os.path.basename(path) for path in context.trusted]
        if context.shown:
            context.shown = tuple(path and os.path.basename(path) for path in context.shown)
        return context

    return make


@pytest.mark.parametrize(
    ("environment", "settings", "trusted"),
    [
        ([], {}, ["bundle"]),
        (["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"], {}, ["REQUESTS_CA_BUNDLE"]),
        (["CURL_CA_BUNDLE"], {}, ["CURL_CA_BUNDLE"]),
        (["SSL_CERT_FILE"], {}, ["openssl"]),
        (["SSL_CERT_DIR"], {}, ["openssl", "bundle"]),
        (["REQUESTS_CA_BUNDLE"], {"ca_path": "ca"}, ["ca"]),
        ([], {"ca_files": ("one", "two")}, ["bundle", "one", "two"]),
        (["SSL_CERT_FILE"], {"ca_files": ("one",)}, ["openssl", "one"]),
        ([], {"ca_path": "ca", "ca_files": ("one",)}, ["ca", "one"]),
        ([], {"ca_path": "ca", "validate_certs": False}, []),
    ],
)
def test_what_is_trusted(made, environment, settings, trusted):
    context = made(environment, **settings)
    assert context.trusted == trusted
    assert context.check_hostname is bool(trusted)
    assert context.verify_mode == (ssl.CERT_REQUIRED if trusted else ssl.CERT_NONE)


@pytest.mark.parametrize("settings", [{"client_cert": "cert"}, {"client_cert": "cert", "client_key": "key"}])
def test_the_certificate_that_is_shown(made, settings):
    assert made(**settings).shown == ("cert", settings.get("client_key"))
    assert made().shown is None


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_certificates_is_named(tmp_path, content):
    file = tmp_path / "ca.pem"
    file.write_text(content)
    with pytest.raises(LocalFailure) as caught:
        configured(ca_path=str(file))
    assert str(caught.value) == (
        "the file %s (ca_path for r.example in registries) contains no CA certificates in PEM format. Use a file "
        "with CA certificates in PEM format." % file
    )
    with pytest.raises(LocalFailure) as caught:
        configured(validate_certs=False, client_cert=str(file))
    assert str(caught.value) == (
        "the file %s (client certificate for r.example) does not contain a certificate and its private key in PEM "
        "format. Set client_key if the key is in a separate file." % file
    )


def test_a_bundle_that_is_a_pipe_is_not_waited_for(monkeypatch, tmp_path):
    os.mkfifo(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with pytest.raises(LocalFailure, match="REQUESTS_CA_BUNDLE in the environment: .*ca.pem: not a regular file"):
        configured()


def test_a_bundle_of_the_environment_that_is_missing_is_named(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.devnull + "/nowhere")
    with pytest.raises(LocalFailure, match="REQUESTS_CA_BUNDLE in the environment"):
        configured()


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("ca_path", "ca_path for r.example in registries"),
        ("client_cert", "the client certificate for r.example"),
        ("client_key", "the key of the client certificate for r.example"),
    ],
)
@pytest.mark.parametrize("check", [trust.check_files, lambda settings: trust.configure(Context(), settings, BUNDLE)])
def test_a_pipe_is_refused_before_and_when_it_is_used(option, named, check, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LocalFailure, match="cannot read %s: .*/pipe: not" % named):
        check(RegistrySettings("r.example", **{option: str(tmp_path / "pipe")}))


def test_only_cas_may_be_a_directory(tmp_path):
    trust.check_files(RegistrySettings("r.example", ca_path=str(tmp_path)))
    with pytest.raises(LocalFailure, match="the client certificate for r.example: "):
        trust.check_files(RegistrySettings("r.example", client_cert=str(tmp_path)))
