"""Calls of an event loop wait beside each other, for sockets, threads and moments."""

from __future__ import annotations

import gc
import logging
import select
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from random import Random
from time import monotonic

import pytest

from demo import wait
from ldaphealth import waiting
from ldaphealth.event_loop import MOST_THREADS, EventLoop
from tests.lateness import repeated_when_late

PATIENCE_SECONDS = 20.0


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = EventLoop("test")
    yield made
    made.shutdown(wait=False)


def test_calls_return_and_raise_as_in_a_thread(loop: EventLoop) -> None:
    assert loop.submit(divmod, 7, 2).result(PATIENCE_SECONDS) == (3, 1)
    assert isinstance(loop.submit(divmod, 7, 0).exception(PATIENCE_SECONDS), ZeroDivisionError)
    assert loop.submit(lambda: "and goes on").result(PATIENCE_SECONDS) == "and goes on"


def test_even_the_end_of_the_program_ends_one_call_only(loop: EventLoop) -> None:
    def leave() -> None:
        waiting.pause(0.001)
        raise SystemExit

    assert isinstance(loop.submit(leave).exception(PATIENCE_SECONDS), SystemExit)
    assert loop.submit(int).result(PATIENCE_SECONDS) == 0


def test_all_wait_at_once_in_one_thread(loop: EventLoop) -> None:
    together, threads = [0], set()

    def hang() -> int:
        together[0] += 1
        threads.add(threading.get_ident())
        while together[0] < 3000:  # ends only if all of them wait beside each other
            waiting.pause(0.05)
        return together[0]

    assert {each.result(PATIENCE_SECONDS) for each in [loop.submit(hang) for _ in range(3000)]} == {
        3000
    }
    assert len(threads) == 1


def test_a_pause_ends_when_its_time_is_over_and_not_before(loop: EventLoop) -> None:
    def rest(seconds: float) -> float:
        began = monotonic()
        waiting.pause(seconds)
        return monotonic() - began - seconds

    late = [loop.submit(rest, seconds) for seconds in (0.3, 0.0, 0.1, 0.2, 0.1)]
    assert all(-0.001 < each.result(PATIENCE_SECONDS) < PATIENCE_SECONDS / 2 for each in late)


def test_a_call_beside_another_begins_when_its_time_has_come(loop: EventLoop) -> None:
    begun: list[tuple[str, float]] = []

    def note(name: str, since: float) -> None:
        begun.append((name, monotonic() - since))

    def begin() -> list[Future[None]]:
        times = {"late": 0.2, "soon": 0.05, "cancelled": 0.1}
        since = monotonic()
        return [
            waiting.call_beside(partial(note, name, since), at, loop) for name, at in times.items()
        ]

    late, soon, cancelled = loop.submit(begin).result(PATIENCE_SECONDS)
    assert cancelled.cancel()
    for each in (late, soon):
        each.result(PATIENCE_SECONDS)

    assert [name for name, _ in begun] == ["soon", "late"]
    assert all(after >= at for (_, after), at in zip(begun, (0.05, 0.2), strict=True))


def test_in_a_thread_the_other_call_begins_at_once() -> None:
    with ThreadPoolExecutor(1) as threads:
        answer = waiting.call_beside(threading.get_ident, 1000.0, threads)

        assert answer.result(PATIENCE_SECONDS) != threading.get_ident()


def test_what_waits_for_a_socket_gets_what_was_sent_and_others_go_on(loop: EventLoop) -> None:
    ours, other = socket.socketpair()

    def receive() -> bytes:
        got = b""
        while got[-1:] != b".":
            assert waiting.for_socket(ours, select.POLLIN, PATIENCE_SECONDS)
            got += ours.recv(1)
        return got

    with ours, other:
        receiving = loop.submit(receive)
        for octet in b"hello.":
            assert loop.submit(lambda: 1).result(PATIENCE_SECONDS) == 1
            assert not receiving.done()
            other.send(bytes([octet]))
        assert receiving.result(PATIENCE_SECONDS) == b"hello."


