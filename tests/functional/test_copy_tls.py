# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy over TLS: whom it trusts, and how it says that it does not."""

from __future__ import annotations

import pytest

from devtools import images, scripted
from devtools.observe import digest_at
from devtools.scripted import Scripted
from devtools.servers import DockerRegistry

INDEX = images.index()


@pytest.fixture
def push_to(run_module, repository, tmp_path):
    """Return a function that copies INDEX from a layout to a registry with these settings."""
    images.write_layout(INDEX, tmp_path / "layout", "1")

    def run(host, env=None, **settings):
        return run_module(
            "image_copy",
            src=f"oci:{tmp_path}/layout:1",
            dest=f"{host}/{repository}:1",
            registries=[{"host": host, "plain_http": False, **settings}],
            env=env,
        )

    return run


@pytest.mark.parametrize("option", ["ca_path", "ca_cert"])
def test_own_authority(push_to, tls_registry, authority, option):
    assert push_to(tls_registry.host, **{option: str(authority.ca)}).digest == INDEX.digest
    assert push_to(tls_registry.host, **{option: str(authority.ca)}).changed is False


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_authority_of_the_environment(push_to, tls_registry, authority, variable):
    assert push_to(tls_registry.host, env={variable: str(authority.ca)}).digest == INDEX.digest


@pytest.mark.parametrize(("trust", "is_trusted"), [("ca_path", True), ("validate_certs", False)])
def test_storage_is_always_validated_and_shares_the_authority(run_module, authority, trust, is_trusted):
    """The registry is 127.0.0.1 here and its storage localhost, which is another host."""
    certificate = authority.server()
    files = (certificate.cert, certificate.key)
    with Scripted(lambda _request: scripted.answer(404), files) as storage:
        location = f"https://localhost:{storage.port}/x"
        with Scripted(lambda _request: scripted.answer(307, Location=location), files) as server:
            value = str(authority.ca) if trust == "ca_path" else False
            entry = {"host": server.host, "plain_http": False, trust: value}
            result = run_module("image_copy", src=f"{server.host}/app:1", dest="dir:/nowhere", registries=[entry])
    assert bool(storage.requests) is is_trusted
    assert (f"the certificate of localhost:{storage.port} is not trusted: " in result.msg) is not is_trusted


def test_files_that_hold_something_else_are_named(push_to, tls_registry, authority, tmp_path):
    one, other = authority.client("one"), authority.client("other")
    wrong = {"client_cert": str(one.cert), "client_key": str(other.key)}
    assert push_to(tls_registry.host, **wrong).msg.endswith(
        f": the certificate {one.cert} (client certificate for {tls_registry.host}) "
        f"does not match the key {other.key}. Use the private key of this certificate."
    )
    result = push_to(tls_registry.host, ca_path=str(one.key))
    assert (
        f"the file {one.key} (ca_path for {tls_registry.host} in registries) contains no CA certificates" in result.msg
    )
    assert tls_registry.requests() == []


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://127.0.0.1:1", "through the proxy 127.0.0.1:1: connection refused. Check HTTPS_PROXY"),
        (
            "htp://alice:tell-nobody@proxy:1",
            "the environment variable HTTPS_PROXY is not a valid proxy URL. Write http://",
        ),
    ],
)
def test_a_proxy_is_blamed_rather_than_the_registry(run_module, proxy, said):
    result = run_module("image_inspect", image="r.example/app:1", retries=0, env={"HTTPS_PROXY": proxy})
    assert said in result.msg
    assert "tell-nobody" not in result.stdout


def test_untrusted_certificate(push_to, tls_registry):
    result = push_to(tls_registry.host)
    assert result.failed
    assert f"the certificate of {tls_registry.host} is not trusted: " in result.msg
    assert "ca_path" in result.msg
    assert tls_registry.requests() == []


def test_unchecked_certificate(push_to, tls_registry):
    assert push_to(tls_registry.host, validate_certs=False).digest == INDEX.digest


def test_certificate_for_another_host(push_to, authority):
    with DockerRegistry(tls=authority.server(names=("registry.example.com",))) as server:
        message = push_to(server.host, ca_path=str(authority.ca)).msg
    assert "is not trusted: " in message
    assert "Use a host name that the certificate contains" in message


