# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import io
import os
import tarfile

import pytest
import yaml

pytest.importorskip("jinja2", reason="lookups run on the controller only")

from ansible.errors import AnsibleLookupError

from ansible_collections.drayage.registry.plugins.lookup import images_of
from ansible_collections.drayage.registry.plugins.module_utils._errors import LocalFailure
from ansible_collections.drayage.registry.plugins.plugin_utils import _sources
from ansible_collections.drayage.registry.tests.unit.support.permissions import deny

CHART = "apiVersion: v2\nname: app\nappVersion: 2.10\n"
ANNOTATED = CHART + "annotations:\n  artifacthub.io/images: |\n    - {name: app, image: 'ghcr.io/a/app:2.10'}\n"
VALUES = "image: {repository: ghcr.io/a/web, tag: ''}\n"
POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: 'a/pod:1'}]}\n"


@pytest.fixture
def find(monkeypatch, tmp_path):
    """Return a function that runs the lookup with options, and its warnings."""
    warnings: list[str] = []

    def run(*paths, **given):
        plugin = images_of.LookupModule()
        documented = yaml.safe_load(images_of.DOCUMENTATION)["options"]
        options = {name: document.get("default") for name, document in documented.items()}
        options["helm"] = str(tmp_path / "bin" / "helm")
        monkeypatch.setattr(plugin, "set_options", lambda **_options: None)
        monkeypatch.setattr(plugin, "get_option", lambda option: {**options, **given}[option])
        monkeypatch.setattr(plugin, "warn", warnings.append)
        return plugin.run([str(path) for path in paths], {})

    run.warnings = warnings
    return run


@pytest.fixture
def helm(tmp_path):
    """Return a function that installs a program of this name, with its script."""

    def install(script):
        path = tmp_path / "bin" / "helm"
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    return install


def references(found):
    return [item["reference"] for item in found]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def archive(path, files, prefix="app/"):
    with tarfile.open(path, "w:gz") as stream:
        for name, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            stream.addfile(member, io.BytesIO(content))
    return path


def chart(path, metadata=ANNOTATED):
    write(path / "values.yaml", VALUES)
    write(path / "templates" / "a.yaml", "{{- if .Values.x }}\nimage: a/template:1\n{{- end }}\n")
    write(path / "Chart.yaml", metadata)
    return path


def test_directory(find, tmp_path):
    top = tmp_path / "top"
    write(top / "b.yaml", POD)
    write(top / "a" / "app.container", "[Container]\nImage=a/unit:1\n")
    write(top / "a" / "broken.yml", "a: [")
    write(top / ".git" / "c.yaml", "image: a/hidden:1\n")
    (top / "a" / "latin.yml").write_bytes(b"image: \xe4/b:1\n")
    os.mkfifo(top / "a" / "pipe.yml")
    write(top / "notes.txt", "image: a/text:1\n")
    chart(top / "charts" / "app")
    found = find(top)
    assert references(found) == ["a/pod:1", "a/unit:1", "ghcr.io/a/app:2.10", "ghcr.io/a/web:2.10"]
    assert found[0]["file"] == str(top / "b.yaml")
    assert [item["certain"] for item in found] == [True, True, True, False]
    skipped, undecoded, pipe, unrendered = find.warnings
    assert undecoded == f"{top}/a/latin.yml is not valid UTF-8 text. Save the file as UTF-8."
    assert pipe == f"cannot read the file {top}/a/pipe.yml: not a regular file. Check that this is the right file."
    assert skipped.startswith(f"Skipped {top}/a/broken.yml: the document is not valid YAML or JSON (")
    assert unrendered.startswith(f"{top}/charts/app: ")
    assert unrendered.endswith(
        "is not installed, so only the images in the annotations and values of the chart were found"
    )
    assert references(find(top, certain=True)) == ["a/pod:1", "a/unit:1", "ghcr.io/a/app:2.10"]


@pytest.mark.parametrize("packed", [False, True])
def test_chart_without_helm(find, tmp_path, packed):
    """The charts within it count too, packed or not, and each reference once."""
    inner = archive(tmp_path / "inner.tgz", {"Chart.yaml": CHART, "values.yaml": "image: a/inner:1\n"}, "inner/")
    files = {
        "Chart.yaml": ANNOTATED,
        "values.yaml": VALUES,
        "charts/db/values.yaml": "image: a/db:1\n",
        "templates/values.yaml": "image: a/no:1\n",
    }
    if packed:
        path = archive(tmp_path / "app.tgz", {**files, "charts/inner.tgz": inner.read_bytes()})
        expected = {"ghcr.io/a/app:2.10", "ghcr.io/a/web:2.10", "a/db:1", "a/inner:1"}
    else:
        path, expected = tmp_path / "app", {"ghcr.io/a/app:2.10", "ghcr.io/a/web:2.10", "a/db:1"}
        for name, text in files.items():
            write(path / name, text)
    assert set(references(find(path))) == expected