def test_a_socket_that_stays_silent_ends_the_wait_and_can_be_waited_for_again(
    loop: EventLoop,
) -> None:
    ours, other = socket.socketpair()

    def look(seconds: float) -> bool:
        return waiting.for_socket(ours, select.POLLIN, seconds)

    with ours, other:
        assert not loop.submit(look, 0.01).result(PATIENCE_SECONDS)
        assert not loop.submit(look, 0.0).result(PATIENCE_SECONDS)
        other.send(b"x")
        assert loop.submit(look, PATIENCE_SECONDS).result(PATIENCE_SECONDS)
        assert loop.submit(look, 0.0).result(PATIENCE_SECONDS)


def test_a_descriptor_that_is_used_again_for_another_socket_is_waited_for(loop: EventLoop) -> None:
    def open_and_wait(number: int) -> bool:
        ours, other = socket.socketpair()
        with ours, other:
            if number % 2:
                other.send(b"x")
            return waiting.for_socket(ours, select.POLLIN, 0.001 if number % 3 else 0.0)

    for number in range(300):
        found = loop.submit(open_and_wait, number).result(PATIENCE_SECONDS)
        assert found == bool(number % 2) or not number % 3


def test_a_signal_ends_waits_in_the_loop_and_in_threads(loop: EventLoop) -> None:
    signal = waiting.Signal()
    with ThreadPoolExecutor(2) as threads:
        found = [each.submit(signal.wait, PATIENCE_SECONDS) for each in [threads, loop] * 2]
        assert not signal.is_set
        signal.set()
        assert [each.result(PATIENCE_SECONDS) for each in found] == [True] * 4
    assert loop.submit(signal.wait, PATIENCE_SECONDS).result(1.0)


def test_a_signal_that_comes_late_ends_no_other_wait(loop: EventLoop) -> None:
    signal = waiting.Signal()

    def wait_twice() -> tuple[bool, bool, float]:
        first = signal.wait(0.001)
        began = monotonic()
        loop.submit(signal.set)  # for the wait that is over
        waiting.pause(0.05)
        return first, signal.is_set, monotonic() - began

    first, is_set, seconds = loop.submit(wait_twice).result(PATIENCE_SECONDS)
    assert (first, is_set) == (False, True)
    assert seconds > 0.049


def test_a_future_of_a_thread_is_waited_for(loop: EventLoop) -> None:
    answer: Future[str] = Future()
    assert not loop.submit(waiting.for_future, answer, 0.01).result(PATIENCE_SECONDS)
    waits = loop.submit(waiting.for_future, answer, PATIENCE_SECONDS)
    answer.set_result("done")
    assert waits.result(PATIENCE_SECONDS)
    assert loop.submit(waiting.for_future, answer, 0.0).result(PATIENCE_SECONDS)


def test_what_blocks_runs_in_a_thread_and_delays_nobody(loop: EventLoop) -> None:
    release, began = threading.Event(), threading.Event()

    def block() -> tuple[bool, int]:
        began.set()
        waiting.pause(0.01)  # in the thread
        return release.wait(PATIENCE_SECONDS), threading.get_ident()

    def call() -> tuple[tuple[bool, int], int]:
        return waiting.call_in_thread(block, PATIENCE_SECONDS), threading.get_ident()

    blocked = loop.submit(call)
    assert began.wait(PATIENCE_SECONDS)
    assert loop.submit(lambda: 1).result(PATIENCE_SECONDS) == 1
    release.set()
    (released, thread), own = blocked.result(PATIENCE_SECONDS)
    assert released
    assert thread != own


def test_what_a_thread_raises_is_raised_in_the_call(loop: EventLoop) -> None:
    failed = loop.submit(waiting.call_in_thread, lambda: 1 / 0, PATIENCE_SECONDS)
    assert isinstance(failed.exception(PATIENCE_SECONDS), ZeroDivisionError)


def test_a_call_that_finds_no_thread_in_its_time_is_not_made(loop: EventLoop) -> None:
    end, ran = threading.Event(), threading.Event()
    begun = threading.Semaphore(0)

    def block() -> bool:
        begun.release()
        return end.wait(PATIENCE_SECONDS)

    blocked = [
        loop.submit(waiting.call_in_thread, block, PATIENCE_SECONDS) for _ in range(MOST_THREADS)
    ]
    assert all(begun.acquire(timeout=PATIENCE_SECONDS) for _ in blocked)
    late = loop.submit(waiting.call_in_thread, ran.set, 0.05)
    assert isinstance(late.exception(PATIENCE_SECONDS), waiting.NoThreadError)
    end.set()
    assert all(each.result(PATIENCE_SECONDS) for each in blocked)
    assert not ran.is_set()


