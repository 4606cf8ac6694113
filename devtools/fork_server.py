# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run modules, and ansible-playbook, in forks of a process that has already imported what they import.

To start an interpreter and import requests and ansible-core takes longer than most modules run for. A fork has all of
that, and is otherwise a process of its own: environment, exit status, and nothing shared with the run before.

``ForkServer`` starts and ends a server and asks it, through ``fork_client.py``. The server is this file, run as a script
by the Python of the managed node: it needs nothing but the standard library of Python 3.9.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from pathlib import Path
from typing import IO, TYPE_CHECKING, Callable, NoReturn

if __name__ == "__main__":
    # The script has no package.
    import fork_client
    import process_tree
else:
    from devtools import fork_client, process_tree

if TYPE_CHECKING:
    from devtools.fork_coverage import Recorder

_REPOSITORY = Path(__file__).resolve().parent.parent
_MODULES = "ansible_collections.drayage.registry.plugins.modules"
_INTERPRETER = """\
#!/bin/sh
case "$1" in
    /*|"") exec {python} -IS {client} {address} "$@" ;;
    *) exec {python} "$@" ;;
esac
"""
_CLIENT = _REPOSITORY / "devtools" / "fork_client.py"


# What the scripts of a server import.
MODULES = "modules"
PLAYBOOKS = "playbooks"


class ForkServer:
    """A process that forks itself for each script; it ends when this object or its owner does.

    ``scripts`` tells which ones it is for: MODULES or PLAYBOOKS, whose forks share what ansible-core packs for a node.

    ``interpreter`` is a program that runs a script as the Python of the server would, in a fork: for programs that
    start Python themselves, such as ansible-playbook.
    """

    def __init__(self, python: str, environment: dict[str, str], scripts: str = MODULES) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="drayage-")
        self._address = os.path.join(self._directory.name, "socket")
        self.interpreter = Path(self._directory.name, "python")
        self.interpreter.write_text(_INTERPRETER.format(python=python, client=_CLIENT, address=self._address))
        self.interpreter.chmod(0o700)
        ours, self._lifeline = socket.socketpair()
        with ours, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen(64)
            passed = [listener.fileno(), ours.fileno()]
            command = [python, __file__, scripts, *map(str, passed)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, cwd=_REPOSITORY, env=environment, pass_fds=passed
            )

    def run(
        self, argv: list[str], text: str, environment: dict[str, str], seconds: float, is_measured: bool = False
    ) -> tuple[str, str, int]:
        """Run a script with its arguments and ``text`` as its standard input; return its output, errors and exit status.

        It has the working directory, the limits and the umask of this process. Raises TimeoutExpired after ``seconds``;
        the script is killed then.
        """
        with _file(text) as stdin, _file() as stdout, _file() as stderr:
            files = (stdin.fileno(), stdout.fileno(), stderr.fileno())
            try:
                status = fork_client.ask(self._address, argv, environment, files, seconds, is_measured)
            except socket.timeout:
                raise subprocess.TimeoutExpired(argv, seconds, _content(stdout), _content(stderr)) from None
            return _content(stdout), _content(stderr), status

    def close(self) -> None:
        """End the server, and what it still runs."""
        self._lifeline.close()
        self._process.wait()
        self._directory.cleanup()


def _file(content: str = "") -> IO[str]:
    file = tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogateescape", newline="")
    file.write(content)
    file.seek(0)
    return file


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _serve(listener: socket.socket, lifeline: socket.socket, recorder: Recorder | None) -> dict:
    """Answer requests until the client is gone; return, in each fork, the request that it is for."""
    wake, waker = socket.socketpair()
    for end in (wake, waker):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(waker.fileno())
    running: dict[int, socket.socket] = {}
    while True:
        for end in select.select([listener, lifeline, wake, *running.values()], [], [])[0]:
            if end is wake:
                wake.recv(1000)
                _reap(running)
            elif end is lifeline:
                _end(running)
            elif end is not listener:
                _kill(running, end)
            else:
                client, _address = listener.accept()
                files = socket.recv_fds(client, 1, 4)[1]
                if recorder:
                    recorder.before_fork()
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for other in (listener, lifeline, wake, waker, client, *running.values()):
                        other.close()
                    return _receive(files)
                for file in files:
                    os.close(file)
                running[pid] = client


def _reap(running: dict[int, socket.socket]) -> None:
    """Report the status of the forks that have ended."""
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            with running.pop(pid) as client, contextlib.suppress(OSError):
                client.send(b"%d" % code)


def _kill(running: dict[int, socket.socket], client: socket.socket) -> None:
    """Kill the fork whose client no longer waits for it, and what it has started."""
    for pid, other in list(running.items()):
        if other is client:
            process_tree.kill([pid, *process_tree.descendants(pid)])
            os.waitpid(pid, 0)
            running.pop(pid).close()


