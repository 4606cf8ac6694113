# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the programs that the demo, the functional tests and the benchmarks run; fetch what is missing."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / ".build"
# What Python compiles must not appear in the tree while linters read it: reuse asks git once what to leave out, and
# would report each file that another phase adds to a new directory of bytecode after that.
BYTECODE = str(BUILD / "cache" / "python")

# The programs that are asked for anywhere, each with the Debian package that has it.
PROGRAMS = {
    "chromium": "chromium",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "dockerd": "docker.io",
    "haproxy": "haproxy",
    "htpasswd": "apache2-utils",
    "nginx": "nginx",
    "podman": "podman",
    "skopeo": "skopeo",
    "socat": "socat",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "umoci": "umoci",
}

OLDEST_PYTHON = (3, 9)
NEWEST_PYTHON = (3, 14)

# What is done to the machine concerns all checkouts, whatever their TMPDIR is.
MACHINE_LOCKS = Path("/tmp") / f"drayage-locks-{os.getuid()}"


# How long to wait for an apt-get or dpkg that is at work, in seconds.
APT_SECONDS = 300


class ProvisionError(Exception):
    """A program that is needed is missing and could not be obtained."""


@contextlib.contextmanager
def locked(name: str, directory: Path = BUILD / "lock") -> Iterator[None]:
    """Let one process at a time into what the body does to a directory below .build, or to what ``directory`` is for."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(directory / name, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@functools.cache
def program(name: str, package: str | None = None, *, unpack: bool = False) -> str:
    """Return the path of the executable ``name``, obtaining its Debian package where it is missing.

    The package is installed by root, and unpacked below the build directory by others or where ``unpack`` says so:
    that is enough for a program without libraries of its own, and starts no service.
    """
    package = package or name
    # Another process may be installing it for whichever checkout: it is on the PATH then before it can run.
    with locked("apt", MACHINE_LOCKS):
        return _found(name, package) or _obtained(name, package, unpack)


def missing_packages() -> list[str]:
    """Return the Debian packages of the programs that this machine lacks."""
    return sorted({package for name, package in PROGRAMS.items() if not _on_path(name)})


def install_missing_packages() -> None:
    """Install all missing packages in one run of apt-get if this process may, because each run takes seconds."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with locked("apt", MACHINE_LOCKS):
            missing = missing_packages()
            if missing:
                _install(*missing)


def _found(name: str, package: str) -> str | None:
    found = _on_path(name)
    if found:
        return found
    found = _unpacked(name, package)
    missing = _missing_libraries(found) if found else []
    if missing:
        raise ProvisionError(
            f"The program '{name}' was unpacked to {found}, and needs {', '.join(missing)} of other packages: "
            f"install it with its dependencies (as root: apt-get install {package})."
        )
    return found


def _missing_libraries(program_path: str) -> list[str]:
    """Return the libraries that a program needs and the system lacks: unpacking one package does not bring others."""
    if not shutil.which("ldd"):
        return []
    told = subprocess.run(["ldd", program_path], capture_output=True, text=True, check=False).stdout
    return [line.split()[0] for line in told.splitlines() if line.endswith("not found")]


def _obtained(name: str, package: str, unpack: bool) -> str:
    if not shutil.which("apt-get"):
        raise ProvisionError(
            f"The program '{name}' is not installed, and there is no apt-get to obtain it with: "
            f"install it and put it on PATH (Debian and Ubuntu have it in the package '{package}')."
        )
    if os.geteuid() == 0 and not unpack:
        _install(package)
    else:
        _unpack(package)
    found = _found(name, package)
    if not found:
        raise ProvisionError(
            f"The Debian package '{package}' was obtained but has no program '{name}': "
            f"install '{name}' by hand and put it on PATH."
        )
    return found


# Without optimizations and debug information, compiling takes two thirds of the time. All programs of the tests are built
# in this way, so that Go compiles its library once.
_UNOPTIMIZED = ("-gcflags=all=-N -l", "-ldflags=-s -w")


def go_program(module: str, version: str, name: str, *, builds: bool = True, is_optimized: bool = True) -> str | None:
    """Return the path of the Go program ``name``, built from ``module`` if need be; None without a Go toolchain.

    The version is that of the module, so that no release of it turns an unchanged tree red; one on PATH may be another.
    Without ``builds`` it must be there already. Without ``is_optimized`` it is built faster, and may be slower.
    """
    with locked(f"go-{name}"):
        return _go_program(module, version, name, builds, is_optimized)


def _go_program(module: str, version: str, name: str, builds: bool, is_optimized: bool) -> str | None:
    optimized = BUILD / "go" / version
    ours = optimized if is_optimized else optimized / "unoptimized"
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join([str(optimized), str(ours)]))
    go = shutil.which("go")
    if found or not go:
        return found
    found = shutil.which(name, path=os.path.join(_run([go, "env", "GOPATH"], "ask Go for its GOPATH").strip(), "bin"))
    if found or not builds:
        return found
    flags = () if is_optimized else _UNOPTIMIZED
    command = [go, "install", *flags, f"{module}@{version}"]
    _run(command, f"build the Go program '{name}'", env={**os.environ, "GOBIN": str(ours)})
    return str(ours / name)