@pytest.mark.parametrize("packed", [False, True])
def test_values_of_a_subchart_have_the_version_of_the_subchart(find, tmp_path, packed):
    subcharts = {"db": "appVersion: '16'\n", "plain": "version: 1.0.0\n"}
    files = {"Chart.yaml": CHART, "values.yaml": VALUES}
    for name, metadata in subcharts.items():
        files[f"charts/{name}/Chart.yaml"] = f"name: {name}\n{metadata}"
        files[f"charts/{name}/values.yaml"] = f"image: {{repository: a/{name}, tag: ''}}\n"
    if packed:
        inner = {"Chart.yaml": "appVersion: '3'\n", "values.yaml": "image: {repository: a/inner, tag: ''}\n"}
        packed_inner = archive(tmp_path / "inner.tgz", inner, "inner/").read_bytes()
        path = archive(tmp_path / "app.tgz", {**files, "charts/inner.tgz": packed_inner})
    else:
        path = tmp_path / "app"
        for name, text in files.items():
            write(path / name, text)
    expected = {"ghcr.io/a/web:2.10", "a/db:16", "a/plain"} | ({"a/inner:3"} if packed else set())
    assert set(references(find(path))) == expected
    assert {reference.rpartition(":")[2] for reference in references(find(path, default_tag="9"))} == {"9"}


def test_chart_with_helm(find, helm, tmp_path):
    path = chart(tmp_path / "-app")
    helm(f'echo "$@" > {tmp_path}/arguments\ncat <<EOF\n{POD}EOF\n')
    found = find(path, values=[str(tmp_path / "v.yml")], kube_version="1.31", namespace="prod")
    assert [(item["reference"], item["file"]) for item in found] == [("a/pod:1", str(path))]
    assert find.warnings == []
    assert (tmp_path / "arguments").read_text() == (
        f"template release {path} --namespace prod --values {tmp_path}/v.yml --kube-version 1.31\n"
    )


def test_chart_that_helm_refuses(find, helm, tmp_path):
    path = chart(tmp_path / "app")
    helm("echo 'WARNING: group-readable\nError: values do not meet\n  the schema \033[31m\n\nUse --debug' >&2; exit 1")
    with pytest.raises(AnsibleLookupError) as error:
        find(path)
    assert str(error.value) == (
        f"images_of: {path}: helm cannot render the chart (Error: values do not meet the schema). "
        "Use the values option to set the values that the chart requires."
    )


def test_helm_that_writes_without_end(find, helm, tmp_path, monkeypatch):
    monkeypatch.setattr("ansible_collections.drayage.registry.plugins.plugin_utils._helm.MAX_FILE", 100_000)
    path = chart(tmp_path / "app")
    helm("exec yes")
    with pytest.raises(AnsibleLookupError, match="helm template: the program wrote more than 100000 bytes"):
        find(path)


def test_archives_that_unpack_without_bounds(find, tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "MAX_TOTAL", 1_000_000)
    path = archive(tmp_path / "bomb.tgz", {"Chart.yaml": CHART, "values.yaml": b" " * 2_000_000})
    assert path.stat().st_size < 10_000
    with pytest.raises(AnsibleLookupError, match=r"bomb.tgz: the archive unpacks to more than 1000000 bytes"):
        find(path)
    monkeypatch.setattr(_sources, "_MAX_FILES", 3)
    path = archive(tmp_path / "many.tgz", {f"templates/{number}": "" for number in range(5)})
    with pytest.raises(AnsibleLookupError, match=r"many.tgz: the archive contains more than 3 files"):
        find(path)


def test_archives_in_a_directory(find, tmp_path):
    top = tmp_path / "top"
    write(top / "a.yaml", POD)
    archive(top / "backup.tar.gz", {"data/Chart.yaml": CHART, "values.yaml": VALUES})
    archive(top / "chart.tar.gz", {"values.yaml": "image: a/values:1\n", "Chart.yaml": CHART})
    (top / "empty.tar.gz").write_bytes(b"")
    os.mkfifo(top / "pipe.tgz")
    archive(top / "root.tgz", {"Chart.yaml": CHART}, prefix="")
    archive(top / "source.tgz", {"main.c": ""})
    assert references(find(top)) == ["a/pod:1", "a/values:1"]
    unreadable, pipe, root, source = (text for text in find.warnings if "is not installed" not in text)
    assert unreadable.startswith(f"{top}/empty.tar.gz: the file cannot be read as a .tgz archive (")
    assert pipe == f"{top}/pipe.tgz is not a regular file. Check that this is the right file."
    skipped = (
        "the archive was skipped, because it has no Chart.yaml in its top directory. "
        "If it is a Helm chart, recreate it with helm package."
    )
    assert [root, source] == [f"{top}/root.tgz: {skipped}", f"{top}/source.tgz: {skipped}"]


