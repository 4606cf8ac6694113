# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Requirements for images: signatures by given keys, or a policy."""

from __future__ import annotations

import dataclasses
import functools
import os
import typing as t

from ..._errors import ImageError, NotFound, naming
from ..._files import read_named
from ..._image import signing_key
from ..._image import statement as statements
from ..._image.descriptor import Descriptor
from ..._image.graph import Graph
from ..._image.manifest import Manifest
from ..._image.policy import REQUIREMENT_HINT, InvalidPolicy, Policy, Requirement
from ..._image.reference import Reference
from ..._image.signed_identity import IdentityRule
from ..._image.signing_key import PublicKey
from ..._process import RunCommand
from ..._stores.repository import Store
from .evidence import Evidence, NotVerified
from .gpg import GpgSignatures, ReadURL
from .keys import public_key, public_key_in_file
from .reading import SignatureReader
from .registries_d import RegistriesD
from .signature import Demand, Verified

# Policies are some kilobytes.
_MAX_FILE = 1024 * 1024
DEFAULT_POLICY = "/etc/containers/policy.json"
DEFAULT_REGISTRIES_D = "/etc/containers/registries.d"


@dataclasses.dataclass(frozen=True)
class Used:
    """An image in a store, and the part of it that is used: the whole index, its ``wanted`` descendants, or only one image.

    ``manifest`` is the manifest of the image, if it was already read.
    """

    store: Store
    digest: str
    manifest: Manifest | None = None
    wanted: frozenset[str] | None = None
    only: str = ""

    def read(self) -> Manifest:
        """Return the manifest of this digest. Raises ImageError."""
        return self.manifest or self.store.manifest(self.digest)

    def digests(self) -> list[str]:
        """Return the digests of all manifests that are used, starting with the image. Raises ImageError."""
        if self.only:
            return [self.only]
        graph = Graph([self.read()], self._load)
        listed = [*graph.manifests, *graph.skipped]
        if self.wanted is not None:
            used = set(self.wanted)
            # A copied nested index may have another digest than its original, which is the one that is signed.
            for index in graph.children_first():
                if any(child.digest in used for child in index.children):
                    used.add(index.digest)
            listed = [digest for digest in listed if digest in used]
        return list(dict.fromkeys([self.digest, *listed]))

    def _load(self, level: t.Sequence[Descriptor]) -> list[Manifest | None]:
        return [self._index(each.digest) if each.is_index else None for each in level]

    def _index(self, digest: str) -> Manifest | None:
        """Return a nested index; None if a sparse image omits it."""
        try:
            return self.store.manifest(digest)
        except NotFound:
            return None


class Rule(t.Protocol):
    """A requirement for an image."""

    def check(self, image: Reference, used: Used) -> list[Verified]:
        """Return the signatures that meet the requirement. Raises :class:`NotVerified`, ImageError."""


@dataclasses.dataclass(frozen=True)
class KeyRule:
    """Require a signature by one of these keys. The signature of an index covers its children, because the index has their digests.

    ``attestations`` are predicate types. The image must have an attestation of each type, signed with one of the
    keys.
    """

    keys: tuple[PublicKey, ...]
    identity: IdentityRule | None = None
    attestations: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> KeyRule:
        """Read ``public_keys``, ``identity`` and ``attestations``. Raises ImageError."""
        keys = tuple(public_key(given) for given in options["public_keys"])
        if not keys:
            raise ImageError("public_keys is empty", hint="Add at least one key")
        identity = options.get("identity")
        if identity == {}:
            raise ImageError("identity is empty", hint="Set its type, or omit the option")
        rule = IdentityRule.from_document(identity) if identity is not None else None
        types = tuple(statements.predicate_type(kind) for kind in options.get("attestations") or ())
        return cls(keys, rule, types)

    def demands(self, image: Reference) -> list[Demand]:
        """Return the demands for the signature and for each attestation."""
        rule = self.identity
        accepts = (lambda signed: rule.accepts(image, signed)) if rule else None
        attested = [Demand(self.keys, predicate_type=kind) for kind in self.attestations]
        return [Demand(self.keys, accepts), *attested]

    def check(self, image: Reference, used: Used) -> list[Verified]:
        """Check the image, see :class:`Rule`."""
        evidence = Evidence(SignatureReader(used.store), used.digest, used.read)
        return [evidence.first(demand) for demand in self.demands(image)]


