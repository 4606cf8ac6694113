# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError
from ansible_collections.drayage.registry.plugins.module_utils._registry import settings
from ansible_collections.drayage.registry.plugins.module_utils._registry.settings import Registries, RegistrySettings


def chosen(entries, host, repository):
    """The number of the entry that is used, None for the defaults."""
    known = [RegistrySettings(entry, username=str(number)) for number, entry in enumerate(entries)]
    name = Registries(known).of(host, repository).username
    return None if name is None else int(name)


@pytest.mark.parametrize(
    ("entries", "host", "repository", "number"),
    [
        (["r.example"], "r.example", "a/b", 0),
        (["r.example/"], "r.example", "a/b", 0),
        (["r.example", "r.example/a", "r.example/a/b"], "r.example", "a/b", 2),
        (["r.example/a/b", "r.example/a", "r.example"], "r.example", "a/b", 0),
        (["r.example", "r.example/a", "r.example/a/b"], "r.example", "a/c", 1),
        (["r.example", "r.example/a", "r.example/a/b"], "r.example", "c", 0),
        (["r.example", "r.example/a/b/c"], "r.example", "a/b", 0),
        (["r.example", "r.example/a"], "r.example", "ab/c", 0),
        (["r.example/a/b"], "r.example", "a/bc", None),
        (["r.example"], "r.example:5000", "a", None),
        (["r.example:5000"], "r.example", "a", None),
        (["r.example:5000"], "r.example:5000", "a", 0),
        (["r.example"], "r.example.org", "a", None),
        (["example"], "r.example", "a", None),
        (["[::1]:5000"], "[::1]:5000", "a", 0),
        (["docker.io"], "docker.io", "library/x", 0),
        (["index.docker.io"], "docker.io", "library/x", 0),
        (["registry-1.docker.io"], "docker.io", "library/x", 0),
        (["index.docker.io/library"], "docker.io", "library/x", 0),
        (["docker.io"], "registry-1.docker.io", "library/x", 0),
        (["registry-1.docker.io/library"], "registry-1.docker.io", "library/x", 0),
        ([], "r.example", "a", None),
    ],
)
def test_the_entry_with_the_longest_match_is_used(entries, host, repository, number):
    assert chosen(entries, host, repository) == number


def test_a_host_without_an_entry_has_the_defaults():
    settings_of_others = Registries([RegistrySettings("s.example", validate_certs=False)]).of("r.example", "a")
    assert settings_of_others == RegistrySettings("r.example")
    assert settings_of_others.validate_certs is True
    assert settings_of_others.plain_http is None


@pytest.mark.parametrize(
    "host", ["https://r.example", "http://r.example/a", "", "/a", "r example", "user:secret@r.example", "r.example/a b"]
)
def test_what_is_not_a_host_is_refused_with_what_to_write(host):
    with pytest.raises(ImageError, match="is not a valid host") as caught:
        Registries([RegistrySettings(host)])
    assert "Write host" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LocalHost:5000", True),
        ("127.0.0.1", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.10:5000", True),
        ("[::1]", True),
        ("[::1]:5000", True),
        ("localhost.example", False),
        ("127.0.0.1.example:5000", False),
        ("10.0.0.1:5000", False),
        ("192.168.1.1", False),
        ("128.0.0.1", False),
        ("[::2]:5000", False),
        ("r.example:443", False),
        ("registry", False),
    ],
)
def test_loopback_is_told_by_the_name_alone(host, loopback):
    assert settings.is_loopback(host) is loopback
    assert RegistrySettings(host).scheme(host) == ("http" if loopback else "https")


@pytest.mark.parametrize(
    ("host", "plain_http", "scheme"),
    [
        ("localhost:5000", False, "https"),
        ("localhost:5000", True, "http"),
        ("r.example", True, "http"),
        ("r.example", False, "https"),
    ],
)
def test_what_the_user_says_about_tls_holds_for_any_host(host, plain_http, scheme):
    assert RegistrySettings(host, plain_http=plain_http).scheme(host) == scheme


