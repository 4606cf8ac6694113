# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.drayage.registry.plugins.filter.find_images import FilterModule as FindModule
from ansible_collections.drayage.registry.plugins.filter.rewrite_images import FilterModule
from ansible_collections.drayage.registry.plugins.plugin_utils import _documents

find_images = FindModule().filters()["find_images"]
rewrite_images = FilterModule().filters()["rewrite_images"]
DIGEST = "sha256:" + "0" * 64
MIRROR = {"from": "docker.io", "to": "mirror.example.com/hub"}

MANIFEST = """\
# Comments stay
apiVersion: apps/v1
kind: Deployment   # here too
spec:
  template:
    spec:
      containers:
      - name: app
        image: "nginx:1.25" # quoted
        args: ["--sidecar-image=docker.io/envoyproxy/envoy:v1.30", "--other"]
"""


def test_text_keeps_everything_but_the_references():
    result = rewrite_images(MANIFEST, MIRROR)
    expected = MANIFEST.replace('"nginx:1.25"', '"mirror.example.com/hub/library/nginx:1.25"')
    expected = expected.replace("docker.io/envoyproxy", "mirror.example.com/hub/envoyproxy")
    assert result["content"] == expected
    assert result["replaced"] == {
        "nginx:1.25": "mirror.example.com/hub/library/nginx:1.25",
        "docker.io/envoyproxy/envoy:v1.30": "mirror.example.com/hub/envoyproxy/envoy:v1.30",
    }
    assert result["missing"] == []


def test_structure_gets_the_same_values_as_its_text():
    document = yaml.safe_load(MANIFEST)
    result = rewrite_images(document, MIRROR)
    assert result["content"] == yaml.safe_load(rewrite_images(MANIFEST, MIRROR)["content"])
    assert document == yaml.safe_load(MANIFEST), "the input was changed"


def test_what_no_mapping_knows_is_listed_once():
    text = "image: quay.io/a/b:1\nother: {image: quay.io/a/b:1}\n"
    assert rewrite_images(text, MIRROR) == {"content": text, "replaced": {}, "missing": ["quay.io/a/b:1"]}


@pytest.mark.parametrize(
    "mapping",
    [
        {
            "images": [
                {"src": "docker.io/library/app:1", "dest": "r.example/app:1", "digest": DIGEST, "action": "created"}
            ]
        },
        [{"src": "docker.io/library/app:1", "dest": "r.example/app:1", "digest": DIGEST, "action": "unchanged"}],
        {
            "kind": "ImagesLock",
            "images": [{"image": f"r.example/app:1@{DIGEST}", "annotations": {"kbld.carvel.dev/id": "app:1"}}],
        },
        {"app:1": f"r.example/app:1@{DIGEST}"},
        [
            {
                "src": f"docker.io/library/app@{DIGEST}",
                "dest": "r.example/app:1",
                "digest": DIGEST,
                "action": "unchanged",
            }
        ],
    ],
    ids=["result", "list", "lock", "dictionary", "declared digest"],
)
def test_mappings(mapping):
    text = "services: {app: {image: app:1}}\n"
    assert rewrite_images(text, mapping)["content"] == "services: {app: {image: r.example/app:1@%s}}\n" % DIGEST


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (f"app:1@{DIGEST}", f"r.example/app:1@{DIGEST}"),
        (f"app:2@{DIGEST}", f"r.example/app:2@{DIGEST}"),
        (f"app:3@{DIGEST}", f"r.example/app:2@{DIGEST}"),
        (f"tool:1@{DIGEST}", f"r.example/tool@{DIGEST}"),
        ("app:3", None),
        ("app:1@sha256:" + "1" * 64, None),
        (f"other:1@{DIGEST}", None),
    ],
)
def test_a_reference_with_a_tag_and_a_digest_means_the_digest(text, new):
    images = [
        {"src": f"docker.io/library/{src}@{DIGEST}", "dest": f"r.example/{dest}", "digest": DIGEST, "action": "created"}
        for src, dest in (("app", "app:1"), ("app", "app:2"), ("tool", f"tool@{DIGEST}"))
    ]
    result = rewrite_images("services: {a: {image: '%s'}}" % text, images)
    assert (result["replaced"], result["missing"]) == (({text: new}, []) if new else ({}, [text]))


def test_an_image_copied_by_digest_without_some_platforms_has_another_digest():
    other = DIGEST[:-1] + "1"
    src, dest = (f"{host}/app@{DIGEST}" for host in ("r.example", "m.example"))
    images = [{"src": src, "dest": dest, "digest": other, "action": "created"}]
    result = rewrite_images("services: {a: {image: '%s'}}" % src, images)
    assert result["replaced"] == {src: f"m.example/app@{other}"}


