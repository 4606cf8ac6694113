# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simple signing with GPG: skopeo accepts what we sign, and we accept what skopeo signs."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading

import pytest

from devtools import images
from devtools.provision import program

IMAGE = images.single(seed="gpg")
NAME = "registry.example.com/prod/app:1"

pytestmark = pytest.mark.skipif(not shutil.which("gpg"), reason="the program gpg is not installed")


class WebServer(contextlib.AbstractContextManager):
    """Serves the files of a directory, or a status for all; ``paths`` are those that it was asked for."""

    def __init__(self, directory, certificate=None):
        self.paths = []
        self.status = 0
        owner = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(directory))

            def do_GET(self):
                owner.paths.append(self.path)
                if owner.status:
                    self.send_error(owner.status)
                else:
                    super().do_GET()

            def log_message(self, *_arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = "127.0.0.1:%d" % self._server.server_port
        self.url = f"{'https' if certificate else 'http'}://{self.host}"
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate.cert, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __exit__(self, *_exc_info):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Gpg:
    """A home of GPG with one key."""

    def __init__(self, home, name, passphrase=""):
        home.mkdir(mode=0o700)
        self.home = str(home)
        user = f"{name} <{name}@example.com>"
        self.run(
            "--passphrase",
            passphrase,
            "--pinentry-mode",
            "loopback",
            "--quick-gen-key",
            user,
            "ed25519",
            "sign",
            "never",
        )
        listed = self.run("--with-colons", "--list-keys").decode()
        self.fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
        self.public = home / "public.gpg"
        self.public.write_bytes(self.run("--export", self.fingerprint))

    def run(self, *arguments):
        command = ["gpg", "--batch", "--homedir", self.home, *arguments]
        return subprocess.run(command, capture_output=True, timeout=60, check=True).stdout

    def skopeo(self, *arguments):
        environment = {**os.environ, "GNUPGHOME": self.home}
        command = [program("skopeo"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def gpg(tmp_path_factory):
    made = Gpg(tmp_path_factory.mktemp("g") / "a", "right", "planted-gpg-passphrase")
    yield made
    subprocess.run(["gpgconf", "--homedir", made.home, "--kill", "all"], check=False, timeout=60)


@pytest.fixture(scope="module")
def plain_gpg(tmp_path_factory):
    made = Gpg(tmp_path_factory.mktemp("g") / "b", "plain")
    yield made
    subprocess.run(["gpgconf", "--homedir", made.home, "--kill", "all"], check=False, timeout=60)


@pytest.fixture
def run(run_module):
    return lambda module, **options: run_module(module, **options).raw


@pytest.fixture
def directory(run, registry, repository, tmp_path):
    images.push(IMAGE, registry.host, repository, "1")
    path = tmp_path / "directory"
    assert run("image_copy", src=f"{registry.host}/{repository}:1", dest=f"dir:{path}")["changed"]
    return path


def _policy(path, key, identity):
    requirement = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(key.public), "signedIdentity": identity}
    path.write_text(json.dumps({"default": [requirement]}))
    return str(path)


_EXACT = {"type": "exactReference", "dockerReference": NAME}


def test_skopeo_accepts_our_signature_and_we_skopeos(run, gpg, plain_gpg, directory, tmp_path):
    options = {"image": f"dir:{directory}", "gpg_key": gpg.fingerprint, "gpg_home": gpg.home, "identity": NAME}
    secret = {"passphrase": "planted-gpg-passphrase"}
    planned = run("image_sign", **options, **secret, check_mode=True)
    assert planned["changed"], planned
    assert not (directory / "signature-1").exists()
    signed = run("image_sign", **options, **secret)
    assert signed["signatures"] == [{"digest": IMAGE.digest, "format": "gpg", "action": "added"}], signed
    assert signed["fingerprint"] == gpg.fingerprint
    assert not run("image_sign", **options, **secret)["changed"]
    manifest = directory / "manifest.json"
    verified = gpg.skopeo("standalone-verify", str(manifest), NAME, gpg.fingerprint, str(directory / "signature-1"))
    assert verified.returncode == 0, verified.stderr

    theirs = directory / "signature-2"
    made = plain_gpg.skopeo("standalone-sign", str(manifest), NAME, plain_gpg.fingerprint, "-o", str(theirs))
    assert made.returncode == 0, made.stderr
    for key in (gpg, plain_gpg):
        found = run("image_verify", image=f"dir:{directory}", policy=_policy(tmp_path / "p.json", key, _EXACT))
        (signature,) = found["signatures"]
        assert (signature["format"], signature["fingerprint"]) == ("gpg", key.fingerprint)
        assert signature["identity"] == NAME
    assert not run("image_sign", **{**options, "gpg_key": plain_gpg.fingerprint, "gpg_home": plain_gpg.home})["changed"]
    assert run("image_sign", **options, **secret, state="absent")["changed"]
    assert not (directory / "signature-2").exists()
    failed = run("image_verify", image=f"dir:{directory}", policy=_policy(tmp_path / "p.json", gpg, _EXACT))
    assert "was not made with any of the given GPG keys" in failed["msg"]


def test_other_names_and_damaged_signatures_are_refused(run, plain_gpg, directory, tmp_path):
    failed = run("image_verify", image=f"dir:{directory}", policy=_policy(tmp_path / "p.json", plain_gpg, _EXACT))
    assert failed["msg"] == (
        f"dir:{directory}: {IMAGE.digest} has no GPG signature. Sign the image, for example with skopeo standalone-sign."
    )
    options = {"image": f"dir:{directory}", "gpg_key": plain_gpg.fingerprint, "gpg_home": plain_gpg.home}
    run("image_sign", **options, identity="registry.example.com/prod/other:1")
    failed = run("image_verify", image=f"dir:{directory}", policy=_policy(tmp_path / "p.json", plain_gpg, _EXACT))
    assert "is for registry.example.com/prod/other:1, which does not match the identity" in failed["msg"]
    run("image_sign", **options, identity=NAME)
    signature = directory / "signature-2"
    whole = signature.read_bytes()
    policy = _policy(tmp_path / "p.json", plain_gpg, _EXACT)
    intact = run("image_verify", image=f"dir:{directory}", policy=policy)["signatures"]
    refused = 0
    for position in range(0, len(whole), max(1, len(whole) // 6)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        signature.write_bytes(damaged)
        found = run("image_verify", image=f"dir:{directory}", policy=policy)
        refused += bool(found.get("failed"))
        # A signature does not cover every byte of its file, such as the padding of compressed data.
        assert found.get("failed") or found["signatures"] == intact, position
    assert refused > 3


_RECORDING_GPG = """\
#!/bin/sh
{gpg} "$@"
status=$?
while [ "$#" -gt 1 ]; do
    [ "$1" != --output ] || stat --format=%s "$2" >> {sizes}
    shift
done
exit $status
"""


def test_a_signature_that_decompresses_to_gigabytes_does_not_fill_the_disk(run_module, plain_gpg, directory, tmp_path):
    bomb, sizes = tmp_path / "bomb", tmp_path / "sizes"
    with bomb.open("wb") as stream:
        stream.truncate(64 * 2**20)
    command = ["gpg", "--batch", "--homedir", plain_gpg.home, "--compress-level", "9", "--store", "--output"]
    subprocess.run([*command, str(directory / "signature-1"), str(bomb)], check=True, timeout=60)
    gpg = tmp_path / "bin" / "gpg"
    gpg.parent.mkdir()
    gpg.write_text(_RECORDING_GPG.format(gpg=shutil.which("gpg"), sizes=sizes))
    gpg.chmod(0o755)
    options = {"image": f"dir:{directory}", "policy": _policy(tmp_path / "p.json", plain_gpg, _EXACT)}
    result = run_module("image_verify", env={"PATH": f"{gpg.parent}:{os.environ['PATH']}"}, **options)
    assert "was not made with any of the given GPG keys" in result.msg
    assert 0 < int(sizes.read_text()) <= 4 * 2**20


def test_a_lookaside_directory_has_the_signatures_of_a_registry(
    run, plain_gpg, authority, registry, repository, tmp_path
):
    images.push(IMAGE, registry.host, repository, "1")
    image, lookaside = f"{registry.host}/{repository}:1", tmp_path / "100%41 #1?"
    options = {"image": image, "gpg_key": plain_gpg.fingerprint, "gpg_home": plain_gpg.home}
    assert (
        run("image_sign", **options)["msg"]
        == f"{image}: GPG signatures for images in registries require a lookaside directory. Set the lookaside option."
    )
    assert run("image_sign", **options, lookaside=str(lookaside))["changed"]
    assert not run("image_sign", **options, lookaside=str(lookaside))["changed"]
    assert (lookaside / f"{repository}@sha256={IMAGE.digest[7:]}" / "signature-1").exists()
    (tmp_path / "registries.d").mkdir()
    configured = tmp_path / "registries.d" / "default.yaml"
    configured.write_text(f"default-docker: {{lookaside: '{lookaside.as_uri()}'}}\n")
    policy = _policy(tmp_path / "p.json", plain_gpg, {"type": "matchExact"})
    found = run("image_verify", image=image, policy=policy, registries_d=str(configured.parent))
    assert [signature["identity"] for signature in found["signatures"]] == [image]
    options = {"image": image, "policy": policy, "registries_d": str(configured.parent)}
    with WebServer(lookaside) as server:
        configured.write_text(f"default-docker: {{lookaside: '{server.url}/'}}\n")
        name = f"/{repository}@sha256={IMAGE.digest[7:]}/signature-"
        (signature,) = run("image_verify", **options)["signatures"]
        assert (signature["identity"], server.paths) == (image, [f"{name}1"])
        copied = plain_gpg.skopeo(
            "--policy", policy, "--registries.d", str(configured.parent), "copy", "--src-tls-verify=false",
            f"docker://{image}", f"dir:{tmp_path}/copy",
        )  # fmt: skip
        assert copied.returncode == 0, copied.stderr
        # A signature that is not a signature does not hide the one after it.
        stored = lookaside / name[1:-1].rpartition("/")[0]
        (stored / "signature-1").rename(stored / "signature-2")
        (stored / "signature-1").write_text("<html>not found</html>")
        server.paths.clear()
        (signature,) = run("image_verify", **options)["signatures"]
        assert server.paths == [f"{name}1", f"{name}2"]
        (stored / "signature-2").unlink()
        cause = f"the signature {server.url}{name}1 was not made with any of the given GPG keys."
        assert (
            run("image_verify", **options)["msg"]
            == f"{image}: {IMAGE.digest} could not be verified: {cause} Check the keys and the identity, or sign the image again."
        )
        (stored / "signature-1").unlink()
        assert f"{image}: {IMAGE.digest} has no GPG signature." in run("image_verify", **options)["msg"]
        server.status = 403
        assert (
            run("image_verify", **options)["msg"]
            == f"{image}: cannot read {server.url}{name}1: the server returned 403. "
            "Check the web server, and the lookaside location in registries.d."
        )
    assert "connection refused" in run("image_verify", **options, retries=0)["msg"]
    run("image_sign", image=image, gpg_key=plain_gpg.fingerprint, gpg_home=plain_gpg.home, lookaside=str(lookaside))
    with WebServer(lookaside, authority.server()) as server:
        configured.write_text(f"default-docker: {{lookaside: '{server.url}'}}\n")
        assert "certificate" in run("image_verify", **options, retries=0)["msg"]
        trusted = [{"host": server.host, "ca_path": str(authority.ca)}]
        assert len(run("image_verify", **options, registries=trusted)["signatures"]) == 1
    for location, cause in (
        ("https://alice:secret@example.com/", "the lookaside location in registries.d is not a valid URL (a user name in the URL). Correct registries.d."),
        ("https://example.com/?token=secret", "the lookaside location in registries.d has a query string. Remove the query string, which begins with ?."),
        ("s3://bucket/", "the lookaside location in registries.d is not a valid URL (no http:// or https:// at the start). Correct registries.d."),
    ):  # fmt: skip
        configured.write_text(f"default-docker: {{lookaside: '{location}'}}\n")
        assert run("image_verify", **options)["msg"] == f"{image}: {cause}"
    configured.write_text(f"default-docker: {{lookaside: '{lookaside.as_uri()}'}}\n")
    again = tmp_path / "policies"
    again.mkdir()
    copied = plain_gpg.skopeo(
        "--policy", policy, "--registries.d", str(configured.parent), "copy", "--src-tls-verify=false",
        f"docker://{image}", f"dir:{again}/copy",
    )  # fmt: skip
    assert copied.returncode == 0, copied.stderr
