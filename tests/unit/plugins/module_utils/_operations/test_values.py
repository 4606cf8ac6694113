# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._operations import (
    images_lock,
    other_tags,
    roots,
    sign_bundle,
    transports,
)
from ansible_collections.drayage.registry.plugins.module_utils._operations.copy import CopyOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.delete import Deleted, DeleteOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.inspect import Inspected, InspectOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.lock import Locked, Wanted
from ansible_collections.drayage.registry.plugins.module_utils._operations.other_tags import OtherTags
from ansible_collections.drayage.registry.plugins.module_utils._operations.prune import PrunableTags
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign import SignOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.sign_gpg import GpgOptions
from ansible_collections.drayage.registry.plugins.module_utils._operations.tags import Listed
from ansible_collections.drayage.registry.plugins.module_utils._operations.verify import VerifyOptions
from ansible_collections.drayage.registry.tests.unit.support.values import changeable


def test_values_that_threads_share_cannot_be_changed():
    assert changeable("_operations") == {"Discovered", "OptionalTags", "PrunableTags", "Synced"}


def test_transports_are_those_of_references():
    assert set(roots.ROOTS) == {"oci", "dir"}
    assert set(transports.STORES) == {"oci", "oci-archive", "dir"}
    assert set(transports.BACKENDS) == {"docker-archive", "docker-daemon", "containers-storage"}


def test_only_what_is_requested_is_deleted_inspected_and_signed():
    assert DeleteOptions("x") == DeleteOptions("x", "tag", False)
    assert Deleted() == Deleted("", [], [], {}, {}, "", [])
    assert InspectOptions("x") == InspectOptions("x", None, False, False, False)
    assert Inspected() == Inspected(None, None, None, None, None, None, None)
    assert Listed(False) == Listed(False, [], {})
    assert SignOptions("x", None) == SignOptions("x", None, ("tag", "bundle"), True, "", {}, "", None, True)
    assert GpgOptions("x", "k") == GpgOptions("x", "k", "", "", "", "", True, True)
    assert Wanted("x", None) == Wanted("x", None, ())
    assert Locked([], [], False) == Locked([], [], False, "")


def test_a_copy_changes_nothing_in_an_image_unless_the_options_say_so():
    assert CopyOptions("a", "b") == CopyOptions(
        src="a",
        dest="b",
        tags=(),
        platforms=(),
        platform_mode="strip",
        format="preserve",
        attestations="keep",
        remove_signatures=False,
        referrers=False,
        artifact_types=(),
        force=False,
        max_bytes=None,
    )


def test_nothing_is_required_and_nothing_is_pruned_unless_it_is_said():
    assert VerifyOptions("a") == VerifyOptions(image="a", keys=None, policy=None, annotations={})
    place = PrunableTags(None, [], (), bool)
    assert (place.referrers, place.tags, place.attached) == (False, {}, {})
    assert place.declared == place.needed == place.left_to_others == frozenset()
    assert (OtherTags().pointers, OtherTags().doubt) == ((), "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (images_lock.API_VERSION, "imgpkg.carvel.dev/v1alpha1"),
        (images_lock.KIND, "ImagesLock"),
        (images_lock.ID, "kbld.carvel.dev/id"),
        (images_lock.ORIGINS, "kbld.carvel.dev/origins"),
        (images_lock.PLATFORMS, "drayage.registry/platforms"),
        (images_lock.SOURCE, "drayage.registry/source"),
        (sign_bundle.SUMS, "SHA256SUMS"),
        (sign_bundle.INVENTORY, "inventory.json"),
        (sign_bundle.SIGNATURE, "SHA256SUMS.sigstore.json"),
        (sign_bundle.PREDICATE_TYPE, "https://github.com/drayage/registry/attestation/bundle/v1"),
        (sign_bundle._MAX_FILE, 536_870_912),
        (other_tags._MAX_TAGS, 100),
    ],
)
def test_names_and_limits_are_those_that_other_versions_use(name, value):
    assert name == value
