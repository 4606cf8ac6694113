# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role mirror in plays of several hosts: who brings what."""

from __future__ import annotations

import json

import pytest

from devtools import images, observe

# So many that it is out of the question that all are in one share, whatever the address of the registry.
TAGS = sorted(f"1.{number}" for number in range(24))

# A connection to what is another machine, as far as Ansible can tell.
ELSEWHERE = """
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = "name: elsewhere\\nshort_description: x\\ndescription: x\\nauthor: x"


class Connection(Local):
    transport = "elsewhere"
"""

# A host is unreachable if Ansible cannot create this directory.
LOST = {
    "ansible_pipelining": "{{ mirror_began is not defined }}",
    "ansible_remote_tmp": "{{ '/dev/null/tmp' if mirror_began is defined else '~/.ansible/tmp' }}",
}
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def mirror(run_playbook, registry, repository, tmp_path):
    """Return a function that runs the role on hosts to a destination; it returns what each host then knows of."""
    for tag in TAGS:
        images.push(images.single(seed=tag), registry.host, f"{repository}/from", tag)

    def run(dest, hosts=("one", "two"), each=None, connection="local", **keywords):
        variables = {
            "mirror_dest": dest,
            "mirror_images": [{"name": f"{registry.host}/{repository}/from", "dest": "app"}],
            "mirror_inventory": str(tmp_path / "{{ inventory_hostname }}.json"),
            "mirror_report": str(tmp_path / "{{ inventory_hostname }}.html"),
            "mirror_metrics": str(tmp_path / "{{ inventory_hostname }}.prom"),
        }
        inventory = {"all": {"hosts": {host: (each or {}).get(host, {}) for host in hosts}}}
        (tmp_path / "inventory.yml").write_text(json.dumps(inventory))
        plugins = tmp_path / "connection_plugins"
        plugins.mkdir(exist_ok=True)
        (plugins / "elsewhere.py").write_text(ELSEWHERE)
        role = {"ansible.builtin.include_role": {"name": "drayage.registry.mirror"}}
        strategy = {"strategy": keywords.pop("strategy")} if "strategy" in keywords else {}
        succeeds = keywords.pop("succeeds", True)
        tasks = [{"block": [{**role, "vars": variables}], **keywords}]
        play = {"hosts": "all:!localhost", "gather_facts": False, "tasks": tasks, **strategy}
        (tmp_path / "site.yml").write_text(json.dumps([play]))
        files = {host: tmp_path / f"{host}.json" for host in hosts}
        for file in files.values():
            file.unlink(missing_ok=True)
        given = {"ansible_connection": connection}
        run_playbook(tmp_path / "site.yml", "-i", str(tmp_path / "inventory.yml"), variables=given, succeeds=succeeds)
        read = {host: json.loads(file.read_text())["images"] for host, file in files.items() if file.exists()}
        return {host: sorted(image["ref"].rpartition(":")[2] for image in known) for host, known in read.items()}

    return run


def test_hosts_with_a_destination_each_bring_everything(mirror, registry, second_registry, repository, tmp_path):
    edges = {"one": {"edge": registry.host}, "two": {"edge": second_registry.host}}
    assert mirror("{{ edge }}/" + repository + "/to", each=edges) == {"one": TAGS, "two": TAGS}
    for server in (registry, second_registry):
        assert sorted(observe.tags_at(server.host, f"{repository}/to/app")) == TAGS
    assert f"{len(TAGS)} new" in (tmp_path / "one.html").read_text()
    assert f"{len(TAGS)} new" in (tmp_path / "two.html").read_text()


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_hosts_with_one_registry_share_the_work(mirror, registry, repository, strategy, tmp_path):
    known = mirror(f"{registry.host}/{repository}/to", strategy=strategy)
    assert sorted(observe.tags_at(registry.host, f"{repository}/to/app")) == TAGS
    if strategy == "linear":
        assert sorted(known["one"] + known["two"]) == TAGS
        assert [len(tags) < len(TAGS) for tags in known.values()] == [True, True]
        assert f"{len(TAGS)} new" in (tmp_path / "one.html").read_text()
        assert not (tmp_path / "two.html").exists()


def test_what_is_on_the_hosts_themselves_is_not_shared(mirror, registry, repository, tmp_path):
    assert mirror(f"oci:{tmp_path}/mirror-{{{{ inventory_hostname }}}}") == {"one": TAGS, "two": TAGS}
    assert mirror(f"oci:{tmp_path}/mirror") == {"one": TAGS, "two": TAGS}
    assert mirror(f"{registry.host}/{repository}/to", connection="elsewhere") == {"one": TAGS, "two": TAGS}


def test_one_host_of_several_brings_everything(mirror, registry, repository):
    place = f"{registry.host}/{repository}"
    assert mirror(f"{place}/once", run_once=True) == {"one": TAGS}
    assert mirror(f"{place}/when", when="inventory_hostname == 'one'")["one"] == TAGS


def test_a_share_that_is_given_is_the_share(mirror, registry, repository):
    dest = f"{registry.host}/{repository}/to"
    first, second = (mirror(dest, hosts=["one"], each={"one": {"mirror_slice": f"{n}/2"}})["one"] for n in (1, 2))
    assert sorted(first + second) == TAGS
    assert len(first) < len(TAGS)


def test_the_others_report_a_host_that_is_lost(mirror, registry, repository, tmp_path):
    dest = f"{registry.host}/{repository}/to"
    mirror(dest)
    status = json.loads((tmp_path / "one-status.json").read_text())
    failed = {"src": "a:1", "dest": f"{dest}/app:0", "action": "failed", "error": "HTTP 500", "bytes_copied": 0}
    change = {**status["change"], "images": [failed]}
    (tmp_path / "one-status.json").write_text(json.dumps({**status, "last_success": LONG_AGO, "change": change}))

    mirror(dest, each={"two": LOST}, succeeds=False)
    status = json.loads((tmp_path / "one-status.json").read_text())
    message = "The host two did not finish this run, so the state of its share is unknown."
    assert status["failures"] == [message]
    assert status["last_success"] == LONG_AGO
    assert status["change"]["images"] == [failed]
    assert message in (tmp_path / "one.html").read_text()
    assert "no longer declared" not in (tmp_path / "one.html").read_text()
    assert f'drayage_mirror_success{{mirror="{dest}",slice="1/2"}} 0' in (tmp_path / "one.prom").read_text()
