"""Servers that hang keep no healthy server waiting, and no more threads run than allowed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import wait
from threading import Event, Semaphore
from time import monotonic
from typing import get_args

import pytest
from msgspec.structs import fields

from ldaphealth.agent.bulkhead import LEAST_THREADS, Bulkheads
from ldaphealth.settings import AgentSettings

PATIENCE_SECONDS = 10.0


class Hang:
    """A round that hangs until the test ends."""

    def __init__(self) -> None:
        self.release = Event()
        self.began = Semaphore(0)

    def __call__(self) -> bool:
        """Hang."""
        self.began.release()
        return self.release.wait(PATIENCE_SECONDS)

    def count(self, at_most: int) -> int:
        """Return how many began, waiting for as many as are allowed."""
        found = 0
        while found <= at_most and self.began.acquire(
            timeout=PATIENCE_SECONDS if found < at_most else 0.05
        ):
            found += 1
        return found


@pytest.fixture
def hang() -> Iterator[Hang]:
    made = Hang()
    yield made
    made.release.set()


@pytest.mark.parametrize("threads", [2, 4, 64])
def test_servers_that_hang_do_not_starve_healthy_ones(threads: int, hang: Hang) -> None:
    lanes = Bulkheads(threads)
    hung = [lanes.submit(hang, hung=True) for _ in range(10 * threads)]
    began = monotonic()

    healthy = [lanes.submit(lambda: "fine", hung=False) for _ in range(1000)]

    assert {each.result(PATIENCE_SECONDS) for each in healthy} == {"fine"}
    assert monotonic() - began < PATIENCE_SECONDS / 2
    assert not any(each.done() for each in hung)
    hang.release.set()
    assert wait(hung, PATIENCE_SECONDS).not_done == set()
    lanes.close()


def test_a_server_that_hung_is_still_looked_at_while_the_others_are_busy(hang: Hang) -> None:
    lanes = Bulkheads(4)
    for _ in range(100):
        lanes.submit(hang, hung=False)

    assert lanes.submit(lambda: "answers again", hung=True).result(PATIENCE_SECONDS)
    hang.release.set()
    lanes.close()


@pytest.mark.parametrize("threads", [2, 3, 8, 64, 256])
def test_no_more_run_side_by_side_than_allowed(threads: int, hang: Hang) -> None:
    lanes = Bulkheads(threads)
    for number in range(4 * threads):
        lanes.submit(hang, hung=number % 2 == 0)

    assert hang.count(threads) == threads
    hang.release.set()
    lanes.close()


def test_the_fault_of_one_look_stays_its_own() -> None:
    lanes = Bulkheads(2)

    def fail() -> None:
        raise ZeroDivisionError

    failures = [lanes.submit(fail, hung=hung) for hung in (False, True) for _ in range(10)]
    assert all(isinstance(each.exception(PATIENCE_SECONDS), ZeroDivisionError) for each in failures)
    assert lanes.submit(lambda: 1, hung=False).result(PATIENCE_SECONDS) == 1
    assert lanes.submit(lambda: 2, hung=True).result(PATIENCE_SECONDS) == 2
    lanes.close()


def test_close_does_not_wait_and_starts_nothing_more(hang: Hang) -> None:
    lanes = Bulkheads(2)
    running = [lanes.submit(hang, hung=hung) for hung in (False, True)]
    assert hang.count(2) == 2
    waiting = [lanes.submit(hang, hung=hung) for hung in (False, True)]
    began = monotonic()

    lanes.close()

    assert monotonic() - began < 1.0
    assert all(each.cancelled() for each in waiting)
    hang.release.set()
    assert [each.result(PATIENCE_SECONDS) for each in running] == [True, True]
    with pytest.raises(RuntimeError):
        lanes.submit(hang, hung=False)


def test_what_runs_and_what_waits_is_counted_by_lane(hang: Hang) -> None:
    lanes = Bulkheads(8)
    assert (lanes.threads, lanes.busy, lanes.waiting) == (8, 0, 0)
    looks = [lanes.submit(hang, hung=number < 5) for number in range(15)]
    assert hang.count(8) == 8

    assert (lanes.quick.most, lanes.quick.busy, lanes.quick.waiting) == (6, 6, 4)
    assert (lanes.hung.most, lanes.hung.busy, lanes.hung.waiting) == (2, 2, 3)
    assert (lanes.threads, lanes.busy, lanes.waiting) == (8, 8, 7)
    hang.release.set()
    wait(looks, PATIENCE_SECONDS)
    assert (lanes.busy, lanes.waiting) == (0, 0)
    lanes.close()


def test_a_look_that_fails_is_busy_no_more() -> None:
    lanes = Bulkheads(2)

    def fail() -> None:
        raise ZeroDivisionError

    wait([lanes.submit(fail, hung=False) for _ in range(100)], PATIENCE_SECONDS)

    assert (lanes.busy, lanes.waiting) == (0, 0)
    lanes.close()


def test_nothing_waits_after_close(hang: Hang) -> None:
    lanes = Bulkheads(2)
    for _ in range(5):
        lanes.submit(hang, hung=True)
    assert hang.count(1) == 1

    lanes.close()

    assert (lanes.busy, lanes.waiting) == (1, 0)


def test_numbers_never_go_wrong_while_others_read_them() -> None:
    lanes = Bulkheads(4)
    looks = [lanes.submit(lambda: None, hung=number % 3 == 0) for number in range(2000)]
    seen = set()
    while not all(probe.done() for probe in looks):
        seen.add(0 <= lanes.busy <= lanes.threads and 0 <= lanes.waiting <= len(looks))
    wait(looks, PATIENCE_SECONDS)

    assert seen <= {True}
    assert (lanes.busy, lanes.waiting) == (0, 0)
    lanes.close()


def test_one_thread_is_refused_as_the_configuration_refuses_it() -> None:
    with pytest.raises(ValueError, match="at least one thread"):
        Bulkheads(LEAST_THREADS - 1)
    (threads,) = (each for each in fields(AgentSettings) if each.name == "threads")
    assert any(getattr(part, "ge", None) == LEAST_THREADS for part in get_args(threads.type))


def test_where_the_system_gives_no_thread_those_that_there_are_do_the_work(hang: Hang) -> None:
    lanes = Bulkheads(4)
    first = lanes.submit(hang, hung=False)
    assert hang.count(1) == 1
    ran = Event()
    usual = threading.stack_size(1 << 46)  # no machine has as much address space for a stack
    try:
        lanes.submit(ran.set, hung=False)
    finally:
        threading.stack_size(usual)
    assert (lanes.waiting, ran.is_set()) == (1, False)

    hang.release.set()
    assert first.result(PATIENCE_SECONDS)
    assert ran.wait(PATIENCE_SECONDS)
    assert lanes.waiting == 0
