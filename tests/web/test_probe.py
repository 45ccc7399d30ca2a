"""A probe on demand: which servers, which checks, for how long, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, field
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from demo.cluster import Cluster as Nodes
from ldaphealth.checks.write import Params as WriteParams
from ldaphealth.guard import Memory, Override, decide
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.names import DN
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import (
    AnyObservation,
    CheckEffect,
    Failure,
    FailureKind,
    Finding,
    Observation,
    OverrideAction,
    Server,
)
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import Probe
from ldaphealth.settings import AgentSettings, Cluster, ConfiguredCheck, Settings
from ldaphealth.web.http_connection import ANSWER_SECONDS
from ldaphealth.web.probe import (
    MOST_SECONDS,
    OFFSET_SECONDS,
    TIMEOUT_HEADER,
    ProbeResponse,
    _is_good,
    read_request,
    render,
)
from ldaphealth.web.probe_rounds import ProbeRounds
from ldaphealth.web.source import BadRequestError, Source
from tests.checks.seen import cluster, facts_of, planned
from tests.guard import test_rules
from tests.sinks.healthy import HEALTH
from tests.slapd.watched import watched

REFUSED = Failure(FailureKind.CONNECT, "connection refused")
CHECKS = (
    planned("connect"),
    planned("bind"),
    planned("monitor"),
    planned("write", WriteParams(DN("ou=canaries,dc=c"))),
    planned("unbind"),
)


class Network(Struct):
    """Stands for the servers: those in `dead` refuse, and it is recorded which were probed."""

    dead: frozenset[str] = frozenset()
    asked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def probe(
        self, server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        """Return what there is to see."""
        names = tuple(each.check.name for each in checks)
        self.asked.setdefault(server.id, names)
        self.seconds.append(deadline.seconds)
        at = float(len(self.seconds))
        if server.id in self.dead:
            return [
                Observation(
                    server=server.id,
                    check="connect",
                    started_at=at,
                    duration_seconds=0.1,
                    failure=REFUSED,
                )
            ]
        return [
            Observation(
                server=server.id,
                check=name,
                started_at=at + place / 10,
                duration_seconds=0.1,
                facts=facts_of(name, {"completed": {"search": 7}} if name == "monitor" else None),
                timings={name: 0.1},
            )
            for place, name in enumerate(names)
        ]


def settings_of(*clusters: Cluster) -> Settings:
    nowhere = Path("/nonexistent")
    return Settings(
        {each.name: each for each in clusters},
        AgentSettings(runtime_directory=nowhere, state_directory=nowhere),
    )


S0 = {"target": "c/s0"}
SETTINGS = settings_of(cluster(*CHECKS, servers=2, second_look_seconds=0.001))


def source_of(settings: Settings, overrides: Mapping[str, Override]) -> Source:
    """Return a source without verdicts: the agent has just started."""
    return Source(
        live_state=LiveState(),
        settings=lambda: settings,
        health=lambda: HEALTH,
        overrides=lambda: overrides,
        ticked_at=lambda: 0.0,
    )


def probe_target(
    settings: Settings,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    overrides: Mapping[str, Override] = {},
    probe: Probe = probe_server,
) -> ProbeResponse:
    """Return the answer to one request."""
    request = read_request(settings, params, headers)
    rounds = ProbeRounds(source_of(settings, overrides), probe)
    return render(request, asyncio.run(rounds.result(request)))


def asked(
    network: Network, params: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> ProbeResponse:
    return probe_target(SETTINGS, params, headers or {}, probe=network.probe)


def metrics(answer: ProbeResponse) -> dict[str, float]:
    """Return the values by name, and by name and server."""
    found: dict[str, float] = {}
    assert answer.content_type.partition(";")[0] == "text/plain"
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            found[" ".join([sample.name, *sorted(sample.labels.values())])] = sample.value
    return found


@pytest.mark.parametrize(
    ("target", "dead", "success"),
    [
        ("c/s0", (), 1),
        ("c/s0", ("c/s0",), 0),
        ("c/s0", ("c/s1",), 1),
        ("c", (), 1),
        ("c", ("c/s1",), 0),
        ("c", ("c/s0", "c/s1"), 0),
    ],
)
def test_success_is_that_every_server_of_the_target_serves(
    target: str, dead: tuple[str, ...], success: int
) -> None:
    network = Network(frozenset(dead))
    values = metrics(asked(network, {"target": target}))

    assert values["probe_success"] == success
    assert values["probe_duration_seconds"] >= 0
    assert network.asked.keys() == ({"c/s0", "c/s1"} if target == "c" else {target})


UNRESOLVED = Failure(FailureKind.RESOLVE, "the name does not resolve", is_local=True)
WRONG_PASSWORD = Failure(FailureKind.BIND, "bind: invalidCredentials", "invalidCredentials")


@pytest.mark.parametrize(
    ("check", "failure", "held_by"),
    [("connect", UNRESOLVED, ""), ("bind", WRONG_PASSWORD, "blind")],
)
def test_a_server_that_nothing_is_known_against_is_no_success(
    check: str, failure: Failure, held_by: str
) -> None:
    """All servers fail alike, by our fault: they stay in, but the probe did not succeed."""

    def probe(
        server: Server, checks: Sequence[ConfiguredCheck], _: Deadline
    ) -> list[AnyObservation]:
        names = [each.check.name for each in checks]
        before = names[: names.index(check)]
        seen: list[AnyObservation] = [
            Observation(server=server.id, check=name, started_at=1.0, duration_seconds=0.1)
            for name in before
        ]
        return [
            *seen,
            Observation(
                server=server.id, check=check, started_at=1.5, duration_seconds=0.1, failure=failure
            ),
        ]

    values = metrics(probe_target(SETTINGS, {"target": "c"}, {}, probe=probe))

    assert values["ldaphealth_server_in_service c s0"] == 1
    assert values["probe_success"] == 0
    assert not held_by or values[f"ldaphealth_server_held {held_by} c s0"] == 1


def test_a_server_that_the_floor_keeps_is_no_success() -> None:
    def probe(
        server: Server, checks: Sequence[ConfiguredCheck], _: Deadline
    ) -> list[AnyObservation]:
        failed = WRONG_PASSWORD if server.id == "c/s0" else None
        return [
            Observation(
                server=server.id,
                check=each.check.name,
                started_at=1.0,
                duration_seconds=0.1,
                failure=failed if each.check.name == "bind" else None,
            )
            for each in checks
        ]

    kept = settings_of(replace(cluster(*CHECKS, servers=2), min_in_service=2))
    values = metrics(probe_target(kept, S0, {}, probe=probe))

    assert values["ldaphealth_server_held c floor s0"] == 1
    assert values["probe_success"] == 0


def test_the_metrics_are_those_of_the_target_alone() -> None:
    values = metrics(asked(Network(frozenset({"c/s0"})), S0))

    assert values["ldaphealth_server_in_service c s0"] == 0
    assert values["ldaphealth_reason_severity c connect.connect s0"] == 3
    assert not [name for name in values if name.endswith("s1")]


def test_facts_of_the_first_session_are_told_after_a_second_look() -> None:
    network = Network()
    values = metrics(asked(network, S0))

    assert len(network.seconds) == 2, "monitor wants two looks"
    assert values["ldaphealth_slapd_operations_completed_total c s0 search"] == 7
    assert values["probe_ldap_duration_seconds bind c s0"] == 0.1


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("", ("connect", "bind", "monitor", "unbind")),
        ("bind", ("connect", "bind", "unbind")),
        ("monitor,bind", ("connect", "bind", "monitor", "unbind")),
    ],
)
def test_a_module_names_checks_and_none_that_writes(module: str, wanted: tuple[str, ...]) -> None:
    network = Network()
    metrics(asked(network, S0 | {"module": module}))

    assert network.asked["c/s0"] == wanted


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({}, "target is missing; it is CLUSTER or CLUSTER/SERVER"),
        ({"target": "c/s9"}, "did you mean c/s1?"),
        ({"target": "c/"}, "no target 'c/'"),
        ({"target": "/s0"}, "no target"),
        ({"target": "ldap://evil.example"}, "not a URL"),
        ({"target": "c/ldap://evil.example"}, "not a URL"),
        ({"target": "\udcff\n" * 5000}, "no target"),
        ({"target": "c", "module": "serch"}, "no module 'serch'"),
        ({"target": "c", "module": "search"}, "no module 'search'"),
        ({"target": "c", "module": "bind,"}, "no module ''"),
        ({"target": "c", "module": "write"}, "a probe must change nothing"),
        ({"target": "c", "module": "bind,write"}, "a probe must change nothing"),
    ],
)
def test_a_bad_question_is_told_in_one_line_and_nobody_is_looked_at(
    params: dict[str, str], why: str
) -> None:
    network = Network()
    with pytest.raises(BadRequestError) as refused:
        asked(network, params)

    assert why in str(refused.value)
    assert network.asked == {}


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", 5.0),
        ("10", 5.0),
        ("3", 3.0 - OFFSET_SECONDS),
        ("1.0", 0.5),
        ("0.2", 0.1),
    ],
)
def test_the_look_ends_before_prometheus_gives_up(header: str, wanted: float) -> None:
    network = Network()
    metrics(asked(network, S0, {TIMEOUT_HEADER: header} if header else {}))

    assert set(network.seconds) == {wanted}


@pytest.mark.parametrize("header", ["", "120"])
def test_the_look_ends_before_the_connection_does(header: str) -> None:
    network = Network()
    patient = replace(SETTINGS.clusters["c"], deadline_seconds=300.0)
    headers = {TIMEOUT_HEADER: header} if header else {}
    probe_target(settings_of(patient), S0, headers, probe=network.probe)

    assert set(network.seconds) == {MOST_SECONDS}
    assert MOST_SECONDS + OFFSET_SECONDS < ANSWER_SECONDS


@pytest.mark.parametrize("header", ["soon", "-1", "0", "nan", "inf", "1e999", "\udcff" * 999])
def test_a_timeout_that_is_none_is_told(header: str) -> None:
    with pytest.raises(BadRequestError, match="is not a number of seconds"):
        asked(Network(), S0, {TIMEOUT_HEADER: header})


def test_openmetrics_is_told_to_who_asks_for_it() -> None:
    answer = asked(Network(), S0, {"accept": "application/openmetrics-text"})

    assert answer.content_type.startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")


def test_a_person_is_told_every_finding() -> None:
    answer = asked(Network(frozenset({"c/s0"})), S0 | {"debug": "true"})

    assert answer.content_type == "text/plain; charset=utf-8"
    assert "connection refused" in answer.body.decode()


def test_an_operators_word_holds_here_too() -> None:
    overrides = {"c/s0": Override("drain", 1e18), "other/x": Override("out", 1e18)}
    values = metrics(probe_target(SETTINGS, S0, {}, overrides, Network().probe))

    assert values["ldaphealth_server_draining c s0"] == 1
    assert values["probe_success"] == 0


def seen_to_bind(server: Server, check: str, failed: str) -> AnyObservation:
    failure = WRONG_PASSWORD if check == failed else None
    return Observation(
        server=server.id, check=check, started_at=1.0, duration_seconds=0.1, failure=failure
    )


@pytest.mark.parametrize(
    ("failed", "action", "success"),
    [
        pytest.param("monitor", "in", 1, id="an operator forces in a server that binds"),
        pytest.param("bind", "in", 0, id="a server forced in that does not even bind"),
        pytest.param("monitor", "out", 0, id="forced out"),
        pytest.param("none", "out", 0, id="forced out, although it is well"),
    ],
)
def test_an_operators_force_decides_for_a_server_that_binds(
    failed: str, action: OverrideAction, success: int
) -> None:
    def probe(
        server: Server, checks: Sequence[ConfiguredCheck], _: Deadline
    ) -> list[AnyObservation]:
        wrong = failed if server.id == "c/s0" else "none"
        return [seen_to_bind(server, each.check.name, wrong) for each in checks]

    serious = tuple(replace(each, effect=CheckEffect.OUT) for each in CHECKS)
    settings = settings_of(cluster(*serious, servers=2, second_look_seconds=0.001))
    overrides = {"c/s0": Override(action, 1e18)}
    values = metrics(probe_target(settings, S0, {}, overrides, probe))

    assert values["ldaphealth_server_held c override s0"] == 1
    assert values["probe_success"] == success


KEPT_IN_BY = ("blind", "floor", "settle")
ACTIONS = st.sampled_from(["drain", "in", "out"])


@given(
    test_rules.FINDINGS,
    st.dictionaries(st.sampled_from(["c/s0", "c/s1"]), ACTIONS),
    st.integers(0, 4),
)
def test_success_is_what_it_was_when_it_went_by_the_names_of_rules(
    findings: list[Finding], actions: Mapping[str, OverrideAction], floor: int
) -> None:
    """For any result of a probe without memory: the rules that keep in servers that failed."""
    overrides = {server: Override(action, 1e18) for server, action in actions.items()}
    pool = test_rules.cluster(min_in_service=floor)
    for verdict in decide(pool, findings, Memory(overrides=overrides)).verdicts:
        bound: AnyObservation = Observation(
            server=verdict.server, check="bind", started_at=1.0, duration_seconds=0.1
        )
        expected = verdict.in_service and verdict.held_by not in KEPT_IN_BY

        assert _is_good(verdict, [bound]) is expected
        assert not _is_good(verdict, [])


WORDS = st.sampled_from(["c", "c/s0", "bind", "monitor", "true"]) | st.text(max_size=200)


@given(st.dictionaries(st.sampled_from(["target", "module", "debug"]), WORDS))
def test_any_question_is_answered(params: dict[str, str]) -> None:
    try:
        said = probe_target(SETTINGS, params, {}, probe=Network().probe).body.decode()
    except BadRequestError as refused:
        said = f"{refused}\n"

    assert said.endswith("\n")
    assert len(said.partition("\n")[0]) < 1000


@pytest.mark.slapd
def test_real_servers_and_their_counters(cluster: Nodes) -> None:
    settings = settings_of(watched(cluster))
    target = {"target": f"c/{cluster.nodes[0].name}"}
    values = metrics(probe_target(settings, target, {TIMEOUT_HEADER: "4"}))
    again = metrics(probe_target(settings, target, {TIMEOUT_HEADER: "4"}))
    counter = f"ldaphealth_slapd_operations_completed_total c {cluster.nodes[0].name} search"

    assert values["probe_success"] == 1
    assert 0 < values["probe_duration_seconds"] < 4
    assert again[counter] > values[counter] > 0

    cluster.nodes[0].kill()
    assert metrics(probe_target(settings, target, {TIMEOUT_HEADER: "4"}))["probe_success"] == 0
