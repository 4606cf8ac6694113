# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted secrets: whichever way a task is given them and however it fails, none is in what it prints or leaves."""

from __future__ import annotations

import base64
import itertools
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from devtools import images, module_runner
from devtools.process import free_port
from devtools.prove.breaker import FAULTS, Breaker, Exchange, Fault, Plan
from devtools.prove.operations import INDEX
from devtools.prove.report import Row
from devtools.prove.sampling import sampled
from devtools.prove.sweep import THREADS
from devtools.servers import DockerRegistry

SECRET = "s3cr3t-Of-The-Harbour"
_FORMS = (
    SECRET,
    base64.b64encode(f"alice:{SECRET}".encode()).decode(),
    base64.b64encode(SECRET.encode()).decode(),
    SECRET.replace("-", "%2D"),
)
_SETTINGS = {"timeout": 30, "retries": 1, "jobs": 2}


@dataclass
class _Given:
    """How a task is given a secret: options, environment, and files below its home."""

    options: dict = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict] = field(default_factory=dict)
    prefix: str = ""
    host: str = ""


Give = Callable[[str], _Given]


def _basic() -> str:
    return base64.b64encode(f"alice:{SECRET}".encode()).decode()


def _proxy() -> str:
    """The address of a proxy that is down. Registries on loopback need none, so the task asks for another one."""
    return f"http://alice:{SECRET}@127.0.0.1:{free_port()}"


def _entry(host: str, **entry: object) -> _Given:
    return _Given({"registries": [{"host": host, **entry}]})


def _auths(host: str, entry: dict) -> _Given:
    return _Given(files={"run/containers/auth.json": {"auths": {host: entry}}})


GIVEN: dict[str, Give] = {
    "registries, password": lambda host: _entry(host, username="alice", password=SECRET),
    "registries, token": lambda host: _entry(host, token=SECRET),
    "auth file, password": lambda host: _auths(host, {"auth": _basic()}),
    "auth file, identity token": lambda host: _auths(host, {"identitytoken": SECRET}),
    "auth file, broken": lambda host: _auths(host, {"auth": SECRET}),
    "reference, user information": lambda _host: _Given(prefix=f"alice:{SECRET}@"),
    "reference, URL": lambda _host: _Given(prefix=f"docker://alice:{SECRET}@"),
    "reference, odd URL": lambda _host: _Given(prefix=f"HTTPS://alice:{SECRET}@"),
    "reference, no scheme": lambda _host: _Given(prefix=f"//alice:{SECRET}@"),
    "reference, a slash in it": lambda _host: _Given(prefix=f"docker://alice:x/{SECRET}@"),
    "proxy": lambda _host: _Given(environment={"HTTPS_PROXY": _proxy()}, host="registry.example.com"),
}


def _signed(exchange: Exchange) -> None:
    """A redirect to storage that is down, with a signature in its query."""
    exchange.answer("307 Temporary Redirect", b"", f"Location: http://127.0.0.1:{free_port()}/x?X-Signature={SECRET}")


def _echo(status: str) -> Fault:
    def answer(exchange: Exchange) -> None:
        head = exchange.request.partition(b"\r\n\r\n")[0].decode("latin-1")
        exchange.answer(status, json.dumps({"errors": [{"code": "DENIED", "message": head}]}).encode())

    return answer


_BEARER = 'Www-Authenticate: Bearer realm="http://{host}/token",service="x",scope="repository:x:pull"'


def _token_service(exchange: Exchange) -> None:
    """A challenge for a token, and a token service that quotes what it was sent."""
    if exchange.target.startswith("/token"):
        _echo("403 Forbidden")(exchange)
    else:
        host = exchange.request.lower().partition(b"\r\nhost: ")[2].partition(b"\r\n")[0].decode()
        exchange.answer("401 Unauthorized", b"", _BEARER.format(host=host))


FAILURES: dict[str, Fault] = {
    **{name: FAULTS[name] for name in ("reset before", "garbage", "HTML with 200", "redirect loop", "401", "503")},
    "a signed redirect": _signed,
    "400, and the request quoted": _echo("400 Bad Request"),
    "403, and the request quoted": _echo("403 Forbidden"),
    "404, and the request quoted": _echo("404 Not Found"),
    "a token service that quotes the request": _token_service,
}

TASKS: dict[str, Callable[[str, Path], dict]] = {
    "image_copy": lambda image, place: {"src": f"{image}:1", "dest": f"oci:{place / 'copy'}:1"},
    "image_inspect": lambda image, _place: {"image": f"{image}:1", "tags": True},
    "image_tags": lambda image, _place: {"repository": image},
    "image_delete": lambda image, _place: {"image": f"{image}:2"},
    "image_sync": lambda image, place: {"images": [{"name": image}], "dest": f"oci:{place / 'copy'}"},
}


def run(seed: int, most: int | None) -> list[Row]:
    """Try all cases, or ``most`` of them chosen by ``seed``, and return a row for each way to be given a secret."""
    with ExitStack() as stack:
        registry = stack.enter_context(DockerRegistry())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drayage-")))
        images.push(INDEX, registry.host, "secrets", "1")
        cases = sampled(list(itertools.product(GIVEN, FAILURES, TASKS)), seed, most)
        work = _Work(registry, directory)
        with ThreadPoolExecutor(THREADS) as pool:
            verdicts = list(pool.map(lambda case: work.attempt(*case), cases))
    rows = {given: Row(f"secret in {given}", "nowhere") for given in GIVEN}
    for (given, failure, module), verdict in zip(cases, verdicts):
        rows[given].add(f"{module}, {failure}: {verdict}" if verdict else "")
    return [row for row in rows.values() if row.tried]


class _Work:
    def __init__(self, registry: DockerRegistry, directory: Path) -> None:
        self._registry = registry
        self._directory = directory
        self._numbers = itertools.count(1)

    def attempt(self, given: str, failure: str, module: str) -> str:
        """Return where a secret was found; empty where it was nowhere."""
        home = self._directory / f"number-{next(self._numbers)}"
        (home / "run").mkdir(parents=True)
        with Breaker(self._registry.host, Plan(0, FAILURES[failure], permanent=True)) as breaker:
            how = GIVEN[given](breaker.host)
            planted = set()
            for name, document in how.files.items():
                file = home / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(document))
                file.chmod(0o600)
                planted.add(file)
            options = {
                **TASKS[module](f"{how.prefix}{how.host or breaker.host}/secrets", home),
                **how.options,
                **_SETTINGS,
            }
            try:
                result = module_runner.run(module, options, home=home, env=how.environment)
            except AssertionError as error:
                return str(error).replace(SECRET, "(the secret)")
        # What Ansible itself adds to a result are the options as they were given.
        shown = {name: value for name, value in result.raw.items() if name != "invocation"}
        places = [f"the result: {shown}" for secret in _FORMS if secret in json.dumps(shown) + result.stderr]
        places += [str(file) for file in _files(home) if file not in planted and _holds(file)]
        return "; ".join(places).replace(SECRET, "(the secret)")


def _files(home: Path) -> Iterator[Path]:
    return (file for file in home.rglob("*") if file.is_file())


def _holds(file: Path) -> bool:
    content = file.read_bytes()
    return any(secret.encode() in content for secret in _FORMS)
