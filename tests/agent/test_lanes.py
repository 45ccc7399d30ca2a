"""Servers that hang keep no healthy server waiting, and no more threads run than allowed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import wait
from threading import Event, Semaphore
from time import monotonic

import pytest

from ldaphealth.lanes import Lanes

PATIENCE_SECONDS = 10.0


class Hang:
    """A look that hangs until the test ends."""

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
    lanes = Lanes(threads)
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
    lanes = Lanes(4)
    for _ in range(100):
        lanes.submit(hang, hung=False)

    assert lanes.submit(lambda: "answers again", hung=True).result(PATIENCE_SECONDS)
    hang.release.set()
    lanes.close()


@pytest.mark.parametrize("threads", [2, 3, 8, 64, 256])
def test_no_more_run_side_by_side_than_allowed(threads: int, hang: Hang) -> None:
    lanes = Lanes(threads)
    for number in range(4 * threads):
        lanes.submit(hang, hung=number % 2 == 0)

    assert hang.count(threads) == threads
    hang.release.set()
    lanes.close()


def test_the_fault_of_one_look_stays_its_own() -> None:
    lanes = Lanes(2)

    def fail() -> None:
        raise ZeroDivisionError

    failures = [lanes.submit(fail, hung=hung) for hung in (False, True) for _ in range(10)]
    assert all(isinstance(each.exception(PATIENCE_SECONDS), ZeroDivisionError) for each in failures)
    assert lanes.submit(lambda: 1, hung=False).result(PATIENCE_SECONDS) == 1
    assert lanes.submit(lambda: 2, hung=True).result(PATIENCE_SECONDS) == 2
    lanes.close()


def test_close_does_not_wait_and_starts_nothing_more(hang: Hang) -> None:
    lanes = Lanes(2)
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