@pytest.mark.parametrize(
    "options", [{"ca_path": "/ca"}, {"ca_files": ("/ca",)}, {"client_cert": "/cert"}, {"validate_certs": False}]
)
def test_an_option_for_tls_means_tls_on_loopback(options):
    assert RegistrySettings("localhost", **options).scheme("localhost:5000") == "https"
    assert RegistrySettings("localhost", plain_http=True, **options).scheme("localhost:5000") == "http"


class TestDirectoryOfCertificates:
    @pytest.fixture(autouse=True)
    def files(self, monkeypatch, tmp_path):
        """A directory of certificates for localhost:5000."""
        monkeypatch.setenv("HOME", str(tmp_path))
        directory = tmp_path / ".config/containers/certs.d/localhost:5000"
        directory.mkdir(parents=True)
        for name in ("ca.crt", "x.cert", "x.key"):
            (directory / name).touch()
        return {
            "ca_files": (str(directory / "ca.crt"),),
            "client_cert": str(directory / "x.cert"),
            "client_key": str(directory / "x.key"),
        }

    def test_it_stands_for_an_entry(self, files):
        found = Registries([]).of("localhost:5000", "app")
        assert found == RegistrySettings("localhost:5000", **files)
        assert found.scheme("localhost:5000") == "https"
        assert Registries([]).of("localhost:5001", "app") == RegistrySettings("localhost:5001")

    def test_it_completes_an_entry_whose_limits_stay(self, files):
        own = RegistrySettings("localhost:5000", username="u", password="p", ca_path="/ca", max_connections=1)
        registries = Registries([own])
        found = registries.of("localhost:5000", "app")
        assert found == dataclasses.replace(own, client_cert=files["client_cert"], client_key=files["client_key"])
        assert registries.limits(found) is registries.limits(own)
        assert registries.of("localhost:5000", "other") is found

    def test_storage_has_it_too(self, files):
        registries = Registries([ORIGIN])
        for _turn in range(2):
            found = registries.of_redirect(ORIGIN, "r.example", "localhost:5000")
            own = (*files["ca_files"], "/ca")
            assert found == RegistrySettings("localhost:5000", **{**files, "ca_files": own})

    def test_storage_trusts_its_own_cas_and_those_of_the_registry(self, files):
        origin = RegistrySettings("r.example", ca_files=("/one", "/two"))
        found = Registries([]).of_redirect(origin, "r.example", "localhost:5000")
        assert found.ca_files == (*files["ca_files"], "/one", "/two")

    def test_it_is_not_read_where_plain_http_is_asked_for(self, files):
        own = RegistrySettings("localhost:5000", plain_http=True)
        assert Registries([own]).of("localhost:5000", "app") is own


@pytest.mark.parametrize(("host", "api"), [("docker.io", "registry-1.docker.io"), ("r.example:5000", "r.example:5000")])
def test_docker_hub_answers_under_another_name(host, api):
    assert settings.api_host(host) == api


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("r.example", "r.example"),
        ("R.Example:5000", "r.example"),
        ("[::1]:5000", "::1"),
        ("[2001:DB8::1]", "2001:db8::1"),
    ],
)
def test_a_host_without_its_port(host, name):
    assert settings.hostname(host) == name


ORIGIN = RegistrySettings(
    "r.example",
    username="u",
    password="p",
    token="t",
    ca_path="/ca",
    client_cert="/cert",
    client_key="/key",
    validate_certs=False,
)


def redirected(host, *entries):
    return Registries([ORIGIN, *entries]).of_redirect(ORIGIN, "r.example", host)


def test_another_host_is_validated_and_gets_no_secret_and_the_ca_in_addition():
    assert redirected("cdn.example") == RegistrySettings("cdn.example", ca_files=("/ca",))


def test_a_redirect_to_another_port_of_the_host_keeps_its_settings():
    assert redirected("R.example:8443") is ORIGIN


