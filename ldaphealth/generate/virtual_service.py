"""What keepalived has for a cluster: one virtual server for each port and family of addresses."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from msgspec import Struct

from ldaphealth.generate.site import Site, Target, targets, version
from ldaphealth.model import Server
from ldaphealth.settings import Cluster


class RealServer(Struct, frozen=True):
    """A server with its address; `name` is the host of its URI if that is a name."""

    server: Server
    address: str
    name: str


class VirtualService(Struct, frozen=True):
    """An address and port of a cluster, and its servers; a placeholder if not `is_known`."""

    cluster: Cluster
    address: str
    is_known: bool
    port: int
    servers: tuple[RealServer, ...]


def virtual_services(site: Site, cluster: Cluster) -> tuple[list[VirtualService], list[str]]:
    """Return the virtual servers of a cluster, and a line for each server that is left out."""
    known = site.virtual_address(cluster)
    candidates, left_out = targets(cluster)
    groups: dict[tuple[int, int], list[RealServer]] = {}
    for each in candidates:
        address = _address(each.endpoint.host, site.addresses, version(known))
        if reason := _unfit(each, address, known):
            left_out.append(f"{each.server.id} is left out: {reason}")
            continue
        name = "" if address == each.endpoint.host else each.endpoint.host
        group = groups.setdefault((version(address), each.endpoint.port), [])
        group.append(RealServer(each.server, address, name))
    return [
        VirtualService(
            cluster, known or site.placeholder(cluster, family), bool(known), port, tuple(servers)
        )
        for (family, port), servers in groups.items()
    ], left_out


def _address(host: str, addresses: Mapping[str, tuple[str, ...]], wanted_version: int) -> str:
    """Return an address of the host, "" if none is known: of the wanted version, or IPv4."""
    found = (host,) if version(host) else addresses.get(host, ())
    preferred = wanted_version or 4
    return next(iter(sorted(found, key=lambda each: version(each) != preferred)), "")


def _unfit(target: Target, address: str, virtual_address: str) -> str:
    """Return why keepalived cannot send clients to a server, "" if it can."""
    server = target.server
    if server.proxy_protocol or target.endpoint.has_proxy_protocol:
        return "keepalived does not speak the PROXY protocol that it expects."
    if not address:
        return f"{target.endpoint.host} did not resolve; write its address in place of the name."
    if ip_address(address).is_loopback:
        return f"{address} is this host itself."
    if virtual_address and version(address) != version(virtual_address):
        return f"{address} and the virtual address {virtual_address} are of different IP versions."
    return ""
