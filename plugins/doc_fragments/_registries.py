# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options for connections to registries. The argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  registries:
    description:
      - Connection settings and credentials for each registry. Set only what differs from the defaults.
      - For each repository, the entry with the longest matching O(registries[].host) applies. Entries are not merged.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description:
          - The registry, V(host[:port]), as it is written in image references. V(docker.io) is Docker Hub.
          - With a path, such as V(registry.example.com/team), the entry applies only to repositories below that path.
        type: str
        required: true
      username:
        description:
          - The user name. Takes precedence over O(authfile).
        type: str
      password:
        description:
          - The password or access token.
          - A mapping is sent as JSON. ansible-core before 2.19 turns the content of a JSON file, such as a key for the user V(_json_key), into a mapping.
        type: raw
      token:
        description:
          - A bearer token to send to the registry. The module then does not request a token from the token service of the registry.
        type: str
      ca_path:
        description:
          - A file with the CA certificates (PEM) to trust for this registry, instead of those that the managed node trusts.
          - The storage that the registry redirects to, and its token service, can also use certificates from the CAs that the managed node trusts. If
            O(registries) has an entry for their host, that entry applies instead.
        type: path
        aliases:
          - ca_cert
      client_cert:
        description:
          - The client certificate (PEM) to present to the registry. The file can also contain the private key.
        type: path
      client_key:
        description:
          - The private key (PEM) for O(registries[].client_cert).
        type: path
      validate_certs:
        description:
          - Whether to validate the certificate of the registry. Set it to V(false) for tests only.
          - It applies to every port of the host. Certificates of other hosts, such as the storage that the registry redirects to and its token service,
            are still validated, unless O(registries) has an entry for them.
        type: bool
        default: true
      plain_http:
        description:
          - Whether to use HTTP without TLS.
          - By default, loopback hosts (V(localhost), V(127.0.0.1), V([::1])) use plain HTTP and all other hosts use TLS. A loopback host also uses TLS if
            you set O(registries[].ca_path), O(registries[].client_cert) or O(registries[].validate_certs=false), or if it has a certificate
            directory. The module never falls back from one to the other.
        type: bool
      max_connections:
        description:
          - The maximum number of concurrent requests to all repositories that match this entry. A download counts until its end. By default, only O(jobs)
            limits the number of requests.
          - A copy within one registry, or between two registries with this limit, needs two connections for each blob. If all connections wait for
            each other, the module opens one more.
          - Requests to the storage that the registry redirects to and to its token service do not count.
        type: int
      requests_per_second:
        description:
          - The maximum number of requests per second to all repositories that match this entry. Requests are spread evenly, without bursts. V(0.5) is
            one request every two seconds.
          - Every request to the registry counts, including retries. Requests to the storage that it redirects to and to its token service do not count.
        type: float
  authfile:
    description:
      - The file to read credentials from, as C(podman login), C(skopeo login) or C(docker login) write it. The module also runs the credential helpers
        that the file configures. A helper must answer within O(timeout).
      - If the program of a credential helper is not installed, the module connects without credentials.
      - The task warns if users other than the owner can change the file, or if all users can read secrets in it.
      - If the value is not specified in the task, the value of environment variable E(REGISTRY_AUTH_FILE) is used. If that is not set, the module reads
        C(containers/auth.json) in E(XDG_RUNTIME_DIR) (or V(/run/user/UID/containers/auth.json) and V(/run/containers/UID/auth.json)),
        C(containers/auth.json) in E(XDG_CONFIG_HOME) (or V(~/.config)), C(config.json) in E(DOCKER_CONFIG) (or V(~/.docker)), and V(~/.dockercfg),
        in this order. The first file that has credentials for the repository is used.
    type: path
    aliases:
      - auth_file
  timeout:
    description:
      - The number of seconds to wait for a connection, and for more data of a response. See also O(min_rate).
    type: float
    default: 60.0
  min_rate:
    description:
      - The minimum speed of a response in bytes per second, averaged over O(timeout) seconds of waiting. A slower response is handled like a timeout, so a
        server that sends one byte now and then cannot block the task.
      - The default is low enough for slow links that all O(jobs) share. V(0) disables the limit.
    type: float
    default: 100.0
  retries:
    description:
      - How often to retry after a broken connection, a timeout, or one of the status codes 408, 425, 429, 500, 502, 503, 504 and 522. The module waits as
        long as C(Retry-After) asks, up to one minute.
      - A download or an upload that breaks continues where it was, if the server can do that. Once it has moved another MiB, the next failure counts as
        the first one.
      - If a registry reports that its request limit is used up (C(RateLimit-Remaining), C(RateLimit)), the module sends it nothing until the limit
        resets, if that takes at most one minute.
      - If a host has used up all retries without a single response, the task does not try it again. Everything else that needs this host
        fails immediately.
    type: int
    default: 3
  jobs:
    description:
      - The maximum number of concurrent requests to one registry.
      - If a server delivers a blob of more than 64 MiB slowly, up to eight of them read this blob. With O(jobs=1) or O(registries[].max_connections=1), the
        module reads each blob over one connection. It does the same if O(registries[].requests_per_second) is set.
    type: int
    default: 32
requirements:
  - requests >= 2.25.1 (for registries)
notes:
  - The environment variables E(HTTPS_PROXY), E(HTTP_PROXY), E(ALL_PROXY) and E(NO_PROXY) of the task configure proxies. E(NO_PROXY) accepts host names,
    C(*.example.com), IP addresses and networks, as programs written in Go do.
  - The managed node trusts the CA certificates of C(requests). These are the certificates of C(certifi) if C(pip) installed C(requests), and those of the
    system if it is a package of Debian or Fedora. E(REQUESTS_CA_BUNDLE) or E(CURL_CA_BUNDLE) replaces them with a file or a directory.
    E(SSL_CERT_FILE) and E(SSL_CERT_DIR) work as they do for OpenSSL.
  - CA certificates (C(*.crt)) and a client certificate (C(NAME.cert) and C(NAME.key)) are also read from the first existing directory of
    C(~/.config/containers/certs.d/HOST[:PORT]), C(/etc/containers/certs.d/HOST[:PORT]) and C(/etc/docker/certs.d/HOST[:PORT]), as C(podman) does. The
    module trusts these CAs in addition to those of the managed node. O(registries[].ca_path) and O(registries[].client_cert) take precedence.
  - The module follows a redirect from TLS to plain HTTP without credentials, and only for content that it verifies by digest.
"""
