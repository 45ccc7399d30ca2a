"""`ldaphealth report` of real servers: what was seen, and the times around an outage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.cluster import Cluster
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd


def test_a_frozen_server_is_in_the_report_with_what_was_seen(
    cluster: Cluster, tmp_path: Path
) -> None:
    with RunningAgent(cluster, tmp_path) as agent:
        cluster.nodes[1].freeze()
        agent.wait_for("ldap2", 1, 10.0)
        cluster.heal()
        agent.wait_for("ldap2", 0, 10.0)
        agent.stop()  # its history and its journal are on the disk
        text = agent.run("report", "c", "--since", "10m").stdout
        document = json.loads(agent.run("report", "c/ldap2", "--format", "json").stdout)

    assert "### `c/ldap2` out of service for " in text
    assert "- Found: `bind.timeout`: no answer within 1 s to the bind as " in text
    assert "FAILED: no answer within 1 s to the bind" in text
    assert "VERDICT  c/ldap2 OUT of service, CRITICAL" in text
    assert "- `bind.timeout`: no answer before the deadline" in text
    (outage,) = document["outages"]
    assert (outage["causes"], outage["check"]) == (["bind.timeout"], "bind")
    assert outage["seen"]["verdict"]["in_service"] is False
    assert outage["times"]["during"] > 0.9  # the deadline; the quantiles are wrong by 5 % at most
    assert document["times"][0]["check"] == "bind"
    assert document["problems"] == []