def test_a_wait_that_ends_leaves_nothing_on_what_it_waited_for(loop: EventLoop) -> None:
    answer: Future[int] = Future()
    for _ in range(20):
        assert not loop.submit(waiting.for_future, answer, 0.0).result(PATIENCE_SECONDS)
    assert len(answer._done_callbacks) == 1  # type: ignore[attr-defined]


@repeated_when_late
def test_what_came_while_one_call_blocked_all_others_is_seen_before_their_time_is_over(
    loop: EventLoop,
) -> None:
    ours, other = socket.socketpair()
    began = threading.Event()

    def look() -> bool:
        began.set()
        return waiting.for_socket(ours, select.POLLIN, 0.2)

    with ours, other:
        looking = loop.submit(look)
        assert began.wait(PATIENCE_SECONDS)
        blocked = loop.submit(time.sleep, 0.5)
        time.sleep(0.05)
        other.send(b"x")
        assert looking.result(PATIENCE_SECONDS)
        blocked.result(PATIENCE_SECONDS)


@repeated_when_late
def test_time_in_which_one_call_blocks_all_others_does_not_count(loop: EventLoop) -> None:
    ahead = monotonic() - loop.now()
    loop.submit(time.sleep, 0.5).result(PATIENCE_SECONDS)
    assert 0.3 < monotonic() - loop.now() - ahead < 5.0
    ahead = monotonic() - loop.now()
    loop.submit(waiting.pause, 0.5).result(PATIENCE_SECONDS)
    assert abs(monotonic() - loop.now() - ahead) < 0.3


@pytest.mark.parametrize("call", ["compute", "block", "wait"])
def test_a_program_that_ends_while_calls_are_in_progress_does_not_crash(call: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, call], timeout=60, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


PROGRAM = """
import socket, sys, time
from ldaphealth import waiting
from ldaphealth.event_loop import MOST_THREADS, EventLoop

def compute():
    while True:
        sum(range(1000))
        waiting.pause(0.0)

def block():
    while True:
        time.sleep(0.2)
        waiting.pause(0.0)

def wait():
    waiting.pause(60.0)

loop = EventLoop("ends")
for _ in range(20):
    loop.submit(globals()[sys.argv[1]])
time.sleep(0.2)
"""


def test_without_a_loop_the_same_waits_block_the_thread() -> None:
    ours, other = socket.socketpair()
    answer: Future[int] = Future()
    with ours, other:
        assert not waiting.for_socket(ours, select.POLLIN, 0.01)
        other.send(b"x")
        assert waiting.for_socket(ours, select.POLLIN, PATIENCE_SECONDS)
    assert not waiting.for_future(answer, 0.01)
    answer.set_result(1)
    assert waiting.for_future(answer, PATIENCE_SECONDS)
    assert waiting.call_in_thread(threading.get_ident, 0.0) == threading.get_ident()
    began = monotonic()
    waiting.pause(0.02)
    assert monotonic() - began > 0.019


def test_a_call_that_computes_shows_as_one_that_delays_the_others(loop: EventLoop) -> None:
    began, end = threading.Event(), threading.Event()

    def compute() -> None:
        began.set()
        end.wait(PATIENCE_SECONDS)

    assert loop.submit(int).result(PATIENCE_SECONDS) == 0
    computing = loop.submit(compute)
    assert began.wait(PATIENCE_SECONDS)
    behind = [loop.submit(int) for _ in range(5)]
    time.sleep(0.05)
    assert loop.busy_seconds > 0.04
    assert loop.waiting == 5
    end.set()
    computing.result(PATIENCE_SECONDS)
    assert [each.result(PATIENCE_SECONDS) for each in behind] == [0] * 5
    assert loop.submit(lambda: loop.waiting).result(PATIENCE_SECONDS) == 0


class Shortage:
    """The clock of a loop, which raises as often as it is told; its log always does."""

    def __init__(self) -> None:
        self.times = 0
        self.raised = 0

    def now(self) -> float:
        """Return the time, or raise."""
        if self.times:
            self.times -= 1
            self.raised += 1
            raise MemoryError
        return monotonic()


