"""The one judge of failures, and what becomes of a check whose own judge fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.check import AnyView, Check
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.propagation import Params
from ldaphealth.judging.judge import code, judge, judge_server, second_look, trust
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.ldap.names import DN
from ldaphealth.model import (
    AnyObservation,
    CheckEffect,
    Failure,
    FailureKind,
    Finding,
    Metric,
    Role,
    State,
    Trust,
)
from ldaphealth.settings import Cluster, ConfiguredCheck
from tests.checks.seen import (
    CRITICAL,
    EXPECTATION,
    FINE,
    HARD,
    OK,
    OURS,
    SOFT,
    UNKNOWN,
    WARNING,
    Nothing,
    Opinion,
    cluster,
    opinions,
    planned,
    saw,
)


def recent(*seen: AnyObservation) -> RecentObservations:
    remembered = RecentObservations()
    for each in seen:
        remembered.add(each)
    return remembered


class Failed(Struct, frozen=True):
    """One row: a failure of a check, and the opinion that it must give."""

    check: str
    failure: Failure
    expected: Opinion


def failed(  # noqa: PLR0913  the columns of the table
    check: str,
    kind: FailureKind,
    result_code: str = "",
    *,
    is_local: bool = False,
    answered: bool = False,
    told: str,
    by: Trust,
) -> Failed:
    state = UNKNOWN if by is OURS else CRITICAL
    return Failed(
        check, Failure(kind, "a sentence", result_code, is_local, answered), (told, state, by)
    )


FAILURES = {
    "no connection": failed("connect", FailureKind.CONNECT, told="connect", by=HARD),
    "no route from here": failed(
        "connect", FailureKind.CONNECT, is_local=True, told="connect", by=OURS
    ),
    "the name does not resolve": failed(
        "connect", FailureKind.RESOLVE, is_local=True, told="resolve", by=OURS
    ),
    "the handshake broke": failed("connect", FailureKind.TLS, told="tls", by=HARD),
    "our own TLS files cannot be read": failed(
        "connect", FailureKind.TLS, is_local=True, told="tls", by=OURS
    ),
    "the server refuses our certificate": failed(
        "bind", FailureKind.TLS_REFUSED, told="tls_refused", by=EXPECTATION
    ),
    "the certificate is not trusted": failed(
        "connect", FailureKind.CERTIFICATE, told="certificate", by=EXPECTATION
    ),
    "no answer in connect": failed("connect", FailureKind.TIMEOUT, told="timeout", by=HARD),
    "no answer in bind": failed("bind", FailureKind.TIMEOUT, told="timeout", by=HARD),
    "no answer in search": failed("search", FailureKind.TIMEOUT, told="timeout", by=HARD),
    "no answer in search after one to the bind": failed(
        "search", FailureKind.TIMEOUT, answered=True, told="timeout", by=SOFT
    ),
    "broken after an answer": failed(
        "search", FailureKind.CONNECT, answered=True, told="disconnected", by=HARD
    ),
    "it does not speak LDAP": failed("bind", FailureKind.PROTOCOL, told="protocol", by=HARD),
    "the connection broke in bind": failed(
        "bind", FailureKind.CONNECT, told="disconnected", by=HARD
    ),
    "the connection broke in write": failed(
        "write", FailureKind.CONNECT, told="disconnected", by=HARD
    ),
    "a notice of disconnection": failed(
        "search", FailureKind.CONNECT, "strongerAuthRequired", told="disconnected", by=HARD
    ),
    "a notice of disconnection in connect": failed(
        "connect", FailureKind.CONNECT, "unavailable", told="connect", by=HARD
    ),
    "too many bytes": failed("search", FailureKind.TOO_LARGE, told="too_large", by=EXPECTATION),
    "a mistake of the check": failed("search", FailureKind.BUG, is_local=True, told="bug", by=OURS),
    "credentials refused": failed(
        "bind", FailureKind.BIND, "invalidCredentials", told="invalidCredentials", by=EXPECTATION
    ),
    "bind while busy": failed("bind", FailureKind.BIND, "busy", told="busy", by=HARD),
    "bind while unavailable": failed(
        "bind", FailureKind.BIND, "unavailable", told="unavailable", by=HARD
    ),
    "no StartTLS": failed(
        "connect", FailureKind.RESULT, "protocolError", told="protocolError", by=EXPECTATION
    ),
    "StartTLS while unavailable": failed(
        "connect", FailureKind.RESULT, "unavailable", told="unavailable", by=HARD
    ),
    "search on the session of an account that is lost": failed(
        "search", FailureKind.OTHER_SESSION, told="other_session", by=SOFT
    ),
    "search while busy": failed("search", FailureKind.RESULT, "busy", told="busy", by=HARD),
    "search without the entry": failed(
        "search", FailureKind.RESULT, "noSuchObject", told="noSuchObject", by=EXPECTATION
    ),
    "compare without a right": failed(
        "compare",
        FailureKind.RESULT,
        "insufficientAccessRights",
        told="insufficientAccessRights",
        by=EXPECTATION,
    ),
    "write to a database that takes none": failed(
        "write", FailureKind.RESULT, "unwillingToPerform", told="unwillingToPerform", by=EXPECTATION
    ),
    "replication without the suffix": failed(
        "replication", FailureKind.RESULT, "noSuchObject", told="noSuchObject", by=EXPECTATION
    ),
    "a result code that nobody knows": failed(
        "search", FailureKind.RESULT, "resultCode4711", told="resultCode4711", by=EXPECTATION
    ),
}


@pytest.mark.parametrize("row", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_is_told_by_its_code_and_trusted_by_its_kind(row: Failed) -> None:
    one = cluster(ConfiguredCheck(BUILT_IN[row.check], None, CheckEffect.OUT))
    [finding] = judge(one, recent(saw(row.check, failure=row.failure)), one_shot=True)

    assert opinions([finding]) == (row.expected,)
    assert (finding.server, finding.check, finding.summary) == ("c/s0", row.check, "a sentence")


@pytest.mark.parametrize(
    ("kind", "checks", "end"),
    [
        (FailureKind.BIND, ("search",), "; 1 check not run without the bind: search"),
        (
            FailureKind.BIND,
            ("search", "write", "replication", "compare", "unbind"),
            "; 4 checks not run without the bind: search, write, replication and 1 more",
        ),
        (FailureKind.BIND, ("unbind",), ""),
        (FailureKind.TIMEOUT, ("search",), ""),
    ],
)
def test_a_refused_bind_says_which_checks_it_kept_from_running(
    kind: FailureKind, checks: tuple[str, ...], end: str
) -> None:
    uses = [ConfiguredCheck(BUILT_IN[each], None, CheckEffect.OUT) for each in ("bind", *checks)]
    refused = saw("bind", failure=Failure(kind, "a sentence"))

    [finding] = judge(cluster(*uses), recent(refused), one_shot=True)

    assert finding.summary == f"a sentence{end}"


def test_the_table_has_every_kind_of_failure() -> None:
    assert {row.failure.kind for row in FAILURES.values()} == set(FailureKind)


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_of_ours_is_never_held_against_a_server(kind: FailureKind) -> None:
    for result_code in ("", "busy", "unavailable", "noSuchObject"):
        assert trust(Failure(kind, "a sentence", result_code, is_local=True)) is OURS


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param(FailureKind.CONNECT, HARD, id="connect"),
        pytest.param(FailureKind.TIMEOUT, HARD, id="timeout"),
        pytest.param(FailureKind.TLS, HARD, id="tls"),
        pytest.param(FailureKind.PROTOCOL, HARD, id="protocol"),
        pytest.param(FailureKind.CERTIFICATE, EXPECTATION, id="certificate"),
        pytest.param(FailureKind.BIND, EXPECTATION, id="bind"),
        pytest.param(FailureKind.RESULT, EXPECTATION, id="result"),
        pytest.param(FailureKind.TOO_LARGE, EXPECTATION, id="too_large"),
    ],
)
def test_a_kind_means_no_service_or_an_expectation(kind: FailureKind, expected: Trust) -> None:
    assert trust(Failure(kind, "a sentence")) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Busy", EXPECTATION),
        ("unavailableCriticalExtension", EXPECTATION),
        ("canceled", EXPECTATION),
        ("other", SOFT),
        ("timeLimitExceeded", SOFT),
    ],
)
def test_no_other_result_code_means_no_service(name: str, expected: Trust) -> None:
    assert trust(Failure(FailureKind.RESULT, "a sentence", name)) is expected


@pytest.mark.parametrize(
    ("check", "failure", "expected"),
    [
        pytest.param(
            "bind", Failure(FailureKind.BIND, ""), "bind", id="a bind without result code"
        ),
        pytest.param(
            "search", Failure(FailureKind.RESULT, ""), "result", id="a result without its code"
        ),
        pytest.param(
            "bind",
            Failure(FailureKind.PROTOCOL, "", "protocolError"),
            "protocol",
            id="only an answered operation is told by its result code",
        ),
    ],
)
def test_a_code_is_the_kind_where_no_result_code_says_more(
    check: str, failure: Failure, expected: str
) -> None:
    assert code(check, failure) == expected


def test_a_failure_is_told_with_the_time_of_each_operation() -> None:
    timings = {"resolve": 0.25, "connect": 5.0}
    seen = saw("connect", timings=timings, failure=Failure(FailureKind.TIMEOUT, "a sentence"))
    [finding] = judge(cluster(planned("connect")), recent(seen), one_shot=True)

    assert finding.metrics == (Metric("resolve_seconds", 0.25), Metric("connect_seconds", 5.0))


TIMED_OUT = Failure(FailureKind.TIMEOUT, "no answer within 5 s: bind")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([], (), id="nothing seen"),
        pytest.param([saw("search")], (), id="another check seen"),
        pytest.param([saw("bind", of="s9")], (), id="a stranger seen"),
        pytest.param([saw("bind")], (FINE,), id="well"),
        pytest.param(
            [saw("bind"), saw("bind", failure=TIMED_OUT)],
            (("timeout", CRITICAL, HARD),),
            id="well, then failed",
        ),
        pytest.param(
            [saw("bind", failure=TIMED_OUT), saw("bind")], (FINE,), id="failed, then well"
        ),
    ],
)
def test_the_newest_observation_decides_between_the_two_judges(
    seen: list[AnyObservation], expected: tuple[Opinion, ...]
) -> None:
    assert opinions(judge(cluster(planned("bind")), recent(*seen), one_shot=True)) == expected


def test_findings_are_in_the_order_of_servers_and_then_of_checks() -> None:
    two = cluster(planned("connect"), planned("bind"), servers=2)
    seen = [saw(check, of=of) for of in ("s1", "s0") for check in ("bind", "connect")]

    found = judge(two, recent(*seen), one_shot=True)

    assert [(each.server, each.check) for each in found] == [
        ("c/s0", "connect"),
        ("c/s0", "bind"),
        ("c/s1", "connect"),
        ("c/s1", "bind"),
    ]


def test_a_server_of_which_nothing_was_seen_has_no_findings() -> None:
    two = cluster(planned("connect"), servers=2)

    found = judge(two, recent(saw("connect", of="s1")), one_shot=True)

    assert [each.server for each in found] == ["c/s1"]


Judge = Callable[[AnyView, Any], Iterable[Finding]]


def third_party(
    judge_it: Judge, wants: Callable[[AnyView, Any], bool] = lambda *_: False, params: Any = None
) -> ConfiguredCheck:
    """Return a planned check of somebody else, named `theirs`."""
    check = Check(
        name="theirs",
        params=Nothing,
        facts=Nothing,
        observe=lambda *_: Nothing(),
        judge=judge_it,
        effect=CheckEffect.OUT,
        second_look=wants,
    )
    return ConfiguredCheck(check, params, CheckEffect.OUT)


def well(view: AnyView, _: object) -> Iterable[Finding]:
    return [view.finding(OK, "ok", "well")]


def raises(*_: object) -> Iterable[Finding]:
    raise KeyError("cn")


def raises_after_a_finding(view: AnyView, _: object) -> Iterable[Finding]:
    yield view.finding(CRITICAL, "down", "remove it")
    raise ZeroDivisionError("division by zero")


def returns_nothing(*_: object) -> Any:
    return None


def raises_with_hostile_text(*_: object) -> Iterable[Finding]:
    raise ValueError("\x1b[2J\nCRITICAL")


def test_a_server_is_judged_by_its_own_settings_and_the_judge_knows_those_of_all() -> None:
    def judge_it(view: AnyView, params: object) -> Iterable[Finding]:
        assert view.configured is not None
        known = {"usual": view.configured.params, **view.configured.own_params}
        return [view.finding(OK, "ok", f"{params} of {known}")]

    planned = replace(third_party(judge_it, params=1), own_params={"c/s1": 2})
    seen = recent(saw("theirs", of="s0"), saw("theirs", of="s1"))
    found = judge(cluster(planned, servers=2), seen, one_shot=False)

    known = {"usual": 1, "c/s1": 2}
    assert [each.summary for each in found] == [f"1 of {known}", f"2 of {known}"]


def test_a_second_look_is_wanted_by_the_settings_of_the_server() -> None:
    planned = replace(
        third_party(well, lambda _, params: params == 2, params=1), own_params={"c/s1": 2}
    )
    seen = recent(saw("theirs", of="s0"), saw("theirs", of="s1"))

    assert second_look(cluster(planned, servers=2), seen) == {"c/s1": ("theirs",)}


@pytest.mark.parametrize(
    ("judge_it", "summary"),
    [
        pytest.param(raises, "the check itself failed: KeyError: 'cn'", id="at once"),
        pytest.param(
            raises_after_a_finding,
            "the check itself failed: ZeroDivisionError: division by zero",
            id="after a finding, which is not told",
        ),
        pytest.param(
            returns_nothing,
            "the check itself failed: TypeError: 'NoneType' object is not iterable",
            id="returns nothing",
        ),
        pytest.param(
            raises_with_hostile_text,
            r"the check itself failed: ValueError: \x1b[2J\nCRITICAL",
            id="with text for a terminal",
        ),
    ],
)
def test_a_judge_that_fails_is_a_bug_of_ours_and_says_nothing_of_the_server(
    judge_it: Judge, summary: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        found = judge(cluster(third_party(judge_it)), recent(saw("theirs")), one_shot=True)

    assert found == [
        Finding(
            server="c/s0",
            check="theirs",
            state=UNKNOWN,
            code="bug",
            summary=summary,
            metrics=(),
            trust=OURS,
        )
    ]
    assert caplog.messages == ["the judge of check theirs failed"]


def test_a_judge_that_fails_does_not_keep_the_others_from_judging() -> None:
    checks = (third_party(raises), planned("bind"))
    found = judge(cluster(*checks), recent(saw("theirs"), saw("bind")), one_shot=True)

    assert [each.reason for each in found] == ["theirs.bug", "bind.ok"]


def test_a_judge_gets_its_settings_and_all_servers_and_whether_there_is_memory() -> None:
    got: list[tuple[str, object, set[str], bool]] = []

    def notes(view: AnyView, params: object) -> Iterable[Finding]:
        got.append((view.server.id, params, set(view.observations), view.one_shot))
        return well(view, params)

    two = cluster(third_party(notes, params="settings"), servers=2)
    both = {"c/s0", "c/s1"}
    for one_shot in (True, False):
        judge(two, recent(saw("theirs"), saw("theirs", of="s1")), one_shot=one_shot)

    assert got == [
        ("c/s0", "settings", both, True),
        ("c/s1", "settings", both, True),
        ("c/s0", "settings", both, False),
        ("c/s1", "settings", both, False),
    ]


def test_one_server_can_be_judged_alone_among_all() -> None:
    two = cluster(planned("connect"), planned("bind"), servers=2)
    seen = recent(*(saw(check, of=of) for of in ("s0", "s1") for check in ("bind", "connect")))

    found = judge_server(two, two.servers[1], seen, one_shot=False)

    assert [(each.server, each.check) for each in found] == [("c/s1", "connect"), ("c/s1", "bind")]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([], {}, id="nothing seen"),
        pytest.param([saw("theirs")], {"c/s0": ("theirs",)}, id="seen"),
        pytest.param([saw("theirs", failure=TIMED_OUT)], {}, id="failed"),
        pytest.param([saw("theirs"), saw("theirs", failure=TIMED_OUT)], {}, id="failed since"),
        pytest.param(
            [saw("theirs", failure=TIMED_OUT), saw("theirs")], {"c/s0": ("theirs",)}, id="recovered"
        ),
        pytest.param(
            [saw("theirs"), saw("theirs", of="s1"), saw("bind", of="s2")],
            {"c/s0": ("theirs",), "c/s1": ("theirs",)},
            id="two of three",
        ),
        pytest.param(
            [saw("theirs"), saw("monitor", {"completed": {"search": 1}})],
            {"c/s0": ("monitor", "theirs")},
            id="two checks, in the order of the session",
        ),
    ],
)
def test_a_second_look_is_at_what_was_seen_and_cannot_be_judged_yet(
    seen: list[AnyObservation], expected: dict[str, tuple[str, ...]]
) -> None:
    checks = (planned("bind"), planned("monitor"), third_party(well, lambda *_: True))

    assert second_look(cluster(*checks, servers=3), recent(*seen)) == expected


def test_who_cannot_say_whether_it_wants_a_second_look_gets_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object) -> bool:
        raise KeyError("cn")

    with caplog.at_level(logging.ERROR):
        wanted = second_look(cluster(third_party(well, fails)), recent(saw("theirs")))

    assert wanted == {}
    assert caplog.messages == ["check theirs failed"]


def test_a_second_look_is_asked_about_without_memory() -> None:
    wanted = second_look(
        cluster(third_party(well, lambda view, _: view.one_shot)), recent(saw("theirs"))
    )

    assert wanted == {"c/s0": ("theirs",)}


@given(
    st.sampled_from(FailureKind),
    st.sampled_from(["", "busy", "unavailable", "noSuchObject", "other"]),
    st.booleans(),
    st.sampled_from(sorted(BUILT_IN)),
)
def test_any_failure_is_one_finding_critical_unless_it_is_ours(
    kind: FailureKind, result_code: str, ours: bool, check: str
) -> None:
    failure = Failure(kind, "a sentence", result_code, ours)
    one = cluster(ConfiguredCheck(BUILT_IN[check], None, CheckEffect.OUT))
    [finding] = judge(one, recent(saw(check, failure=failure)), one_shot=True)

    assert (finding.state is UNKNOWN) is (finding.trust is OURS) is ours
    assert finding.state is not WARNING
    assert finding.trust is not Trust.INFORMATIVE
    assert finding.code
    assert finding.code == code(check, failure)


def speaks_of_another_server(view: AnyView, _: object) -> Iterable[Finding]:
    return [
        Finding(server="c/s9", check=view.check, state=CRITICAL, code="down", summary="remove it")
    ]


def speaks_for_another_check(view: AnyView, _: object) -> Iterable[Finding]:
    return [
        Finding(
            server=view.server.id, check="bind", state=CRITICAL, code="down", summary="remove it"
        )
    ]


def returns_text(*_: object) -> Any:
    return "all is well"


@pytest.mark.parametrize(
    "judge_it",
    [
        pytest.param(speaks_of_another_server, id="of another server"),
        pytest.param(speaks_for_another_check, id="for another check"),
        pytest.param(returns_text, id="no finding at all"),
    ],
)
def test_a_judge_that_speaks_of_what_it_was_not_asked_is_a_bug_of_ours(judge_it: Judge) -> None:
    found = judge(cluster(third_party(judge_it)), recent(saw("theirs")), one_shot=True)

    assert [getattr(each, "reason", None) for each in found] == ["theirs.bug"]


def test_a_server_that_became_a_balancer_is_not_compared_any_more() -> None:
    csns = {"contextCSN": {"": ("20260101000000.000000Z#000000#001#000000",)}}
    newer = {"contextCSN": {"": ("20260102000000.000000Z#000000#001#000000",)}}
    seen = [saw("connect", of=name) for name in ("s0", "s1")]
    seen += [saw("replication", newer, of="s0"), saw("replication", csns, of="s1", at=100.0)]
    found = cluster(planned("connect"), planned("replication"), servers=2)
    balancer = replace(found.servers[0], role=Role.BALANCER)
    after = replace(found, servers=(balancer, found.servers[1]))

    def codes(of: Cluster) -> list[tuple[str, str, State]]:
        known = judge(of, recent(*seen), one_shot=False)
        return [(each.server, each.code, each.state) for each in known if each.check != "connect"]

    assert codes(found) == [("c/s0", "ok", OK), ("c/s1", "behind", CRITICAL)]
    assert codes(after) == [("c/s1", "ok", OK)]


def test_a_balancer_gets_the_checks_of_a_session_alone() -> None:
    found = cluster(planned("connect"), planned("search"), planned("replication"))
    (server,) = found.servers
    balancer = replace(server, role=Role.BALANCER)

    assert [each.check.name for each in found.round_checks_of(server)] == [
        "connect",
        "search",
        "replication",
    ]
    assert [each.check.name for each in found.round_checks_of(balancer)] == ["connect", "search"]


def surveyed(*, at: float, now: float, returned: float | None = None) -> list[str]:
    """Return the sentences on a survey that ended then, in a session that ends now."""
    params = Params(
        container=DN("dc=x"), interval_seconds=60.0, lost_seconds=11.0
    )  # valid for 80 s
    known = RecentObservations()
    known.add_surveyed(saw("propagation", {"writer": "", "outcome": "alone", "turns": 1}, at=at))
    known.add(saw("connect", at=now))
    if returned is not None:
        known.note_return("c/s0", returned)
    one = cluster(planned("connect"), planned("propagation", params))
    found = judge(one, known, one_shot=False)
    return [each.summary for each in found if each.check == "propagation"]


ALONE = "there is no other server to watch, or no provider to write to"
CAME_BACK = "before the server failed and came back"


@pytest.mark.parametrize(
    ("now", "returned", "expected"),
    [
        pytest.param(100.0, None, [ALONE], id="it is new"),
        pytest.param(109.9, None, [ALONE], id="a moment ago"),
        pytest.param(166.0, None, [f"{ALONE} (seen 1 min 6 s ago)"], id="before the next"),
        pytest.param(259.0, None, [f"{ALONE} (seen 2 min 39 s ago)"], id="the next is overdue"),
        pytest.param(261.0, None, [], id="too old"),
        pytest.param(103.0, 102.0, [f"{ALONE} (seen 3 s ago, {CAME_BACK})"], id="it came back"),
        pytest.param(181.0, 102.0, [], id="it came back, and no survey came"),
        pytest.param(103.0, 99.0, [ALONE], id="surveyed since it came back"),
    ],
)
def test_what_a_survey_saw_is_shown_with_its_age_and_then_dropped(
    now: float, returned: float | None, expected: list[str]
) -> None:
    assert surveyed(at=100.0, now=now, returned=returned) == expected


def test_a_survey_after_the_return_replaces_all_before() -> None:
    known = RecentObservations()
    for at in (10.0, 20.0, 40.0):
        known.add_surveyed(
            saw("propagation", {"writer": "", "outcome": "alone", "turns": 1}, at=at)
        )
    known.add(saw("connect", at=50.0))
    (server,) = cluster().servers

    def shown() -> list[float]:
        view = known.view(server, "propagation", one_shot=False)
        return [each.started_at for each in view.own]

    before = shown()
    known.note_return(server.id, 30.0)

    assert before == [10.0, 20.0, 40.0]
    assert shown() == [40.0]


def test_a_survey_that_failed_has_no_age() -> None:
    known = RecentObservations()
    failure = Failure(FailureKind.BUG, "it did not end", is_local=True)
    known.add_surveyed(saw("propagation", at=0.0, failure=failure))
    known.add(saw("connect", at=10_000.0))
    one = cluster(planned("connect"), planned("propagation", Params(container=DN("dc=x"))))

    assert [each.summary for each in judge(one, known, one_shot=False)][-1] == "it did not end"
