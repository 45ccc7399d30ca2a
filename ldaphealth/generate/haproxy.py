"""haproxy.cfg: the agent's verdicts by agent-check, beside HAProxy's own check (docs/http.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ldaphealth.generate.site import Site, Target, comments, heading, reachable, targets
from ldaphealth.ldap.endpoint import DEFAULT_PORTS
from ldaphealth.model import Role
from ldaphealth.settings import Cluster, HaproxySettings

HEADING = """\
haproxy.cfg for LDAP servers that ldaphealth checks; docs/http.md describes the agent's answers.
A server is out when HAProxy's own check fails, or when the agent takes it out. The agent also
gives the weight: a share of the one here. Test this file: haproxy -c -f FILE"""
OFF = """\
SET THIS: the agent does not answer HAProxy yet. Write this in the configuration of ldaphealth and
restart the agent; until then only HAProxy's own check decides:  agent: {haproxy: {}}"""
DEFAULTS = """
global
    log stdout format raw local0
    stats socket /run/haproxy/admin.sock mode 660 level admin

defaults
    mode tcp
    log global
    option tcplog
    option log-health-checks
    timeout connect 3s
    # LDAP clients keep connections open.
    timeout client 1h
    timeout server 1h
    timeout check 3s
    # The weights of the agent need a dynamic algorithm: leastconn or roundrobin.
    balance leastconn
    # HAProxy's own check, an anonymous bind: it continues when the agent is dead. Servers that refuse
    # anonymous binds fail it; use `option tcp-check` for them.
    option ldap-check
    # agent-check: query the agent every agent-inter, and apply the answer at once
    # init-addr: start even if a name does not resolve yet
    default-server check inter 2s fall 3 rise 2 agent-check agent-addr {host} agent-port {port} agent-inter 2s init-addr last,libc,none
"""  # noqa: E501  one line of HAProxy
TLS_ABOUT = (
    "TLS is passed through. HAProxy's check speaks TLS too; ldaphealth verifies certificates."
)


def haproxy(site: Site) -> str:
    """Return haproxy.cfg: a `listen` for each cluster, and another one for its servers with TLS."""
    agent = site.settings.agent.haproxy
    head = heading(site, "haproxy", HEADING) + comments([] if agent else OFF.splitlines())
    listen = reachable((agent or HaproxySettings()).listen)
    return "".join(
        [
            "\n".join(head) + "\n",
            DEFAULTS.format(host=listen.host, port=listen.port),
            *(part for each in site.clusters for part in _cluster(site, each)),
        ]
    )


def _cluster(site: Site, cluster: Cluster) -> Iterator[str]:
    found, left_out = targets(cluster)
    for scheme in ("ldap", "ldaps"):
        members = [each for each in found if each.endpoint.is_tls == (scheme == "ldaps")]
        if members:
            yield from _listen(site, cluster, scheme, members)
    if left_out:
        yield "\n"
        yield from (f"{line}\n" for line in comments(left_out))


def _listen(site: Site, cluster: Cluster, scheme: str, members: Sequence[Target]) -> Iterator[str]:
    suffix = ":ldaps" if scheme == "ldaps" else ""
    yield f"\nlisten {cluster.name}{suffix}\n"
    address = site.virtual_address(cluster)
    if not address and len(site.clusters) > 1:
        yield "    # SET THIS: the address of this cluster (--virtual-address).\n"
        address = site.placeholder(cluster, 4)
    shown = f"[{address}]" if ":" in address else address
    yield f"    bind {shown}:{DEFAULT_PORTS[scheme]}\n"
    if suffix:
        yield from (f"{line}\n" for line in comments([TLS_ABOUT], "    "))
    for each in members:
        if each.server.role is Role.CONSUMER:
            about = f"{each.server.name} is a consumer: it refers writes to its provider."
            yield from (f"{line}\n" for line in comments([about], "    "))
        yield f"    {_server(each)}\n"


def _server(target: Target) -> str:
    """Return the line of a server; `agent-send` is its ID and a line end."""
    server, endpoint = target.server, target.endpoint
    words = [f"server {server.name} {endpoint} weight {server.weight}"]
    if endpoint.is_tls:
        words.append("check-ssl verify none")
    if server.proxy_protocol or endpoint.has_proxy_protocol:
        words.append("send-proxy-v2 check-send-proxy")
    return " ".join([*words, f'agent-send "{server.id}\\n"'])