def test_failed_images_of_a_sync_are_no_mapping():
    image = {"src": "docker.io/library/app:1", "dest": "r.example/app:1", "digest": "", "action": "failed"}
    assert rewrite_images("services: {a: {image: app:1}}", [image])["missing"] == ["app:1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "image:\n  repository: nginx # r\n  tag: 1.10\n",
            "image:\n  repository: mirror.example.com/hub/library/nginx # r\n  tag: 1.10\n",
            id="pair",
        ),
        pytest.param(
            "image:\n  registry: docker.io\n  repository: bitnami/redis\n  tag: '7'\n",
            "image:\n  registry: mirror.example.com\n  repository: hub/bitnami/redis\n  tag: '7'\n",
            id="pair with a registry",
        ),
        pytest.param(
            "images:\n- name: nginx\n  newTag: '1' # t\n",
            "images:\n- name: nginx\n  newName: mirror.example.com/hub/library/nginx\n  newTag: '1' # t\n",
            id="kustomize, block",
        ),
        pytest.param(
            "images: [{name: nginx, newTag: '1'}]\n",
            "images: [{name: nginx, newName: mirror.example.com/hub/library/nginx, newTag: '1'}]\n",
            id="kustomize, flow",
        ),
        pytest.param(
            "images:\n- {name: x, newName: nginx, newTag: '1'}\n",
            "images:\n- {name: x, newName: mirror.example.com/hub/library/nginx, newTag: '1'}\n",
            id="kustomize, with a name",
        ),
        pytest.param(
            "[Container]\nImage=docker.io/library/nginx:1\nExec=x\n",
            "[Container]\nImage=mirror.example.com/hub/library/nginx:1\nExec=x\n",
            id="quadlet",
        ),
        pytest.param(
            "script: |\n  docker pull docker.io/a/b:1 && docker pull docker.io/a/b:1.2\n",
            "script: |\n  docker pull mirror.example.com/hub/a/b:1 && docker pull mirror.example.com/hub/a/b:1.2\n",
            id="text",
        ),
        pytest.param(
            "services:\n  web:\n    image: nginx:${TAG:-1.25} # t\n",
            "services:\n  web:\n    image: mirror.example.com/hub/library/nginx:1.25 # t\n",
            id="compose, with a default",
        ),
        pytest.param(
            "x: &x\n  image: nginx:1\nservices:\n  web: {<<: *x}\n",
            "x: &x\n  image: mirror.example.com/hub/library/nginx:1\nservices:\n  web: {<<: *x}\n",
            id="compose, merged",
        ),
        pytest.param(
            '{"images": [{\n  "name": "nginx",\n  "newTag": "1"\n}]}',
            '{"images": [{\n  "name": "nginx", "newName": "mirror.example.com/hub/library/nginx",\n  "newTag": "1"\n}]}',
            id="kustomize, JSON",
        ),
        pytest.param(
            "kind: OCIRepository\nspec:\n  url: oci://docker.io/a/b\n  ref: {tag: 1.2.3}\n",
            "kind: OCIRepository\nspec:\n  url: oci://mirror.example.com/hub/a/b\n  ref: {tag: 1.2.3}\n",
            id="Flux",
        ),
        pytest.param(
            "kind: Application\nspec:\n  source: {repoURL: docker.io/charts, chart: app, targetRevision: 1.2.3+b}\n",
            "kind: Application\nspec:\n  source: {repoURL: mirror.example.com/hub/charts, chart: app, targetRevision: 1.2.3+b}\n",
            id="Argo CD",
        ),
        pytest.param(
            "run: skopeo copy docker://docker.io/a/b:1 dir:x\n",
            "run: skopeo copy docker://mirror.example.com/hub/a/b:1 dir:x\n",
            id="text with a scheme",
        ),
        pytest.param(
            '{"services": {"a": {"image": "nginx:1"}}}',
            '{"services": {"a": {"image": "mirror.example.com/hub/library/nginx:1"}}}',
            id="JSON",
        ),
    ],
)
def test_places(text, expected):
    assert rewrite_images(text, MIRROR)["content"] == expected


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({15: {"image": {"repository": "nginx", "tag": "1"}}}, "15.image"),
        ({"images": {1.5: "nginx:1"}}, "images.1.5"),
        ({"services": {8080: {"image": "nginx:1"}}}, "services.8080.image"),
        ({"kind": "Task", "apiVersion": "tekton.dev/v1", "spec": {True: {"image": "nginx:1"}}}, "spec.True.image"),
    ],
    ids=["pair", "text", "compose", "step"],
)
def test_keys_of_parsed_documents_need_not_be_text(document, path):
    result = rewrite_images(document, MIRROR)
    assert result["replaced"] == {"nginx:1": "mirror.example.com/hub/library/nginx:1"}
    assert "nginx" not in str(result["content"]).replace("mirror.example.com/hub/library/nginx", "")
    assert [each["path"] for each in find_images(document)] == [path]
    assert next(iter(result["content"])) == next(iter(document))


