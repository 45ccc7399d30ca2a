"""The clock of the deadlines stands still while the agent does, and goes slower on a late host."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import wait
from ldaphealth.agent.running_clock import (
    BEAT_SECONDS,
    CALM_SECONDS,
    EVERY_SECONDS,
    MOST_COUNTED_SECONDS,
    ON_TIME_SECONDS,
    SLOWEST,
    Beat,
    Lateness,
    LatenessLog,
    RunningClock,
)

LATE = (ON_TIME_SECONDS + MOST_COUNTED_SECONDS) / 2
START = Beat(at=100.0, running=100.0, calm_since=100.0)


def after(*passed: float) -> Beat:
    beat = START
    for seconds in passed:
        beat = beat.next(beat.at + seconds)
    return beat


@pytest.mark.parametrize(
    ("passed", "running_seconds", "slowness", "late"),
    [
        pytest.param((BEAT_SECONDS,) * 10, 10 * BEAT_SECONDS, 1, 0, id="on time"),
        pytest.param((0.99 * ON_TIME_SECONDS,), 0.99 * ON_TIME_SECONDS, 1, 0, id="nearly late"),
        pytest.param((LATE,), LATE, 2, 1, id="late: it counts, and then the clock goes slower"),
        pytest.param((LATE, LATE), LATE * 1.5, 3, 2, id="late again"),
        pytest.param((3600.0,), MOST_COUNTED_SECONDS, 2, 1, id="stopped for an hour"),
        pytest.param(
            (3600.0, BEAT_SECONDS), MOST_COUNTED_SECONDS + BEAT_SECONDS / 2, 2, 1, id="and after it"
        ),
        pytest.param((LATE,) * 50, None, SLOWEST, 50, id="always late"),
    ],
)
def test_a_late_beat_shows_that_the_host_is_too_slow(
    passed: tuple[float, ...], running_seconds: float | None, slowness: int, late: int
) -> None:
    beat = after(*passed)

    assert (beat.slowness, beat.lateness.count) == (slowness, late)
    if running_seconds is not None:
        assert beat.running - START.running == pytest.approx(running_seconds)


def test_it_goes_as_fast_as_before_once_no_beat_is_late() -> None:
    calm = (BEAT_SECONDS,) * round(CALM_SECONDS / BEAT_SECONDS + 1)

    assert [after(LATE, LATE, *calm * times).slowness for times in range(4)] == [3, 2, 1, 1]


def test_on_a_host_that_is_always_late_a_deadline_still_ends() -> None:
    beat = after(*(LATE,) * 20)
    began = beat
    while beat.running < began.running + 5.0:
        beat = beat.next(beat.at + LATE)

    assert beat.at - began.at == pytest.approx(SLOWEST * 5.0, abs=0.5)


@given(st.lists(st.floats(0.0, 5.0), max_size=30), st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_it_never_goes_back_and_never_faster_than_the_monotonic_clock(
    passed: list[float], one: float, two: float
) -> None:
    beat = after(*passed)
    sooner, later = sorted((beat.at + one, beat.at + two))

    assert beat.running <= beat.running_at(sooner) <= beat.running_at(later)
    assert beat.running_at(later) <= beat.running_at(sooner) + later - sooner + 1e-6
    assert beat.running_at(later) <= beat.next(sooner).running_at(later) + 1e-6 or (
        beat.next(sooner).slowness > beat.slowness  # read at the very moment of a late beat
    )


def test_without_beats_it_is_the_monotonic_clock() -> None:
    moments = iter([10.0, 11.0, 50.0])
    clock = RunningClock(lambda: next(moments))

    assert (clock.now(), clock.now()) == (11.0, 50.0)


def test_with_beats_on_time_it_goes_like_the_monotonic_clock() -> None:
    clock = RunningClock()
    clock.start()
    try:
        began, running = time.monotonic(), clock.now()
        time.sleep(8 * BEAT_SECONDS)
        passed = clock.now() - running
        if clock.lateness.count == 0:  # else this machine was too slow
            assert passed == pytest.approx(time.monotonic() - began, abs=0.05)
    finally:
        clock.close()
    before = clock.now()
    time.sleep(2 * MOST_COUNTED_SECONDS)
    assert clock.now() - before >= 2 * MOST_COUNTED_SECONDS


STOPPED = """
import time
from ldaphealth.agent.running_clock import RunningClock
clock = RunningClock()
clock.start()
began, running = time.monotonic(), clock.now()
print("ready", flush=True)
while time.monotonic() - began < 3.0:
    time.sleep(0.01)
print(clock.now() - running)
"""


def test_it_stands_still_while_the_process_is_stopped() -> None:
    with subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        assert it.stdout.readline() == "ready\n"
        os.kill(it.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(it.pid, signal.SIGCONT)
        passed = float(it.stdout.read())

    assert passed <= 0.5 + MOST_COUNTED_SECONDS + 0.5


def test_the_thread_ends_with_the_clock() -> None:
    clock = RunningClock()
    clock.start()
    assert any(each.name == "running clock" for each in threading.enumerate())
    clock.close()
    wait.until(
        lambda: not any(each.name == "running clock" for each in threading.enumerate()),
        5.0,
        "the thread runs",
    )


def test_when_its_thread_dies_deadlines_still_end(caplog: pytest.LogCaptureFixture) -> None:
    main = threading.get_ident()

    def now() -> float:
        if threading.get_ident() != main:
            raise MemoryError
        return time.monotonic()

    clock = RunningClock(now)
    clock.start()
    assert wait.comes_true(lambda: "will not be measured any more" in caplog.text, 5.0)
    before = clock.now()
    time.sleep(2 * MOST_COUNTED_SECONDS)
    assert clock.now() - before >= 2 * MOST_COUNTED_SECONDS


def test_it_is_logged_at_once_and_then_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    log = LatenessLog()
    with caplog.at_level(logging.WARNING):
        log.report(Lateness(1, 0.1), 10.0)  # not worth a line
        log.report(Lateness(2, 4.0), 11.0)
        log.report(Lateness(7, 9.0), 12.0)
        log.report(Lateness(9, 9.5), 11.0 + EVERY_SECONDS)
        log.report(Lateness(9, 9.5), 99.0 + EVERY_SECONDS)

    seen = [(each.times, each.late_seconds) for each in caplog.records]  # type: ignore[attr-defined]
    assert seen == [(2, 4.0), (7, 5.5)]
    assert "this host was too slow" in caplog.text