@pytest.fixture
def shortage() -> Iterator[Shortage]:
    class Full(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            raise MemoryError

    handler = Full()
    logging.getLogger("ldaphealth.event_loop").addHandler(handler)
    yield Shortage()
    logging.getLogger("ldaphealth.event_loop").removeHandler(handler)


@pytest.mark.parametrize("times", [1, 7])
def test_a_call_that_cannot_begin_for_want_of_memory_begins_later(
    shortage: Shortage, times: int
) -> None:
    loop = EventLoop("short", shortage.now)
    shortage.times = times
    calls = [loop.submit(divmod, 7, number) for number in range(1, 20)]

    assert [each.result(PATIENCE_SECONDS) for each in calls] == [divmod(7, n) for n in range(1, 20)]
    assert (shortage.raised, loop.is_alive) == (times, True)
    loop.shutdown()
    assert not loop.is_alive


def test_a_call_that_cannot_go_on_for_want_of_memory_goes_on_later(shortage: Shortage) -> None:
    loop = EventLoop("short", shortage.now)
    began = monotonic()

    def pause() -> float:
        waiting.pause(0.2)
        return monotonic() - began

    calls = [loop.submit(pause) for _ in range(5)]
    assert wait.comes_true(lambda: loop.waiting == 0, PATIENCE_SECONDS)
    shortage.times = 3

    assert all(0.2 <= each.result(PATIENCE_SECONDS) < PATIENCE_SECONDS for each in calls)
    assert shortage.raised == 3
    loop.shutdown()


def test_an_idle_loop_delays_nobody_however_long(loop: EventLoop) -> None:
    loop.submit(int).result(PATIENCE_SECONDS)
    assert wait.comes_true(lambda: loop.busy_seconds == 0.0, PATIENCE_SECONDS)
    time.sleep(0.05)
    assert loop.busy_seconds == 0.0


def test_shutdown_takes_no_more_calls_and_waits_for_those_in_progress() -> None:
    loop, signal = EventLoop("test"), waiting.Signal()
    in_progress = loop.submit(signal.wait, PATIENCE_SECONDS)
    assert loop.submit(int).result(PATIENCE_SECONDS) == 0
    loop.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="has ended"):
        loop.submit(int)
    assert not in_progress.done()
    signal.set()
    loop.shutdown()
    assert in_progress.result(0)


def test_calls_that_have_not_begun_can_be_cancelled() -> None:
    loop, end = EventLoop("test"), threading.Event()
    began = threading.Event()

    def block() -> None:
        began.set()
        end.wait(PATIENCE_SECONDS)

    loop.submit(block)
    assert began.wait(PATIENCE_SECONDS)
    behind = loop.submit(int)
    loop.shutdown(wait=False, cancel_futures=True)
    end.set()
    with pytest.raises(CancelledError):
        behind.result(PATIENCE_SECONDS)


def test_a_loop_that_nobody_refers_to_ends_its_thread() -> None:
    loop = EventLoop("forgotten")
    gone = weakref.ref(loop)
    (thread,) = (each for each in threading.enumerate() if each.name == "forgotten")
    del loop
    gc.collect()
    assert gone() is None
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_calls_with_random_waits_lose_nothing(loop: EventLoop) -> None:
    """Echoes through socket pairs, with silence, signals of threads and pauses between."""
    random = Random(7)  # noqa: S311  not for cryptography

    def converse(seed: int) -> int:
        own, echoed = Random(seed), 0  # noqa: S311
        ours, other = socket.socketpair()
        with ours, other:
            for _ in range(20):
                kind = own.randrange(4)
                if kind == 0:
                    waiting.pause(own.random() / 500)
                elif kind == 1:
                    signal = waiting.Signal()
                    threads.submit(signal.set)
                    assert signal.wait(PATIENCE_SECONDS)
                elif kind == 2:
                    assert not waiting.for_socket(ours, select.POLLIN, own.random() / 500)
                else:
                    sent = loop.submit(other.send, b"x")
                    assert waiting.for_socket(ours, select.POLLIN, PATIENCE_SECONDS)
                    assert ours.recv(1) == b"x"
                    assert waiting.for_future(sent, PATIENCE_SECONDS)
                echoed += 1
        return echoed

    with ThreadPoolExecutor(3) as threads:
        calls = [loop.submit(converse, random.randrange(2**32)) for _ in range(100)]
        assert [each.result(PATIENCE_SECONDS) for each in calls] == [20] * 100
