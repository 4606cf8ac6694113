# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An SSH server on the loopback interface that lets in a key of its own, as a managed node for Ansible."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from devtools import provision
from devtools.process import Server

# Where the server confines itself before a client has logged in, if root runs it.
_EMPTY_DIRECTORY = Path("/run/sshd")


class Sshd(Server):
    """The server of OpenSSH, for the user who runs it."""

    def command(self) -> list[str]:
        """Return the command; the keys are new for each server."""
        program = provision.program("sshd", "openssh-server")
        generator = Path(provision.program("ssh", "openssh-client")).with_name("ssh-keygen")
        for name in ("host", "client"):
            generate = [generator, "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / name)]
            subprocess.run(generate, check=True, stdin=subprocess.DEVNULL)
        if os.geteuid() == 0:
            _EMPTY_DIRECTORY.mkdir(mode=0o755, exist_ok=True)
        config = self.directory / "sshd_config"
        config.write_text(
            f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.directory}/host
AuthorizedKeysFile {self.directory}/client.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
MaxSessions 100
LoginGraceTime 600
"""
        )
        return [program, "-D", "-e", "-f", str(config)]

    def variables(self) -> dict[str, object]:
        """Return the variables of a host of an inventory that is this server."""
        options = {
            "UserKnownHostsFile": self.directory / "known_hosts",
            "StrictHostKeyChecking": "accept-new",
            # Not the minute for which Ansible leaves a connection open.
            "ControlMaster": "auto",
            "ControlPersist": "2s",
        }
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_ssh_timeout": 120,
            # A path below the home of a test can be longer than the system allows for a socket.
            "ansible_control_path_dir": str(self.directory),
            "ansible_ssh_private_key_file": str(self.directory / "client"),
            "ansible_ssh_args": " ".join(["-F /dev/null", *(f"-o {name}={value}" for name, value in options.items())]),
        }