def _end(running: dict[int, socket.socket]) -> None:
    for client in list(running.values()):
        _kill(running, client)
    os._exit(0)


def _receive(files: list[int]) -> dict:
    """Take over the standard files; return the request."""
    with open(files[0], "rb") as file:
        request: dict = marshal.load(file)
    for number, file in enumerate(files[1:]):
        os.dup2(file, number)
        os.close(file)
    return request


def _become(request: dict) -> None:
    """Make this process what the script would find if it had been started."""
    for name, limit in request["limits"].items():
        resource.setrlimit(getattr(resource, name), tuple(limit))
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None  # it is remembered, and depends on the environment
    sys.argv[:] = request["argv"]
    sys.path.insert(0, os.path.dirname(sys.argv[0]))


def _preload_playbooks() -> None:
    """Import what ansible-playbook imports until it knows its playbook, and the plugins that each one uses."""
    for name in ("cli.playbook", "executor.playbook_executor", "executor.task_queue_manager", "inventory.manager"):
        importlib.import_module(f"ansible.{name}")
    for name in ("action.normal", "callback.default", "connection.local", "shell.sh", "strategy.linear"):
        importlib.import_module(f"ansible.plugins.{name}")
    loader = importlib.import_module("ansible.plugins.loader")
    loader.init_plugin_loader()
    # ansible-playbook calls it again, which would print a warning.
    loader._configure_collection_loader = lambda _path: None
    for plugins in (loader.filter_loader, loader.test_loader):
        list(plugins.all())
    for kind in ("action", "filter", "lookup", "test"):
        for path in sorted((_REPOSITORY / "plugins" / kind).glob("[a-z]*.py")):
            importlib.import_module(f"ansible_collections.drayage.registry.plugins.{kind}.{path.stem}")
    with contextlib.suppress(ImportError):  # before ansible-core 2.21
        # ansible-core keeps it for each process, and takes as long for it as for a short task.
        result = importlib.import_module("ansible._internal._task").UnifiedTaskResult
        for source_is_module in (False, True):
            result.get_result_key_to_resolved_field_mapping(source_is_module=source_is_module)
    gc.freeze()
    # The forks are too short-lived for garbage collection to pay off.
    gc.disable()


def _preload_modules() -> None:
    """Import what the modules import, by importing them."""
    package = importlib.import_module(_MODULES)
    for path in sorted(Path(next(iter(package.__path__))).glob("[a-z]*.py")):
        importlib.import_module(f"{_MODULES}.{path.stem}")
        # It is run as __main__ later, and Python would warn that it is there already.
        del sys.modules[f"{_MODULES}.{path.stem}"]
    importlib.import_module("ansible.module_utils.facts.default_collectors")
    # A collection of garbage would write to the memory that forks share.
    gc.freeze()


def _recorder() -> Recorder | None:
    directory = os.environ.get("DRAYAGE_COVERAGE")
    if not directory:
        return None
    # Without the package, which the directories of the scripts do not have.
    recorder: Recorder = importlib.import_module("fork_coverage").Recorder(
        directory, str(_REPOSITORY / "pyproject.toml")
    )
    return recorder


def serve(scripts: str, listener: int, lifeline: int) -> None:
    """Run what is asked for on one socket until the other one is closed; both are file descriptors."""
    # Ctrl-C is for the client, whose end ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    recorder = _recorder() if scripts == MODULES else None
    sys.path.pop(0)  # the directory of this file is none of the script's
    (_preload_modules if scripts == MODULES else _preload_playbooks)()
    if recorder:
        recorder.imported()
    request = _serve(socket.socket(fileno=listener), socket.socket(fileno=lifeline), recorder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if recorder:
        recorder.in_fork(request["measured"])
    _become(request)
    if sys.argv[0] == fork_client.STDIN:
        _leave(_run(_run_stdin), runs_exit_handlers=True)
    # ansible-core would remove the directory that forks share.
    _leave(_run(lambda: runpy.run_path(sys.argv[0], run_name="__main__")), runs_exit_handlers=scripts == MODULES)


def _run(script: Callable[[], object]) -> int:
    """Run a script and return its exit status, as Python would."""
    try:
        script()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _run_stdin() -> None:
    """Run the script that the standard input is, as Python does when it is given no file."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    exec(compile(sys.stdin.read(), "<stdin>", "exec"), main.__dict__)


def _leave(status: int, runs_exit_handlers: bool) -> NoReturn:
    """Exit without finalizing the interpreter: finalization touches, and so copies, all memory that the forks share.

    With ``runs_exit_handlers``, wait for the script's threads and call the functions that it registered first.
    """
    if runs_exit_handlers:
        threading._shutdown()
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1], *map(int, sys.argv[2:]))
