# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role registry makes of its variables, certificates first; extensions/molecule/registry has its usual course."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from devtools import images, provision
from devtools.certificates import Authority
from devtools.process import Server
from devtools.provision import REPOSITORY

IMAGE = images.single(seed="registry")
PASSWORD = "wonder:land"


class Configured(Server):
    """A registry with the settings that the role wrote."""

    def __init__(self, config: Path) -> None:
        super().__init__()
        self._config = config

    def command(self) -> list[str]:
        return [provision.program("docker-registry", unpack=True), "serve", str(self._config)]


@pytest.fixture
def variables(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Return variables with which the role works below ``tmp_path``, and lets the program of this machine run."""
    htpasswd = provision.program("htpasswd", "apache2-utils")
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], os.path.dirname(htpasswd)]))
    units = tmp_path / "units"
    units.mkdir()
    certificate = authority.server()
    return {
        "registry_become": False,
        "registry_manage_service": False,
        "registry_packages": [],
        "registry_program": "/usr/bin/docker-registry",
        "registry_service": "docker-registry",
        "registry_user": getpass.getuser(),
        "registry_config_dir": str(tmp_path / "config"),
        "registry_storage_dir": str(tmp_path / "images"),
        "registry_unit_dir": str(units),
        "registry_users": [{"name": "alice", "password": PASSWORD}],
        "registry_certificate": certificate.cert.read_text(),
        "registry_key": certificate.key.read_text(),
    }


def test_a_given_certificate_is_served_and_secrets_are_shown_nowhere(
    run_playbook, run_module, variables, authority, tmp_path
):
    server = Configured(tmp_path / "config" / "config.yml")
    output = run_playbook(
        "drayage.registry.registry", "-vvv", "--diff", variables={**variables, "registry_listen": server.host}
    )
    assert PASSWORD not in output
    assert variables["registry_key"].splitlines()[1] not in output
    key = tmp_path / "config" / "tls" / "given.key"
    assert key.stat().st_mode & 0o007 == 0

    images.write_layout(IMAGE, tmp_path / "layout", "one")
    entry = {"host": server.host, "username": "alice", "password": PASSWORD, "ca_path": str(authority.ca)}
    with server:
        result = run_module(
            "image_copy",
            src=f"oci:{tmp_path / 'layout'}:one",
            dest=f"{server.host}/team/one:1",
            registries=[{**entry, "plain_http": False}],
        )
    assert result.digest == IMAGE.digest


def test_a_hash_that_the_registry_rejects_is_replaced(run_playbook, variables, tmp_path):
    file = tmp_path / "config" / "htpasswd"
    file.parent.mkdir()
    argv = ["htpasswd", "-cbm", file, "alice", PASSWORD]
    subprocess.run(argv, capture_output=True, check=True)
    assert file.read_text().startswith("alice:$apr1$")
    run_playbook("drayage.registry.registry", variables=variables)
    assert file.read_text().startswith("alice:$2y$")
    subprocess.run(["htpasswd", "-vb", file, "alice", PASSWORD], capture_output=True, check=True)


def test_a_user_whose_name_is_a_number_keeps_the_hash(run_playbook, variables):
    given = {**variables, "registry_users": [{"name": 1001, "password": PASSWORD}]}
    run_playbook("drayage.registry.registry", variables=given)
    assert "changed=0 " in run_playbook("drayage.registry.registry", variables=given)


def test_storage_and_auth_of_another_type_replace_those_of_the_role(run_playbook, variables, authority, tmp_path):
    server = Configured(tmp_path / "config" / "config.yml")
    token = {"realm": "https://auth.example.com/token", "service": "registry", "issuer": "example"}
    config = {
        "storage": {"inmemory": {}, "delete": {"enabled": False}},
        "auth": {"token": {**token, "rootcertbundle": str(authority.ca)}},
    }
    given = {**variables, "registry_listen": server.host, "registry_config": config}
    run_playbook("drayage.registry.registry", variables=given)
    context = ssl.create_default_context(cafile=str(authority.ca))
    with server, pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(f"https://{server.host}/v2/", context=context)
    refused.value.close()
    assert refused.value.headers["WWW-Authenticate"].startswith('Bearer realm="https://auth.example.com/token"')

    # Nothing is stored on this host, and a unit with a directory that does not exist would not start.
    assert not (tmp_path / "images").exists()
    assert "ReadWritePaths" not in (tmp_path / "units" / "docker-registry.service").read_text()


def test_without_facts_the_role_says_that_it_needs_them(play):
    role = {"ansible.builtin.include_role": {"name": "drayage.registry.registry"}, "vars": {"registry_users": []}}
    assert "needs facts to detect the operating system" in play([role], succeeds=False)


@pytest.fixture
def own(variables):
    """Return variables with which the role makes the certificate itself."""
    given = ("registry_certificate", "registry_key")
    return {**{name: value for name, value in variables.items() if name not in given}, "registry_names": ["127.0.0.1"]}


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022])
def test_the_umask_of_root_does_not_matter(run_playbook, own, tmp_path, umask):
    before = os.umask(umask)
    try:
        run_playbook("drayage.registry.registry", variables=own)
    finally:
        os.umask(before)
    modes = {
        name: (tmp_path / name).stat().st_mode & 0o777
        for name in [
            *("config", "config/tls", "config/tls/openssl.cnf", "config/tls/ca.pem", "config/tls/server.pem"),
            *("config/tls/ca.key", "config/tls/server.key", "config/config.yml", "config/htpasswd"),
            *("images", "images/docker", "images/docker/registry/v2/blobs", "units/docker-registry.service"),
        ]
    }
    assert [name for name, mode in modes.items() if mode == 0o755] == ["config", "config/tls"]
    public = ["openssl.cnf", "ca.pem", "server.pem"]
    assert [name for name, mode in modes.items() if mode == 0o644] == [
        *(f"config/tls/{name}" for name in public),
        "units/docker-registry.service",
    ]
    assert [name for name, mode in modes.items() if mode == 0o600] == ["config/tls/ca.key"]
    assert modes["config/tls/server.key"] == modes["config/config.yml"] == modes["config/htpasswd"] == 0o640
    assert modes["images"] == modes["images/docker/registry/v2/blobs"] == 0o750


def test_the_authority_is_known_in_check_mode_too(own, run_playbook, tmp_path):
    site = tmp_path / "site.yml"
    told = {"ansible.builtin.debug": {"msg": "the authority is {{ registry_ca }}"}}
    facts = {"gather_facts": True, "gather_subset": ["distribution"]}
    role = {"hosts": "localhost", **facts, "roles": [{"role": "drayage.registry.registry"}]}
    site.write_text(json.dumps([role, {"hosts": "localhost", "gather_facts": False, "tasks": [told]}]))
    assert "the authority is (" in run_playbook(site, "--check", variables=own)
    run_playbook(site, variables=own)
    again = run_playbook(site, "--check", variables=own)
    assert "the authority is -----BEGIN CERTIFICATE-----" in again
    assert "changed=0 " in again


def test_a_certificate_that_a_run_left_behind_is_replaced(own, run_playbook, tmp_path):
    run_playbook("drayage.registry.registry", variables=own)
    certificate = tmp_path / "config" / "tls" / "server.pem"
    left = certificate.read_bytes()

    # From here on, the tasks of the certificate alone.
    names = ["127.0.0.1", "::1", "*.example.com", "registry.example.com"]
    tasks = {"name": "drayage.registry.registry", "tasks_from": "own_certificate"}
    facts = {"gather_facts": True, "gather_subset": ["distribution"]}
    play = [{"hosts": "localhost", **facts, "tasks": [{"ansible.builtin.include_role": tasks}]}]
    site = tmp_path / "site.yml"
    site.write_text(json.dumps(play))
    variables = {**own, "registry_names": names}
    assert "changed=0 " not in run_playbook(site, variables=variables)
    good = certificate.read_bytes()
    assert "changed=0 " in run_playbook(site, variables=variables)

    # All else is as the names want it, as after a run that was cut off.
    certificate.write_bytes(left)
    assert "changed=0 " not in run_playbook(site, "--check", variables=variables)
    run_playbook(site, variables=variables)
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in"]
    text = subprocess.run([*command, str(certificate)], capture_output=True, text=True, check=True).stdout
    assert text.count("DNS:") + text.count("IP Address:") == len(names)
    assert good != certificate.read_bytes() != left


def test_a_certificate_is_for_all_names_of_the_host(own, run_playbook, tmp_path):
    del own["registry_names"]
    names = [socket.getfqdn(), platform.node().partition(".")[0]]
    run_playbook("drayage.registry.registry", variables=own)
    description = (tmp_path / "config" / "tls" / "openssl.cnf").read_text()
    for name in ["localhost", *names]:
        assert re.search(rf"^DNS.* = {re.escape(name)}$", description, re.MULTILINE)


def test_a_single_name_may_be_text(own, run_playbook, tmp_path):
    empty = run_playbook("drayage.registry.registry", variables={**own, "registry_names": []}, succeeds=False)
    assert "registry_names is empty" in empty
    assert not (tmp_path / "config").exists()
    run_playbook("drayage.registry.registry", variables={**own, "registry_names": "registry.example.com"})
    description = (tmp_path / "config" / "tls" / "openssl.cnf").read_text()
    assert description.endswith("[names]\nDNS.1 = registry.example.com\n")


def test_a_certificate_without_its_key_is_refused_at_once(variables, run_playbook, tmp_path):
    del variables["registry_key"]
    output = run_playbook("drayage.registry.registry", variables=variables, succeeds=False)
    assert "registry_certificate and registry_key belong together" in output
    assert not (tmp_path / "config").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="files of other accounts need root")
def test_an_account_whose_group_has_another_name_can_run_it(variables, run_playbook, tmp_path):
    run_playbook("drayage.registry.registry", variables={**variables, "registry_user": "nobody"})
    account = pwd.getpwnam("nobody")
    assert (tmp_path / "config" / "config.yml").stat().st_gid == account.pw_gid
    images_of_it = (tmp_path / "images" / "docker" / "registry" / "v2" / "blobs").stat()
    assert (images_of_it.st_uid, images_of_it.st_gid) == (account.pw_uid, account.pw_gid)


class Services:
    """A systemctl program that runs nothing, records its calls, and fails for the services in ``failing``."""

    def __init__(self, directory: Path) -> None:
        self._calls, self.failing = directory / "calls", directory / "failing"
        self.forget()
        program = directory / "systemctl"
        program.write_text(f"""#!/bin/sh
echo "$*" >> {self._calls}
case $1 in
  show) printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\n' ;;
  is-enabled) echo enabled ;;
  start|restart) ! grep -qxF "$*" {self.failing} ;;
