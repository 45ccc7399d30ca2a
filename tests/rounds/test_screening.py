"""A failure is confirmed on fresh connections under one deadline, and only a new one is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic, sleep

import pytest

from ldaphealth.check import Planned
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import Failure, Kind, Observation, Server
from ldaphealth.rounds.screening import (
    PATIENCE_PART,
    PAUSE_SECONDS,
    Look,
    Round,
    Trouble,
    run,
    troubles,
)
from tests.checks.seen import planned, saw, server

DEADLINE_SECONDS = 60.0
CHECKS = (planned("connect"), planned("search"))

REFUSED = Failure(Kind.CONNECT, "connection refused")
NO_ENTRY = Failure(Kind.RESULT, "noSuchObject", "noSuchObject")
SILENT = Failure(Kind.TIMEOUT, "no answer")
UNRESOLVED = Failure(Kind.RESOLVE, "no such name", ours=True)


def well() -> list[Observation]:
    return [saw("connect"), saw("search")]


def failing(check: str, failure: Failure) -> list[Observation]:
    return [saw("connect"), saw(check, failure=failure)]


class Looks:
    """Stands for the network: gives these answers, the last one for ever, and notes who asks."""

    def __init__(self, *answers: list[Observation]) -> None:
        self.answers = answers
        self.deadlines: list[Deadline] = []
        self.asked: list[tuple[Server, Sequence[Planned]]] = []

    def __call__(
        self, at: Server, checks: Sequence[Planned], deadline: Deadline
    ) -> list[Observation]:
        """Note what was asked, and give the next answer."""
        self.asked.append((at, checks))
        self.deadlines.append(deadline)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def looked(look: Look, *known: Trouble, confirm_seconds: float = 0.0) -> list[Observation]:
    wanted = Round(server(), CHECKS, DEADLINE_SECONDS, confirm_seconds, frozenset(known))
    return run(wanted, look)


def test_a_server_that_is_well_is_looked_at_once() -> None:
    look = Looks(well())

    assert looked(look, confirm_seconds=1.5) == well()
    assert look.asked == [(server(), CHECKS)]


@pytest.mark.parametrize("failure", [REFUSED, NO_ENTRY, SILENT])
def test_a_failure_that_is_gone_at_a_second_look_is_no_trouble(failure: Failure) -> None:
    look = Looks(failing("search", failure), well())

    seen = looked(look)

    assert seen == [*failing("search", failure), *well()]
    assert not troubles(seen)


def test_a_failure_that_is_still_there_is_confirmed_and_both_looks_are_told() -> None:
    look = Looks(failing("search", SILENT), failing("search", NO_ENTRY))

    seen = looked(look)

    assert seen == [*failing("search", SILENT), *failing("search", NO_ENTRY)]
    assert troubles(seen) == {("search", Kind.RESULT)}
    assert look.asked == [(server(), CHECKS)] * 2


def test_a_broken_expectation_is_looked_at_once_more_and_no_longer() -> None:
    look = Looks(failing("search", NO_ENTRY))

    looked(look, confirm_seconds=10.0)

    assert len(look.asked) == 2


def test_a_server_that_is_restarted_within_the_time_stays_in() -> None:
    look = Looks(failing("connect", REFUSED), failing("connect", REFUSED), well())

    seen = looked(look, confirm_seconds=1.5 * PAUSE_SECONDS)

    assert len(look.asked) == 3
    assert not troubles(seen)


def test_a_server_that_stays_away_is_not_looked_at_for_longer_than_asked() -> None:
    look = Looks(failing("connect", REFUSED))
    began = monotonic()

    seen = looked(look, confirm_seconds=1.5 * PAUSE_SECONDS)

    assert monotonic() - began < 1.5 * PAUSE_SECONDS + 0.5
    assert len(look.asked) == 3
    assert troubles(seen) == {("connect", Kind.CONNECT)}


def test_known_trouble_is_not_looked_at_twice() -> None:
    look = Looks(failing("search", NO_ENTRY))

    assert looked(look, ("search", Kind.RESULT)) == failing("search", NO_ENTRY)
    assert len(look.asked) == 1


def test_a_server_that_recovers_from_known_trouble_is_looked_at_once() -> None:
    look = Looks(well())

    assert looked(look, ("search", Kind.RESULT)) == well()


@pytest.mark.parametrize("known", [("search", Kind.TIMEOUT), ("bind", Kind.RESULT)])
def test_other_trouble_than_the_known_is_confirmed(known: Trouble) -> None:
    look = Looks(failing("search", NO_ENTRY), well())

    assert len(looked(look, known)) == 4


def test_our_own_failures_are_not_confirmed() -> None:
    look = Looks(failing("connect", UNRESOLVED))

    assert looked(look, confirm_seconds=10.0) == failing("connect", UNRESOLVED)
    assert not troubles(failing("connect", UNRESOLVED))


def test_a_look_that_saw_nothing_is_not_repeated() -> None:
    look = Looks([])

    assert looked(look) == []
    assert len(look.asked) == 1


def test_a_mistake_of_ours_in_the_look_is_raised_once_and_leaves_no_thread() -> None:
    asked = []
    before = threading.active_count()

    def broken(at: Server, checks: Sequence[Planned], deadline: Deadline) -> list[Observation]:
        asked.append((at, checks, deadline))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        looked(broken)
    assert len(asked) == 1
    assert comes_down_to(before)


def comes_down_to(threads: int) -> bool:
    until = monotonic() + 5
    while threading.active_count() > threads and monotonic() < until:
        sleep(0.01)
    return threading.active_count() <= threads


def test_all_looks_have_the_one_deadline_of_the_round() -> None:
    look = Looks(failing("connect", REFUSED), well())
    before = monotonic()

    looked(look)

    assert [each.seconds for each in look.deadlines] == [DEADLINE_SECONDS] * 2
    assert len({each.at for each in look.deadlines}) == 1
    assert look.deadlines[0].at == pytest.approx(before + DEADLINE_SECONDS, abs=1.0)


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

    assert troubles(seen) == {("search", Kind.RESULT)}
    assert troubles([]) == frozenset()


SHORT_SECONDS = 0.5


class Slow:
    """Stands for a server whose sessions take these parts of the deadline, one after another."""

    def __init__(self, *parts: float, then: Callable[[], list[Observation]] = well) -> None:
        self.parts, self.then = parts, then
        self.left: list[float] = []

    def __call__(self, _: Server, __: Sequence[Planned], deadline: Deadline) -> list[Observation]:
        """Take the time, or the deadline if that comes first."""
        left = deadline.at - monotonic()
        self.left.append(left)
        takes = SHORT_SECONDS * self.parts[min(len(self.left), len(self.parts)) - 1]
        sleep(max(0.0, min(left, takes)))
        return self.then() if takes < left else [saw("connect", failure=SILENT)]


def hurried(look: Look, *known: Trouble) -> frozenset[Trouble]:
    return troubles(run(Round(server(), CHECKS, SHORT_SECONDS, 0.1, frozenset(known)), look))


def test_all_looks_at_a_server_that_hangs_end_within_the_deadline() -> None:
    look = Slow(100)
    before, began = threading.active_count(), monotonic()

    assert hurried(look) == {("connect", Kind.TIMEOUT)}
    assert SHORT_SECONDS - 0.01 <= monotonic() - began < SHORT_SECONDS + 0.5
    assert len(look.left) == 2
    assert comes_down_to(before)


def test_a_connection_that_hangs_removes_no_server_that_answers_on_another() -> None:
    look = Slow(100, 0.01)

    assert not hurried(look)
    assert look.left[1] == pytest.approx(PATIENCE_PART * SHORT_SECONDS, abs=0.2)


def test_a_server_that_hung_before_gets_no_second_connection() -> None:
    look = Slow(100)

    assert hurried(look, ("connect", Kind.TIMEOUT)) == {("connect", Kind.TIMEOUT)}
    assert len(look.left) == 1


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
def test_a_server_that_answers_within_its_deadline_is_not_told_as_silent(part: float) -> None:
    assert not hurried(Slow(part))


def test_a_second_look_always_has_time_to_see_something() -> None:
    for parts in ((0.1,), (0.45,), (0.6,), (100,)):
        for known in ((), (("monitor", Kind.RESULT),)):
            look = Slow(*parts, then=lambda: failing("search", NO_ENTRY))
            hurried(look, *known)
            assert all(left > 0.3 * SHORT_SECONDS for left in look.left)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
def test_a_soft_failure_of_a_slow_server_does_not_become_a_hard_one(part: float) -> None:
    look = Slow(part, then=lambda: failing("search", NO_ENTRY))

    assert hurried(look) == {("search", Kind.RESULT)}


def test_a_connection_that_hangs_is_confirmed_where_something_else_is_known_to_be_wrong() -> None:
    look = Slow(100, 0.01)

    assert not hurried(look, ("monitor", Kind.RESULT))


def test_a_standstill_of_this_machine_blames_nobody() -> None:
    asked: list[Deadline] = []

    def look(_: Server, __: Sequence[Planned], deadline: Deadline) -> list[Observation]:
        asked.append(deadline)
        if len(asked) == 1:
            sleep(SHORT_SECONDS * 2)  # the virtual machine is stopped
        return failing("search", SILENT) if monotonic() > deadline.at else well()

    known = ("search", Kind.TIMEOUT)  # else a look beside it helps, too
    assert not troubles(run(Round(server(), CHECKS, SHORT_SECONDS, 0.0, frozenset({known})), look))
    assert len(asked) == 2
