# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of the documentation runs: those of the plugins, of the guides, and of the READMEs.

Each document is one playbook, its examples in their order. Variables hold for what comes after them, and a block with
a caption is the file of that name.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
from pathlib import Path

import pytest
import yaml

from devtools import images, module_runner, playbook_runner, provision
from devtools.engines import Engine
from devtools.examples import IMAGE, Document, Site, documents
from devtools.provision import REPOSITORY
from devtools.signing import Key

GROUPS = {
    "plugins": documents("plugins/modules/*.py", "plugins/filter/*.py", "plugins/test/*.py", "plugins/lookup/*.py"),
    "guides": documents("docs/docsite/rst/*.rst"),
    "readmes": documents("README.md", "roles/*/README.md"),
}

# Tasks and plays that are not run, by their names, and fragments by their first lines; and why.
EXEMPT: dict[str, str] = {
    "Sign an image in a directory with GPG": "the machine has no such GPG key; test_sign_gpg.py makes one",
    "Check that a release has an SBOM": "the images of examples have none; test_referrers_inspect.py looks for some",
    "Load an image into the Docker Engine on another machine": "there is one machine; engine tests do this over TLS",
}

# What an example says that cannot be so here: a scoped name has its source's host in it, and ours has a port.
INSTEAD: dict[str, dict[str, str]] = {
    "plugins/modules/image_sync.py": {"scoped: true": "scoped: false"},
    "docs/docsite/rst/guide_transports.rst": {
        # What somebody else has sent is what the example before has made.
        "/srv/incoming/app.tar.gz": "/srv/transfer/app-amd64.tar",
    },
}

# What only runs where there are container engines.
ENGINES = re.compile(r"docker-daemon:|containers-storage:")

# Images that examples read without naming them as one reference.
IMAGES: dict[str, tuple[str, ...]] = {
    "docs/docsite/rst/guide_tags.rst": ("registry.example.com/prod/app:live", "registry.example.com/prod/app:standby"),
    "docs/docsite/rst/guide_promote.rst": ("registry.example.com/prod/app:stable-previous",),
    "roles/promote/README.md": ("registry.example.com/prod/app:stable-previous",),
    "plugins/filter/find_images.py": ("quay.io/example/app:1.4",),
    "plugins/filter/rewrite_images.py": ("quay.io/example/app:1.4",),
    "plugins/lookup/images_of.py": ("quay.io/example/app:1.4",),
    "plugins/modules/image_lock.py": ("quay.io/example/app:1.4",),
    "docs/docsite/rst/guide_closures.rst": ("quay.io/example/app:1.4",),
}

# The role registry sets up a service of the machine: here it writes below our directory, and starts nothing.
REGISTRY = {
    "registry_config_dir": "/etc/registry",
    "registry_manage_service": False,
    "registry_packages": [],
    "registry_program": provision.program("docker-registry", unpack=True),
    "registry_storage_dir": "/var/lib/registry",
    "registry_unit_dir": "/etc/systemd",
    "registry_user": getpass.getuser(),
}

# Keys of examples that sign and verify.
KEY = Key()
KEY_FILES = {"etc/keys/release.key": KEY.private, "etc/keys/release.pub": KEY.public}
SIGNING = {"vault_signing_key": KEY.private}

# Values for variables that examples leave to their reader.
VARIABLES: dict[str, dict] = {
    "docs/docsite/rst/guide_registry.rst": REGISTRY,
    "roles/registry/README.md": REGISTRY,
    "plugins/modules/image_sign.py": SIGNING,
    "plugins/filter/location.py": {
        "mirror_dest": "oci:/srv/mirror",
        "synced": {"images": [{"dest": "oci:/srv/bundle:registry.example.com/app:1.4"}]},
    },
    "plugins/filter/image_reference.py": {
        "image": "ghcr.io/example/app:1.4.2",
        "images": ["ghcr.io/example/app:1.4.2", "registry.example.com/prod/app"],
    },
    "roles/mirror/README.md": {
        # Ansible's copy takes ~ for the home of the account, whatever HOME is.
        "mirror_inventory": "/var/lib/drayage/mirror.json",
        "mirror_schedule_method": "cron",
        "mirror_schedule_dir": "/etc/cron.d",
        "mirror_schedule_variables": "/etc/drayage/mirror.json",
        "mirror_schedule_command": "true",
    },
    "plugins/test/image_reference.py": {"image": "ghcr.io/example/app:1.4.2", "images": ["ghcr.io/example/app:1.4.2"]},
}

