"""Objects for Icinga 2: a host for each cluster, a service for each server."""

from __future__ import annotations

from collections.abc import Iterator

from ldaphealth.generate.monitored import Service, host_name, plugin_needs, services, socket_of
from ldaphealth.generate.site import Site, heading
from ldaphealth.settings import Cluster

HEADING = """\
Objects for Icinga 2, for conf.d or a zone; docs/nagios.md has more.
{about}
Test the whole configuration: icinga2 daemon -C"""
COMMAND = """
object CheckCommand "ldaphealth_verdict" {{
  command = [ PluginDir + "/check_ldaphealth", "--agent"{socket} ]
  // Icinga stops a plugin after this time; this one ends by itself after 10 s.
  timeout = 30s
  arguments = {{
    "--cluster" = {{
      value = "$ldaphealth_cluster$"
      required = true
      description = "CLUSTER or CLUSTER/SERVER"
    }}
    "--check" = {{
      value = "$ldaphealth_check$"
      description = "Only this check decides"
    }}
  }}
}}
"""
HOST = """
// The cluster {cluster} as a whole.
object Host "{host}" {{
  check_command = "ldaphealth_verdict"
  check_interval = 1m
  retry_interval = 15s
  vars.ldaphealth_cluster = "{cluster}"
}}
"""
SERVICE = """
object Service "{service.description}" {{
  host_name = "{host}"
  check_command = "ldaphealth_verdict"
  check_interval = 1m
  retry_interval = 15s
  vars.ldaphealth_cluster = "{service.target}"
{check}}}
"""


def icinga(site: Site) -> str:
    """Return the objects."""
    head = heading(site, "icinga", HEADING.format(about=plugin_needs(site)))
    socket = socket_of(site)
    option = f', "--socket", {_string(str(socket))}' if socket else ""
    objects = (part for each in site.clusters for part in _objects(each))
    return "".join(["\n".join(head), "\n", COMMAND.format(socket=option), *objects])


def _objects(cluster: Cluster) -> Iterator[str]:
    host = host_name(cluster)
    yield HOST.format(cluster=cluster.name, host=host)
    for each in services(cluster):
        yield SERVICE.format(host=host, service=each, check=_check(each))


def _check(service: Service) -> str:
    return f'  vars.ldaphealth_check = "{service.check}"\n' if service.check else ""


def _string(text: str) -> str:
    r"""Return a string of Icinga's language: `\` escapes, `$$` is a dollar sign in a command."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return '"' + escaped.replace("\n", "\\n") + '"'
