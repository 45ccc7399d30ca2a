"""The table of the files that `ldaphealth generate` makes."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from ldaphealth.generate.grafana import grafana
from ldaphealth.generate.haproxy import haproxy
from ldaphealth.generate.icinga import icinga
from ldaphealth.generate.keepalived import keepalived
from ldaphealth.generate.nagios import nagios
from ldaphealth.generate.prometheus import prometheus, prometheus_rules
from ldaphealth.generate.site import Site
from ldaphealth.generate.systemd import systemd


class Kind(Struct, frozen=True):
    """A kind of file: its name, one sentence of help, and the function that makes the text.

    `needs` are the fields of Site that the command line may set for it.
    """

    name: str
    help: str
    text: Callable[[Site], str]
    needs: tuple[str, ...] = ()


CLUSTERS, VIRTUAL, INTERFACE = "clusters", "virtual_addresses", "interface"
SHARDS = "shards"
KINDS = (
    Kind(
        "keepalived",
        "Virtual servers with MISC_CHECK or FILE_CHECK.",
        keepalived,
        (CLUSTERS, VIRTUAL, INTERFACE),
    ),
    Kind("haproxy", "Listeners with agent-check.", haproxy, (CLUSTERS, VIRTUAL)),
    Kind("prometheus", "prometheus.yml that scrapes the agent.", prometheus),
    Kind("prometheus-rules", "Alerts that name the next command.", prometheus_rules),
    Kind("grafana", "A dashboard to import.", grafana),
    Kind("icinga", "Hosts and services for Icinga 2.", icinga, (CLUSTERS,)),
    Kind("nagios", "Hosts and services for Nagios Core.", nagios, (CLUSTERS,)),
    Kind("systemd", "The unit of the agent, or of its shards.", systemd, (SHARDS,)),
)