def test_a_reference_that_cannot_be_replaced_is_missing():
    text = 'annotations:\n  artifacthub.io/images: |\n    - image: "docker.io/a/\\x62:1"\n'
    assert rewrite_images(text, MIRROR) == {"content": text, "replaced": {}, "missing": ["docker.io/a/b:1"]}
    document = yaml.safe_load(text)
    assert rewrite_images(document, MIRROR) == {"content": document, "replaced": {}, "missing": ["docker.io/a/b:1"]}


@pytest.mark.parametrize("read", [str, yaml.safe_load], ids=["text", "parsed"])
@pytest.mark.parametrize("step", [1, -1])
def test_a_reference_that_is_replaced_in_one_document_can_be_missing_in_another(read, step):
    values = "image: docker.io/a/b:1\n"
    chart = 'annotations:\n  artifacthub.io/images: |\n    - image: "docker.io\\/a/b:1"\n'
    result = rewrite_images([read(values), read(chart)][::step], MIRROR)
    assert list(result["replaced"]) == ["docker.io/a/b:1"]
    assert result["missing"] == ["docker.io/a/b:1"]
    assert result["content"][::step][1] == read(chart)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {image: docker.io/a/b:1}\nb: *a\n",
        "a: &a [--image=docker.io/a/b:1]\nb: *a\n",
        "args: [--image=docker.io/a/b:1 --other=docker.io/a/b:1]\n",
        "a: &a {image: {repository: docker.io/a/b, tag: 1}}\nb: *a\n",
    ],
    ids=["value", "argument", "twice in a value", "pair"],
)
def test_a_parsed_alias_of_a_replaced_reference_is_not_missing(text):
    result = rewrite_images(yaml.safe_load(text), MIRROR)
    assert list(result["replaced"]) == ["docker.io/a/b:1"]
    assert result["missing"] == []


ESCAPES = [
    pytest.param(r'"say \"hi\"\ndocker.io/c/d:2\n"', id="line break"),
    pytest.param(r'"docker.io/a/b:1\ndocker.io/c/d:2\n"', id="two lines"),
    pytest.param(r'"\tdocker.io/a/b:1\u0020docker.io/c/d:2 \u003c\u003e"', id="other escapes"),
    pytest.param(r'"docker.io\/a\/b:1\n\\docker.io/c/d:2\b"', id="escapes within a reference"),
    pytest.param(r'"docker.io/a/b:1\n docker.io/a/b:1.5 docker.io/a/b:1"', id="longer reference"),
]


@pytest.mark.parametrize("value", ESCAPES)
def test_values_with_escapes_get_the_same_references_as_parsed_ones(value):
    text = '{"kind": "ConfigMap", "data": {"run.sh": %s, "other": "\\u003c"}}' % value
    result = rewrite_images(text, MIRROR)
    assert result["replaced"]
    assert json.loads(result["content"]) == rewrite_images(json.loads(text), MIRROR)["content"]
    rest = re.sub(r"mirror\.example\.com/hub/", "docker.io/", result["content"])
    assert rest == text.replace("\\/", "/"), "other text was changed"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            'run: &a !!str "x\\n\n\n  docker.io/a/b:1\\n\\\n  docker.io/a/b:2 \\x41" # "c"\nagain: *a\n',
            'run: &a !!str "x\\n\n\n  m.example/a/b:1\\n\\\n  m.example/a/b:2 \\x41" # "c"\nagain: *a\n',
            id="lines, anchor and alias",
        ),
        pytest.param('run: "docker.io/a/\\\n  b:1"\n', 'run: "m.example/a/b:1"\n', id="reference on two lines"),
        pytest.param(
            'run: "a\\\n\n\\e docker.io/a/b:1 \\x7f\\""\n',
            'run: "a\\n\\u001b m.example/a/b:1 \\u007f\\""\n',
            id="written as one line",
        ),
        pytest.param(
            'services: {a: {image: &i "${R:-docker.io/a}/\\x62:1"}}\n',
            'services: {a: {image: &i "m.example/a/b:1"}}\n',
            id="variable",
        ),
    ],
)
def test_double_quoted_values_of_yaml(text, expected):
    result = rewrite_images(text, {"from": "docker.io", "to": "m.example"})
    assert result["content"] == expected
    parsed = rewrite_images(yaml.safe_load(text), {"from": "docker.io", "to": "m.example"})
    assert yaml.safe_load(result["content"]) == parsed["content"]


