"""What Nagios and Icinga watch: the agent's verdict on each server, and on each cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from ldaphealth.generate.site import Site
from ldaphealth.settings import AgentSettings, Cluster

REPLICATION = "replication"  # the check that has a service of its own
ABOUT = """\
They query the agent on this host, which causes no LDAP traffic. The monitoring's user must be in
the group {group} (`agent.socket_group`), and the program in the directory of the plugins.
The Debian package puts it there; else:
  ln -s /opt/ldaphealth/bin/check_ldaphealth /usr/lib/nagios/plugins/"""


class Service(Struct, frozen=True):
    """A service: its description, `CLUSTER` or `CLUSTER/SERVER`, and the check that decides."""

    description: str
    target: str
    check: str = ""


def host_name(cluster: Cluster) -> str:
    """Return the name of the host that stands for a cluster."""
    return f"ldap-{cluster.name}"


def services(cluster: Cluster) -> Iterator[Service]:
    """Yield the services of a cluster: one for each server, and its replication."""
    for each in cluster.servers:
        yield Service(f"LDAP {each.name}", each.id)
    if any(each.check.name == REPLICATION and not each.alias for each in cluster.checks):
        yield Service("LDAP replication", cluster.name, REPLICATION)


def socket_of(site: Site) -> Path | None:
    """Return the socket of the agent, None if it is the usual one."""
    socket = site.settings.agent.socket_path
    return None if socket == AgentSettings().socket_path else socket


def plugin_needs(site: Site) -> str:
    """Return what must be so for the plugin to work."""
    return ABOUT.format(group=site.settings.agent.socket_group or "ldaphealth")
