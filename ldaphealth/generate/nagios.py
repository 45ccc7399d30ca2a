"""Objects for Nagios Core and Naemon: a host for each cluster, a service for each server."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ldaphealth.generate.monitored import Service, host_name, plugin_needs, services, socket_of
from ldaphealth.generate.site import Site, heading
from ldaphealth.settings import Cluster

HEADING = """\
Objects for Nagios Core and Naemon, for a directory that cfg_dir names; docs/nagios.md has more.
{about}
Test the whole configuration: nagios4 -v /etc/nagios4/nagios.cfg"""
COMMANDS = """
define command {{
    command_name    ldaphealth_verdict
    command_line    $USER1$/check_ldaphealth --agent{socket} --cluster '$ARG1$'
}}

# Only one check decides, in service or not.
define command {{
    command_name    ldaphealth_verdict_of_check
    command_line    $USER1$/check_ldaphealth --agent{socket} --cluster '$ARG1$' --check '$ARG2$'
}}
"""
HOST = """
# The cluster {cluster} as a whole. The address is not used.
define host {{
    use                     generic-host
    host_name               {host}
    address                 127.0.0.1
    max_check_attempts      3
    #contact_groups         admins ; unless your generic-host has one: who is notified
    check_command           ldaphealth_verdict!{cluster}
}}
"""
SERVICE = """
define service {{
    use                     generic-service
    host_name               {host}
    service_description     {service.description}
    check_command           {command}
}}
"""


def nagios(site: Site) -> str:
    """Return the objects. ValueError: the path of the socket cannot stand in them."""
    head = heading(site, "nagios", HEADING.format(about=plugin_needs(site)))
    objects = (part for each in site.clusters for part in _objects(each))
    return "".join(["\n".join(head), "\n", COMMANDS.format(socket=_socket(site)), *objects])


def _objects(cluster: Cluster) -> Iterator[str]:
    host = host_name(cluster)
    yield HOST.format(cluster=cluster.name, host=host)
    for each in services(cluster):
        yield SERVICE.format(host=host, service=each, command=_command(each))


def _command(service: Service) -> str:
    if service.check:
        return f"ldaphealth_verdict_of_check!{service.target}!{service.check}"
    return f"ldaphealth_verdict!{service.target}"


def _socket(site: Site) -> str:
    """Return the option for the socket; in an object a semicolon begins a comment."""
    socket = socket_of(site)
    if socket is None:
        return ""
    if not str(socket).isprintable():
        raise ValueError(f"{str(socket)!r} cannot stand in an object of Nagios: rename it")
    return " --socket " + shlex.quote(str(socket)).replace("$", "$$").replace(";", "\\;")