def test_a_redirect_to_a_host_with_an_entry_uses_that():
    own = RegistrySettings("cdn.example", ca_path="/other")
    assert redirected("cdn.example", own) is own


def test_an_entry_for_a_repository_says_nothing_about_storage():
    own = RegistrySettings("cdn.example/a", ca_path="/other")
    assert redirected("cdn.example", own).ca_files == ("/ca",)


def test_secrets_do_not_show_where_settings_are_printed():
    assert "hunter2" not in repr(RegistrySettings("r.example", username="u", password="hunter2", token="hunter2"))


def test_the_longest_match_is_measured_in_the_canonical_form():
    entries = [RegistrySettings("registry-1.docker.io"), RegistrySettings("docker.io/library")]
    assert Registries(entries).of("docker.io", "library/app") is entries[1]


@pytest.mark.parametrize("option", ["max_connections", "requests_per_second"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_lets_nothing_through_is_refused(option, value):
    with pytest.raises(ImageError, match="registries: %s for r.example is .*, but must be .* or more" % option):
        Registries([RegistrySettings("r.example", **{option: value})])


def test_the_limits_of_an_entry_are_the_same_for_all_and_those_of_another_its_own():
    team, rest = RegistrySettings("r.example/team", max_connections=1), RegistrySettings("r.example", max_connections=1)
    registries = Registries([team, rest])
    assert registries.limits(registries.of("R.example", "a")) is registries.limits(registries.of("r.example", "b"))
    assert registries.limits(registries.of("r.example", "team/a")) is not registries.limits(rest)


def test_further_entries_do_not_change_what_is_there():
    own, other = RegistrySettings("r.example", username="own"), RegistrySettings("s.example")
    registries = Registries([own])
    registries.extend([RegistrySettings("R.EXAMPLE/", username="file"), RegistrySettings("r.example/team"), other])
    assert registries.of("r.example", "app") == own
    assert registries.of("r.example", "team/app").host == "r.example/team"
    assert registries.of("s.example", "app") is other
    with pytest.raises(ImageError, match="is not a valid host"):
        registries.extend([RegistrySettings("https://x.example")])


@pytest.mark.parametrize("own", [[], [RegistrySettings("r.example", requests_per_second=5.0)]])
def test_several_further_entries_for_a_host_complete_each_other(own):
    registries = Registries(own)
    registries.extend(
        [RegistrySettings("r.example", username="u", password="p"), RegistrySettings("R.example/", ca_path="/ca")]
    )
    found = registries.of("r.example", "app")
    assert (found.username, found.ca_path) == ("u", "/ca")
    assert found.requests_per_second == (5.0 if own else None)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"username": "u", "password": "p"}, True),
        ({"token": "t"}, True),
        ({"ca_path": "/ca"}, False),
        ({"host": "r.example/team", "token": "t"}, False),
    ],
)
def test_whether_an_entry_has_credentials(entry, expected):
    registries = Registries([RegistrySettings(**{"host": "R.example/", **entry})])
    assert registries.has_credentials("r.example") is expected
    assert not registries.has_credentials("s.example")


def test_an_entry_is_completed_with_what_a_further_one_knows_of_the_same_host():
    file = RegistrySettings(
        "r.example", username="u", password="p", ca_path="/ca", client_cert="/cert", client_key="/key"
    )
    own = RegistrySettings("r.example", requests_per_second=5.0, token="t", client_cert="/own")
    registries = Registries([own, RegistrySettings("s.example", max_connections=1)])
    registries.extend([file, RegistrySettings("s.example", username="u", password="p", validate_certs=False)])
    assert registries.of("r.example", "app") == dataclasses.replace(own, ca_path="/ca")
    completed = RegistrySettings("s.example", username="u", password="p", max_connections=1)
    assert registries.of("s.example", "app") == completed
    assert registries.limits(completed) is registries.limits(registries.of("s.example", "b"))