# A bundle with nothing in it.
NO_IMAGES = '{"version": 1, "images": []}'
NO_SUMS = f"{hashlib.sha256(NO_IMAGES.encode()).hexdigest()}  ./inventory.json\n"

MANIFESTS = """\
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  containers:
    - name: app
      image: quay.io/example/app:1.4
"""

COMPOSE = """\
# The shop
services:
  shop:
    image: quay.io/example/app:1.4
"""

# Files that examples read; the paths are seen from the playbook, whose directory is "/" in examples too.
FILES: dict[str, dict[str, str]] = {
    "plugins/modules/image_verify.py": KEY_FILES,
    "docs/docsite/rst/guide_sign.rst": {**KEY_FILES, "srv/release/sbom.json": '{"bomFormat": "CycloneDX"}'},
    "docs/docsite/rst/guide_registry.rst": {"etc/systemd/unit": "", "registry.pem": ""},
    "roles/registry/README.md": {"etc/systemd/unit": ""},
    "plugins/modules/image_sync.py": {
        "etc/mirror/sync.yaml": '{"docker.io": {"images": {"library/alpine": ["3.20"]}}}'
    },
    "docs/docsite/rst/guide_filters.rst": {"srv/.keep": ""},
    "docs/docsite/rst/guide_sync.rst": {"var/lib/drayage/.keep": ""},
    "roles/airgap_import/README.md": {
        "media/transfer/release-1.4/inventory.json": NO_IMAGES,
        "media/transfer/release-1.4/SHA256SUMS": NO_SUMS,
    },
    "roles/mirror/README.md": {"etc/cron.d/.keep": "", "var/www/html/.keep": ""},
    "plugins/filter/find_images.py": {"srv/release/manifests.yaml": MANIFESTS},
    "plugins/filter/rewrite_images.py": {"srv/release/manifests.yaml": MANIFESTS},
    "plugins/filter/inventory_summary.py": {"var/lib/drayage/mirror.json": NO_IMAGES},
    "plugins/lookup/images_of.py": {"srv/release/manifests.yaml": MANIFESTS, "srv/shop/compose.yml": COMPOSE},
    "plugins/modules/image_lock.py": {"srv/release/manifests.yaml": MANIFESTS},
    "docs/docsite/rst/guide_closures.rst": {"srv/shop/compose.yml": COMPOSE},
    "plugins/filter/manifest_digest.py": {"manifest.json": IMAGE.manifests[IMAGE.digest][1].decode()},
}


@pytest.fixture
def engines(request, registry) -> dict[str, str]:
    """Return what tells examples where container engines are; empty where there can be none."""
    if not Engine.available():
        return {}
    dockerd, podman = request.getfixturevalue("dockerd"), request.getfixturevalue("podman")
    images.push(IMAGE, registry.host, "built/app", "1")
    podman.run("pull", "--tls-verify=false", f"{registry.host}/built/app:1")
    podman.run("tag", f"{registry.host}/built/app:1", "localhost/app:latest")
    return {**dockerd.environment(), **podman.environment()}