def test_digest_without_a_place_of_its_own_stands_behind_the_tag():
    result = rewrite_images("image: {repository: app, tag: '1'}\n", {"app:1": f"r.example/app:1@{DIGEST}"})
    assert result["content"] == f"image: {{repository: r.example/app, tag: '1@{DIGEST}'}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image: {repository: app, tag: ''}", "image: {repository: r.example/app, tag: '1.10'}"),
        ("image:\n  repository: app\n  tag:\n", 'image:\n  repository: r.example/app\n  tag: "1.10"\n'),
        ("image:\n  repository: app # a\n", 'image:\n  repository: r.example/app # a\n  tag: "1.10"\n'),
    ],
    ids=["empty", "null", "absent"],
)
def test_pairs_without_a_tag(text, expected):
    """The tag of the mapping is not the one that the chart would take."""
    result = rewrite_images(text, {"app:1.9": "r.example/app:1.10"}, "1.9")
    assert yaml.safe_load(result["content"]) == yaml.safe_load(expected)
    assert result["content"].replace('"', "'") == expected.replace('"', "'")


def test_reference_without_a_tag_means_latest():
    images = [
        {"src": "docker.io/library/app:latest", "dest": "r.example/app:latest", "digest": DIGEST, "action": "created"}
    ]
    result = rewrite_images("services: {a: {image: app}}", images)
    assert result["content"] == "services: {a: {image: r.example/app:latest@%s}}" % DIGEST


def test_digest_of_a_chart_without_its_algorithm():
    text = "image: {repository: app, tag: '1', sha: %s}" % ("1" * 64)
    result = rewrite_images(text, {"app:1@sha256:" + "1" * 64: f"r.example/app:1@{DIGEST}"})
    assert result["content"] == "image: {repository: r.example/app, tag: '1', sha: \"%s\"}" % ("0" * 64)


def test_longest_prefix_and_whole_references_win():
    mapping = [
        {"from": "docker.io", "to": "a.example"},
        {"from": "docker.io/library", "to": "b.example"},
        {"nginx:1": "c.example/nginx:1"},
    ]
    text = "services: {a: {image: x/y:1}, b: {image: nginx:2}, c: {image: nginx:1}}"
    assert rewrite_images(text, mapping)["content"] == (
        "services: {a: {image: a.example/x/y:1}, b: {image: b.example/nginx:2}, c: {image: c.example/nginx:1}}"
    )


def test_every_document_of_a_text_and_of_a_list():
    text = "services: {a: {image: nginx:1}}\n---\nservices: {b: {image: nginx:2}}\n"
    assert rewrite_images(text, MIRROR)["content"].count("mirror.example.com") == 2
    documents = list(yaml.safe_load_all(text))
    assert rewrite_images(documents, MIRROR)["content"] == list(
        yaml.safe_load_all(rewrite_images(text, MIRROR)["content"])
    )


@pytest.mark.parametrize("loader", [_documents._LOADER, yaml.SafeLoader])
@pytest.mark.parametrize(
    "text",
    [
        "- image: docker.io/a/b:1\n",
        "services: {a: {image: nginx:1}}\n---\nservices: {b: {image: nginx:2}}\n",
        '{"services": {"a": {"image": "nginx:1"}}}',
        "images:\n- name: nginx\n  newTag: '1'\n",
        "- {a: b}\n- image: docker.io/a/b:1\n",
        "[Container]\nImage=docker.io/library/nginx:1\n",
    ],
)
def test_byte_order_mark_stays_at_the_start(monkeypatch, text, loader):
    monkeypatch.setattr(_documents, "_LOADER", loader)
    expected = rewrite_images(text, MIRROR)
    assert expected["replaced"]
    assert rewrite_images("\ufeff" + text, MIRROR) == {**expected, "content": "\ufeff" + expected["content"]}


@pytest.mark.parametrize(
    ("content", "mapping", "message"),
    [
        (7, {}, "rewrite_images: the input is of type int. Pass text or a parsed document."),
        ("a: [", {}, "rewrite_images: the document is not valid YAML or JSON"),
        (
            "a: 1",
            7,
            "rewrite_images: the mapping contains a value of type int. Pass only dictionaries, or lists of them.",
        ),
    ],
)
def test_bad_input(content, mapping, message):
    with pytest.raises(AnsibleFilterError) as error:
        rewrite_images(content, mapping)
    assert str(error.value).startswith(message)
