# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tour: copy an image to a real registry, promote it, show that a second run changes nothing, and mirror it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

from demo.registry import SIGNALS, DockerRegistry, interrupt, registry
from devtools import observe
from devtools.images import hello, index, push, write_layout
from devtools.process import ServerError
from devtools.provision import BUILD, REPOSITORY, ProvisionError, locked
from devtools.toolchain.stacks import ToolchainError, clean_environment, controller, link_collection

PLACE = BUILD / "demo"
PLAYBOOK = "demo/playbook.yml"
STAGING = ("staging/app", "candidate")
PRODUCTION = ("production/app", "stable")
RELEASES = "production/web"
MIRROR = PLACE / "mirror"
REPORT = MIRROR / "index.html"

SUMMARY = """
=== Done: the registry is stopped, and all files are in .build

first run     changed=2    copied and promoted
second run    changed=0    {seen}
check mode    changed=1    predicted, not executed
mirror        changed=2    two runs, with an inventory and a report. Open the report in your browser:
    {report}

Next, run the demo with an image from the internet:
    make demo ARGS='-e image=docker.io/library/alpine:3.20'
Or read demo/playbook.yml, which also works with your own registry."""

_RECAP = re.compile(r"ok=\d+.*changed=(\d+)")  # the output may contain color codes


class DemoError(Exception):
    """A result differs from what the demo expects."""


def main(arguments: list[str]) -> None:
    """Set everything up in the build directory, give the tour, and clean up."""
    image = parse(arguments)
    link_collection()
    with locked("demo"):
        clear()
        program = controller().program("ansible-playbook")
        with registry() as server:
            summary = tour(program, server, image)
        clear("images", "mirror")
    print(summary)


def parse(arguments: list[str]) -> str | None:
    """Return the image from the command line, or None for the image of the demo."""
    parser = argparse.ArgumentParser(prog="demo/run", description=__doc__)
    parser.add_argument(
        "-e",
        dest="image",
        type=_image,
        metavar="image=REFERENCE",
        help="copy this image instead of the one that the demo creates, for example image=docker.io/library/alpine:3.20",
    )
    return parser.parse_args(arguments).image


def _image(text: str) -> str:
    """Return the reference in image=REFERENCE."""
    name, _equals, reference = text.partition("=")
    if name != "image" or not reference:
        raise argparse.ArgumentTypeError(f"'{text}' does not have the form image=REFERENCE")
    return reference


def clear(*kept: str) -> None:
    """Empty the directory of the demo, and create a directory for temporary files in it."""
    PLACE.mkdir(parents=True, exist_ok=True)
    for path in PLACE.iterdir():
        if path.name not in kept:
            shutil.rmtree(path)
    (PLACE / "tmp").mkdir()
    os.environ["TMPDIR"] = str(PLACE / "tmp")
    os.environ.setdefault("PIP_CACHE_DIR", str(BUILD / "cache" / "pip"))
    os.environ.setdefault("UV_CACHE_DIR", str(BUILD / "cache" / "uv"))


def tour(program: str, server: DockerRegistry, image: str | None) -> str:
    """Run the playbooks, check the registry after each run, and return the summary."""
    variables = [f"registry={server.host}", *([f"image={image}"] if image else [])]
    expected = None if image else make_image()

    heading(1, f"Copy an image to the registry at {server.host}, and promote it")
    play(program, variables, 2)
    check_digests(server, expected)

    heading(2, "Run the playbook again: everything is up to date, so nothing changes")
    server.forget()
    play(program, variables, 0)
    seen = check_unwritten(server)
    check_digests(server, expected)

    heading(3, "Add a tag in check mode: show the changes without making them")
    server.forget()
    play(program, [*variables, "tag=next"], 1, "--check", "--diff")
    check_unwritten(server)

    heading(4, "Mirror the production repositories, with a report")
    MIRROR.mkdir()
    release(server, "1.9.0", "1.10.0", "2.0.0")
    mirror(program, server)

    heading(5, "Push a new release: the next mirror run copies it")
    release(server, "2.1.0")
    mirror(program, server)
    return SUMMARY.format(seen=seen, report=REPORT.as_uri())


