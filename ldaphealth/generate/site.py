"""What a generated file is made of: the configuration, and what it cannot say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from ldaphealth.ldap.endpoint import Endpoint, parse_uri
from ldaphealth.model import Role, Server
from ldaphealth.settings import Cluster, Settings
from ldaphealth.text.printable import printable

DEFAULT_CONFIG = Path("/etc/ldaphealth/ldaphealth.yaml")
DEFAULT_PROGRAM = Path("/opt/ldaphealth/bin/ldaphealth")
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  an address to connect to
PLACEHOLDERS = {4: "192.0.2.{}", 6: "2001:db8::{}"}  # for documentation, RFC 5737 and RFC 3849
FIRST_PLACEHOLDER = 10


class Site(Struct, frozen=True, kw_only=True):
    """The settings, the clusters to write about, and what the configuration cannot say.

    `virtual_addresses` are the addresses that clients connect to, by cluster; `interface` is the
    network interface for them. `addresses` has those of the host names in the URIs of servers.
    `shards` is how many agents divide the clusters, 0 for one agent.
    """

    settings: Settings
    clusters: tuple[Cluster, ...]
    config_file: Path = DEFAULT_CONFIG
    program: Path = DEFAULT_PROGRAM
    virtual_addresses: Mapping[str, str] = {}
    interface: str = ""
    addresses: Mapping[str, tuple[str, ...]] = {}
    shards: int = 0

    def virtual_address(self, cluster: Cluster) -> str:
        """Return the address of a cluster that is known, "" if none is.

        A server of role `balancer` with an address is one that clients connect to.
        """
        balancers = [
            host
            for each in cluster.servers
            if each.role is Role.BALANCER and version(host := parse_uri(each.uri).host)
        ]
        return self.virtual_addresses.get(cluster.name) or next(iter(balancers), "")

    def placeholder(self, cluster: Cluster, ip_version: int) -> str:
        """Return an address to be replaced, another one for each cluster."""
        number = FIRST_PLACEHOLDER + [*self.settings.clusters].index(cluster.name)
        return PLACEHOLDERS[ip_version].format(number)


class Target(Struct, frozen=True):
    """A server that a balancer can send clients to."""

    server: Server
    endpoint: Endpoint


def targets(cluster: Cluster) -> tuple[list[Target], list[str]]:
    """Return the servers for a balancer, and a line for each one that is left out."""
    found, left_out = [], []
    for each in cluster.servers:
        endpoint = parse_uri(each.uri)
        if endpoint.is_socket:
            left_out.append(f"{each.id} is left out: {each.uri} is a Unix socket of this host.")
        elif each.role is Role.BALANCER:
            left_out.append(f"{each.id} is left out: it is an address of several servers.")
        elif "%" in endpoint.host:
            left_out.append(f"{each.id} is left out: {each.uri} is a link-local address.")
        else:
            found.append(Target(each, endpoint))
    return found, left_out


def version(host: str) -> int:
    """Return 4 or 6 for an IP address, 0 for a name."""
    try:
        return ip_address(host).version
    except ValueError:
        return 0


def whole_seconds(seconds: float) -> int:
    """Return it in whole seconds, at least one."""
    return max(1, math.ceil(seconds))


def reachable(listen: Endpoint) -> Endpoint:
    """Return where a client on this host finds what listens there."""
    return Endpoint(listen.scheme, WILDCARDS.get(listen.host, listen.host), listen.port)


def heading(site: Site, kind: str, lines: str) -> list[str]:
    """Return the first lines of a file, as comments that begin with `#`."""
    made = f"Made by `ldaphealth generate {kind}` from {site.config_file}"
    return comments([*lines.splitlines(), made])


def comments(lines: Iterable[str], indent: str = "") -> list[str]:
    """Return lines of comment; what is not printable is shown as an escape."""
    return [f"{indent}# {printable(each, 500)}".rstrip() for each in lines]