def test_expired_certificate(push_to, authority):
    with DockerRegistry(tls=authority.server(expired=True)) as server:
        message = push_to(server.host, ca_path=str(authority.ca)).msg
    assert "expired. Renew the registry's certificate" in message


def test_client_certificate(push_to, authority):
    client = authority.client("deploy")
    with DockerRegistry(tls=authority.server(), client_ca=authority.ca) as server:
        shown = {"client_cert": str(client.cert), "client_key": str(client.key)}
        assert push_to(server.host, ca_path=str(authority.ca), **shown).digest == INDEX.digest
        refused = push_to(server.host, ca_path=str(authority.ca))
        assert refused.failed
        assert server.host in refused.msg


def test_missing_files_are_named(push_to, tls_registry, authority, tmp_path):
    assert f"{tmp_path}/nope" in push_to(tls_registry.host, ca_path=f"{tmp_path}/nope").msg
    missing = {"client_cert": f"{tmp_path}/nope"}
    assert f"{tmp_path}/nope" in push_to(tls_registry.host, ca_path=str(authority.ca), **missing).msg


def test_plain_http_to_a_tls_port(push_to, tls_registry):
    message = push_to(tls_registry.host, plain_http=True).msg
    assert f"{tls_registry.host} expects TLS" in message
    assert "plain_http: false" in message


def test_tls_to_a_plain_http_port(push_to, registry):
    message = push_to(registry.host).msg
    assert f"{registry.host} does not use TLS" in message
    assert "plain_http" in message


def test_loopback_is_spoken_to_in_plain_http_and_others_are_not(run_module, registry, repository, tmp_path):
    images.write_layout(INDEX, tmp_path / "layout", "1")
    port = registry.host.partition(":")[2]
    result = run_module("image_copy", src=f"oci:{tmp_path}/layout:1", dest=f"localhost:{port}/{repository}:1")
    assert digest_at(registry.host, repository, "1") == result.digest
    # A name of this machine that does not say so: TLS is spoken, which this port does not understand.
    result = run_module("image_copy", src=f"oci:{tmp_path}/layout:1", dest=f"127.1:{port}/{repository}:2")
    assert "does not use TLS" in result.msg


class TestWithoutEntry:
    """The only settings are where docker and podman look for them."""

    @pytest.fixture
    def certificates(self, tmp_path):
        """Return a function that makes the directory of certificates for a host."""

        def make(host, **files):
            directory = tmp_path / "home" / ".config" / "containers" / "certs.d" / host
            directory.mkdir(parents=True)
            for name, source in files.items():
                (directory / name.replace("_", ".")).write_bytes(source.read_bytes())

        return make

    @pytest.fixture
    def push(self, run_module, repository, tmp_path):
        """Return a function that copies INDEX from a layout to a registry."""
        images.write_layout(INDEX, tmp_path / "layout", "1")
        return lambda host, **options: run_module(
            "image_copy", src=f"oci:{tmp_path}/layout:1", dest=f"{host}/{repository}:1", **options
        )

    def test_directory_of_certificates(self, push, certificates, authority, run_module):
        client = authority.client("deploy")
        with DockerRegistry(tls=authority.server(), client_ca=authority.ca) as server:
            certificates(server.host, ca_crt=authority.ca, my_cert=client.cert, my_key=client.key)
            assert push(server.host).digest == INDEX.digest
            login = run_module("registry_login", host=server.host, username="alice", password="any")
            assert login.changed is True
            assert (
                "is not trusted"
                in push(server.host, registries=[{"host": server.host, "ca_path": str(client.cert)}]).msg
            )

    def test_broken_directory_is_named(self, push, certificates, tls_registry, authority):
        certificates(tls_registry.host, my_cert=authority.ca)
        message = push(tls_registry.host).msg
        assert f"certs.d/{tls_registry.host} contains my.cert, but not my.key" in message

    @pytest.mark.parametrize("option", ["ca_path", "validate_certs"])
    def test_option_for_tls_means_tls_on_loopback(self, push, tls_registry, authority, option):
        value = {"ca_path": str(authority.ca), "validate_certs": False}[option]
        registries = [{"host": tls_registry.host, option: value}]
        assert push(tls_registry.host, registries=registries).digest == INDEX.digest
