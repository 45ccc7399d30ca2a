"""Prometheus scrapes an agent that checks real servers, and its alerts begin and end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo import ports, wait
from demo.cluster import Cluster
from tests.prometheus.server import Prometheus, get, program
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

EXAMPLES = Path(__file__).parents[2] / "examples" / "prometheus"
NODES = ("ldap1", "ldap2", "ldap3", "ldap4")
SECONDS = 20.0  # until Prometheus has seen it: a scrape and an evaluation a second


class ScrapedAgent(RunningAgent):
    """An agent that answers by HTTP on `port`."""

    port = 0

    def configure(self, servers: int | None = None) -> None:
        """Write the configuration with an HTTP server."""
        super().configure(servers)
        http = f'agent: {{http: {{listen: "127.0.0.1:{self.port}"}}, '
        self.config.write_text(self.config.read_text().replace("agent: {", http, 1))


def write_config(directory: Path, agent_port: int) -> Path:
    """Write the examples as they are, but for the addresses and for how long all takes."""
    rules = yaml.safe_load((EXAMPLES / "ldaphealth.rules.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        rule["for"] = "0s"
    (directory / "ldaphealth.rules.yml").write_text(yaml.safe_dump(rules))
    text = (EXAMPLES / "prometheus.yml").read_text()
    config: dict[str, Any] = yaml.safe_load(
        text.replace("127.0.0.1:8389", f"127.0.0.1:{agent_port}")
    )
    config["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    probing = config["scrape_configs"][1]
    probing |= {"scrape_interval": "2s", "scrape_timeout": "2s"}
    probing["static_configs"] = [{"targets": [f"c/{node}" for node in NODES]}]
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def two_ports() -> Iterator[tuple[int, ...]]:
    reserved = ports.reserve(2, ("127.0.0.1",))
    yield reserved.ports
    reserved.release()


def test_a_dead_server_raises_an_alert_that_ends_with_it(
    cluster: Cluster, tmp_path: Path, two_ports: tuple[int, int]
) -> None:
    agent = ScrapedAgent(cluster, tmp_path)
    agent.port, own_port = two_ports
    config = write_config(tmp_path, agent.port)
    dead = {("LdapServerOut", "ldap2")}
    with agent, Prometheus(config, tmp_path, own_port) as prometheus:
        _lint(f"http://127.0.0.1:{agent.port}/metrics")
        in_service = "ldaphealth_server_in_service"
        _wait(lambda: prometheus.query(in_service) == dict.fromkeys(NODES, 1.0), prometheus)
        probed = {f"c/{node}": 1.0 for node in NODES}
        _wait(lambda: prometheus.query("probe_success") == probed, prometheus)
        _wait(
            lambda: not prometheus.firing(), prometheus
        )  # the first rule may come before a scrape
        assert min(prometheus.query("ldaphealth_slapd_operations_completed_total").values()) >= 0
        assert set(prometheus.query("ldaphealth_replication_behind_seconds")) == set(NODES)

        cluster.nodes[1].kill()
        _wait(lambda: prometheus.firing() >= dead, prometheus)
        reasons = prometheus.query('ldaphealth_reason_severity{code="connect.connect"}')
        assert reasons == {"ldap2": 3.0}
        _wait(lambda: prometheus.query("probe_success")["c/ldap2"] == 0.0, prometheus)
        assert prometheus.query("probe_success")["c/ldap1"] == 1.0

        cluster.heal()
        _wait(lambda: not prometheus.firing(), prometheus)
        assert prometheus.query("ldaphealth_reason_severity == 3") == {}

        agent.kill()
        _wait(lambda: ("LdapAgentAbsent", "") in prometheus.firing(), prometheus)
        assert prometheus.query(in_service) == {}
        assert prometheus.log() == ""


def _wait(condition: Any, prometheus: Prometheus) -> None:
    wait.until(condition, SECONDS, f"fires: {prometheus.firing()}; {prometheus.log()}")


def _lint(url: str) -> None:
    """Check the exposition of the agent with promtool."""
    status, content_type, body = get(url)
    assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    linted = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=body,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, b"")
