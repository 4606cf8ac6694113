# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a fork server to run a script.

ansible-playbook starts this file for each task, as the Python of the node, so it imports nothing but what C modules
have: socket, json and tempfile together take longer to import than most modules run for.
"""

from __future__ import annotations

import _socket
import array
import marshal
import os
import resource
import sys

# The script is the standard input.
STDIN = "-"
LIMITS = ("RLIMIT_FSIZE", "RLIMIT_AS", "RLIMIT_NOFILE")


def ask(
    address: str,
    argv: list[str],
    environment: dict[str, str],
    files: tuple[int, int, int],
    seconds: float | None,
    is_measured: bool = False,
) -> int:
    """Have a script run with these standard files; return its exit status, negative if a signal has ended it.

    ``files`` are file descriptors. It has the working directory, the limits and the umask of this process. TimeoutError
    (socket.timeout before Python 3.10) is raised after ``seconds``; the server then kills the script. With
    ``is_measured`` the script adds to the coverage, if the server measures any.
    """
    umask = os.umask(0o077)
    os.umask(umask)
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in LIMITS}
    asked = os.memfd_create("request")
    server = _socket.socket(_socket.AF_UNIX)
    try:
        request = {
            "argv": argv,
            "env": environment,
            "cwd": os.getcwd(),
            "umask": umask,
            "limits": limits,
            "measured": is_measured,
        }
        os.write(asked, marshal.dumps(request, 2))
        os.lseek(asked, 0, os.SEEK_SET)
        server.connect(address)
        passed = array.array("i", [asked, *files])
        server.sendmsg([b"R"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, passed)])
        server.settimeout(seconds)
        status = server.recv(100)
    finally:
        server.close()
        os.close(asked)
    if not status:
        raise RuntimeError("the fork server has ended")
    return int(status)


if __name__ == "__main__":
    code = ask(sys.argv[1], sys.argv[2:] or [STDIN], dict(os.environ), (0, 1, 2), None)
    sys.exit(code if code >= 0 else 128 - code)
