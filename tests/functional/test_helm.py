# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""images_of renders charts with helm itself: directories and archives; skipped where helm is not built."""

from __future__ import annotations

import os
import subprocess

import pytest
import yaml

from devtools import peers

pytest.importorskip("jinja2", reason="lookups run on the controller only")

from ansible.errors import AnsibleLookupError

from ansible_collections.drayage.registry.plugins.lookup import images_of

FILES = {
    "Chart.yaml": """\
apiVersion: v2
name: shop
version: 4.2.0
appVersion: "2.10"
dependencies:
  - {name: db, version: 1.0.0, condition: db.enabled}
""",
    "values.yaml": """\
image: {registry: ghcr.io, repository: shop/web, tag: ""}
args: []
db: {enabled: false}
""",
    "values.schema.json": '{"properties": {"replicas": {"type": "integer"}}}',
    "templates/_helpers.tpl": """\
{{- define "shop.image" -}}
{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
""",
    "templates/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-web, namespace: {{ .Release.Namespace }}}
spec:
  template:
    spec:
      containers:
        - name: web
          image: {{ include "shop.image" . | quote }}
          args: {{ .Values.args | toJson }}
""",
    "templates/job.yaml": """\
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {"helm.sh/hook": pre-upgrade}}
spec: {template: {spec: {containers: [{name: a, image: "ghcr.io/shop/migrate:3"}]}}}
{{- end }}
""",
    "charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n",
    "charts/db/values.yaml": "tag: '16'\n",
    "charts/db/templates/db.yaml": """\
apiVersion: v1
kind: Pod
metadata: {name: db}
spec: {containers: [{name: db, image: "docker.io/library/postgres:{{ .Values.tag }}"}]}
""",
}


@pytest.fixture(scope="module")
def helm():
    path = peers.find("helm")
    if not path:
        pytest.skip("helm is not built: set DRAYAGE_BUILD_PEERS, which takes minutes")
    return path


@pytest.fixture
def chart(tmp_path):
    top = tmp_path / "shop"
    for name, text in FILES.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


@pytest.fixture
def find(helm, monkeypatch):
    """Return a function that runs the lookup with options, and returns what it finds."""

    def run(path, **given):
        plugin = images_of.LookupModule()
        documented = yaml.safe_load(images_of.DOCUMENTATION)["options"]
        options = {name: document.get("default") for name, document in documented.items()}
        options.update(given, helm=helm)
        monkeypatch.setattr(plugin, "set_options", lambda **_options: None)
        monkeypatch.setattr(plugin, "get_option", options.__getitem__)
        return plugin.run([str(path)], {})

    return run


def references(found):
    return {item["reference"]: item["certain"] for item in found}


@pytest.mark.parametrize("packed", [False, True])
def test_images_of_a_chart(find, helm, chart, tmp_path, packed):
    """The tag comes from appVersion by a template, hooks count, and subcharts where their condition holds."""
    if packed:
        subprocess.run([helm, "package", chart, "-d", tmp_path], check=True, capture_output=True, timeout=60)
        chart = tmp_path / "shop-4.2.0.tgz"
    found = find(chart, kube_version="1.31")
    assert {item["file"] for item in found} == {str(chart)}
    assert references(found) == {"ghcr.io/shop/web:2.10": True, "ghcr.io/shop/migrate:3": True}
    assert references(find(chart, kube_version="1.29")) == {"ghcr.io/shop/web:2.10": True}
    values, more = tmp_path / "values.yml", tmp_path / "more.yml"
    values.write_text("db: {enabled: true, tag: '17'}\nimage: {tag: '9'}\n")
    more.write_text("image: {tag: '3'}\nargs: ['--proxy-image=quay.io/shop/proxy:1']\n")
    assert references(find(chart, values=[str(values), str(more)], kube_version="1.29")) == {
        "ghcr.io/shop/web:3": True,
        "quay.io/shop/proxy:1": False,
        "docker.io/library/postgres:17": True,
    }


@pytest.mark.usefixtures("chart")
def test_charts_below_a_directory(find, tmp_path):
    (tmp_path / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'a/pod:1'}]}\n")
    found = find(tmp_path, kube_version="1.29")
    assert [(os.path.relpath(item["file"], tmp_path), item["reference"]) for item in found] == [
        ("pod.yaml", "a/pod:1"),
        ("shop", "ghcr.io/shop/web:2.10"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("values.yaml", "replicas: many\n", "helm cannot render the chart (Error: values don't meet the specifications"),
        ("templates/web.yaml", "{{ required \"Set the host\" .Values.host }}\n", "Set the host). Use the values option to set the values that"),
        ("templates/web.yaml", "{{ .Values.a.b.c }}\n", "nil pointer evaluating interface {}.b"),
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies: [{name: gone, version: 1.0.0}]\n",
         "missing in charts/ directory: gone). Run helm dependency build for the chart."),
    ],
)  # fmt: skip
def test_charts_that_cannot_be_rendered(find, chart, name, text, message):
    (chart / name).write_text(text)
    with pytest.raises(AnsibleLookupError) as error:
        find(chart)
    assert str(error.value).startswith(f"images_of: {chart}: helm cannot render the chart (Error: ")
    assert message in str(error.value)
