# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The documents of a Helm chart, rendered by ``helm template`` or read from the files of the chart."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, reason_of
from ansible_collections.drayage.registry.plugins.module_utils._process import ProgramStopped, RunCommand
from ansible_collections.drayage.registry.plugins.module_utils._text import clean

from ._documents import InvalidDocument, load
from ._found import mapping
from ._sources import MAX_FILE, Text, chart_files

# Of the messages of helm, which may quote whole templates.
_SHOWN = 500


@dataclasses.dataclass(frozen=True)
class HelmOptions:
    """Options for rendering charts; ``seconds`` is the timeout for each chart."""

    program: str = "helm"
    release: str = "release"
    namespace: str = "default"
    values: t.Sequence[str] = ()
    kube_version: str = ""
    seconds: float = 120.0


@dataclasses.dataclass(frozen=True)
class Rendered:
    """The texts of a chart, each with the default tag of its images. ``warning`` says why helm was not used."""

    texts: list[tuple[Text, str]]
    warning: str = ""


def render(path: str, options: HelmOptions, run: RunCommand) -> Rendered:
    """Return the documents of a chart. Raises ImageError."""
    argv = [options.program, "template", options.release, os.path.abspath(path), "--namespace", options.namespace]
    argv += [part for values in options.values for part in ("--values", os.path.abspath(values))]
    argv += ["--kube-version", options.kube_version] if options.kube_version else []
    try:
        status, output, errors = run(argv, "", options.seconds, MAX_FILE)
    except FileNotFoundError:
        return _unrendered(path, options)
    except OSError as error:
        cause = "cannot run the program %s: %s" % (options.program, reason_of(error))
        raise ImageError(cause, path, "Check the helm option") from None
    except ProgramStopped as error:
        cause = "cannot run %s template: %s" % (options.program, error.cause)
        raise ImageError(cause, path, "Run helm template for the chart by hand to see why") from None
    if status:
        cause = _failure(errors)
        hint = "Use the values option to set the values that the chart requires"
        if "missing in charts/" in cause:
            hint = "Run helm dependency build for the chart"
        raise ImageError("helm cannot render the chart (%s)" % cause[:_SHOWN], path, hint)
    return Rendered([(Text(path, output), "")])


def _failure(errors: str) -> str:
    """Return the error of helm without its warnings and suggested options."""
    lines = errors.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("Error:")), 0)
    return " ".join(clean(" ".join(line for line in lines[first:] if "--debug" not in line)).split())


def _unrendered(path: str, options: HelmOptions) -> Rendered:
    """Return the annotations with the images of a chart and its subcharts, and their default and custom values."""
    texts = chart_files(path)
    # The default tag is the appVersion of the chart that the values belong to, which can be a subchart.
    versions = {
        os.path.dirname(text.file): _app_version(text) for text in texts if os.path.basename(text.file) == "Chart.yaml"
    }
    cause = "%s: %s is not installed, so only the images in the annotations and values of the chart were found" % (
        path,
        options.program,
    )
    return Rendered([(text, versions.get(os.path.dirname(text.file), "")) for text in texts], cause)


def _app_version(chart: Text) -> str:
    try:
        documents = load(chart.content)
    except InvalidDocument as error:
        raise error.about(chart.file) from None
    version = mapping(documents[0].value).get("appVersion") if documents else None
    return version if isinstance(version, str) else ""