def test_a_directory_with_the_name_of_an_archive_is_no_archive(find, tmp_path):
    write(tmp_path / "top" / "unpacked.tgz" / "a.yaml", POD)
    assert references(find(tmp_path / "top")) == references(find(tmp_path / "top" / "unpacked.tgz")) == ["a/pod:1"]
    assert find.warnings == []


def test_archives_in_a_directory_that_unpack_without_bounds(find, tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "MAX_TOTAL", 1_000_000)
    monkeypatch.setattr(_sources, "_MAX_FILES", 3)
    write(tmp_path / "a.yaml", POD)
    archive(tmp_path / "bomb.tar.gz", {"zeros": b" " * 2_000_000, "Chart.yaml": CHART})
    archive(tmp_path / "many.tgz", {str(number): "" for number in range(5)})
    assert references(find(tmp_path)) == ["a/pod:1"]
    bomb, many = find.warnings
    assert bomb.startswith(f"{tmp_path}/bomb.tar.gz: the archive unpacks to more than 1000000 bytes")
    assert many.startswith(f"{tmp_path}/many.tgz: the archive contains more than 3 files")


def test_archive_in_a_directory_that_helm_refuses(find, helm, tmp_path):
    archive(tmp_path / "app.tgz", {"Chart.yaml": CHART})
    helm("echo 'Error: a value is missing' >&2; exit 1")
    with pytest.raises(
        AnsibleLookupError, match=r"app.tgz: helm cannot render the chart \(Error: a value is missing\)"
    ):
        find(tmp_path)


def test_archives_that_lie(find, tmp_path):
    outside = tmp_path / "secret.yaml"
    outside.write_text("image: a/secret:1\n")
    path = tmp_path / "links.tgz"
    with tarfile.open(path, "w:gz") as stream:
        for name, target in (("app/values.yaml", str(outside)), ("app/Chart.yaml", "../secret.yaml")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            stream.addfile(member)
    with pytest.raises(AnsibleLookupError, match=r"links.tgz: the chart has no Chart.yaml"):
        find(path)
    for content in (b"", b"\x1f\x8b garbage", gzip.compress(b"x" * 600), b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(
            AnsibleLookupError, match=r"links.tgz: the (file cannot be read as a .tgz archive|chart has no Chart.yaml)"
        ):
            find(path)


def test_files_that_are_none(find, tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(AnsibleLookupError, match=r"cannot read the file .*pipe.yaml: not a regular file"):
        find(tmp_path / "pipe.yaml")
    with pytest.raises(AnsibleLookupError, match=r"cannot read the file .*gone.yaml: no such file or directory"):
        find(tmp_path / "gone.yaml")
    with pytest.raises(AnsibleLookupError, match=r"a.yaml: the document is not valid YAML or JSON"):
        find(write(tmp_path / "a.yaml", "a: ["))


def test_a_directory_that_cannot_be_read(find, tmp_path, monkeypatch):
    write(tmp_path / "top/a/pod.yml", POD)
    write(tmp_path / "top/b/pod.yml", POD.replace("pod:1", "pod:2"))
    deny(monkeypatch, tmp_path / "top/b")
    assert references(find(tmp_path / "top")) == ["a/pod:1"]
    reason = "permission denied. Check the permissions, or use become."
    assert find.warnings == ["cannot read the directory %s/top/b: %s" % (tmp_path, reason)]
    with pytest.raises(AnsibleLookupError, match="cannot read the directory %s/top/b: %s" % (tmp_path, reason)):
        find(tmp_path / "top/b")


def test_a_subchart_that_cannot_be_read(tmp_path, monkeypatch):
    write(tmp_path / "app/Chart.yaml", CHART)
    write(tmp_path / "app/charts/db/values.yaml", VALUES)
    assert len(_sources.chart_files(str(tmp_path / "app"))) == 2
    deny(monkeypatch, tmp_path / "app/charts")
    with pytest.raises(LocalFailure, match="cannot read the chart %s/app/charts: permission denied" % tmp_path):
        _sources.chart_files(str(tmp_path / "app"))


def test_warnings_have_no_control_characters(monkeypatch):
    shown = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda _self, text: shown.append(text))
    images_of.LookupModule().warn("Skipped x\x1b[2J\r.yml")
    assert shown == ["images_of: Skipped x .yml"]
