"""A failure is confirmed on fresh connections under one deadline, and only a new one is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from time import monotonic, sleep
from typing import Any

import pytest
from msgspec.structs import replace

from demo import wait
from ldaphealth import waiting
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, Failure, FailureKind, Observation, Server
from ldaphealth.rounds.round import (
    PAUSE_SECONDS,
    SLOW_PART,
    FailedCheck,
    Probe,
    RoundPlan,
    failed_checks,
    last_answer,
    last_probe,
    lost_at,
    run_round,
    silent_since,
)
from ldaphealth.settings import ConfiguredCheck
from tests.checks.seen import planned, saw, server
from tests.lateness import Stopwatch, repeated_when_late
from tests.places import LOOP, THREAD, Place

DEADLINE_SECONDS = 60.0
CHECKS = (planned("connect"), planned("search"))

REFUSED = Failure(FailureKind.CONNECT, "connection refused")
NO_ENTRY = Failure(FailureKind.RESULT, "noSuchObject", "noSuchObject")
SILENT = Failure(FailureKind.TIMEOUT, "no answer")
UNRESOLVED = Failure(FailureKind.RESOLVE, "no such name", is_local=True)


PLACES: list[Place] = []


@pytest.fixture(autouse=True, params=[THREAD, LOOP], ids=["thread", "loop"])
def place(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run each test with its rounds in a thread, and in an event loop."""
    PLACES.append(request.param)
    yield
    PLACES.pop()


def run(wanted: RoundPlan, probe: Probe, **more: Any) -> list[AnyObservation]:
    return PLACES[-1].call(run_round, wanted, probe, PLACES[-1].beside, **more)


def well() -> list[AnyObservation]:
    return [saw("connect"), saw("search")]


def failing(check: str, failure: Failure) -> list[AnyObservation]:
    return [saw("connect"), saw(check, failure=failure)]


