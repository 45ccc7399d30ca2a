"""What is made of the probes of a window: a server that is unreliable, and one that became slow.

In a row of probes `.` is a good one, `x` one that failed. Where nothing else is given, probes are
two seconds apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.checks import session
from ldaphealth.checks.session import Facts, Params
from ldaphealth.model import AnyObservation, Basis, Failure, FailureKind, Role
from tests.checks.seen import (
    CRITICAL,
    FINE,
    SOFT,
    TOLD,
    WARNING,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    server,
    view,
)

PARAMS = Params()
UNRELIABLE: Opinion = ("unreliable", CRITICAL, SOFT)
AT_TIMES: Opinion = ("unreliable", WARNING, SOFT)
SLOW: Opinion = ("slower_than_pool", CRITICAL, SOFT)
SLOWISH: Opinion = ("slower_than_pool", WARNING, SOFT)
GOOD = "." * 30
RESET = Failure(FailureKind.CONNECT, "reset by peer")
LATE = Failure(FailureKind.TIMEOUT, "no answer within 5 s: search", answered=True)
SILENT = Failure(FailureKind.TIMEOUT, "no answer within 5 s: bind")
REFUSED = Failure(FailureKind.BIND, "refused", "invalidCredentials")
BUSY = Failure(FailureKind.RESULT, "busy", "busy")
NO_NAME = Failure(FailureKind.RESOLVE, "no such name", is_local=True)


def row(probes: str, *, of: str = "s0", every: float = 2.0) -> list[AnyObservation]:
    """Return probes of which the newest is at 1000 s."""
    first = 1000.0 - every * (len(probes) - 1)
    return [
        saw(
            "session",
            Facts("bind.disconnected" if each == "x" else "", 0.01),
            of=of,
            at=first + every * number,
        )
        for number, each in enumerate(probes)
    ]


def paces(*seconds: float, of: str = "s0", every: float = 5.0) -> list[AnyObservation]:
    """Return probes of which the slowest step took so long, the newest at 1000 s."""
    first = 1000.0 - every * (len(seconds) - 1)
    return [
        saw("session", Facts(seconds=each), of=of, at=first + every * number, took=each)
        for number, each in enumerate(seconds)
    ]


def case(
    own: str, *expected: Opinion, others: Sequence[str] = (GOOD,) * 3, every: float = 2.0
) -> Case:
    seen = row(own, every=every)
    for number, each in enumerate(others, 1):
        seen += row(each, of=f"s{number}")
    return Case(view(*seen), PARAMS, expected)


def paced(own: Sequence[float], *expected: Opinion, others: Sequence[float] = (0.01,) * 3) -> Case:
    seen = paces(*own)
    for number, each in enumerate(others, 1):
        seen += paces(*[each] * 12, of=f"s{number}")
    return Case(view(*seen), PARAMS, (FINE, *expected))


CASES = {
    "all is well": case(GOOD, FINE),
    "the first probe": case(".", FINE),
    "the first probe failed": case("x", FINE),
    "one lost connection": case("........x.......", FINE),
    "a restart: its failures count as one": case("........xxxxxx......", FINE),
    "a server that is gone for long": case("..........xxxxxxxxxx", FINE),
    "two lost connections": case("........x....x..", AT_TIMES),
    "a burst that is over soon": case("........x.x.x.x.", AT_TIMES, every=0.5),
    "every other connection": case("........x.x.x.x.x.", UNRELIABLE),
    "every other connection, from the first probe on": case("x.x.x.", UNRELIABLE),
    "every third connection": case("......x..x..x..x..", UNRELIABLE),
    "the newest probe failed": case("......x..x..x..x", UNRELIABLE),
    "three failures of many": case(
        "x........................x....x", ("unreliable", WARNING, SOFT)
    ),
    "some good probes do not make it reliable": case("x.x.x.x.x" + "." * 15, UNRELIABLE),
    "enough good probes in a row do": case("x.x.x.x.x" + "." * 16, AT_TIMES),
    "a failure long ago": case("x.x.x.x.x" + "." * 40, FINE),
    "with long intervals the window is longer": case("...x..x..x..", UNRELIABLE, every=60.0),
    "alone": case("........x.x.x.x.x.", UNRELIABLE, others=()),
    "most others lose probes as well": case(
        "........x.x.x.x.x.",
        ("unreliable", CRITICAL, TOLD),
        others=[GOOD, GOOD[:20] + "x..", "....x..."],
    ),
    "one other loses a probe as well": case(
        "........x.x.x.x.x.", UNRELIABLE, others=[GOOD, GOOD, "....x..."]
    ),
    "others that give no service are not compared": case(
        "........x.x.x.x.x.", UNRELIABLE, others=[GOOD, "x" * 20, "x" * 20]
    ),
    "slow for one probe": paced([0.01, 0.01, 4.0], SLOWISH),
    "slow for long": paced([0.01, 0.6, 1.0, 4.0], SLOW),
    "slow as the others": paced([2.0, 2.0, 2.0], others=[2.0, 1.0, 2.0]),
    "slow, and slower than the others, but not by far": paced([2.0] * 3, others=[0.3, 0.3, 0.3]),
    "slow as one of the others": paced([2.0] * 3, SLOW, others=[2.0, 0.01, 0.01]),
    "slower by far, and quick enough": paced([0.4] * 3),
    "slow once in a while": paced([4.0, 0.01, 4.0, 0.01, 4.0], SLOWISH),
    "quick again": paced([4.0, 4.0, 4.0, 0.01]),
    "slow without others": paced([4.0] * 3, others=()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_probes_of_a_window_are_judged_together(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


@pytest.mark.parametrize(
    ("probes", "basis"),
    [
        pytest.param("....", Basis.ROUND, id="well"),
        pytest.param("....x", Basis.ROUND, id="failing: the guard counts its rounds"),
        pytest.param("....x.", Basis.DOUBT, id="a failure that was not borne out"),
        pytest.param("....x.......", Basis.DOUBT, id="seven good probes"),
        pytest.param("....x........", Basis.ROUND, id="eight good probes"),
        pytest.param("........x.x.x.x.x.", Basis.WINDOW, id="unreliable"),
        pytest.param("........x.x.x.x.x...", Basis.DOUBT, id="unreliable, perhaps coming back"),
    ],
)
def test_what_the_guard_and_the_schedule_make_of_it(probes: str, basis: Basis) -> None:
    seen = [*row(probes), *row(GOOD, of="s1")]

    assert judged(view(*seen), PARAMS)[0].basis is basis


def test_too_few_probes_of_the_others_are_no_comparison() -> None:
    others = [each for number in (1, 2, 3) for each in row("...", of=f"s{number}", every=5.0)]
    found = judged(view(*row("x.x.x.x.x."), *others), PARAMS)[0]

    assert (found.state, found.basis) == (CRITICAL, Basis.COMPARISON)


def test_a_balancer_is_compared_with_none_and_accuses_none() -> None:
    balancer = server("s1", role=Role.BALANCER)
    slow = paces(4.0, 4.0, 4.0, of="s1")
    own = paces(0.01, 0.01, 0.01)

    assert opinions(judged(view(*own, *slow, of="s1", servers=[server(), balancer]), PARAMS)) == (
        FINE,
    )
    assert opinions(judged(view(*own, *slow, servers=[server(), balancer]), PARAMS)) == (FINE,)


def test_the_last_to_be_probed_again_after_all_were_slow_is_not_slower_than_the_others() -> None:
    others = [each for n in (1, 2, 3) for each in paces(3.0, 3.0, 3.0, 0.01, of=f"s{n}", every=3.0)]

    assert opinions(judged(view(*paces(3.0, 3.0, 3.0), *others), PARAMS)) == (FINE,)


def test_the_sentence_has_the_numbers_and_the_codes() -> None:
    found = judged(view(*row("..x.xx..")), PARAMS)[0]

    assert found.summary == (
        "failed 2 times in the newest 8 probes (2 bind.disconnected); 2 have succeeded since"
    )
    assert found.metrics[0].value == pytest.approx(2 / 7)


@pytest.mark.parametrize(
    ("probes", "summary"),
    [
        (
            "...x.",
            "failed once in the newest 5 probes (1 bind.disconnected); 1 has succeeded since",
        ),
        (
            "....xxx",
            "does not come and go: failed once in the newest 7 probes (1 {}), and still fails",
        ),
        ("....", "none of the newest 4 probes failed"),
    ],
)
def test_one_failure_is_once_and_one_that_lasts_is_no_coming_and_going(
    probes: str, summary: str
) -> None:
    found = judged(view(*row(probes)), PARAMS)[0]

    assert found.summary == summary.format("bind.disconnected")


@given(st.text(".x", min_size=1, max_size=64), st.floats(0.5, 60.0))
def test_a_failure_less_is_never_worse(probes: str, every: float) -> None:
    """A probe that failed at the end of a row of failures is left out: as many times it failed."""
    found = judged(view(*row(probes, every=every)), PARAMS)[0]
    well = judged(view(*row("." * len(probes), every=every)), PARAMS)[0]

    assert well.state.severity <= found.state.severity
    assert 0.0 <= found.metrics[0].value <= 1.0


@pytest.mark.parametrize(
    ("seen", "facts"),
    [
        pytest.param([saw("connect", timings={"connect": 0.2})], Facts("", 0.2), id="good"),
        pytest.param(
            [saw("connect", timings={"connect": 0.2}), saw("bind", failure=RESET)],
            Facts("bind.disconnected"),
            id="reset",
        ),
        pytest.param(
            [saw("connect"), saw("search", failure=BUSY)], Facts("search.busy"), id="busy"
        ),
        pytest.param(
            [saw("connect"), saw("search", failure=LATE, timings={"search": 4.5})],
            Facts("search.timeout", 4.5),
            id="out of time: it took that long at least",
        ),
        pytest.param(
            [
                saw("connect", timings={"connect": 1.6}),
                saw("search", failure=LATE, timings={"search": 3.4}),
            ],
            Facts("", 3.4),
            id="out of time, because every answer was slow",
        ),
        pytest.param(
            [saw("connect"), saw("bind", failure=SILENT, timings={"bind": 5.0})],
            Facts("bind.timeout"),
            id="silent",
        ),
        pytest.param(
            [saw("connect"), saw("bind", failure=REFUSED)],
            Facts("", 0.0),
            id="an expectation that is not met is no loss",
        ),
        pytest.param([saw("connect", failure=NO_NAME)], None, id="a local failure"),
        pytest.param([], None, id="no check can remove the server"),
    ],
)
def test_the_summary_of_a_probe(seen: list[AnyObservation], facts: Facts | None) -> None:
    assert session.summarize(seen, PARAMS) == facts