esac
""")
        program.chmod(0o755)

    def forget(self) -> None:
        self._calls.write_text("")
        self.failing.write_text("")

    def restarts(self) -> int:
        """Return how often the registry was restarted without an error."""
        attempt = "restart docker-registry.service"
        return 0 if attempt in self.failing.read_text() else self._calls.read_text().splitlines().count(attempt)


@pytest.fixture
def services(tmp_path, monkeypatch):
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return Services(directory)


@pytest.fixture
def setup(variables, services, run_playbook):
    """Return a function that runs the role with a listening registry, while the calls ``failing`` of systemctl fail."""

    def run(*arguments, failing="", succeeds=True, **more):
        services.forget()
        services.failing.write_text(failing)
        given = {**variables, "registry_manage_service": True, "registry_listen": address, **more}
        return run_playbook("drayage.registry.registry", *arguments, variables=given, succeeds=succeeds)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        yield run


def test_a_run_that_fails_does_not_cost_the_registry_its_restart(variables, services, setup):
    setup(failing="restart docker-registry-gc.timer", succeeds=False)
    restarts = services.restarts()
    setup()
    assert restarts + services.restarts() == 1

    renewed = {"registry_certificate": f"# Renewed\n{variables['registry_certificate']}"}
    setup(failing="restart docker-registry.service", succeeds=False, **renewed)
    assert "changed=1 " in setup("--check", **renewed)
    assert "changed=1 " in setup(**renewed)
    assert services.restarts() == 1
    assert "changed=0 " in setup(**renewed)
    assert services.restarts() == 0


def test_going_back_to_the_earlier_files_restarts_the_registry(variables, services, setup, tmp_path):
    """The registry may run with the files of a run that failed, after a reboot or a garbage collection too."""
    certificate = tmp_path / "config" / "tls" / "given.pem"
    renewed = {"registry_certificate": f"# Renewed\n{variables['registry_certificate']}"}
    setup()

    # Somebody restores the earlier file without the role.
    before = certificate.read_bytes()
    setup(failing="restart docker-registry.service", succeeds=False, **renewed)
    certificate.write_bytes(before)
    setup()
    assert services.restarts() == 1

    # htpasswd rejects this password, after the role has written the certificate. Going back fails at first, too.
    unusable = {"registry_users": [{"name": "bob", "password": "x" * 300}]}
    setup(succeeds=False, **renewed, **unusable)
    setup(succeeds=False, **unusable)
    assert "changed=1 " in setup("--check")
    assert "changed=1 " in setup()
    assert services.restarts() == 1

    # A run that fails before it changes a file costs no restart, and neither does a check.
    setup(succeeds=False, **unusable)
    setup("--check", **renewed)
    assert "changed=0 " in setup()
    assert services.restarts() == 0


def test_the_registry_is_restarted_if_a_file_that_it_reads_changes(play, tmp_path):
    role = REPOSITORY / "roles" / "registry"
    given = {
        "registry_service": "docker-registry",
        "registry_unit_dir": "/units",
        "registry_config_dir": "/config",
        "registry_certificate": "a certificate",
    }
    values = {"ansible.builtin.include_vars": {"file": str(role / "vars" / "main.yml")}}
    found = {"results": [{"stat": {"checksum": "12"}}, {"stat": {"exists": False}}, {"stat": {"checksum": "3"}}]}
    shown = {"ansible.builtin.debug": {"msg": "{{ _registry_files | join(' ') }}, {{ _registry_checksum }}."}}
    output = play([values, {**shown, "vars": {**given, "registry_files": found}}])
    files = (
        "/units/docker-registry.service /config/config.yml /config/htpasswd /config/tls/given.pem /config/tls/given.key"
    )
    assert f"{files}, {hashlib.sha256(b'12  3').hexdigest()}." in output


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="only systemd knows what it understands")
def test_a_schedule_that_systemd_does_not_understand_is_refused_at_once(variables, run_playbook, tmp_path):
    for schedule in ("0 3 * * 0", "Sun 03:00\nMon 03:00"):
        given = {**variables, "registry_gc_schedule": schedule}
        output = run_playbook("drayage.registry.registry", variables=given, succeeds=False)
        assert "systemd cannot parse registry_gc_schedule" in output
    assert not (tmp_path / "config").exists()
    run_playbook("drayage.registry.registry", variables={**variables, "registry_gc_schedule": "Sat 04:00\n"})
    assert "\nOnCalendar=Sat 04:00\nRandom" in (tmp_path / "units" / "docker-registry-gc.timer").read_text()


def test_the_role_waits_for_the_address_that_is_configured(play):
    values = {"ansible.builtin.include_vars": {"file": str(REPOSITORY / "roles" / "registry" / "vars" / "main.yml")}}
    expected = {
        ":5000": "127.0.0.1 and 5000",
        "[::]:5000": ":: and 5000",
        "[2001:db8::1]:443": "2001:db8::1 and 443",
        "10.1.2.3:80": "10.1.2.3 and 80",
    }
    told = {"ansible.builtin.debug": {"msg": "At {{ _registry_address }} and {{ _registry_port }}."}}
    tasks = [{**told, "vars": {"registry_listen": listen, "registry_config": {}}} for listen in expected]
    tasks += [
        {**told, "vars": {"registry_listen": ":1", "registry_config": {"http": {"addr": listen}}}}
        for listen in expected
    ]
    output = play([values, *tasks])
    assert re.findall(r"At (.*?)\.\"", output) == [*expected.values()] * 2


def test_settings_of_the_types_that_the_role_uses_are_added_to_its_own(play):
    values = {"ansible.builtin.include_vars": {"file": str(REPOSITORY / "roles" / "registry" / "vars" / "main.yml")}}
    shown = "{{ _registry_whole_config.storage | list }} and {{ _registry_whole_config.auth.htpasswd }}"
    given = {
        "registry_listen": ":5000",
        "registry_config_dir": "/etc/registry",
        "registry_storage_dir": "/images",
        "registry_users": [{"name": "alice", "password": PASSWORD}],
        "registry_config": {"storage": {"maintenance": {}}, "auth": {"htpasswd": {"realm": "site"}}},
    }
    output = play([values, {"ansible.builtin.debug": {"msg": shown}, "vars": given}])
    assert "['filesystem', 'delete', 'cache', 'maintenance'] and " in output
    assert "{'realm': 'site', 'path': '/etc/registry/htpasswd'}" in output
