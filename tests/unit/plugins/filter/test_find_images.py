# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import textwrap

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.find_images import FilterModule

find_images = FilterModule().filters()["find_images"]
DIGEST = "sha256:" + "0" * 64

# What a rendered chart has, by the name of the case: the text, the certain references, and those that only look like one.
CASES = {
    "pod": (
        """
        apiVersion: v1
        kind: Pod
        spec:
          initContainers:
            - {name: init, image: busybox}
          containers:
            - {name: app, image: "quay.io/a/app:1.2"}
          ephemeralContainers:
            - {name: debug, image: r.example:5000/debug@%s}
        """
        % DIGEST,
        {"busybox", "quay.io/a/app:1.2", "r.example:5000/debug@" + DIGEST},
        set(),
    ),
    "deployment": (
        """
        apiVersion: apps/v1
        kind: Deployment
        spec: {template: {spec: {containers: [{name: a, image: nginx:1.25}, {name: b, image: nginx:1.25}]}}}
        """,
        {"nginx:1.25"},
        set(),
    ),
    "cron job": (
        """
        apiVersion: batch/v1
        kind: CronJob
        spec:
          jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: ghcr.io/a/job:7}]}}}}
        """,
        {"ghcr.io/a/job:7"},
        set(),
    ),
    "list": (
        """
        apiVersion: v1
        kind: List
        items:
          - {apiVersion: v1, kind: Pod, spec: {containers: [{name: a, image: a/b:1}]}}
          - {apiVersion: apps/v1, kind: StatefulSet, spec: {template: {spec: {containers: [{name: a, image: a/c:1}]}}}}
        """,
        {"a/b:1", "a/c:1"},
        set(),
    ),
    "image volume": (
        """
        apiVersion: v1
        kind: Pod
        spec:
          containers: [{name: a, image: a/b:1}]
          volumes:
            - {name: model, image: {reference: quay.io/a/model:3, pullPolicy: Always}}
            - {name: data, emptyDir: {}}
        """,
        {"a/b:1", "quay.io/a/model:3"},
        set(),
    ),
    "operator": (
        """
        apiVersion: apps/v1
        kind: Deployment
        spec:
          template:
            spec:
              containers:
                - name: manager
                  image: quay.io/op/manager:v1
                  args: ["--config-reloader-image=quay.io/op/reloader:v2", "--base-image", "quay.io/op/base:v3", "--port=80"]
                  env:
                    - {name: RELATED_IMAGE_PROXY, value: "quay.io/op/proxy@%s"}
                    - {name: LOG_LEVEL, value: info}
                    - {name: IMAGE_PULL_POLICY, value: Always}
        """
        % DIGEST,
        {"quay.io/op/manager:v1"},
        {"quay.io/op/reloader:v2", "quay.io/op/base:v3", "quay.io/op/proxy@" + DIGEST},
    ),
    "custom resource": (
        """
        apiVersion: monitoring.example.com/v1
        kind: Prometheus
        spec: {image: "quay.io/prometheus/prometheus:v2.54.1", thanos: {baseImage: "quay.io/thanos/thanos:v0.36.1"}}
        """,
        set(),
        {"quay.io/prometheus/prometheus:v2.54.1", "quay.io/thanos/thanos:v0.36.1"},
    ),
    "config map": (
        """
        apiVersion: v1
        kind: ConfigMap
        data:
          run.sh: |
            exec docker run --rm docker.io/library/alpine:3.20 sh -c "curl https://example.com/a:b"
        """,
        set(),
        {"docker.io/library/alpine:3.20"},
    ),
    "values": (
        """
        image: {repository: quay.io/a/app, tag: 1.10, pullPolicy: IfNotPresent}
        sidecar: {image: {registry: docker.io, repository: bitnami/redis, tag: "7.0", digest: ""}}
        pinned: {repository: quay.io/a/pinned, tag: v1, digest: "%s"}
        git: {repository: "https://github.com/a/b", tag: v1}
        """
        % DIGEST,
        set(),
        {"quay.io/a/app:1.10", "docker.io/bitnami/redis:7.0", "quay.io/a/pinned:v1@" + DIGEST},
    ),
    "compose": (
        """
        services:
          web: {image: "nginx:${TAG:-1.25}", environment: ["TOOL_IMAGE=quay.io/a/tool:1"]}
          db: {image: postgres:16}
          own: {build: .}
          unknown: {image: "app:${VERSION}"}
        """,
        {"nginx:1.25", "postgres:16"},
        {"quay.io/a/tool:1"},
    ),
    "kustomization": (
        """
        apiVersion: kustomize.config.k8s.io/v1beta1
        kind: Kustomization
        images:
          - {name: nginx, newTag: "1.25"}
          - {name: app, newName: quay.io/a/app, digest: "%s"}
          - {name: untouched}
        """
        % DIGEST,
        {"nginx:1.25", "quay.io/a/app@" + DIGEST},
        set(),
    ),
    "chart": (
        """
        apiVersion: v2
        name: app
        version: 1.2.3
        annotations:
          artifacthub.io/images: |
            - {name: app, image: quay.io/a/app:1.2.3}
            - name: proxy
              image: ghcr.io/a/proxy:4
              platforms: [linux/amd64]
        """,
        {"quay.io/a/app:1.2.3", "ghcr.io/a/proxy:4"},
        set(),
    ),
    "quadlet": (
        """
        # a unit
        [Unit]
        Description=The app
        [Container]
        Image=quay.io/a/app:1
        Exec=sleep 1
        """,
        {"quay.io/a/app:1"},
        set(),
    ),
    "images lock": (
        """
        apiVersion: imgpkg.carvel.dev/v1alpha1
        kind: ImagesLock
        images:
          - image: quay.io/a/app:1@%s
            annotations: {kbld.carvel.dev/id: "quay.io/a/app:1"}
        """
        % DIGEST,
        {"quay.io/a/app:1@" + DIGEST},
        set(),
    ),
    "Flux source": (
        """
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: OCIRepository
        spec: {url: "oci://ghcr.io/a/manifests/podinfo", ref: {tag: 6.7.0}}
        """,
        {"ghcr.io/a/manifests/podinfo:6.7.0"},
        set(),
    ),
    "Argo CD application": (
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        spec: {source: {repoURL: registry.example.com/charts, chart: app, targetRevision: 1.2.3+build}}
        """,
        {"registry.example.com/charts/app:1.2.3_build"},
        set(),
    ),
    "Argo CD application of a Git repository": (
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        spec: {source: {repoURL: "https://github.com/a/b.git", path: x, targetRevision: HEAD}}
        """,
        set(),
        set(),
    ),
    "nothing": (
        """
        apiVersion: v1
        kind: Service
        metadata: {name: a, annotations: {docs: "https://example.com:8443/a/b:1"}}
        spec: {ports: [{name: http, port: 80}], image: "", logo: {image: logo}}
        """,
        set(),
        set(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_documents(name):
    text, certain, likely = CASES[name]
    found = find_images(textwrap.dedent(text))
    assert {item["reference"] for item in found if item["certain"]} == certain
    assert {item["reference"] for item in found if not item["certain"]} == likely
    assert len({item["reference"] for item in found}) == len(found)


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("quadlet", "values")])
def test_parsed_documents_give_the_same(name):
    text = textwrap.dedent(CASES[name][0])
    assert find_images(list(yaml.safe_load_all(text))) == find_images(text)


def test_record():
    text = "services: {web: {image: nginx:1}}"
    expected = {"reference": "nginx:1", "kind": "compose", "path": "services.web.image", "certain": True}
    assert find_images(text) == [expected]


def test_text_of_a_template():
    """ansible-core hands over strings of a type of its own."""

    class Marked(str):
        pass

    assert [item["reference"] for item in find_images(Marked("services: {a: {image: a/b:1}}"))] == ["a/b:1"]


def test_path_of_a_list():
    text = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: a/b:1}]}\n"
    assert find_images(text)[0]["path"] == "spec.containers[0].image"


