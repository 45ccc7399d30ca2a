"""A shadow beside a real cluster: it would have removed a slow server, which stays in service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import ports, wait
from demo.cluster import Cluster
from tests.prometheus.server import get
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

HOST = "127.0.0.1"
SEARCH_SECONDS = 0.7
SOON_SECONDS = 30.0
CHECKS = "session: {slow_seconds: 4}"  # else it removes the slow server
SHADOW = f"{CHECKS}\n    shadow: {{checks: {{search: {{seconds: {{critical: 0.4}}}}}}}}"
REMOVED = "would have removed ldap2 (search.slow)"


class Site:
    """An agent whose cluster has a shadow, and its port of HTTP."""

    def __init__(self, agent: RunningAgent, port: int) -> None:
        self.agent, self._url = agent, f"http://{HOST}:{port}"

    def get(self, path: str) -> str:
        """Return the body of an answer by HTTP."""
        return get(self._url + path)[2].decode()

    def would(self) -> str:
        """Return what the shadow would have done with the slow server."""
        return str(self.agent.status()["shadow"].get("c/ldap2", {}).get("would"))

    def wait_for(self, would: str) -> None:
        """Wait until the shadow would have done so."""
        if not wait.comes_true(lambda: self.would() == would, SOON_SECONDS):
            pytest.fail(f"not {would!r}: {self.agent.run('explain', 'c/ldap2').stdout}")

    def history(self, *target: str) -> list[dict[str, Any]]:
        """Return the changes, newest first."""
        shown = self.agent.run("history", *target, "--limit", "1000", "--format", "json").stdout
        found: list[dict[str, Any]] = json.loads(shown)
        return found


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path) -> Iterator[Site]:
    reserved = ports.reserve(1, (HOST,))
    port = reserved.ports[0]
    with RunningAgent(
        cluster,
        tmp_path,
        deadline_seconds=5.0,
        more=f', http: {{listen: "{HOST}:{port}"}}',
        more_checks=SHADOW,
    ) as agent:
        yield Site(agent, port)
    reserved.release()


def test_a_slow_server_is_shown_as_would_have_been_removed_and_stays_in_service(site: Site) -> None:
    agent = site.agent
    plain = agent.script_answers()
    agent.cluster.nodes[1].slow_searches(SEARCH_SECONDS)
    site.wait_for(REMOVED)
    wait.until(lambda: any("shadow" in each for each in site.history()), SOON_SECONDS, "no history")

    assert agent.script_answers() == plain == dict.fromkeys(plain, 0)
    assert agent.verdict("ldap2")["in_service"]
    assert agent.run("status").returncode == 0
    assert f"shadow: {REMOVED}" in agent.run("status").stdout
    assert REMOVED in agent.run("explain", "c/ldap2").stdout
    assert f"{'shadow':18}  c/ldap2  {REMOVED}" in agent.run("history").stdout
    assert not [each for each in site.history("c/ldap2") if "shadow" in each]
    assert all(each["verdict"]["in_service"] for each in site.history("c/ldap2"))
    assert REMOVED in site.get("/")
    assert site.get("/health/c/ldap2").startswith("c/ldap2 in service")
    assert 'ldaphealth_shadow_in_service{cluster="c",server="ldap2"} 0.0' in site.get("/metrics")
    assert 'ldaphealth_server_in_service{cluster="c",server="ldap2"} 1.0' in site.get("/metrics")


def test_a_reload_takes_the_shadow_away(site: Site) -> None:
    agent = site.agent
    assert len(agent.status()["shadow"]) == len(agent.cluster.nodes)
    assert "shadow, which decides nothing" in agent.log()
    agent.more_checks = CHECKS
    agent.configure()
    agent.reload()
    wait.until(lambda: not agent.status()["shadow"], SOON_SECONDS, "the shadow remains")

    wait.until(lambda: "_shadow_" not in site.get("/metrics"), SOON_SECONDS, "metrics remain")
