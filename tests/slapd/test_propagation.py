"""Tokens written at one real server and watched for at the others, healthy and broken."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from demo import wait
from demo.cluster import Cluster
from demo.node import Node
from demo.tree import CANARIES
from ldaphealth.checks.canary import canary_dn, canary_entry
from ldaphealth.checks.propagation import CHECK, Facts, Params, survey
from ldaphealth.csn import parse
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import open_session
from ldaphealth.model import AnyObservation, Observation, Role, Server, State
from ldaphealth.survey import SurveyContext
from tests.hostile import servers as hostile
from tests.slapd.recorded import Recorded
from tests.slapd.running_agent import RunningAgent
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

AGENT = "watcher"
LOST_SECONDS = 1.5
PARAMS = Params(container=CANARIES, agent=AGENT, lost_seconds=LOST_SECONDS)


class Watch:
    """The check as the agent does it: each survey is given what the one before it kept."""

    def __init__(self, servers: tuple[Server, ...], params: Params = PARAMS) -> None:
        self.servers, self.params = servers, params
        self.kept: Any = None
        self.seen: dict[str, list[AnyObservation]] = {each.id: [] for each in servers}
        self.story = Facts(writer="", outcome="alone", turns=1)

    def survey(self) -> Facts:
        """Do one turn, and return its story."""
        deadline = Deadline.after(self.params.deadline_seconds)
        site = SurveyContext(
            servers=self.servers,
            params=self.params,
            deadline=deadline,
            kept=self.kept,
            open_session=open_session,
            wait=threading.Event().wait,
        )
        surveyed = survey(site)
        self.kept = surveyed.kept
        for server, found in surveyed.found.items():
            self.story = found.facts
            self.seen[server].append(
                Observation(
                    server=server,
                    check=CHECK.name,
                    started_at=0.0,
                    duration_seconds=0.0,
                    facts=found.facts,
                    timings=found.timings,
                )
            )
        return self.story

    def codes(self) -> dict[str, list[str]]:
        """Return the codes of what is not well, by server."""
        recent = RecentObservations()
        for observation in itertools.chain(*self.seen.values()):
            recent.add(replace(observation, check="connect"))
            recent.add_surveyed(observation)
        told = {
            server.id: [
                finding.code
                for finding in CHECK.judge(
                    recent.view(server, CHECK.name, one_shot=False), self.params
                )
                if finding.state is not State.OK
            ]
            for server in self.servers
        }
        return {server: codes for server, codes in told.items() if codes}


def servers_of(cluster: Cluster) -> tuple[Server, ...]:
    return watched(cluster).servers


def make_canaries(cluster: Cluster, *names: str) -> None:
    root = cluster.nodes[0].root
    there = {entry["dn"][0] for entry in root.search(CANARIES, scope="one")}
    for server in servers_of(cluster):
        dn = canary_dn(CANARIES, AGENT, server, "propagation")
        if server.name in names and dn not in there:
            attributes = canary_entry(AGENT, server, "propagation").items()
            root.add(dn, "\n".join(f"{name}: {v}" for name, values in attributes for v in values))
    cluster.wait_until_level()


def test_a_server_that_polls_is_not_watched_for_tokens(cluster: Cluster) -> None:
    make_canaries(cluster, "ldap1")
    first, *others, last = servers_of(cluster)
    polling = replace(last, poll_interval_seconds=300.0)
    watch = Watch((first, *others, polling))

    assert watch.survey().readers.keys() == {"c/ldap2", "c/ldap3"}
    assert watch.codes() == {}
    assert Watch((first, polling)).survey().outcome == "alone"


@pytest.fixture
def watch(cluster: Cluster) -> Watch:
    make_canaries(cluster, *(node.name for node in cluster.nodes))
    return Watch(servers_of(cluster))


def token_of(node: Node, of: Node | None = None) -> tuple[str, ...]:
    """Return what the canary of one node holds at another."""
    server = Server(cluster="c", name=(of or node).name, uri="")
    return node.root.read(canary_dn(CANARIES, AGENT, server, "propagation"), "description")


def test_a_token_arrives_everywhere_from_each_provider_in_turn(watch: Watch) -> None:
    for number in (1, 2, 3, 4):
        story = watch.survey()
        assert story.writer == f"c/ldap{number}", story
        assert story.outcome == "written", story
        assert parse(story.csn).sid == number
        assert len(story.readers) == 3
        for reader, seen in story.readers.items():
            assert seen.seconds is not None
            assert seen.csn_seconds is not None
            print(  # noqa: T201  the numbers of the run
                f"{story.writer} -> {reader}: {seen.seconds * 1000:.1f} ms, "
                f"contextCSN {seen.csn_seconds * 1000:.1f} ms"
            )
            assert 0 <= seen.seconds < LOST_SECONDS
            assert 0 <= seen.csn_seconds < LOST_SECONDS
            assert seen.error == ""

    assert watch.codes() == {}
    assert watch.survey().writer == "c/ldap1"
    assert [list(seen.timings) for seen in watch.seen["c/ldap2"]] == [
        ["from ldap1"],
        [],
        ["from ldap3"],
        ["from ldap4"],
        ["from ldap1"],
    ]


def test_a_reader_whose_links_are_cut_has_lost_it(cluster: Cluster, watch: Watch) -> None:
    cluster.nodes[3].cut_replication()
    began = time.monotonic()
    story = watch.survey()

    assert watch.codes() == {"c/ldap4": ["lost"]}
    seconds = story.readers["c/ldap2"].seconds
    assert seconds is not None
    assert seconds < LOST_SECONDS
    assert story.readers["c/ldap4"].watched_seconds >= LOST_SECONDS
    assert LOST_SECONDS <= time.monotonic() - began < LOST_SECONDS + 2.0

    cluster.heal()
    for _ in watch.servers:
        watch.survey()
    assert watch.codes() == {}


def test_a_provider_that_nobody_receives_from_is_to_blame_and_nobody_else(
    cluster: Cluster, watch: Watch
) -> None:
    cluster.isolate(cluster.nodes[0])
    watch.survey()

    assert watch.codes() == {"c/ldap1": ["isolated"]}
    watch.survey()
    assert watch.codes() == {"c/ldap1": ["isolated"]}


@pytest.mark.parametrize("fault", [Node.kill, Node.freeze], ids=["killed", "frozen"])
def test_a_dead_reader_is_its_own_trouble(cluster: Cluster, watch: Watch, fault: Any) -> None:
    fault(cluster.nodes[1])
    began = time.monotonic()
    story = watch.survey()

    assert time.monotonic() - began < PARAMS.deadline_seconds
    assert watch.codes() == {"c/ldap2": ["unread"]}
    assert {reader for reader, seen in story.readers.items() if seen.seconds is not None} == {
        "c/ldap3",
        "c/ldap4",
    }


@pytest.mark.parametrize(
    "fault", [Node.kill, Node.freeze, Node.read_only], ids=["killed", "frozen", "read-only"]
)
def test_a_writer_that_cannot_be_written_to_is_told_and_passes_its_turn(
    cluster: Cluster, watch: Watch, fault: Any
) -> None:
    fault(cluster.nodes[0])
    story = watch.survey()

    assert (story.outcome, story.readers) == ("unwritten", {})
    assert watch.codes() == {"c/ldap1": ["unwritten"]}
    assert watch.survey().writer == "c/ldap2"


def test_a_consumer_is_watched_and_never_written_to(cluster: Cluster, watch: Watch) -> None:
    before = token_of(cluster.nodes[0])
    first, *rest = watch.servers
    watch = Watch((replace(first, role=Role.CONSUMER), *rest))
    writers = {watch.survey().writer for _ in range(4)}

    assert writers == {"c/ldap2", "c/ldap3", "c/ldap4"}
    assert token_of(cluster.nodes[0]) == before
    assert {
        seen.facts.writer for seen in watch.seen["c/ldap1"] if seen.facts and seen.timings
    } == writers


def test_without_a_canary_nothing_is_written(cluster: Cluster, watch: Watch) -> None:
    dn = canary_dn(CANARIES, AGENT, watch.servers[0], "propagation")
    cluster.nodes[0].root.delete(dn)
    cluster.wait_until_level()
    before = [node.context_csn() for node in cluster.nodes]
    watch.survey()

    assert watch.codes() == {"c/ldap1": ["no_canary"]}
    assert [node.context_csn() for node in cluster.nodes] == before


@pytest.fixture
def somebody_elses_entry(cluster: Cluster) -> Iterator[str]:
    root = cluster.nodes[0].root
    dn = canary_dn(CANARIES, "foreign", servers_of(cluster)[0], "propagation")
    # With the mark of the write check: that is another entry's.
    mark = canary_entry("foreign", servers_of(cluster)[0])["ou"][0]
    root.add(dn, f"objectClass: applicationProcess\nou: {mark}\ndescription: precious")
    yield dn
    root.delete(dn)


def test_what_is_no_canary_of_ours_is_never_written_to(
    cluster: Cluster, somebody_elses_entry: str
) -> None:
    watch = Watch(
        servers_of(cluster), Params(container=CANARIES, agent="foreign", lost_seconds=LOST_SECONDS)
    )
    watch.survey()

    assert watch.codes() == {"c/ldap1": ["foreign_entry"]}
    assert cluster.nodes[0].root.read(somebody_elses_entry, "description") == ("precious",)


@pytest.mark.parametrize(
    ("place", "behave", "code"),
    [
        pytest.param("writer", hostile.drip, "unwritten", id="a writer that drips"),
        # It says that there is no entry.
        pytest.param("writer", hostile.slow_answers, "no_canary", id="a slow writer"),
        pytest.param("writer", hostile.endless, "unwritten", id="a writer without end"),
        pytest.param("writer", hostile.garbage, "unwritten", id="a writer that is none"),
        pytest.param("reader", hostile.silent, "unread", id="a silent reader"),
        pytest.param("reader", hostile.slow_answers, "unread", id="a slow reader"),
        pytest.param("reader", hostile.endless, "unread", id="a reader without end"),
        pytest.param("reader", hostile.garbage, "unread", id="a reader that is none"),
    ],
)
def test_no_hostile_server_holds_it_past_its_deadline(
    watch: Watch, place: str, behave: hostile.Behaviour, code: str
) -> None:
    params = replace(PARAMS, lost_seconds=0.5)
    with hostile.listening(behave) as port:
        stranger = replace(watch.servers[0], uri=f"ldap://127.0.0.1:{port}")
        rest = watch.servers[1:]
        watch = Watch((stranger, *rest) if place == "writer" else (*rest, stranger), params)
        began = time.monotonic()
        story = watch.survey()

    assert time.monotonic() - began < params.deadline_seconds
    assert watch.codes() == {"c/ldap1": [code]}
    assert len([seen for seen in story.readers.values() if seen.seconds is not None]) == (
        0 if place == "writer" else 3 - 1
    )


class Agent(RunningAgent):
    """An agent with this check."""

    def configure(self, servers: int | None = None) -> None:
        """Add the check to the configuration."""
        super().configure(servers)
        check = (
            f'      propagation: {{container: "{CANARIES}", agent: agent, interval_seconds: 1, '
            f"lost_seconds: {LOST_SECONDS}}}\n"
        )
        self.config.write_text(self.config.read_text() + check)

    def reasons(self, server: str) -> list[str]:
        """Return the reasons of the verdict on one node."""
        return [reason["code"] for reason in self.verdict(server)["reasons"]]

    def metrics(self, server: str) -> dict[str, float]:
        """Return the seconds by writer."""
        return {
            metric["label"]: metric["value"]
            for finding in self.verdict(server)["findings"]
            for metric in finding["metrics"]
            if metric["name"] == "propagation_seconds"
        }


def test_the_agent_does_it_beside_its_rounds(cluster: Cluster, tmp_path: Path) -> None:
    with Agent(cluster, tmp_path) as agent:
        wait.until(
            lambda: len(agent.metrics("ldap4")) == 3, 15.0, f"no numbers; the log: {agent.log()}"
        )
        print(agent.run("explain", "c/ldap4").stdout)  # noqa: T201  how people see it
        seen = json.loads(agent.run("explain", "c/ldap4", "--format", "json").stdout)["seen"]
        assert seen[-1]["facts"]["outcome"] == "written"

        cluster.nodes[3].cut_replication()
        wait.until(lambda: "propagation.lost" in agent.reasons("ldap4"), 15.0, agent.log())
        assert "propagation.lost" not in agent.reasons("ldap1") + agent.reasons("ldap2")
        agent.configure(servers=3)
        agent.reload()
        wait.until(lambda: agent.status()["agent"]["servers"] == 3, 5.0, "it is not taken")
        wait.until(lambda: agent.metrics("ldap3").keys() == {"ldap1", "ldap2"}, 15.0, agent.log())
        counted = agent.status()["agent"]
        cluster.nodes[1].freeze()
        time.sleep(1.5)  # an interval and more: a survey waits for the frozen one
        began = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - began < 2.0
        # A busy machine leaves out a few; surveys that delayed rounds would leave out most.
        assert counted["overruns"] < counted["rounds"] / 10
        assert "Traceback" not in agent.log()


def test_a_server_that_came_back_is_surveyed_soon_and_old_results_show_their_age(
    cluster: Cluster,
) -> None:
    make_canaries(cluster, "ldap1", "ldap2")
    second = cluster.nodes[1]
    canary = canary_dn(CANARIES, AGENT, servers_of(cluster)[1], "propagation")
    written = second.root.read(canary, "entryCSN")
    second.freeze()
    hourly = replace(PARAMS, interval_seconds=3600.0)
    servers = servers_of(cluster)[:2]
    with Recorded(cluster, ("propagation",), params={CHECK.name: hourly}, servers=servers) as seen:
        wait.until(lambda: codes_of(seen, "ldap1"), 20.0, "no survey")
        second.thaw()
        wait.until(lambda: "ldap2" not in seen.out(), 10.0, "it is still out")
        old = [each.summary for each in seen.findings("ldap2") if each.check == CHECK.name]
        wait.until(lambda: codes_of(seen, "ldap2") == ["collecting"], 30.0, "it was not surveyed")

    assert all(each.endswith("before the server failed and came back)") for each in old)
    assert second.root.read(canary, "entryCSN") > written


def codes_of(seen: Recorded, name: str) -> list[str]:
    return [each.code for each in seen.findings(name) if each.check == CHECK.name]
