# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: images_of
short_description: Find the container images that charts, manifests and compose files refer to
version_added: 0.1.0
description:
  - Returns every image reference in files and directories on the controller. The lookup finds the same references as the
    P(drayage.registry.find_images#filter) filter, which reads text. You can pass the result to the O(ignore:images) option of
    M(drayage.registry.image_sync) and M(drayage.registry.image_lock).
  - The lookup renders Helm charts with C(helm template). If C(helm) is not installed, the lookup reads only the C(artifacthub.io/images) annotation
    and the chart's values, and prints a warning. In this case, the result may be incomplete.
extends_documentation_fragment:
  - drayage.registry._registries
options:
  _terms:
    description:
      - The paths of files, directories or Helm charts. A Helm chart is a directory with a C(Chart.yaml) file, or a C(.tgz) archive.
      - In a directory and its subdirectories, the lookup reads all Helm charts and all files whose names end in C(.yaml), C(.yml), C(.json),
        C(.container), C(.image), C(.volume) or C(.kube). It skips hidden directories. It also skips invalid files and unreadable directories, and prints a
        warning.
      - In a directory, the lookup also reads Helm charts in C(.tar.gz) archives, and ignores other C(.tar.gz) archives. It skips a C(.tgz) archive
        that contains no chart, and prints a warning.
    type: list
    elements: path
    required: true
  confirm:
    description:
      - Whether to drop references to images that do not exist. To check this, the lookup sends one HEAD request for each reference.
      - Use this option to find out which references with RV(_raw[].certain=false) are images.
      - The lookup fails if it cannot check a reference with RV(_raw[].certain=true), for example because the registry does not respond. If it cannot
        check a reference with RV(_raw[].certain=false), it drops the reference and prints a warning.
    type: bool
    default: false
  certain:
    description:
      - Whether to return only references with RV(_raw[].certain=true).
    type: bool
    default: false
  default_tag:
    description:
      - The tag to use if Helm values contain a C(repository) with an empty C(tag). For the values of a chart or
        subchart, it defaults to the C(appVersion) of this chart.
    type: str
    default: ""
  values:
    description:
      - The values files for C(helm template). Later files take precedence over earlier ones.
    type: list
    elements: path
    default: []
  release:
    description:
      - The release name for C(helm template).
    type: str
    default: release
  namespace:
    description:
      - The namespace for C(helm template).
    type: str
    default: default
  kube_version:
    description:
      - The Kubernetes version for C(helm template). Set it for charts that depend on the Kubernetes version.
    type: str
    default: ""
  helm:
    description:
      - The name or path of the program that renders charts. It must render each chart within two minutes.
    type: str
    default: helm
  registries:
    vars:
      - name: drayage_registry_registries
  authfile:
    vars:
      - name: drayage_registry_authfile
notes:
  - Use C(query) instead of C(lookup). If there is only one element, C(lookup) returns the element instead of a list.
  - Module defaults (C(module_defaults)) do not apply to lookups. Set the variables C(drayage_registry_registries) and C(drayage_registry_authfile)
    instead. You can also use these variables in C(module_defaults).
seealso:
  - plugin: drayage.registry.find_images
    plugin_type: filter
  - plugin: drayage.registry.rewrite_images
    plugin_type: filter
  - module: drayage.registry.image_lock
author:
  - The drayage.registry contributors (@drayage)
"""

EXAMPLES = r"""
- name: Mirror all images in a compose file
  drayage.registry.image_sync:
    images: "{{ query('drayage.registry.images_of', '/srv/shop/compose.yml', certain=true) }}"
    dest: registry.example.com/mirror

- name: List the images that the manifests refer to, if they exist in their registries
  ansible.builtin.debug:
    msg: "{{ query('drayage.registry.images_of', '/srv/release', confirm=true) | map(attribute='reference') }}"
"""

RETURN = r"""
_raw:
  description: The references, without duplicates.
  type: list
  elements: dict
  contains:
    reference:
      description: The reference, as written in the document.
      type: str
      sample: quay.io/prometheus/node-exporter:v1.8.2
    kind:
      description: The context of the reference, as in the result of the P(drayage.registry.find_images#filter) filter.
      type: str
      sample: container
    path:
      description: The path to the value in its document.
      type: str
      sample: spec.template.spec.containers[0].image
    certain:
      description: Whether the document's format defines this value as an image reference.
      type: bool
      sample: true
    file:
      description: The first file that contains the reference. For a rendered chart, the path of the chart.
      type: str
      sample: /srv/release/manifests.yaml
"""

import os
import typing as t

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._operations.resolve import find_each, parse_image
from ansible_collections.drayage.registry.plugins.module_utils._process import run_command
from ansible_collections.drayage.registry.plugins.plugin_utils._documents import InvalidDocument
from ansible_collections.drayage.registry.plugins.plugin_utils._find_images import describe, find
from ansible_collections.drayage.registry.plugins.plugin_utils._helm import HelmOptions, render
from ansible_collections.drayage.registry.plugins.plugin_utils._lookup import RegistryLookup
from ansible_collections.drayage.registry.plugins.plugin_utils._sources import (
    Chart,
    Text,
    Unreadable,
    sources,
)

Item = dict[str, t.Any]


class LookupModule(RegistryLookup):
    """The lookup of this file."""

    name = "images_of"

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[Item]:
        """Return the references of all paths. Raises AnsibleLookupError."""
        self.set_options(var_options=variables, direct=kwargs)
        found: dict[str, Item] = {}
        with self.reporting():
            for term in self._flatten(terms):
                for item in self._images(self._path(term, variables)):
                    known = found.setdefault(item["reference"], item)
                    if item["certain"] and not known["certain"]:
                        found[item["reference"]] = item
            items = [item for item in found.values() if item["certain"] or not self.get_option("certain")]
            return self._confirmed(items, kwargs) if self.get_option("confirm") else items

    def _path(self, term: t.Any, variables: dict[str, t.Any] | None) -> str:
        if not isinstance(term, str) or not term:
            raise ImageError("%r is not a valid path" % (term,), hint="Pass the path of a file, a directory or a chart")
        path = os.path.expanduser(str(term))
        if os.path.isabs(path):
            return path
        # A relative path begins where that of lookup('file') does.
        return self.find_file_in_search_path(variables or {}, "files", path, ignore_missing=True) or os.path.abspath(
            path
        )

    def _images(self, path: str) -> t.Iterator[Item]:
        for source in sources(path):
            if isinstance(source, Chart):
                yield from self._of_chart(source)
            elif isinstance(source, Unreadable):
                self.warn(source.reason)
            else:
                yield from self._of_text(source, self.get_option("default_tag"), is_given=source.file == path)

    def _of_chart(self, chart: Chart) -> t.Iterator[Item]:
        names = ("release", "namespace", "values", "kube_version")
        options = HelmOptions(self.get_option("helm"), **{name: self.get_option(name) for name in names})
        rendered = render(chart.path, options, run_command)
        if rendered.warning:
            self.warn(rendered.warning)
        for text, default_tag in rendered.texts:
            yield from self._of_text(text, self.get_option("default_tag") or default_tag, is_given=True)

    def _of_text(self, text: Text, default_tag: str, is_given: bool) -> t.Iterator[Item]:
        try:
            found = find(text.content, default_tag)
        except InvalidDocument as error:
            if is_given:
                raise error.about(text.file) from None
            self.warn("Skipped %s: %s" % (text.file, error))
            return
        for item in found:
            yield {**describe(item), "file": text.file}

    def _confirmed(self, items: list[Item], direct: dict[str, t.Any]) -> list[Item]:
        """Return the items whose images exist."""
        references = {item["reference"]: parse_image("docker://" + item["reference"]) for item in items}
        with self.stores(self.registry_params(direct)) as stores:
            found = find_each(list(references.values()), stores)
        kept, unknown = [], []
        for item in items:
            result = found[references[item["reference"]]]
            if isinstance(result, ImageError) and item["certain"] and not isinstance(result, NotFound):
                raise result
            if isinstance(result, ImageError) and not isinstance(result, NotFound):
                unknown.append("%s (%s)" % (item["reference"], result.cause))
            elif result and not isinstance(result, ImageError):
                kept.append(item)
            elif item["certain"]:
                text = "Image %s (in %s) does not exist in its registry. Check the name and the tag."
                self.warn(text % (item["reference"], item["file"]))
        if unknown:
            self.warn("Cannot check whether these images exist: %s." % ", ".join(unknown))
        return kept
