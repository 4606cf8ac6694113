# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters and tests in templates, and against what skopeo says of the same manifests."""

from __future__ import annotations

import http.client
import subprocess
from contextlib import closing

import pytest

from devtools import images, provision
from devtools.servers import DockerRegistry

INDEX = images.index()


class Schema1Registry(DockerRegistry):
    """A registry that still takes schema 1, as long ago all did."""

    def _config(self):
        return {**super()._config(), "compatibility": {"schema1": {"enabled": True}}}


def skopeo(*arguments):
    command = [provision.program("skopeo"), "--insecure-policy", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def image(tmp_path):
    """Return the directory of a single image in Docker's format, as skopeo writes it."""
    images.write_layout(INDEX, tmp_path / "layout", "1")
    platform = ("--override-os", "linux", "--override-arch", "amd64")
    skopeo(*platform, "copy", "--format", "v2s2", f"oci:{tmp_path}/layout:1", f"dir:{tmp_path}/image")
    return tmp_path / "image"


@pytest.fixture
def signed(image, tmp_path):
    """Return the file of a schema 1 manifest that skopeo signed and a registry took."""
    with Schema1Registry() as server:
        skopeo("copy", "--format", "v2s1", "--dest-tls-verify=false", f"dir:{image}", f"docker://{server.host}/a:1")
        with closing(http.client.HTTPConnection(server.host)) as connection:
            accept = {"Accept": "application/vnd.docker.distribution.manifest.v1+prettyjws"}
            connection.request("GET", "/v2/a/manifests/1", headers=accept)
            response = connection.getresponse()
            (tmp_path / "signed.json").write_bytes(response.read())
    assert response.headers["Docker-Content-Digest"] == skopeo("manifest-digest", tmp_path / "signed.json")
    return tmp_path / "signed.json"


def test_digests_are_those_of_skopeo(play, image, signed, tmp_path):
    (tmp_path / "index.json").write_bytes(INDEX.manifests[INDEX.digest][1] + b"\n")
    files = {
        path: skopeo("manifest-digest", path) for path in (image / "manifest.json", signed, tmp_path / "index.json")
    }
    text = "lookup('ansible.builtin.file', '%s', rstrip=false)"
    conditions = [f"{text % path} | drayage.registry.manifest_digest == '{digest}'" for path, digest in files.items()]
    play([{"ansible.builtin.assert": {"that": conditions}}])


def test_references_in_templates(play):
    play(
        [
            {
                "vars": {"images": ["alpine", "r.example:5000/a/b:1", "no image"]},
                "ansible.builtin.assert": {
                    "that": [
                        "images[0] is drayage.registry.image_reference",
                        "images[2] is not drayage.registry.image_reference",
                        "images | select('drayage.registry.image_reference') | length == 2",
                        "(images[1] | drayage.registry.image_reference).host == 'r.example:5000'",
                        "(images[0] | drayage.registry.image_reference).name == 'docker.io/library/alpine'",
                        "(images[0] | drayage.registry.image_reference).tag is none",
                    ]
                },
            }
        ]
    )


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ 'no image' | drayage.registry.image_reference }}", "image_reference: no image: "),
        (
            "{{ {'schemaVersion': 2} | drayage.registry.manifest_digest }}",
            "manifest_digest: the input is not a string",
        ),
    ],
)
def test_errors_in_templates_are_plain(play, template, words):
    output = play([{"ansible.builtin.debug": {"msg": template}}], succeeds=False)
    assert words in output


def test_a_document_in_a_variable_may_contain_templates(play):
    """ansible-core 2.19 and later resolve them only when they are read."""
    document = {"services": {"a": {"image": "{{ unset | default('app:1') }}"}, "b": ["other"]}}
    expected = {"services": {"a": {"image": "r.example/app:1"}, "b": ["other"]}}
    rewritten = "(document | drayage.registry.rewrite_images({'app:1': 'r.example/app:1'})).content"
    play([{"ansible.builtin.assert": {"that": f"{rewritten} == {expected}"}, "vars": {"document": document}}])
