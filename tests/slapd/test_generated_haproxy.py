"""A real HAProxy with what `ldaphealth generate haproxy` prints obeys the agent, also with TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import ports
from demo.cluster import Cluster
from ldaphealth.config import load
from ldaphealth.generate.haproxy import haproxy
from ldaphealth.generate.site import Site
from tests.slapd.haproxy import HOST, Haproxy
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd
SOON_SECONDS = 15.0
WITH_TLS = ("ldap3", "ldap4")


class Generated(Haproxy):
    """One that runs the generated file, on sockets of here and with shorter intervals."""

    def _config(self) -> str:
        servers = ", ".join(
            f'{each.name}: "{each.ldaps_uri if each.name in WITH_TLS else each.uri}"'
            for each in self.cluster.nodes
        )
        path = self.directory / "generated.yaml"
        path.write_text(
            f'agent: {{haproxy: {{listen: "{HOST}:{self.agent_port}"}}}}\n'
            f"clusters: {{c: {{servers: {{{servers}}}}}}}\n"
        )
        settings = load(path)
        text = haproxy(Site(settings=settings, clusters=tuple(settings.clusters.values())))
        text = text.replace("/run/haproxy/admin.sock", str(self.directory / "admin.sock"))
        text = text.replace("agent-inter 2s", "agent-inter 300ms")
        return re.sub(r"bind :(389|636)\n", rf"bind unix@{self.directory}/\1\n", text)


@pytest.fixture
def agent_port() -> Iterator[int]:
    reserved = ports.reserve(1, (HOST,))
    yield reserved.ports[0]
    reserved.release()


def test_servers_with_and_without_tls_go_out_by_the_agent(
    cluster: Cluster, tmp_path: Path, agent_port: int
) -> None:
    more = f', haproxy: {{listen: "{HOST}:{agent_port}"}}'
    with (
        RunningAgent(cluster, tmp_path, more=more),
        Generated(cluster, tmp_path, agent_port) as running,
    ):
        for node in cluster.nodes:
            running.wait_for(node.name, "UP", SOON_SECONDS, "100")
        cluster.nodes[3].freeze()
        running.wait_for("ldap4", "DOWN (agent)", SOON_SECONDS)
        cluster.heal()
        running.wait_for("ldap4", "UP", SOON_SECONDS, "100")

        assert running.server("ldap1")["check_status"] == "L7OK"
        assert running.server("ldap3")["check_status"] == "L7OK"
