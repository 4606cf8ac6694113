# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the demo, the functional tests and the benchmarks: real programs on free loopback ports."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from devtools import access_log, provision
from devtools import htpasswd as htpasswd_file
from devtools.access_log import Request
from devtools.process import Server, ServerError, free_port

if TYPE_CHECKING:
    from devtools.certificates import Certificate
    from devtools.token_service import TokenService

__all__ = [
    "DockerRegistry",
    "GgcrRegistry",
    "Haproxy",
    "ModernRegistry",
    "Nginx",
    "OciRegistry",
    "Request",
    "Server",
    "ServerError",
]

_SETTLE_SECONDS = 120


class DockerRegistry(Server):
    """Debian's docker-registry (distribution 2.8), with its storage in ``root`` or a temporary directory.

    ``users`` are named by ``htpasswd`` (name to password) or by a ``token`` service, not both. ``tls`` is the
    certificate to serve with; ``client_ca`` is the authority whose certificates clients must show. With ``schema1`` it
    still takes images of Docker's manifest schema 1.
    """

    # By default, the registry spends a fifth of its CPU time on garbage collection.
    more_environment = {"GOGC": "400"}

    def __init__(
        self,
        root: Path | str | None = None,
        *,
        htpasswd: dict[str, str] | None = None,
        token: TokenService | None = None,
        tls: Certificate | None = None,
        client_ca: Path | None = None,
        delete: bool = True,
        readonly: bool = False,
        schema1: bool = False,
    ) -> None:
        super().__init__()
        self.storage = Path(root) if root else self.directory / "storage"
        self.scheme = "https" if tls else "http"
        self._htpasswd = htpasswd
        self._token = token
        self._tls = tls
        self._client_ca = client_ca
        self._delete = delete
        self._readonly = readonly
        self._schema1 = schema1
        self._debug = f"127.0.0.1:{free_port()}"
        self._offset = 0

    def command(self) -> list[str]:
        self.storage.mkdir(parents=True, exist_ok=True)
        config = self.directory / "config.yml"
        config.write_text(json.dumps(self._config()))  # YAML reads JSON
        return [*self.program(), "serve", str(config)]

    def program(self) -> list[str]:
        """Return the command before its arguments."""
        return [provision.program("docker-registry", unpack=True)]

    def ready(self) -> bool:
        """Tell whether requests are accepted: the port is open before the certificate was read."""
        try:
            return b"tcpKeepAliveListener.Accept" in self._goroutines()
        except (OSError, http.client.HTTPException):
            return False

    def requests(self) -> list[Request]:
        """Return the requests that were answered since the start or the last ``forget()``, in order."""
        lines = self._settled_log()[self._offset :].decode().splitlines()
        return list(filter(None, map(access_log.parse, lines)))

    def forget(self) -> None:
        """Make ``requests()`` begin here."""
        self._offset = len(self._settled_log())

    def _settled_log(self) -> bytes:
        """Return the access log once it holds every answered request.

        A client can have its answer before the registry has written the line, but then the handler still runs:
        the registry's list of goroutines tells.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            if b"loggingHandler" not in self._goroutines():
                return self.output.read_bytes()
            time.sleep(0.002)
        raise ServerError(f"{self.host} was still busy with a request after {_SETTLE_SECONDS} s.")

    def _goroutines(self) -> bytes:
        """Return the stacks of everything that the registry is doing."""
        with closing(http.client.HTTPConnection(self._debug, timeout=_SETTLE_SECONDS)) as connection:
            connection.request("GET", "/debug/pprof/goroutine?debug=2")
            return connection.getresponse().read()

    def _config(self) -> dict:
        storage = {
            "filesystem": {"rootdirectory": str(self.storage)},
            "delete": {"enabled": self._delete},
            "maintenance": {"readonly": {"enabled": self._readonly}, "uploadpurging": {"enabled": False}},
        }
        listen: dict = {"addr": self.host, "secret": "loopback", "debug": {"addr": self._debug}}
        if self._tls:
            listen["tls"] = {"certificate": str(self._tls.cert), "key": str(self._tls.key)}
            if self._client_ca:
                listen["tls"]["clientcas"] = [str(self._client_ca)]
        config = {"version": 0.1, "log": {"level": "warn"}, "storage": storage, "http": listen}
        if self._schema1:
            config["compatibility"] = {"schema1": {"enabled": True}}
        auth = self._auth()
        return {**config, "auth": auth} if auth else config

    def _auth(self) -> dict | None:
        if self._htpasswd is not None:
            path = self.directory / "htpasswd"
            htpasswd_file.write(path, self._htpasswd)
            return {"htpasswd": {"realm": "registry", "path": str(path)}}
        if self._token:
            return self._token.registry_config()
        return None


class ModernRegistry(DockerRegistry):
    """Distribution 3, which deletes single tags and sends its list of tags in pages to who asks for pages.

    It is built from devtools/go: ``available()`` tells whether there is a Go toolchain.
    """

    @staticmethod
    def available() -> bool:
        """Tell whether it can be run here; the first call builds it, which takes a minute."""
        return provision.own_go_program("distribution") is not None

    def program(self) -> list[str]:
        return [str(provision.own_go_program("distribution"))]


class OciRegistry(Server):
    """A registry of the OCI distribution spec 1.1 with the referrers API, of cuelabs.dev/go/oci; it keeps all in memory.

    It is built from devtools/go: ``available()`` tells whether there is a Go toolchain.
    """

    source = "ociserver"

    def __init__(self) -> None:
        super().__init__()
        self._offset = 0

    @classmethod
    def available(cls) -> bool:
        """Tell whether it can be run here; the first call builds it, which takes seconds."""
        return provision.own_go_program(cls.source) is not None

    def command(self) -> list[str]:
        return [str(provision.own_go_program(self.source)), self.host]

    def requests(self) -> list[Request]:
        """Return the requests since the start or the last ``forget()``, in order of their responses."""
        lines = self.output.read_bytes()[self._offset :].decode().splitlines()
        return list(filter(None, map(access_log.parse, lines)))

    def forget(self) -> None:
        """Make ``requests()`` begin here."""
        self._offset = len(self.output.read_bytes())


class GgcrRegistry(OciRegistry):
    """The registry of go-containerregistry: it has the referrers API and never sends OCI-Subject.

    Its lists state the media type of the config instead of the artifact type, and it does not filter them.
    """

    source = "ggcr"


class Nginx(Server):
    """nginx in front of ``upstream``; ``directives`` go into its server block.

    A location of their own passes requests on with ``proxy_pass http://upstream;``.
    """

    def __init__(self, upstream: Server, directives: str) -> None:
        super().__init__()
        self._upstream = upstream
        self._directives = directives

    def command(self) -> list[str]:
        config = self.directory / "nginx.conf"
        config.write_text(
            _NGINX.format(
                host=self.host, upstream=self._upstream.host, directory=self.directory, directives=self._directives
            )
        )
        return [provision.program("nginx"), "-e", str(self.errors), "-p", str(self.directory), "-c", str(config)]


class Haproxy(Server):
    """haproxy in front of ``upstream``; ``rules`` go into its frontend section."""

    def __init__(self, upstream: Server, rules: str) -> None:
        super().__init__()
        self._upstream = upstream
        self._rules = rules

    def command(self) -> list[str]:
        config = self.directory / "haproxy.cfg"
        config.write_text(_HAPROXY.format(host=self.host, upstream=self._upstream.host, rules=self._rules))
        return [provision.program("haproxy"), "-db", "-f", str(config)]


# One process, as a worker under another user could not write into our private directory.
_NGINX = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_set_header Host $http_host;
    upstream upstream {{ server {upstream}; }}
    server {{
        listen {host};
        {directives}
        location / {{ proxy_pass http://upstream; }}
    }}
}}
"""

_HAPROXY = """\
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind {host}
    {rules}
    default_backend upstream
backend upstream
    server upstream {upstream}
"""