def release(server: DockerRegistry, *tags: str) -> None:
    """Push releases of a second image, as a CI pipeline does."""
    for tag in tags:
        push(index(layers=[b"what all releases have\n" * 1000, 40_000], seed=tag), server.host, RELEASES, tag)


def mirror(program: str, server: DockerRegistry) -> None:
    """Mirror images within the same registry, and check the report."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": str(controller().python),
        "mirror_src": server.host,
        "mirror_dest": f"{server.host}/mirror",
        "mirror_images": [{"name": PRODUCTION[0], "tags": [PRODUCTION[1]]}, {"name": RELEASES}],
        "mirror_inventory": str(MIRROR / "mirror.json"),
        "mirror_report": str(REPORT),
    }
    play(program, [json.dumps(variables)], 2, playbook="drayage.registry.mirror")
    if "production/app:stable" not in REPORT.read_text(encoding="utf-8"):
        raise DemoError(f"The report {REPORT} does not show production/app:stable.")


def make_image() -> str:
    """Create an image for two platforms in an OCI layout, and return its digest."""
    image = hello()
    write_layout(image, PLACE / "images", "hello")
    platforms = [child["platform"] for child in image.document()["manifests"]]
    names = " and ".join(f"{platform['os']}/{platform['architecture']}" for platform in platforms)
    print(f"-- created a hello image for {names} as an OCI layout in .build/demo/images:")
    print(f"   {image.digest}")
    return image.digest


def heading(number: int, text: str) -> None:
    """Print the heading of a step."""
    print(f"\n=== {number}. {text}\n", flush=True)


def play(program: str, variables: list[str], expected: int, *options: str, playbook: str = PLAYBOOK) -> None:
    """Run a playbook, and check the number of changed tasks."""
    command = ["ansible-playbook", "-i", "localhost,", playbook, *options]
    for variable in variables:
        command += ["-e", variable]
    print("$", *command, flush=True)
    changed = None
    with running([program, *command[1:]]) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            recap = _RECAP.search(line)
            changed = int(recap[1]) if recap else changed
    if process.returncode or changed is None:
        raise DemoError(f"ansible-playbook failed with exit status {process.returncode}.")
    if changed != expected:
        raise DemoError(f"This run reported changed={changed}, but changed={expected} was expected.")


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run an Ansible program while the body reads its output."""
    environment = {
        **clean_environment(),
        "ANSIBLE_CONFIG": str(REPOSITORY / "demo" / "ansible.cfg"),
        "ANSIBLE_REMOTE_TMP": str(PLACE / "tmp"),
    }
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        environment["ANSIBLE_FORCE_COLOR"] = "1"
    # The program has its own session, so that Ctrl-C reaches only this process, which then shuts it down cleanly.
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        yield process
        process.wait()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)


def check_digests(server: DockerRegistry, expected: str | None) -> None:
    """Check the digests of both tags in the registry, without the code of the collection."""
    found = {f"{path}:{tag}": observe.digest_at(server.host, path, tag) for path, tag in (STAGING, PRODUCTION)}
    expected = expected or found[":".join(STAGING)]
    for name, digest in found.items():
        if digest is None or digest != expected:
            raise DemoError(f"In the registry, {name} is {digest or 'missing'}, but should be {expected}.")
    print(f"-- checked without the code of the collection: {' and '.join(found)} both point to")
    print(f"   {expected}", flush=True)


def check_unwritten(server: DockerRegistry) -> str:
    """Check that the access log of the registry contains no writes, and return a summary of the log."""
    counts = observe.tally(server.requests())
    told = ", ".join(f"{count} x {what}" for what, count in counts.items())
    if any(what.split()[0] not in ("GET", "HEAD") for what in counts):
        raise DemoError(f"The registry received {told}, but nothing should have been written.")
    print(f"-- the access log of the registry contains only {told}: nothing was written", flush=True)
    return told


if __name__ == "__main__":
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        main(sys.argv[1:])
    except (DemoError, ProvisionError, ServerError, ToolchainError) as error:
        sys.exit(f"\ndemo: FAILED: {error}")
    except KeyboardInterrupt:
        print("\ndemo: interrupted. The registry is stopped.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the user has quit the pager
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
