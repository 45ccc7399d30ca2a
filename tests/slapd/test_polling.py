"""A consumer that polls (refreshOnly) lacks what was written since its last poll, by design."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from msgspec.structs import replace

from demo.cluster import Cluster
from demo.node import DATABASE, Node
from demo.writes import steady_writes
from ldaphealth.checks import BUILT_IN, replication
from ldaphealth.judging.judge import judge_server
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.thresholds import at_most
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import open_session
from ldaphealth.model import State
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster as Configured
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.running_agent import RunningAgent
from tests.slapd.watched import out, watched

pytestmark = pytest.mark.slapd

MONITOR = "olcDatabase={2}monitor,cn=config"
IN, OUT = 0, 1


@pytest.fixture
def polling() -> Iterator[Cluster]:
    """Return two providers, and a consumer that polls one of them every five seconds."""
    with Cluster(size=3, consumers={3: 1}) as cluster:
        node = cluster.nodes[2]
        line = node.links[0].directive()
        line = line.replace("refreshAndPersist", "refreshOnly interval=00:00:00:05")
        node.root.modify(DATABASE, f"replace: olcSyncrepl\nolcSyncrepl: {line}")
        yield cluster


def configured(cluster: Cluster, *names: str, poll_interval_seconds: float = 0.0) -> Configured:
    found = watched(cluster, checks=("connect", "bind", "replication", *names, "unbind"))
    *providers, consumer = found.servers
    polls = replace(consumer, poll_interval_seconds=poll_interval_seconds)
    return replace(found, servers=(*providers, polls))


def hide_monitor(node: Node) -> None:
    """Let the check account read nothing in cn=Monitor."""
    node.root.modify(MONITOR, "replace: olcAccess\nolcAccess: to * by * none")


def test_a_server_that_waits_for_its_next_poll_is_not_removed(polling: Cluster) -> None:
    without_memory = configured(polling)
    with steady_writes(polling.nodes[1], pause_seconds=0.2):
        sleep(1.0)
        removed = [out(evaluate([without_memory])) for _ in range(8)]

    assert removed == [{}] * 8


def test_a_poll_interval_that_is_set_is_no_lag(polling: Cluster) -> None:
    hide_monitor(polling.nodes[2])
    unknown, known = configured(polling), configured(polling, poll_interval_seconds=5)
    with steady_writes(polling.nodes[1], pause_seconds=0.2):
        sleep(1.0)
        removed = [(out(evaluate([unknown])), out(evaluate([known]))) for _ in range(3)]

    assert {"c/ldap3": ["replication.behind"]} in [without for without, _ in removed]
    assert [having for _, having in removed] == [{}] * 3


def test_a_server_whose_poll_fails_is_behind(polling: Cluster) -> None:
    polling.nodes[0].stop()
    without_memory = configured(polling)
    with steady_writes(polling.nodes[1], pause_seconds=0.2):
        sleep(6.0)  # its next poll was due meanwhile
        left = replace(without_memory, servers=without_memory.servers[1:], min_in_service=1)
        snapshot = evaluate([left])

    assert out(snapshot) == {"c/ldap3": ["replication.behind"]}


def test_over_time_only_what_was_due_is_lag(polling: Cluster) -> None:
    """With thresholds far below the interval, in rounds as those of the agent."""
    found = configured(polling)
    params = replication.Params(behind=at_most(1, 2.5))
    checks = tuple(
        replace(each, params=params) if each.check.name == "replication" else each
        for each in found.checks
    )
    cluster = replace(found, checks=checks)
    recent = RecentObservations()
    states: list[State] = []
    with steady_writes(polling.nodes[1], pause_seconds=0.2):
        end = monotonic() + 13
        while monotonic() < end:
            for server in cluster.servers:
                for seen in probe_server(server, checks, Deadline.after(4.0)):
                    recent.add(seen)
            findings = judge_server(cluster, cluster.servers[2], recent, one_shot=False)
            states += [each.state for each in findings if each.check == "replication"]
            sleep(0.3)

    assert len(states) > 20
    assert {*states} == {State.OK}


def test_links_are_read_once_for_all_checks_of_a_session(polling: Cluster) -> None:
    cluster = configured(polling, "consumer")
    for server, searches in zip(cluster.servers, (2, 2, 3), strict=True):
        session = open_session(server, Deadline.after(4.0))
        try:
            for name in ("replication", "consumer"):
                check = BUILT_IN[name]
                assert check.observe is not None
                check.observe(session, check.params())
            assert session.counts["search"] == searches
        finally:
            session.close()


BEHIND = "replication: {behind: {warning: 1, critical: 2.5}}"
OWN_BEHIND = ", checks: {replication: {behind: {critical: 60}}}"


def write_config(agent: RunningAgent, of_consumer: str = "") -> None:
    """Write a configuration in which the third node is a consumer with these settings."""
    agent.configure()
    uri = agent.cluster.nodes[2].uri
    entry = f"{{uri: '{uri}', role: consumer{of_consumer}}}"
    agent.config.write_text(agent.config.read_text().replace(f"'{uri}'", entry))


def test_the_agent_keeps_a_server_that_polls_and_a_reload_gives_it_its_own_thresholds(
    polling: Cluster, tmp_path: Path
) -> None:
    agent = RunningAgent(polling, tmp_path, more_checks=BEHIND)
    write_config(agent)
    assert agent.run("canary", "apply", "c").returncode == 0
    with steady_writes(polling.nodes[1], pause_seconds=0.2):
        try:
            agent.start()
            end = monotonic() + 8
            while monotonic() < end:
                assert agent.script("ldap3") == IN, agent.verdict("ldap3")
                sleep(0.3)
            hide_monitor(polling.nodes[2])
            agent.wait_for("ldap3", OUT, 15.0)
            write_config(agent, OWN_BEHIND)
            agent.reload()
            agent.wait_for("ldap3", IN, 10.0)
        finally:
            agent.kill()
