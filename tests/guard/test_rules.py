"""The rules that hold a verdict, as tables and as invariants over any findings."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.checks import BUILT_IN
from ldaphealth.guard import decide
from ldaphealth.model import CheckEffect, Finding, Server, State, Trust, Verdict
from ldaphealth.settings import Cluster, ConfiguredCheck

EFFECTS = {
    "bind": CheckEffect.OUT,
    "search": CheckEffect.OUT,
    "compare": CheckEffect.WEIGHT,
    "unbind": CheckEffect.WATCH,
}
PLAN = tuple(ConfiguredCheck(BUILT_IN[name], None, effect) for name, effect in EFFECTS.items())


def cluster(servers: int = 4, min_in_service: int = 2) -> Cluster:
    return Cluster(
        name="c",
        servers=tuple(
            Server(cluster="c", name=f"s{n}", uri="ldap://127.0.0.1") for n in range(servers)
        ),
        checks=PLAN,
        min_in_service=min_in_service,
    )


def bad(
    server: int,
    check: str = "search",
    code: str = "entries",
    trust: Trust = Trust.SOFT,
    state: State = State.CRITICAL,
) -> Finding:
    return Finding(
        server=f"c/s{server}",
        check=check,
        state=state,
        code=code,
        summary="a sentence",
        metrics=(),
        trust=trust,
    )


def with_good(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, and one that is OK of each check that a server has none of.

    A probe that failed in its bind gets no farther.
    """
    present = {(each.server, each.check) for each in findings}
    dead = {each.server for each in findings if each.check == "bind" and each.code != "slow"}
    rest = [
        bad(number, check, "ok", state=State.OK)
        for number in range(4)
        for check in EFFECTS
        if (f"c/s{number}", check) not in present and f"c/s{number}" not in dead
    ]
    return [*findings, *rest]


def told(verdicts: Sequence[Verdict]) -> str:
    """Return one word for each server: in, out, or the rule that held it."""
    return " ".join(v.held_by or ("in" if v.in_service else "out") for v in verdicts)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        pytest.param(
            [bad(0, "bind", "invalidCredentials")] + [bad(n) for n in (1, 2, 3)],
            "out blind blind blind",
            id="a server that did not get so far does not vote",
        ),
        pytest.param(
            [bad(n, "bind", "invalidCredentials", Trust.EXPECTATION) for n in (0, 1, 2)],
            "blind blind blind in",
            id="an expectation that most servers contradict",
        ),
        pytest.param(
            [bad(n, "bind", "invalidCredentials", Trust.EXPECTATION) for n in (0, 1)],
            "out out in in",
            id="an expectation that half of the servers contradict",
        ),
        pytest.param(
            [bad(n, "bind", "slow") for n in (0, 1, 2)],
            "floor out out in",
            id="most servers are too slow",
        ),
        pytest.param(
            [bad(n, "bind", "invalidCredentials", Trust.EXPECTATION) for n in (0, 1, 2)]
            + [bad(3, "bind", "timeout", Trust.HARD)],
            "blind blind blind out",
            id="an expectation while the only server that meets it is dead",
        ),
        pytest.param([], "in in in in", id="nothing known against anybody"),
        pytest.param([bad(1)], "in out in in", id="one soft failure"),
        pytest.param(
            [bad(n, "bind", "timeout", Trust.HARD) for n in range(4)],
            "out out out out",
            id="hard failures empty the pool",
        ),
        pytest.param(
            [bad(n, "bind", "invalidCredentials") for n in range(4)],
            "blind blind blind blind",
            id="an expired password of ours removes nobody",
        ),
        pytest.param(
            [bad(0, "bind", "timeout", Trust.HARD)]
            + [bad(n, "bind", "invalidCredentials") for n in (1, 2, 3)],
            "out blind blind blind",
            id="an expired password while one server is dead",
        ),
        pytest.param(
            [bad(n, code="entries") for n in (0, 1, 2)],
            "floor out out in",
            id="soft failures leave the floor",
        ),
        pytest.param(
            [bad(0), bad(0, "bind", "slow"), bad(1), bad(2)],
            "out floor out in",
            id="the least bad stays in",
        ),
        pytest.param(
            [bad(n, code="entries") for n in range(4)] + [bad(2, "bind", "slow")],
            "blind blind out blind",
            id="what all share excuses nothing else",
        ),
        pytest.param(
            [
                bad(0, "bind", "slow"),
                bad(1, code="timeout"),
                bad(2, code="slow"),
                bad(3, "bind", "timeout"),
            ],
            "blind blind blind blind",
            id="all are too slow, and the deadline ends their probes at different checks",
        ),
        pytest.param(
            [
                bad(0, "bind", "slow"),
                bad(1, code="timeout"),
                bad(2, "bind", "slow", state=State.WARNING),
                bad(2, "unbind", "timeout"),
                bad(3, code="slow"),
            ],
            "blind blind in blind",
            id="all are too slow, and one runs into the deadline at a check that is only told",
        ),
        pytest.param(
            [bad(0, code="slow"), *(bad(n, "unbind", "timeout") for n in (1, 2, 3))],
            "out in in in",
            id="one is slow, and a check that is only told runs into the deadline at the others",
        ),
        pytest.param(
            [
                bad(0, code="slow"),
                *(bad(n, "bind", "slow", state=State.WARNING) for n in (1, 2, 3)),
            ],
            "out in in in",
            id="one is too slow, and the others are only slow",
        ),
        pytest.param(
            [
                bad(0, "bind", "slow"),
                bad(1, code="timeout"),
                bad(2, code="slow"),
                bad(3, "bind", "timeout", Trust.HARD),
            ],
            "blind blind blind out",
            id="all that answer are too slow, and one does not",
        ),
        pytest.param(
            [bad(0, state=State.UNKNOWN, trust=Trust.LOCAL), bad(1, state=State.WARNING)],
            "in in in in",
            id="UNKNOWN and WARNING remove nobody",
        ),
        pytest.param([bad(0, "unbind", "slow")], "in in in in", id="watch is only told"),
    ],
)
def test_rules(findings: list[Finding], expected: str) -> None:
    assert told(decide(cluster(), with_good(findings)).verdicts) == expected


