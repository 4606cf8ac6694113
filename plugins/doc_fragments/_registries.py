# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of how registries are reached; their argument spec is plugins/module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  registries:
    description:
      - How to reach registries, and as whom. Only what differs from the defaults needs to be given.
      - For each repository, the one entry with the longest matching O(registries[].host) holds.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description:
          - The registry as it stands in references, V(host[:port]), optionally with a path such as
            V(registry.example.com/team) to speak of the repositories below only. V(docker.io) is Docker Hub.
        type: str
        required: true
      username:
        description:
          - Who to log in as. Wins over what O(authfile) holds.
        type: str
      password:
        description:
          - The password, or the access token that the registry takes for one.
          - A mapping is used as JSON. ansible-core before 2.19 makes one of the content of a JSON file, such as a key for
            the user V(_json_key).
        type: raw
      token:
        description:
          - A bearer token to send to the registry as it is, instead of asking its token service for one.
        type: str
      ca_path:
        description:
          - A file of CA certificates (PEM) to trust for this registry, instead of those that the managed node trusts.
          - Storage that the registry redirects to, and its token service, may have certificates of these CAs or of those that
            the managed node trusts, unless they have an entry of their own in O(registries).
        type: path
        aliases:
          - ca_cert
      client_cert:
        description:
          - A client certificate (PEM), where the registry asks for one. The file may hold the private key too.
        type: path
      client_key:
        description:
          - The private key of O(registries[].client_cert).
        type: path
      validate_certs:
        description:
          - Whether to validate the certificate of the registry. Turn this off for tests only.
          - This applies to the host of the registry, on every port. Certificates of other hosts, such as storage that the
            registry redirects to and its token service, are validated unless they have an entry of their own in O(registries).
        type: bool
        default: true
      plain_http:
        description:
          - Whether to speak HTTP without TLS.
          - If not given, plain HTTP is used for loopback hosts (V(localhost), V(127.0.0.1), V([::1])), and TLS for all others.
            For a loopback host with certificates, by O(registries[].ca_path), O(registries[].client_cert) or a directory of
            certificates, or with O(registries[].validate_certs=false), TLS is used too. One is never tried for the other.
        type: bool
      max_connections:
        description:
          - How many requests to have under way at once, at most, over all repositories that this entry speaks of.
            A download counts until it has been read. If not given, only O(jobs) is a limit.
          - Who copies within the registry, or between registries with such limits, needs two at a time for one blob. Where
            all connections wait for another one, one more is made.
          - Storage that the registry redirects to, and its token service, do not count.
        type: int
      requests_per_second:
        description:
          - How many requests to send in a second, at most, over all repositories that this entry speaks of. They are spread
            evenly, without bursts. V(0.5) is one request in two seconds.
          - Every request to the registry counts, further tries too; those to storage that it redirects to, and to its token
            service, do not.
        type: float
  authfile:
    description:
      - The file to read credentials from, as written by C(podman login), C(skopeo login) or C(docker login).
        Credential helpers and stores that it names are asked. They have to answer within O(timeout).
      - If the program of a helper is not installed, the registry is asked without credentials.
      - The task warns about a file that users other than its owner can change, or whose secrets all users can read.
      - If the value is not specified in the task, the value of environment variable E(REGISTRY_AUTH_FILE) is used, and
        if that is not set, C(containers/auth.json) in E(XDG_RUNTIME_DIR) (or V(/run/user/UID/containers/auth.json) and
        V(/run/containers/UID/auth.json)),
        C(containers/auth.json) in E(XDG_CONFIG_HOME) (or V(~/.config)), C(config.json) in E(DOCKER_CONFIG) (or
        V(~/.docker)), and V(~/.dockercfg), in this order. The first file that has credentials for the repository decides.
    type: path
    aliases:
      - auth_file
  timeout:
    description:
      - How many seconds to wait for a connection, and for the next bytes of an answer. See also O(min_rate).
    type: float
    default: 60.0
  min_rate:
    description:
      - How many bytes a second to expect at least of a response once it has begun, on average over O(timeout) seconds of waiting.
        A slower response is treated like a timeout, so a server that sends a byte now and then does not hold the task.
      - The default suits slow links, even if they are shared by all O(jobs). V(0) turns the limit off.
    type: float
    default: 100.0
  retries:
    description:
      - How often to try again after a broken connection, a timeout, or an answer that says to come back later
        (408, 425, 429, 500, 502, 503, 504, 522). C(Retry-After) is respected, up to a minute.
      - Where a registry tells that its limit of requests is used up (C(RateLimit-Remaining), C(RateLimit)), nothing is sent
        to it until the limit begins anew, if that is within a minute.
      - A host that has used up all retries without having responded once is not tried again in the same task. Everything else
        that needs this host fails at once.
    type: int
    default: 3
  jobs:
    description:
      - How many requests to have under way at once with one registry.
    type: int
    default: 24
requirements:
  - requests >= 2.25.1 (for registries)
notes:
  - Proxies are taken from the environment variables E(HTTPS_PROXY), E(HTTP_PROXY), E(ALL_PROXY) and E(NO_PROXY) of the task.
    E(NO_PROXY) is read as programs written in Go read it, with names, C(*.example.com), addresses and networks of IPv4 and IPv6.
  - The managed node trusts the CA certificates that C(requests) comes with, which are those of C(certifi) if it was installed with
    C(pip), and those of the system if it is a package of Debian or Fedora. The environment variables E(REQUESTS_CA_BUNDLE) and
    E(CURL_CA_BUNDLE) name a file or directory to trust instead. E(SSL_CERT_FILE) and E(SSL_CERT_DIR) are read as OpenSSL
    reads them.
  - CA certificates (C(*.crt)) and a client certificate (C(NAME.cert) and C(NAME.key)) are also taken from the first directory
    of C(~/.config/containers/certs.d/HOST[:PORT]), C(/etc/containers/certs.d/HOST[:PORT]) and C(/etc/docker/certs.d/HOST[:PORT])
    that exists, as C(podman) does. These CAs are trusted in addition to those of the managed node. O(registries[].ca_path) and
    O(registries[].client_cert) take precedence.
  - Over TLS, a redirect to plain HTTP is followed without credentials, and only for content that is verified by its digest.
"""