class Looks:
    """Stands for the network: gives these answers, the last one for ever, and notes who asks."""

    def __init__(self, *answers: list[AnyObservation]) -> None:
        self.answers = answers
        self.deadlines: list[Deadline] = []
        self.asked: list[tuple[Server, Sequence[ConfiguredCheck]]] = []

    def __call__(
        self, at: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        """Note what was asked, and give the next answer."""
        self.asked.append((at, checks))
        self.deadlines.append(deadline)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def looked(probe: Probe, *known: FailedCheck, confirm_seconds: float = 0.0) -> list[AnyObservation]:
    wanted = RoundPlan(server(), CHECKS, DEADLINE_SECONDS, confirm_seconds, frozenset(known))
    return run(wanted, probe)


def test_a_server_that_is_well_is_looked_at_once() -> None:
    probe = Looks(well())

    assert looked(probe, confirm_seconds=1.5) == well()
    assert probe.asked == [(server(), CHECKS)]


@pytest.mark.parametrize("failure", [REFUSED, NO_ENTRY, SILENT])
def test_a_failure_that_is_gone_at_a_second_look_is_no_trouble(failure: Failure) -> None:
    probe = Looks(failing("search", failure), well())

    seen = looked(probe)

    assert seen == [*failing("search", failure), *well()]
    assert not failed_checks(seen)


def test_a_failure_that_is_still_there_is_confirmed_and_both_looks_are_told() -> None:
    probe = Looks(failing("search", SILENT), failing("search", NO_ENTRY))

    seen = looked(probe)

    assert seen == [*failing("search", SILENT), *failing("search", NO_ENTRY)]
    assert failed_checks(seen) == {("search", FailureKind.RESULT)}
    assert probe.asked == [(server(), CHECKS)] * 2


def test_a_broken_expectation_is_looked_at_once_more_and_no_longer() -> None:
    probe = Looks(failing("search", NO_ENTRY))

    looked(probe, confirm_seconds=10.0)

    assert len(probe.asked) == 2


@repeated_when_late
def test_a_server_that_is_restarted_within_the_time_stays_in() -> None:
    probe = Looks(failing("connect", REFUSED), failing("connect", REFUSED), well())

    seen = looked(probe, confirm_seconds=1.5 * PAUSE_SECONDS)

    assert len(probe.asked) == 3
    assert not failed_checks(seen)


@repeated_when_late
def test_a_server_that_stays_away_is_not_looked_at_for_longer_than_asked() -> None:
    probe = Looks(failing("connect", REFUSED))

    with Stopwatch() as watch:
        seen = looked(probe, confirm_seconds=1.5 * PAUSE_SECONDS)

    assert watch.seconds < 1.5 * PAUSE_SECONDS + 0.5
    assert len(probe.asked) == 3
    assert failed_checks(seen) == {("connect", FailureKind.CONNECT)}


@repeated_when_late
def test_a_standstill_does_not_count_as_the_time_of_the_confirmation() -> None:
    """The process is stopped after the second probe, and the server is back meanwhile."""
    answers = [failing("connect", REFUSED), failing("connect", REFUSED), well()]
    asked: list[Deadline] = []

    def probe(_: Server, __: Sequence[ConfiguredCheck], deadline: Deadline) -> list[AnyObservation]:
        asked.append(deadline)
        if len(asked) == 2:
            sleep(4 * PAUSE_SECONDS)
        return answers[len(asked) - 1]

    assert not failed_checks(looked(probe, confirm_seconds=2 * PAUSE_SECONDS))
    assert len(asked) == 3


def test_known_trouble_is_not_looked_at_twice() -> None:
    probe = Looks(failing("search", NO_ENTRY))

    assert looked(probe, ("search", FailureKind.RESULT)) == failing("search", NO_ENTRY)
    assert len(probe.asked) == 1


def test_a_server_that_recovers_from_known_trouble_is_looked_at_once() -> None:
    probe = Looks(well())

    assert looked(probe, ("search", FailureKind.RESULT)) == well()


@pytest.mark.parametrize("known", [("search", FailureKind.TIMEOUT), ("bind", FailureKind.RESULT)])
def test_other_trouble_than_the_known_is_confirmed(known: FailedCheck) -> None:
    probe = Looks(failing("search", NO_ENTRY), well())

    assert len(looked(probe, known)) == 4


def test_our_own_failures_are_not_confirmed() -> None:
    probe = Looks(failing("connect", UNRESOLVED))

    assert looked(probe, confirm_seconds=10.0) == failing("connect", UNRESOLVED)
    assert not failed_checks(failing("connect", UNRESOLVED))


def test_a_look_that_saw_nothing_is_not_repeated() -> None:
    probe = Looks([])

    assert looked(probe) == []
    assert len(probe.asked) == 1


def test_a_mistake_of_ours_in_the_look_is_raised_once_and_leaves_no_thread() -> None:
    asked = []
    before = threading.active_count()

    def broken(
        at: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        asked.append((at, checks, deadline))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        looked(broken)
    assert len(asked) == 1
    assert comes_down_to(before)


def comes_down_to(threads: int) -> bool:
    return wait.comes_true(lambda: threading.active_count() <= threads, 5.0)


@repeated_when_late
def test_all_looks_have_the_one_deadline_of_the_round() -> None:
    probe = Looks(failing("connect", REFUSED), well())
    before = monotonic()

    looked(probe)

    assert [each.seconds for each in probe.deadlines] == [DEADLINE_SECONDS] * 2
    assert len({each.at for each in probe.deadlines}) == 1
    assert probe.deadlines[0].at == pytest.approx(before + DEADLINE_SECONDS, abs=1.0)


def test_troubles_are_what_the_latest_look_at_each_check_says() -> None:
    seen = [
        saw("connect"),
        saw("bind", failure=NO_ENTRY),
        saw("search", failure=SILENT),
        saw("connect"),
        saw("bind"),
        saw("search", failure=NO_ENTRY),
        saw("monitor", failure=UNRESOLVED),
    ]

    assert failed_checks(seen) == {("search", FailureKind.RESULT)}
    assert failed_checks([]) == frozenset()


SHORT_SECONDS = 0.5


class Slow:
    """Stands for a server whose sessions take these parts of the deadline, one after another."""

    def __init__(self, *parts: float, then: Callable[[], list[AnyObservation]] = well) -> None:
        self.parts, self.then = parts, then
        self.left: list[float] = []

    def __call__(
        self, _: Server, __: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        """Take the time, or the deadline if that comes first."""
        left = deadline.at - monotonic()
        self.left.append(left)
        takes = SHORT_SECONDS * self.parts[min(len(self.left), len(self.parts)) - 1]
        waiting.pause(max(0.0, min(left, takes)))
        return self.then() if takes < left else [saw("connect", failure=SILENT)]


def hurried(probe: Probe, *known: FailedCheck) -> frozenset[FailedCheck]:
    return failed_checks(
        run(RoundPlan(server(), CHECKS, SHORT_SECONDS, 0.1, frozenset(known)), probe)
    )


@repeated_when_late
def test_all_looks_at_a_server_that_hangs_end_within_the_deadline() -> None:
    probe = Slow(100)
    before = threading.active_count()

    with Stopwatch() as watch:
        assert hurried(probe) == {("connect", FailureKind.TIMEOUT)}
    assert watch.elapsed_seconds >= SHORT_SECONDS - 0.01
    assert watch.seconds < SHORT_SECONDS + 0.5
    assert len(probe.left) == 2
    assert comes_down_to(before)


@repeated_when_late
def test_a_connection_that_hangs_removes_no_server_that_answers_on_another() -> None:
    probe = Slow(100, 0.01)

    assert not hurried(probe)
    assert probe.left[1] == pytest.approx(SLOW_PART * SHORT_SECONDS, abs=0.2)


@repeated_when_late
def test_a_server_that_hung_before_gets_no_second_connection() -> None:
    probe = Slow(100)

    assert hurried(probe, ("connect", FailureKind.TIMEOUT)) == {("connect", FailureKind.TIMEOUT)}
    assert len(probe.left) == 1


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
@repeated_when_late
def test_a_server_that_answers_within_its_deadline_is_not_told_as_silent(part: float) -> None:
    assert not hurried(Slow(part))


@repeated_when_late
def test_a_second_look_always_has_time_to_see_something() -> None:
    for parts in ((0.1,), (0.45,), (0.6,), (100,)):
        for known in ((), (("monitor", FailureKind.RESULT),)):
            probe = Slow(*parts, then=lambda: failing("search", NO_ENTRY))
            hurried(probe, *known)
            assert all(left > 0.3 * SHORT_SECONDS for left in probe.left)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
@repeated_when_late
def test_a_soft_failure_of_a_slow_server_does_not_become_a_hard_one(part: float) -> None:
    probe = Slow(part, then=lambda: failing("search", NO_ENTRY))

    assert hurried(probe) == {("search", FailureKind.RESULT)}


@repeated_when_late
def test_a_second_connection_that_gets_no_answer_does_not_replace_one_that_got_one() -> None:
    """Each answer takes most of the deadline, so the probe that began later gets none."""
    slow = Failure(FailureKind.TIMEOUT, "no answer: search", answered=True)
    answers = iter([failing("search", slow), [saw("connect"), saw("bind", failure=SILENT)]])

    def probe(_: Server, __: Sequence[ConfiguredCheck], deadline: Deadline) -> list[AnyObservation]:
        answer = next(answers)
        waiting.pause(max(0.0, deadline.at - monotonic()))
        return answer

    assert hurried(probe) == {("search", FailureKind.TIMEOUT)}


def test_a_timeout_after_an_answer_in_the_same_round_says_so() -> None:
    answered = replace(NO_ENTRY, answered=True)
    probe = Looks(failing("search", answered), [saw("connect"), saw("bind", failure=SILENT)])

    seen = looked(probe)

    assert seen[-1].failure == replace(SILENT, answered=True)


@repeated_when_late
def test_a_connection_that_hangs_is_confirmed_where_something_else_is_known_to_be_wrong() -> None:
    probe = Slow(100, 0.01)

    assert not hurried(probe, ("monitor", FailureKind.RESULT))


def test_the_deadline_of_a_round_is_on_the_clock_that_is_passed() -> None:
    probe = Looks(failing("connect", REFUSED))

    run(RoundPlan(server(), CHECKS, 1.0, 0.0), probe, now=lambda: 7.0)

    assert {each.at for each in probe.deadlines} == {8.0}
    assert {each.left("connecting") for each in probe.deadlines} == {1.0}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param([], None, id="nothing was observed"),
        pytest.param([("connect", 1.0), ("bind", 2.0)], 1.0, id="one probe"),
        pytest.param(
            [("connect", 1.0), ("bind", 2.0), ("connect", 3.0), ("connect", 5.0), ("bind", 6.0)],
            5.0,
            id="confirmed twice",
        ),
    ],
)
def test_a_round_knows_when_its_last_probe_began(
    times: list[tuple[str, float]], expected: float | None
) -> None:
    seen: list[AnyObservation] = [
        Observation(server="c/s", check=check, started_at=at, duration_seconds=0.5)
        for check, at in times
    ]

    assert last_probe(seen) == expected


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        pytest.param([], None, id="nothing was observed"),
        pytest.param([None], None, id="well"),
        pytest.param([REFUSED], 0.0, id="refused"),
        pytest.param([REFUSED, REFUSED, REFUSED], 0.0, id="confirmed"),
        pytest.param([REFUSED, None], None, id="well again"),
        pytest.param([NO_ENTRY, REFUSED, REFUSED], 1.0, id="it answered at first"),
        pytest.param([REFUSED, None, REFUSED], 2.0, id="well between"),
        pytest.param([replace(SILENT, answered=True), SILENT], 0.3, id="it ended in the middle"),
        pytest.param([replace(SILENT, answered=True)], 0.3, id="it ended in the middle, once"),
        pytest.param([REFUSED, NO_ENTRY], None, id="well again, with another failure"),
    ],
)
def test_a_silence_begins_with_the_first_probe_without_an_answer(
    probes: list[Failure | None], expected: float | None
) -> None:
    seen: list[AnyObservation] = [
        Observation(
            server="c/s",
            check=check,
            started_at=at + later,
            duration_seconds=0.1,
            failure=failure,
        )
        for at, ended in enumerate(probes)
        for check, failure, later in (("connect", None, 0.0), ("search", ended, 0.3))
    ]

    assert silent_since(seen) == expected


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        pytest.param([], None, id="nothing was observed"),
        pytest.param([None], None, id="well"),
        pytest.param([REFUSED, REFUSED], None, id="confirmed"),
        pytest.param([REFUSED, REFUSED, None], 1.0, id="well again"),
        pytest.param([NO_ENTRY, None], None, id="it had LDAP service"),
    ],
)
def test_a_round_that_ends_well_knows_when_it_lost_a_connection(
    probes: list[Failure | None], expected: float | None
) -> None:
    seen: list[AnyObservation] = [
        Observation(
            server="c/s",
            check="connect",
            started_at=float(at),
            duration_seconds=0.1,
            failure=failure,
        )
        for at, failure in enumerate(probes)
    ]

    assert lost_at(seen) == expected