@pytest.mark.parametrize(
    ("state", "weight"), [(State.OK, 100), (State.WARNING, 50), (State.CRITICAL, 25)]
)
def test_a_check_with_effect_weight_lowers_the_weight(state: State, weight: int) -> None:
    verdict = decide(cluster(), [bad(0, "compare", "slow", state=state)]).verdicts[0]

    assert (verdict.in_service, verdict.weight) == (True, weight)


FINDINGS = st.lists(
    st.builds(
        bad,
        st.integers(0, 3),
        st.sampled_from(sorted(EFFECTS)),
        st.sampled_from(["slow", "entries", "timeout"]),
        st.sampled_from(Trust),
        st.sampled_from(State),
    ),
    max_size=16,
)


@given(FINDINGS, st.integers(0, 4))
def test_soft_failures_never_break_the_floor(findings: list[Finding], floor: int) -> None:
    verdicts = decide(cluster(min_in_service=floor), findings).verdicts
    dead = {
        f.server
        for f in findings
        if (f.trust, f.state, EFFECTS[f.check]) == (Trust.HARD, State.CRITICAL, CheckEffect.OUT)
    }

    assert sum(v.in_service for v in verdicts) >= min(floor, 4 - len(dead))
    assert not any(v.in_service for v in verdicts if v.server in dead)


@given(FINDINGS)
def test_a_verdict_that_differs_from_the_plain_reading_names_its_rule(
    findings: list[Finding],
) -> None:
    for verdict in decide(cluster(), findings).verdicts:
        removing = [
            f
            for f in verdict.findings
            if f.state is State.CRITICAL
            and f.trust in (Trust.HARD, Trust.SOFT, Trust.EXPECTATION)
            and EFFECTS[f.check] is CheckEffect.OUT
        ]
        assert verdict.in_service is (not removing or bool(verdict.held_by))
        assert (verdict.weight > 0) is verdict.in_service


@given(FINDINGS)
def test_the_order_of_findings_does_not_matter(findings: list[Finding]) -> None:
    forward, backward = decide(cluster(), findings), decide(cluster(), findings[::-1])

    assert told(forward.verdicts) == told(backward.verdicts)


@pytest.mark.parametrize(
    ("trust", "weight"), [(Trust.SOFT, 25), (Trust.INFORMATIVE, 100), (Trust.LOCAL, 100)]
)
def test_what_is_only_told_lowers_no_weight(trust: Trust, weight: int) -> None:
    verdicts = decide(cluster(), [bad(1, "compare", trust=trust)]).verdicts

    assert [each.weight for each in verdicts] == [100, weight, 100, 100]
