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
      - For each repository, the module uses the entry with the longest matching O(registries[].host). It does not merge entries.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description:
          - The registry in the form V(host[:port]), as it appears in image references. For Docker Hub, use V(docker.io).
          - With a path, such as V(registry.example.com/team), the entry applies only to repositories below that path.
        type: str
        required: true
      username:
        description:
          - The user name. If it is set, the module does not use credentials from O(authfile) for this registry.
        type: str
      password:
        description:
          - The password or access token.
          - If the value is a mapping, the module converts it to JSON. This is necessary because ansible-core before 2.19 turns the content of a JSON
            file, such as a key for the user V(_json_key), into a mapping.
        type: raw
      token:
        description:
          - A bearer token to send to the registry. If it is set, the module does not request tokens from the registry's token service.
        type: str
      ca_path:
        description:
          - A file with the CA certificates (PEM) to trust for this registry, instead of those that the managed node trusts.
          - For the registry's token service, and for the storage that the registry redirects to, the module trusts the managed node's CAs as well. If
            O(registries) has an entry for such a host, that entry applies instead.
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
          - Whether to validate the registry's TLS certificate. Set this to V(false) only in test environments.
          - The setting applies to every port on the host. It does not apply to other hosts, such as the token service and the storage that the
            registry redirects to. To disable validation for such a host, add an entry for it.
        type: bool
        default: true
      plain_http:
        description:
          - Whether to use HTTP without TLS.
          - By default, loopback hosts (V(localhost), V(127.0.0.1), V([::1])) use plain HTTP and all other hosts use TLS. A loopback host also uses
            TLS if you set O(registries[].ca_path), O(registries[].client_cert) or O(registries[].validate_certs=false), or if a certificate
            directory exists for it. The module never falls back from TLS to plain HTTP, or vice versa.
        type: bool
      max_connections:
        description:
          - The maximum number of concurrent requests to all repositories that match this entry. A download counts as a request until
            it is complete. By default, only O(jobs) limits the number of concurrent requests.
          - A copy within the same registry, or between two registries that both have this limit, needs two connections for each blob. If all
            connections are waiting for each other, the module opens an additional one.
          - The limit does not apply to requests to the token service, or to the storage that the registry redirects to.
        type: int
      requests_per_second:
        description:
          - The maximum number of requests per second to all repositories that match this entry. The module sends requests at even intervals,
            without bursts. For example, V(0.5) means one request every two seconds.
          - The limit applies to all requests to the registry, including retries. It does not apply to requests to the token service, or to the
            storage that the registry redirects to.
        type: float
  authfile:
    description:
      - The file to read credentials from, in the format that C(podman login), C(skopeo login) and C(docker login) write. The module also runs the
        credential helpers that the file configures. A helper must respond within O(timeout) seconds.
      - If a credential helper is not installed, the module connects without credentials.
      - The task warns if users other than the owner can change the file, or if all users can read secrets in it.
      - If this option is not set, the module uses the file that the environment variable E(REGISTRY_AUTH_FILE) specifies. If that is not set either, it
        searches several files and uses the first one that contains credentials for the repository. In search order, these files are
        C(containers/auth.json) in E(XDG_RUNTIME_DIR) (or V(/run/user/UID/containers/auth.json) and V(/run/containers/UID/auth.json)),
        C(containers/auth.json) in E(XDG_CONFIG_HOME) (or V(~/.config)), C(config.json) in E(DOCKER_CONFIG) (or V(~/.docker)), and V(~/.dockercfg).
    type: path
    aliases:
      - auth_file
  timeout:
    description:
      - The number of seconds to wait for a connection to be established, for the server to accept more data, and for more response data to arrive.
        This does not limit the whole transfer. See also O(min_rate).
    type: float
    default: 60.0
  min_rate:
    description:
      - The minimum transfer rate for a request or a response, in bytes per second, averaged over O(timeout) seconds. Only the time that the module spends
        waiting for the server counts. The module treats a slower transfer as a timeout, so a server that sends or accepts only a byte now and then cannot
        block the task.
      - The default is low enough for a slow link that all O(jobs) requests share. V(0) disables the limit.
    type: float
    default: 100.0
  retries:
    description:
      - How many times to retry a request after a broken connection, a timeout, or one of the status codes 408, 425, 429, 500, 502, 503, 504 and 522.
        If the response has a C(Retry-After) header, the module waits that long, up to one minute.
      - An interrupted download or upload resumes where it stopped if the server supports this. Each time another MiB has been transferred, the
        module resets the retry count.
      - If a registry reports that its rate limit is exhausted (C(RateLimit-Remaining), C(RateLimit)) and that the limit resets within one minute, the
        module sends no requests to this registry until then.
      - If all retries fail without any response from a host, the task does not contact this host again. All further requests to the host fail
        immediately.
    type: int
    default: 3
  jobs:
    description:
      - The maximum number of concurrent requests to one registry.
      - If a blob of more than 64 MiB arrives slowly, the module downloads it in parallel with up to eight of these requests. If O(jobs=1) or
        O(registries[].max_connections=1), or if O(registries[].requests_per_second) is set, it downloads each blob over one connection.
    type: int
    default: 32
requirements:
  - requests >= 2.25.1 (for registries)
notes:
  - To use a proxy, set the environment variables E(HTTPS_PROXY), E(HTTP_PROXY), E(ALL_PROXY) and E(NO_PROXY) for the task. As in programs written
    in Go, E(NO_PROXY) can contain host names, patterns such as C(*.example.com), IP addresses and networks.
  - In this documentation, the CAs that the managed node trusts are the ones that C(requests) uses. If C(requests) was installed with C(pip), these are
    the CAs from C(certifi). If it was installed as a Debian or Fedora package, these are the system's CAs. To use a different file or directory, set
    E(REQUESTS_CA_BUNDLE) or E(CURL_CA_BUNDLE). E(SSL_CERT_FILE) and E(SSL_CERT_DIR) work as in OpenSSL.
  - Like C(podman), the module also reads CA certificates (C(*.crt)) and a client certificate (C(NAME.cert) and C(NAME.key)) from a certificate directory.
    It uses the first of C(~/.config/containers/certs.d/HOST[:PORT]), C(/etc/containers/certs.d/HOST[:PORT]) and C(/etc/docker/certs.d/HOST[:PORT]) that
    exists. The module trusts these CAs in addition to those that the managed node trusts. O(registries[].ca_path) and O(registries[].client_cert) take
    precedence.
  - The module follows a redirect from TLS to plain HTTP only for content that it verifies by digest. It sends no credentials over
    plain HTTP in this case.
"""
