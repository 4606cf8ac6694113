# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign and verify with planted keys and passphrases, and look for these in results, their invocation, errors and files."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from devtools import images, module_runner
from devtools.prove.breaker import Breaker, Plan
from devtools.prove.operations import INDEX
from devtools.prove.planted import FAILURES
from devtools.prove.report import Row
from devtools.prove.sampling import sampled
from devtools.prove.sweep import THREADS
from devtools.servers import DockerRegistry
from devtools.signing import Key

PASSPHRASE = "p4ssphrase-Of-The-Harbour"
_SETTINGS = {"timeout": 30, "retries": 1, "jobs": 2}
_KEYS = {"plain": Key(), "encrypted": Key("Ed25519", PASSPHRASE), "RSA": Key("RSA")}


@dataclass
class _Task:
    """A module with its options, and files below its home (``{home}`` in an option is that)."""

    module: str
    options: dict
    files: dict[str, str] = field(default_factory=dict)


def _sign(**options: object) -> _Task:
    return _Task("image_sign", options)


def _in_file(key: Key, **options: object) -> _Task:
    return _Task("image_sign", {"key": "{home}/release.key", **options}, {"release.key": key.private})


_PLAIN, _ENCRYPTED, _RSA = (_KEYS[name].private for name in ("plain", "encrypted", "RSA"))
_CLAIM = {"predicate_type": "cyclonedx", "predicate": {"bomFormat": "CycloneDX"}}

TASKS: dict[str, Callable[[], _Task]] = {
    "key_content": lambda: _sign(key_content=_PLAIN),
    "key_content, RSA, with a claim": lambda: _sign(key_content=_RSA, **_CLAIM),
    "key_content, withdrawn": lambda: _sign(key_content=_PLAIN, state="absent"),
    "key_content, a part of it": lambda: _sign(key_content=_PLAIN[:-70]),
    "key_content and passphrase": lambda: _sign(key_content=_ENCRYPTED, passphrase=PASSPHRASE),
    "key_content and another passphrase": lambda: _sign(key_content=_ENCRYPTED, passphrase=f"not {PASSPHRASE}"),
    "key_content without its passphrase": lambda: _sign(key_content=_ENCRYPTED),
    "a passphrase that is not needed": lambda: _sign(key_content=_PLAIN, passphrase=PASSPHRASE),
    "a passphrase in place of the key": lambda: _sign(key_content=PASSPHRASE),
    "a key file": lambda: _in_file(_KEYS["plain"]),
    "a key file and passphrase": lambda: _in_file(_KEYS["encrypted"], passphrase=PASSPHRASE),
    "a key file and another passphrase": lambda: _in_file(_KEYS["encrypted"], passphrase=f"not {PASSPHRASE}"),
    "a private key in public_keys": lambda: _Task("image_verify", {"public_keys": [_PLAIN]}),
    "a file with a private key in public_keys": lambda: _Task(
        "image_verify", {"public_keys": ["{home}/release.key"]}, {"release.key": _PLAIN}
    ),
    "a private key in signed_by": lambda: _Task(
        "image_copy", {"dest": "oci:{home}/copy:1", "signed_by": {"public_keys": [_PLAIN, _RSA]}}
    ),
    "a GPG passphrase": lambda: _sign(passphrase=PASSPHRASE, gpg_key="planted", lookaside="{home}/lookaside"),
    "another GPG passphrase": lambda: _sign(
        passphrase=f"not {PASSPHRASE}", gpg_key="planted", lookaside="{home}/lookaside"
    ),
}


def secrets() -> list[str]:
    """Return what may appear nowhere: the passphrase, and the lines of the keys."""
    found = [PASSPHRASE, base64.b64encode(PASSPHRASE.encode()).decode().rstrip("=")]
    for key in _KEYS.values():
        lines = [line for line in key.private.splitlines() if "-----" not in line]
        found += [*lines, "".join(lines)]
    return found


def run(seed: int, most: int | None) -> list[Row]:
    """Try all cases, or ``most`` of them chosen by ``seed``, and return a row for each way to be given a secret."""
    with ExitStack() as stack:
        registry = stack.enter_context(DockerRegistry())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drayage-")))
        images.push(INDEX, registry.host, "secrets", "1")
        names = [name for name in TASKS if "GPG" not in name or shutil.which("gpg")]
        cases = sampled(list(itertools.product(names, ["nothing", *FAILURES], (0, 2))), seed, most)
        gpg_home = stack.enter_context(_gpg_home(directory)) if shutil.which("gpg") else ""
        work = _Work(registry, directory, gpg_home)
        with ThreadPoolExecutor(THREADS) as pool:
            verdicts = list(pool.map(lambda case: work.attempt(*case), cases))
    rows = {name: Row(f"secret in {name}", "nowhere") for name in names}
    for (name, failure, number), verdict in zip(cases, verdicts):
        rows[name].add(f"{failure} from request {number}: {verdict}" if verdict else "")
    return [row for row in rows.values() if row.tried]


@contextlib.contextmanager
def _gpg_home(directory: Path) -> Iterator[str]:
    """Make a home of GPG with one key, which has the passphrase."""
    home = str(directory / "g")
    Path(home).mkdir(mode=0o700)
    user = ["--quick-gen-key", "planted <planted@example.com>", "ed25519", "sign", "never"]
    command = ["gpg", "--batch", "--homedir", home, "--pinentry-mode", "loopback", "--passphrase", PASSPHRASE, *user]
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    try:
        yield home
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, timeout=60)


class _Work:
    def __init__(self, registry: DockerRegistry, directory: Path, gpg_home: str) -> None:
        self._registry = registry
        self._directory = directory
        self._gpg_home = gpg_home
        self._numbers = itertools.count(1)

    def attempt(self, name: str, failure: str, number: int) -> str:
        """Return where a secret was found; empty where it was nowhere."""
        home = self._directory / f"number-{next(self._numbers)}"
        (home / "run").mkdir(parents=True)
        (home / "tmp").mkdir()
        task = TASKS[name]()
        for file, content in task.files.items():
            (home / file).write_text(content)
        plan = Plan(number, FAILURES[failure], permanent=True) if failure in FAILURES else Plan()
        with Breaker(self._registry.host, plan) as breaker:
            options = json.loads(json.dumps(task.options).replace("{home}", str(home)))
            options["src" if task.module == "image_copy" else "image"] = f"{breaker.host}/secrets:1"
            if "gpg_key" in options:
                options["gpg_home"] = self._gpg_home
            try:
                result = module_runner.run(
                    task.module, {**options, **_SETTINGS}, home=home, diff=True, env={"TMPDIR": str(home / "tmp")}
                )
            except AssertionError as error:
                return _hidden(str(error))
        shown = json.dumps(result.raw) + result.stderr
        places = [f"the result: {shown}" for secret in secrets() if secret in shown]
        files = [file for file in home.rglob("*") if file.is_file() and str(file.relative_to(home)) not in task.files]
        places += [str(file) for file in files if any(secret.encode() in file.read_bytes() for secret in secrets())]
        return _hidden("; ".join(places))


def _hidden(text: str) -> str:
    for secret in secrets():
        text = text.replace(secret, "(a secret)")
    return text
