# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task does with foreign content of each kind, from its bytes to what it shows."""

from __future__ import annotations

import json
import tempfile
import types
import typing as t
from pathlib import Path

from ansible_collections.drayage.registry.plugins.module_utils import _errors as errors
from ansible_collections.drayage.registry.plugins.module_utils._image import config as configs
from ansible_collections.drayage.registry.plugins.module_utils._image import (
    convert,
    cosign_tag,
    json_text,
    media_types,
    saved,
    schema1,
    signature_file,
    simple_signing,
    statement,
)
from ansible_collections.drayage.registry.plugins.module_utils._image import document as documents
from ansible_collections.drayage.registry.plugins.module_utils._image import reference as references
from ansible_collections.drayage.registry.plugins.module_utils._image.bundle import Bundle
from ansible_collections.drayage.registry.plugins.module_utils._image.descriptor import Descriptor
from ansible_collections.drayage.registry.plugins.module_utils._image.graph import Content
from ansible_collections.drayage.registry.plugins.module_utils._image.platform import Platform
from ansible_collections.drayage.registry.plugins.module_utils._image.policy import Policy
from ansible_collections.drayage.registry.plugins.module_utils._image.tag_selection import TagSelection
from ansible_collections.drayage.registry.plugins.module_utils._image.version import in_order
from ansible_collections.drayage.registry.plugins.module_utils._operations.inspect import Inspected, InspectOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sync.inventory import Inventory
from ansible_collections.drayage.registry.plugins.module_utils._registry import (
    challenge,
    credentials,
    failures,
    identities,
    session,
    token_services,
)
from ansible_collections.drayage.registry.plugins.module_utils._stores import (
    docker_save,
    engine_images,
    oci_index,
    tar_reader,
)
from ansible_collections.drayage.registry.plugins.module_utils._stores.oci_index import Index
from ansible_collections.drayage.registry.plugins.module_utils._transfer import selection
from ansible_collections.drayage.registry.plugins.modules import image_inspect
from ansible_collections.drayage.registry.tests.unit.support import images
from ansible_collections.drayage.registry.tests.unit.support.fuzz_documents import CONFIG, DIGEST
from ansible_collections.drayage.registry.tests.unit.support.responses import response

PLATFORM = Platform.parse("linux/arm/v7")


def parse_manifest(content: bytes) -> None:
    manifest = schema1.parse(content, media_types.OCI_MANIFEST)
    _show(Inspected(manifest, manifest, {}, digest=manifest.digest))
    if manifest.media_type in media_types.SCHEMA1:
        return
    for family in (convert.OCI, convert.DOCKER):
        _quietly(convert.convert_image, manifest, family)
        _quietly(convert.convert_index, manifest, family, {DIGEST: images.image().manifest}, {DIGEST: CONFIG})
        convert.lost_annotations(manifest, family)
    _quietly(manifest.with_children, lambda position: position > 0, {DIGEST: manifest})
    _quietly(selection.select, manifest, [PLATFORM], False, Content(_missing, _missing))
    _quietly(oci_index.new_entry, manifest, "1")


def _show(found: Inspected) -> None:
    """As image_inspect does."""
    result = image_inspect.describe(found, InspectOptions("app:1", "linux/arm"), raw=True)
    documents.cut_nested(result, 64)
    json.dumps(result)


def _quietly(call: t.Callable[..., object], *arguments: object) -> None:
    """An error of ours is as good as a result."""
    try:
        call(*arguments)
    except errors.ImageError as error:
        str(error)


def _missing(*_arguments: object) -> t.NoReturn:
    raise errors.NotFound("it is not there")


def parse_config(content: bytes) -> None:
    config = configs.read(content)
    manifest = images.image().manifest
    _show(Inspected(manifest, manifest, config, digest=manifest.digest))
    platform = Platform.from_document(config)
    assert platform.rank(platform) is not None or not platform.is_known or platform.os_version
    PLATFORM.rank(platform)
    convert.platform_fields(config)
    saved.diff_ids(content)


def parse_schema1(content: bytes) -> None:
    manifest = schema1.parse(content)
    if manifest.media_type in media_types.SCHEMA1:
        _quietly(schema1.layers, manifest)
        config = schema1.config(manifest)
        _show(Inspected(manifest, manifest, config, digest=manifest.digest))


def parse_index(content: bytes) -> None:
    document = oci_index.parse_index(content, "index.json")
    index = Index(document["manifests"], "layout")
    index.names_hint()
    for name in ("", "1", "a:1", "@0", DIGEST, *index.names()):
        _quietly(index.find, name)
        _quietly(index.without, [name])
        references.LocalReference("oci", "/x", name)
    for entry in index.entries:
        _quietly(Descriptor.from_document, entry)
    documents.encode({**document, "manifests": index.entries})