def own_go_program(name: str, *, module: str = "go", tags: str = "", builds: bool = True) -> str | None:
    """Return the path of the Go program in devtools/MODULE/NAME, built if its source is new; None without a Go toolchain.

    ``tags`` are those of the build. Without ``builds`` it must be there already.
    """
    source = REPOSITORY / "devtools" / module
    go = shutil.which("go")
    if not go:
        return None
    files = sorted(file for file in source.rglob("*") if file.suffix in (".go", ".mod", ".sum"))
    key = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    program_path = BUILD / "go" / key / name
    with locked(f"go-{name}"):
        if not program_path.exists() and not builds:
            return None
        if not program_path.exists():
            command = [go, "build", *_UNOPTIMIZED, "-tags", tags, "-o", str(program_path), f"./{name}"]
            _run(command, f"build the Go program '{name}'", cwd=source)
    return str(program_path)


def npm_package(name: str, version: str) -> Path | None:
    """Return the directory of an npm package, which is downloaded once; None without npm. Nothing of it is run."""
    npm = shutil.which("npm")
    place = BUILD / "npm" / f"{name}-{version}"
    found = place / "node_modules" / name
    with locked(f"npm-{name}"):
        if not found.exists() and npm:
            options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(place)]
            _run([npm, "install", *options, f"{name}@{version}"], f"download the npm package '{name}'")
    return found if found.exists() else None


def python_versions() -> dict[str, str]:
    """Return the usable interpreters of this machine, oldest first: ``{"3.9": "/real/path/python3.9", ...}``."""
    minors = range(OLDEST_PYTHON[1], NEWEST_PYTHON[1] + 1)
    candidates = [shutil.which(f"python3.{minor}") for minor in minors]
    candidates += [shutil.which("python3"), sys.executable]
    candidates += glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python"))
    found: dict[tuple[int, int], str] = {}
    for candidate in filter(None, candidates):
        answer = _identify(candidate)
        if answer and OLDEST_PYTHON <= answer[0] <= NEWEST_PYTHON:
            found.setdefault(*answer)
    return {f"{major}.{minor}": found[major, minor] for major, minor in sorted(found)}


def _on_path(name: str) -> str | None:
    # Debian keeps servers in sbin, which is not on every user's PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path)


def _unpacked(name: str, package: str) -> str | None:
    root = BUILD / "debs" / package / "usr"
    return shutil.which(name, path=f"{root / 'bin'}{os.pathsep}{root / 'sbin'}")


@functools.cache
def _update(options: tuple[str, ...]) -> None:
    _apt([*options, "update"], "fetch the lists of Debian packages")


def _install(*packages: str) -> None:
    _update(())
    with _services_stay_down():
        _apt(["install", "-y", "--no-install-recommends", *packages], f"install Debian packages: {', '.join(packages)}")


def _apt(arguments: list[str], purpose: str) -> None:
    """Run apt-get; of its locks it waits for that of dpkg, and fails where another one holds those of lists or archives."""
    command = ["apt-get", "-qq", f"-oDPkg::Lock::Timeout={APT_SECONDS}", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    deadline = time.monotonic() + APT_SECONDS
    while True:
        try:
            _run(command, purpose, env=environment)
            return
        except ProvisionError as error:
            if "Could not get lock" not in error.__cause__.stderr or time.monotonic() > deadline:
                raise
        time.sleep(1)


@contextlib.contextmanager
def _services_stay_down() -> Iterator[None]:
    """Keep packages from starting what they bring: a test starts its servers itself, with data of their own."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _unpack(package: str) -> None:
    """Download a package and unpack it below the build directory, which needs no root.

    Its dependencies stay behind, so this suits programs that need only the libraries of a base system.
    """
    state, target = BUILD / "apt", BUILD / "debs" / package
    if target.exists():
        return
    for directory in (state / "lists" / "partial", state / "cache" / "archives" / "partial", state / "download"):
        directory.mkdir(parents=True, exist_ok=True)
    options = (f"-oDir::State::Lists={state / 'lists'}", f"-oDir::Cache={state / 'cache'}")
    _update(options)
    _run(
        ["apt-get", *options, "-qq", "download", package],
        f"download the Debian package '{package}'",
        cwd=state / "download",
    )
    archives = sorted((state / "download").glob(f"{package}_*.deb"), key=lambda file: file.stat().st_mtime)
    # Unpacked beside and renamed, so that an interruption leaves no half of a program to be found.
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as beside:
        _run(["dpkg", "-x", str(archives[-1]), f"{beside}/tree"], f"unpack the Debian package '{package}'")
        os.rename(f"{beside}/tree", target)


def _identify(candidate: str) -> tuple[tuple[int, int], str] | None:
    """Run an interpreter to learn its version and real path: a pyenv shim exists even for versions that do not."""
    code = "import os, sys; print(*sys.version_info[:2], os.path.realpath(sys.executable))"
    try:
        result = subprocess.run(
            [candidate, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=300,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    major, minor, path = result.stdout.strip().split(" ", 2)
    return (int(major), int(minor)), path


def _run(command: list[str], purpose: str, **options: object) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, **options)
    except subprocess.CalledProcessError as error:
        lines = (error.stderr.strip() or error.stdout.strip() or f"exit status {error.returncode}").splitlines()
        raise ProvisionError(
            f"Could not {purpose}, '{' '.join(command)}' said '{lines[-1].strip()}': "
            "check the network and the package sources, or install the program by hand."
        ) from error
    return result.stdout


if __name__ == "__main__":
    print(*missing_packages())
