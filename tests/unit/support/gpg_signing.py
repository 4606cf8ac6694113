# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing with GPG: homes with keys, and the repository ``r.example/app`` in memory with images to sign."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import time
import typing as t

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._operations.sign_gpg import GpgOptions, sign_with_gpg
from ansible_collections.drayage.registry.plugins.module_utils._run import Run
from ansible_collections.drayage.registry.tests.unit.support.images import entry, image, index
from ansible_collections.drayage.registry.tests.unit.support.memory_store import MemoryStore
from ansible_collections.drayage.registry.tests.unit.support.memory_stores import MemoryStores

AMD64, ARM64 = image("linux/amd64", b"amd64"), image("linux/arm64", b"arm64")
INDEX = index(entry(AMD64, "linux/amd64"), entry(ARM64, "linux/arm64"))
APP = "r.example/app:1"
needs_gpg = pytest.mark.skipif(not shutil.which("gpg"), reason="the program gpg is not installed")


def run_command(argv, stdin, seconds=None, limit=None):
    run_command.calls.append((argv, seconds, limit))
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


run_command.calls = []


class Home:
    """A home of gpg with one key."""

    def __init__(self, path, passphrase):
        path.mkdir(mode=0o700)
        self.path, self.passphrase = str(path), passphrase
        secret = ["--pinentry-mode", "loopback", "--passphrase", passphrase]
        self.run(*secret, "--quick-gen-key", "k <k@example.com>", "ed25519", "sign", "never")
        listed = self.run("--with-colons", "--list-keys").decode()
        self.fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))

    def run(self, *arguments):
        command = ["gpg", "--batch", "--homedir", self.path, *arguments]
        return subprocess.run(command, capture_output=True, timeout=60, check=True).stdout

    def expire(self):
        self.run("--quick-set-expire", self.fingerprint, "seconds=1")
        time.sleep(2.1)  # gpg cuts off fractions, and the key is still valid in its last second

    def revoke(self):
        path = "%s/openpgp-revocs.d/%s.rev" % (self.path, self.fingerprint)
        with open(path, encoding="ascii") as stream:
            certificate = stream.read().replace("\n:---", "\n---")  # the colon prevents revocations by mistake
        with open(path, "w", encoding="ascii") as stream:
            stream.write(certificate)
        self.run("--import", path)

    def disable(self):
        self.run("--yes", "--edit-key", self.fingerprint, "disable", "save")

    def stop(self):
        """End the agent of this home."""
        subprocess.run(["gpgconf", "--homedir", self.path, "--kill", "all"], check=False, timeout=60)


def add_images(place: MemoryStore) -> MemoryStore:
    """Add an index with two images, and one of them as tag 1."""
    return place.add(AMD64, ARM64, INDEX, tag="all").add(AMD64, tag="1")


def signing(stores: MemoryStores, signatures: pathlib.Path) -> t.Callable:
    """Return a function that signs an image in these stores, by default with signatures in this directory."""

    def signed(name=APP, key="k", dry_run=False, command=run_command, **more):
        stores.run = Run(command, 2, dry_run)
        return sign_with_gpg(GpgOptions(name, key, **{"lookaside": str(signatures), **more}), stores)

    return signed


def lookaside(digest: str, number: int = 1) -> str:
    """The path of a signature of an image below the directory of signatures."""
    return "app@sha256=%s/signature-%d" % (digest[7:], number)