@pytest.mark.parametrize("group", GROUPS)
def test_examples_run(group, registry, authority, engines, tmp_path):
    site = Site(registry.host, tmp_path, authority.ca)
    playbooks = [prepare(site, document, bool(engines)) for document in GROUPS[group]]
    names = [play["name"] for playbook in playbooks for play in yaml.safe_load(playbook.read_text())]
    assert names
    inventory = write_inventory(playbooks, tmp_path, module_runner.interpreter())
    arguments = ["-i", str(inventory), *map(str, playbooks)]
    output, status = playbook_runner.run(arguments, tmp_path / "home", {**environment(tmp_path / "home"), **engines})
    assert "Traceback" not in output, output
    assert status == 0, output
    assert "no hosts matched" not in output, output
    started = re.findall(r"^PLAY \[(.*?)\] \*", output, re.MULTILINE)
    assert [name for name in names if name not in started] == []


def test_every_module_has_examples():
    names = {document.name for document in GROUPS["plugins"]}
    modules = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "plugins" / "modules").glob("*.py")}
    assert modules <= names


def test_what_is_exempt_is_there():
    blocks = [block for group in GROUPS.values() for document in group for block in document.blocks]
    assert [line for line in EXEMPT if not any(line in block.text for block in blocks)] == []
    fragments = [block for block in blocks if block.kind == "fragment"]
    assert [block.place for block in fragments if block.text.splitlines()[0] not in EXEMPT] == []


def prepare(site: Site, document: Document, has_engines: bool) -> Path:
    """Write the playbook of a document, beside what its examples read, and return its path."""
    directory = site.directory(document)
    directory.mkdir(parents=True)
    given = VARIABLES.get(document.name, {})
    site.fill(document, (*IMAGES.get(document.name, ()), json.dumps(given)))
    for name, text in FILES.get(document.name, {}).items():
        write(directory / name, site.text(document, text))
    variables = json.loads(site.text(document, json.dumps({**site.variables(document), **given})))
    plays: list[dict] = []
    for block in document.blocks:
        text = block.text
        for said, instead in INSTEAD.get(document.name, {}).items():
            text = text.replace(said, instead)
        value = yaml.safe_load(site.text(document, text))
        if block.kind == "file":
            # In JSON, as nodes need no YAML.
            write(Path(site.text(document, block.caption)), json.dumps(value))
        elif block.kind == "variables":
            variables.update(value)
        elif block.kind == "part":
            plays[-1].update(value)
        elif block.kind != "fragment":
            items = [item for item in value if item.get("name") not in EXEMPT]
            if not has_engines:
                items = [item for item in items if not ENGINES.search(json.dumps(item))]
            tasks = {"hosts": "localhost", "gather_facts": False, "tasks": items}
            for play in items if block.kind == "plays" else [tasks]:
                # What variables there are must be known to all that follows, and yield to what the example sets.
                plays.append({**play, "name": block.place, "vars": {**variables, **play.get("vars", {})}})
    playbook = directory / "playbook.yml"
    playbook.write_text(yaml.safe_dump(plays, sort_keys=False))
    return playbook


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_inventory(playbooks: list[Path], tmp_path: Path, python: str) -> Path:
    """Write an inventory in which all that the playbooks name is this machine."""
    plays = [play for playbook in playbooks for play in yaml.safe_load(playbook.read_text())]
    named = {play["hosts"] for play in plays if "hosts" in play}
    hosts = {name for name in named if "." in name} | {"localhost"}
    inventory = {
        "all": {
            "hosts": {name: {} for name in hosts},
            "children": {name: {"hosts": {"localhost": {}}} for name in named - hosts - {"all"}},
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": python,
                "ansible_become": False,
            },
        }
    }
    path = tmp_path / "inventory.yml"
    write(path, json.dumps(inventory))
    return path


def environment(home: Path) -> dict[str, str]:
    """Return what modules find in their environment, besides their home, which is made."""
    (home / "run").mkdir(parents=True, mode=0o700)
    htpasswd = provision.program("htpasswd", "apache2-utils")
    return {
        "PATH": os.pathsep.join([os.environ["PATH"], os.path.dirname(htpasswd)]),
        "XDG_RUNTIME_DIR": str(home / "run"),
    }
