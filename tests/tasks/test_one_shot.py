"""The whole flow without a network: probes, second looks and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, field
from msgspec.structs import replace

from ldaphealth.check import AnyView, Check
from ldaphealth.checks.monitor import Params as MonitorParams
from ldaphealth.checks.search import Params as SearchParams
from ldaphealth.csn import ATTRIBUTE
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import (
    AnyObservation,
    CheckEffect,
    Failure,
    FailureKind,
    Finding,
    Server,
    Snapshot,
    State,
    Verdict,
)
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.survey import SurveyResult
from ldaphealth.tasks.one_shot import MAX_THREADS, evaluate
from tests.agent.surveys import surveying, then
from tests.checks.seen import CRITICAL, OK, UNKNOWN, Nothing, cluster, planned, saw

TIMED_OUT = Failure(FailureKind.TIMEOUT, "no answer within 5 s: search")
REFUSED = Failure(FailureKind.CONNECT, "connection refused")
BUSY = Failure(FailureKind.RESULT, "search: busy", "busy")
PATIENCE_SECONDS = 20.0  # a wait that takes so long has failed

Script = Callable[[str, str, int], AnyObservation]  # server, check, number of the probe from 1


class ScriptedProbe(Struct):
    """A probe without a network: it returns the observations of a script and records its calls."""

    script: Script
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    deadlines: list[Deadline] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def probe(
        self, server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        """Return the observations of the script, one for each requested check."""
        names = tuple(each.check.name for each in checks)
        self.calls.append((server.id, names))
        self.deadlines.append(deadline)
        number = self.times(server.id)
        seen = [self.script(server.name, name, number) for name in names]
        return [replace(each, server=server.id) for each in seen]

    def times(self, server: str) -> int:
        """Return how often a server was probed."""
        return [called for called, _ in self.calls].count(server)

    def evaluate(
        self, *clusters: Cluster, effects: Iterable[CheckEffect] = CheckEffect
    ) -> Snapshot:
        """Run the whole flow on this script, without pauses."""
        return evaluate(
            clusters,
            effects=frozenset(effects),
            probe=self.probe,
            pause=self.pauses.append,
            now=lambda: 1_000_000.0,
        )


def all_well(_: str, check: str, __: int) -> AnyObservation:
    return saw(check, {"entries": 1, "matching": 0} if check == "search" else {})


def count(view: AnyView, _: object) -> Iterable[Finding]:
    return [view.finding(OK, f"seen_{len(view.own)}", "as often as that")]


def again(wanted: Callable[[str], bool] = lambda _: True, name: str = "again") -> ConfiguredCheck:
    """Return a check that needs a second look at some servers and reports how often it ran."""
    check = Check(
        name=name,
        params=Nothing,
        facts=Nothing,
        observe=lambda *_: Nothing(),
        judge=count,
        effect=CheckEffect.OUT,
        second_look=lambda view, _: len(view.own) == 1 and wanted(view.server.name),
    )
    return ConfiguredCheck(check, None, CheckEffect.OUT)


CONNECT, BIND, UNBIND = planned("connect"), planned("bind"), planned("unbind")
SEARCH = planned("search", SearchParams())
MONITOR = planned("monitor", MonitorParams())


def codes(snapshot: Snapshot, check: str) -> dict[str, str]:
    """Return the code of one check by server."""
    return {
        verdict.server: finding.code
        for verdict in snapshot.verdicts
        for finding in verdict.findings
        if finding.check == check
    }


def test_a_snapshot_has_the_verdicts_in_the_order_of_the_servers() -> None:
    probes = ScriptedProbe(all_well)

    snapshot = probes.evaluate(cluster(CONNECT, SEARCH, servers=3))

    assert snapshot.taken_at == 1_000_000.0
    assert [verdict.server for verdict in snapshot.verdicts] == ["c/s0", "c/s1", "c/s2"]
    assert [(v.state, v.in_service, v.weight) for v in snapshot.verdicts] == [(OK, True, 100)] * 3
    assert sorted(probes.calls) == [(f"c/s{n}", ("connect", "search")) for n in range(3)]
    assert probes.pauses == []


WATCHED = planned("search", SearchParams(), CheckEffect.WATCH)
WEIGHED = planned("search", SearchParams(), CheckEffect.WEIGHT)
PLAN = (CONNECT, BIND, again(lambda _: False), WEIGHED, MONITOR, UNBIND)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        pytest.param(
            CheckEffect,
            ("connect", "bind", "again", "search", "monitor", "unbind"),
            id="all of them",
        ),
        pytest.param([CheckEffect.OUT], ("connect", "bind", "again", "unbind"), id="out"),
        pytest.param([CheckEffect.WEIGHT], ("connect", "bind", "search", "unbind"), id="weight"),
        pytest.param([CheckEffect.WATCH], ("connect", "bind", "monitor", "unbind"), id="watch"),
        pytest.param(
            [CheckEffect.OUT, CheckEffect.WEIGHT],
            ("connect", "bind", "again", "search", "unbind"),
            id="out and weight",
        ),
        pytest.param([], ("connect", "bind", "unbind"), id="none: the session itself"),
    ],
)
def test_checks_whose_effect_is_not_wanted_are_left_out_but_for_the_session(
    effects: Iterable[CheckEffect], expected: tuple[str, ...]
) -> None:
    probes = ScriptedProbe(all_well)

    [verdict] = probes.evaluate(cluster(*PLAN), effects=effects).verdicts

    assert probes.calls == [("c/s0", expected)]
    assert tuple(finding.check for finding in verdict.findings) == expected


def test_the_effect_that_counts_is_the_one_of_the_cluster() -> None:
    probes = ScriptedProbe(all_well)

    probes.evaluate(cluster(WATCHED), effects=[CheckEffect.OUT])

    assert probes.calls == [("c/s0", ())]


def test_a_second_look_is_only_at_who_wants_it_and_with_the_checks_that_want_it() -> None:
    probes = ScriptedProbe(all_well)
    plan = (CONNECT, BIND, SEARCH, again(lambda name: name == "s1"), UNBIND)

    snapshot = probes.evaluate(cluster(*plan, servers=3, second_look_seconds=0.75))

    assert probes.pauses == [0.75]
    assert probes.calls[3:] == [("c/s1", ("connect", "bind", "again", "unbind"))]
    assert codes(snapshot, "again") == {"c/s0": "seen_1", "c/s1": "seen_2", "c/s2": "seen_1"}


def test_each_server_is_looked_at_again_for_what_it_wants_itself() -> None:
    probes = ScriptedProbe(all_well)
    plan = (again(lambda name: name == "s0", "one"), again(name="other"))

    probes.evaluate(cluster(*plan, servers=2))

    assert sorted(probes.calls[2:]) == [("c/s0", ("one", "other")), ("c/s1", ("other",))]


def test_there_is_no_third_look() -> None:
    probes = ScriptedProbe(all_well)
    never_enough = Check(
        name="more",
        params=Nothing,
        facts=Nothing,
        observe=lambda *_: Nothing(),
        judge=count,
        effect=CheckEffect.OUT,
        second_look=lambda *_: True,
    )

    snapshot = probes.evaluate(cluster(ConfiguredCheck(never_enough, None, CheckEffect.OUT)))

    assert probes.calls == [("c/s0", ("more",))] * 2
    assert codes(snapshot, "more") == {"c/s0": "seen_2"}


def test_a_check_that_is_left_out_asks_for_no_second_look() -> None:
    def counters(_: str, check: str, __: int) -> AnyObservation:
        return saw(check, {"completed": {"search": 1}} if check == "monitor" else {})

    probes = ScriptedProbe(counters)
    plan = (CONNECT, MONITOR)
    probes.evaluate(cluster(*plan), effects=[CheckEffect.OUT])
    assert probes.pauses == []

    probes.evaluate(cluster(*plan), effects=[CheckEffect.WATCH])
    assert probes.pauses == [1.0]


def test_both_looks_have_the_one_deadline_of_the_cluster() -> None:
    probes = ScriptedProbe(all_well)

    probes.evaluate(cluster(again(), servers=2, deadline_seconds=7.5))

    assert len(probes.deadlines) == 4
    assert {id(each) for each in probes.deadlines} == {id(probes.deadlines[0])}
    assert probes.deadlines[0].seconds == 7.5


def failing(failure: Failure, check: str, number: int) -> Script:
    """Return a script in which one check fails in one of the probes."""

    def script(_: str, name: str, looked: int) -> AnyObservation:
        failed = name == check and looked == number
        return saw(name, failure=failure if failed else None)

    return script


@pytest.mark.parametrize(
    ("script", "state", "in_service", "reasons"),
    [
        pytest.param(failing(TIMED_OUT, "again", 2), OK, True, [], id="second: no answer"),
        pytest.param(
            failing(TIMED_OUT, "connect", 2), OK, True, [], id="second: no answer in connect"
        ),
        pytest.param(
            failing(REFUSED, "connect", 2),
            CRITICAL,
            False,
            ["connect.connect"],
            id="second: refused",
        ),
        pytest.param(failing(BUSY, "again", 2), CRITICAL, False, ["again.busy"], id="second: busy"),
        pytest.param(
            failing(TIMED_OUT, "again", 1),
            CRITICAL,
            False,
            ["again.timeout"],
            id="first: no answer, and nobody probes again",
        ),
    ],
)
def test_a_second_look_that_ran_out_of_time_counts_for_nothing(
    script: Script, state: State, in_service: bool, reasons: list[str]
) -> None:
    [verdict] = ScriptedProbe(script).evaluate(cluster(CONNECT, again())).verdicts

    assert (verdict.state, verdict.in_service) == (state, in_service)
    assert [reason.code for reason in verdict.reasons] == reasons


def test_a_timeout_of_a_second_look_leaves_what_the_first_look_saw() -> None:
    probes = ScriptedProbe(failing(TIMED_OUT, "again", 2))

    snapshot = probes.evaluate(cluster(CONNECT, again()))

    assert probes.pauses == [1.0]
    assert codes(snapshot, "again") == {"c/s0": "seen_1"}


@pytest.mark.parametrize(
    ("first_seconds", "second_seconds", "expected"),
    [(1.5, 0.1, "slow"), (0.1, 1.5, "slow"), (0.1, 0.2, "ok")],
)
def test_of_two_looks_the_slower_step_of_the_session_is_judged(
    first_seconds: float, second_seconds: float, expected: str
) -> None:
    def script(server: str, check: str, number: int) -> AnyObservation:
        seconds = first_seconds if number == 1 else second_seconds
        observation = all_well(server, check, number)
        return replace(observation, timings={check: seconds}) if check == "bind" else observation

    snapshot = ScriptedProbe(script).evaluate(cluster(CONNECT, BIND, again()))

    assert codes(snapshot, "bind") == {"c/s0": expected}
    assert codes(snapshot, "again") == {"c/s0": "seen_2"}


def test_a_server_of_which_nothing_was_seen_is_unknown_and_stays_in_service() -> None:
    def nothing(*_: object) -> list[AnyObservation]:
        return []

    snapshot = evaluate([cluster(CONNECT, SEARCH)], probe=nothing, now=lambda: 7.0)

    assert snapshot == Snapshot(
        7.0, (Verdict(server="c/s0", state=UNKNOWN, in_service=True, weight=100),)
    )


@pytest.mark.parametrize(
    "clusters",
    [
        pytest.param([], id="no cluster"),
        pytest.param([cluster(CONNECT, servers=0)], id="a cluster without servers"),
    ],
)
def test_without_servers_there_is_an_empty_snapshot(clusters: list[Cluster]) -> None:
    assert ScriptedProbe(all_well).evaluate(*clusters) == Snapshot(1_000_000.0, ())


def named(name: str, given: Cluster) -> Cluster:
    servers = tuple(replace(server, cluster=name) for server in given.servers)
    return replace(given, name=name, servers=servers)


def test_clusters_are_looked_at_together_and_told_in_their_order() -> None:
    last_is_done = Event()

    def script(server: str, check: str, _: int) -> AnyObservation:
        if check == "connect":  # the first cluster waits for the last
            assert last_is_done.wait(PATIENCE_SECONDS)
        else:
            last_is_done.set()
        return all_well(server, check, 1)

    first = named("z", cluster(CONNECT, servers=2))
    empty = named("empty", cluster(CONNECT, servers=0))
    last = named("a", cluster(SEARCH, servers=1))

    snapshot = ScriptedProbe(script).evaluate(first, empty, last)

    assert [verdict.server for verdict in snapshot.verdicts] == ["z/s0", "z/s1", "a/s0"]
    assert {verdict.state for verdict in snapshot.verdicts} == {OK}


def test_each_cluster_pauses_for_its_own_time_and_only_if_it_wants_to() -> None:
    probes = ScriptedProbe(all_well)
    probes.evaluate(
        named("a", cluster(again(), servers=2, second_look_seconds=0.25)),
        named("b", cluster(SEARCH, second_look_seconds=0.5)),
        named("c", cluster(again(), second_look_seconds=0.75)),
    )

    assert sorted(probes.pauses) == [0.25, 0.75]


def test_what_is_seen_in_one_cluster_is_not_seen_in_another_with_the_same_server_names() -> None:
    def counted(_: str, check: str, number: int) -> AnyObservation:
        return saw(check, {"search": 100 * number})

    snapshot = ScriptedProbe(counted).evaluate(
        named("a", cluster(again())), named("b", cluster(again(lambda _: False)))
    )

    assert codes(snapshot, "again") == {"a/s0": "seen_2", "b/s0": "seen_1"}


def test_a_server_that_hangs_keeps_nobody_from_a_second_look_and_is_waited_for() -> None:
    second_look_began = Event()

    def script(server: str, check: str, number: int) -> AnyObservation:
        if server == "s0":
            assert second_look_began.wait(PATIENCE_SECONDS)
        elif number == 2:
            second_look_began.set()
        return all_well(server, check, number)

    probes = ScriptedProbe(script)
    snapshot = probes.evaluate(
        cluster(again(), servers=2, deadline_seconds=0.4, second_look_seconds=0.1)
    )

    assert codes(snapshot, "again") == {"c/s0": "seen_1", "c/s1": "seen_2"}
    assert probes.times("c/s0") == 1


def test_more_servers_than_threads_are_all_looked_at() -> None:
    probes = ScriptedProbe(all_well)
    many = MAX_THREADS + 44

    snapshot = probes.evaluate(cluster(CONNECT, servers=many))

    assert [verdict.server for verdict in snapshot.verdicts] == [f"c/s{n}" for n in range(many)]
    assert {verdict.state for verdict in snapshot.verdicts} == {OK}
    assert len(probes.calls) == many


OLD, NEW = "20260101000000.000000Z#000000#001#000000", "20260101000100.000000Z#000000#001#000000"


@pytest.mark.parametrize(
    ("second", "in_service", "reasons"),
    [
        pytest.param(OLD, False, ["replication.behind"], id="still lacks the change"),
        pytest.param(NEW, True, [], id="has it by then"),
        pytest.param("garbage", True, ["replication.bad_csn"], id="shows no CSN by then"),
    ],
)
def test_replication_is_judged_by_what_is_still_missing_at_the_second_look(
    second: str, in_service: bool, reasons: list[str]
) -> None:
    def script(server: str, check: str, number: int) -> AnyObservation:
        first = OLD if server == "s2" else NEW
        values = (first if number == 1 else second,)
        return saw(check, {ATTRIBUTE: {"": values}}, at=100.0 + number)

    probes = ScriptedProbe(script)
    verdict = probes.evaluate(cluster(planned("replication"), servers=3)).verdicts[2]

    assert probes.calls[3:] == [("c/s2", ("replication",))]
    assert (verdict.server, verdict.in_service) == ("c/s2", in_service)
    assert [reason.code for reason in verdict.reasons] == reasons


@settings(deadline=None, max_examples=30)  # it starts threads
@given(st.sets(st.integers(0, 5)))
def test_exactly_who_wants_a_second_look_gets_one(wanting: set[int]) -> None:
    probes = ScriptedProbe(all_well)
    names = {f"s{n}" for n in wanting}

    snapshot = probes.evaluate(cluster(again(lambda name: name in names), servers=6))

    expected = {f"c/s{n}": "seen_2" if n in wanting else "seen_1" for n in range(6)}
    assert codes(snapshot, "again") == expected
    assert probes.pauses == ([1.0] if wanting else [])


def test_surveys_have_no_part_in_one_look() -> None:
    probes = ScriptedProbe(all_well)

    probes.evaluate(surveying(then(SurveyResult({}))))

    assert {names for _, names in probes.calls} == {("connect",)}