def test_default_tag_fills_an_empty_one():
    text = "image: {repository: quay.io/a/app, tag: ''}\n"
    assert [item["reference"] for item in find_images(text, "1.4")] == ["quay.io/a/app:1.4"]
    assert [item["reference"] for item in find_images(text)] == ["quay.io/a/app"]


def test_aliases_and_cycles():
    found = find_images("a: &a {image: quay.io/a/b:1, self: *a}\nb: *a\n")
    assert [item["reference"] for item in found] == ["quay.io/a/b:1"]


def test_merge_keys_of_compose_files():
    text = """
    x-app: &app {image: "${APP:-ghcr.io/a/app:${TAG:-2}}"}
    services:
      web: {<<: *app}
      own: {<<: [*app], image: "a/own:1"}
    """
    found = {item["path"]: (item["reference"], item["certain"]) for item in find_images(text)}
    assert found == {"services.web.image": ("ghcr.io/a/app:2", True), "services.own.image": ("a/own:1", True)}


@pytest.mark.parametrize(
    ("first", "next_"),
    [("a0: &a0 [%s]" % ", ".join("x" * 10), "[%s]"), ("a0: &a0 {x: x}", "{<<: [%s]}")],
    ids=["lists", "merge keys"],
)
def test_aliases_that_multiply_are_refused(first, next_):
    """Ten levels of ten aliases are ten billion values."""
    levels = [first, *(f"a{n}: &a{n} {next_ % ', '.join([f'*a{n - 1}'] * 10)}" for n in range(1, 11))]
    with pytest.raises(AnsibleFilterError) as error:
        find_images("\n".join(levels))
    assert str(error.value) == "find_images: the document has more than 300000 values. Split the document."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (7, "find_images: the input is of type int. Pass text or a parsed document."),
        ("a: [", "find_images: the document is not valid YAML or JSON ("),
        ("[" * 5000, "find_images: the document is"),
    ],
)
def test_bad_input(content, message):
    with pytest.raises(AnsibleFilterError) as error:
        find_images(content)
    assert str(error.value).startswith(message)