class PolicyRule:
    """Require what containers-policy.json(5) requires. Like in podman, each used manifest is checked separately."""

    def __init__(self, policy: Policy, name: str, registries_d: RegistriesD, gpg: GpgSignatures) -> None:
        self._policy = policy
        self._name = name
        self._registries_d = registries_d
        self._gpg = gpg
        self._keys: dict[tuple[object, ...], tuple[PublicKey, ...]] = {}

    @classmethod
    def from_options(
        cls, policy: str, registries_d: str | None, run_command: RunCommand, read_url: ReadURL
    ) -> PolicyRule:
        """Read a policy. ``default`` is the policy of the node, with the ``registries_d`` of the node. Raises ImageError."""
        path = DEFAULT_POLICY if policy == "default" else policy
        if policy == "default" and not registries_d and os.path.isdir(DEFAULT_REGISTRIES_D):
            registries_d = DEFAULT_REGISTRIES_D
        with naming(path):
            read = Policy.parse(read_named(path, _MAX_FILE, "the policy"))
        configured = RegistriesD.read(registries_d) if registries_d else RegistriesD()
        return cls(read, path, configured, GpgSignatures(run_command, configured, read_url))

    def check(self, image: Reference, used: Used) -> list[Verified]:
        """Check the image, see :class:`Rule`. The result is empty if the policy accepts the image without a signature."""
        requirements = self._policy.requirements(image)
        if all(requirement.type == "insecureAcceptAnything" for requirement in requirements):
            return []
        reader = SignatureReader(used.store)
        found: list[Verified] = []
        for digest in used.digests():
            evidence = Evidence(reader, digest, functools.partial(used.store.manifest, digest))
            found.extend(self._check_one(image, requirements, evidence))
        return found

    def _check_one(
        self, image: Reference, requirements: t.Sequence[Requirement], evidence: Evidence
    ) -> t.Iterator[Verified]:
        for requirement in requirements:
            if requirement.unsupported:
                raise InvalidPolicy(requirement.unsupported, "%s for %s" % (self._name, image))
            if requirement.type == "reject":
                cause = "the policy %s rejects this image" % self._name
                raise NotVerified(cause, hint="Change the policy if you trust the image")
            if requirement.type == "signedBy":
                yield self._gpg.check(image, requirement, evidence.digest)
            elif requirement.type == "sigstoreSigned":
                yield self._check_sigstore(image, requirement, evidence)
            elif requirement.type != "insecureAcceptAnything":
                raise InvalidPolicy("unknown requirement %r" % requirement.type, self._name, REQUIREMENT_HINT)

    def _check_sigstore(self, image: Reference, requirement: Requirement, evidence: Evidence) -> Verified:
        identity = requirement.identity
        if not self._registries_d.uses_attachments(image):
            cause = "use-sigstore-attachments is not set for this image, so sigstore signatures are ignored"
            raise NotVerified(cause, hint="Set use-sigstore-attachments: true in registries.d")
        keys = self._keys_of(requirement)
        demand = Demand(keys, lambda signed: identity.accepts(image, signed))
        # containers/image reads cosign's tag and no bundles.
        return evidence.first(demand, with_bundles=False)

    def _keys_of(self, requirement: Requirement) -> tuple[PublicKey, ...]:
        source = (requirement.paths, requirement.data)
        if source not in self._keys:
            files = [public_key_in_file(path) for path in requirement.paths]
            given = [signing_key.load_public(content, "the key in %s" % self._name) for content in requirement.data]
            self._keys[source] = (*files, *given)
        return self._keys[source]