def test_the_last_answer_of_a_round_that_ran_into_its_deadline() -> None:
    def at(check: str, began: float, failure: Failure | None = None) -> AnyObservation:
        return Observation(
            server="c/s", check=check, started_at=began, duration_seconds=0.5, failure=failure
        )

    late = replace(SILENT, answered=True)
    first = [at("connect", 1.0), at("bind", 2.0), at("search", 3.0, late)]

    assert last_answer(first) == 2.5
    assert last_answer([*first, at("connect", 3.0), at("bind", 3.5, late)]) == 2.5
    assert last_answer([at("connect", 1.0, late)]) == 1.0
    assert last_answer([*first, at("connect", 3.0), at("bind", 3.5), at("search", 4.0)]) is None
    assert last_answer([at("connect", 1.0), at("search", 2.0, NO_ENTRY)]) is None
    assert last_answer([]) is None


def test_a_check_that_may_block_is_not_run_twice_at_a_time() -> None:
    def block(*_: object) -> None:
        raise NotImplementedError

    foreign = replace(CHECKS[1], check=replace(CHECKS[1].check, observe=block))
    plan = RoundPlan(server(), (CHECKS[0], foreign), DEADLINE_SECONDS, 0.0)

    assert [each.name for each in plan.parallel().checks] == ["connect"]
    assert RoundPlan(server(), CHECKS, DEADLINE_SECONDS, 0.0).parallel().checks == CHECKS