def parse_archive(content: bytes) -> None:
    with _stream(content) as stream, tar_reader.TarImage("the archive", t.cast(t.BinaryIO, stream)) as archive:
        for name in archive.names():
            _quietly(archive.size, name)
            _quietly(archive.read, name, 100)
        docker_save.DockerSave(archive)


def _stream(content: bytes) -> t.Any:
    stream = tempfile.TemporaryFile(buffering=0)
    stream.write(content)
    return stream


def parse_saved(content: bytes) -> None:
    for entry in saved.parse_entries(content):
        documents.encode(entry.to_document())


class _Engine:
    """An engine that answers with anything."""

    location = "here"

    def __init__(self, answer: t.Any) -> None:
        self._answer = answer

    def has_other_ids(self) -> bool:
        return False

    def images(self) -> t.Any:
        return self._answer if isinstance(self._answer, list) else [self._answer]

    def inspect(self, name: str) -> t.Any:
        return self._answer


def parse_engine(content: bytes) -> None:
    try:
        answer = documents.decode(content)
    except ValueError:
        return
    if isinstance(answer, dict):  # the client has seen to that
        found = engine_images.EngineImages("docker-daemon", _Engine(answer))
        for call in (lambda: found.find("r.example/a:1"), found.names, lambda: found.is_whole(DIGEST, lambda: [])):
            _quietly(call)


def in_file(read: t.Callable[[str], object]) -> t.Callable[[bytes], object]:
    """A parser of files."""

    def parse(content: bytes) -> object:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            return read(file.name)

    return parse


def parse_inventory(path: str) -> None:
    inventory = Inventory.load("base", path, must_exist=True)
    inventory.encode()
    inventory.has("r.example/app:1", DIGEST)
    for blob in inventory.blobs():
        inventory.references(blob)


def parse_auth_file(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "auth.json"
        file.write_bytes(content)
        text = credentials.read_text(str(file))
        document = credentials.parse(text, str(file))
        for name, entry in credentials.mapping(document, "auths").items():
            credentials.canonical(name)
            _quietly(credentials.decode, entry, name, str(file))
        _quietly(json_text.put, text, ("auths", "r.example"), {"auth": "x"})
        if document:
            json_text.remove(text, ("auths", "r.example"))


def parse_token(content: bytes) -> None:
    fake = types.SimpleNamespace(host="r.example", fetch=lambda send, limit: (response(), content))
    services = token_services.TokenServices(
        t.cast(session.Session, fake),
        identities.Identities(lambda repository: credentials.ANONYMOUS, lambda found: None),
    )
    asked = challenge.Challenge("bearer", {"realm": "https://r.example/token"})
    assert services.fetch(frozenset(), credentials.ANONYMOUS, asked).header


def parse_error(content: bytes) -> None:
    str(failures.read_details(response(400, content)))


def parse_versions(texts: tuple[str, str]) -> None:
    pattern, semver = texts
    names = [pattern, semver, "1.2.3", "v1", "latest"]
    in_order(names)
    for rules in ({"include": [pattern]}, {"semver": semver}, {"semver": semver, "strict": False}):
        _quietly(lambda rules=rules: TagSelection.parse(**rules).select(names))


def parse_reference(text: str) -> None:
    parsed = references.parse(text)
    assert references.parse(str(parsed)) == parsed or isinstance(parsed, references.LocalReference)
    references.name_or_default(parsed)


def parse_payload(content: bytes) -> None:
    simple_signing.Payload.parse(content).encode()


def parse_statement(content: bytes) -> None:
    found = statement.Statement.parse(content)
    found.subject_of(DIGEST)
    found.encode()


def parse_signature_file(content: bytes) -> None:
    """A signature in a directory, shown as cosign's tag and written again."""
    layer, payload = signature_file.decode(b"\0sigstore-json\n" + content)
    manifest, _config = cosign_tag.image_of([layer])
    assert signature_file.decode(signature_file.encode(layer, payload)) == (layer, payload)
    assert [signature_file.layer_of(blob) for blob in manifest.layers] == [layer]


def parse_bundle(content: bytes) -> None:
    found = Bundle.parse(content)
    found.signer([], content)
    found.statement()


def parse_policy(content: bytes) -> None:
    policy = Policy.parse(content)
    for image in ("r.example/app:1", "dir:/srv/x", "containers-storage:x"):
        for requirement in policy.requirements(references.parse(image)):
            requirement.identity.accepts(references.parse(image), "r.example/app")
