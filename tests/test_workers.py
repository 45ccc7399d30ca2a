"""A set of threads runs every call, whatever a call does and whatever the system refuses."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager
from threading import Event

import pytest

from demo.wait import comes_true
from ldaphealth.workers import Workers

PATIENCE_SECONDS = 10.0


@contextmanager
def shortage_of_threads() -> Iterator[None]:
    """Have the system refuse new threads: none has as much address space for a stack."""
    usual = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(usual)


def fail() -> None:
    raise ZeroDivisionError


def test_calls_get_their_arguments_and_their_own_results() -> None:
    with Workers("w", 3) as workers:
        calls = [workers.submit(pow, number, 2, mod=7) for number in range(100)]

        assert [each.result() for each in calls] == [number**2 % 7 for number in range(100)]


def test_an_error_is_raised_where_the_result_is_wanted_and_the_thread_goes_on() -> None:
    with Workers("w", 1) as workers:
        failed = [workers.submit(fail) for _ in range(3)]

        assert workers.submit(int).result(PATIENCE_SECONDS) == 0
        assert all(isinstance(each.exception(), ZeroDivisionError) for each in failed)


def test_a_call_whose_result_cannot_be_noted_ends_no_thread() -> None:
    workers = Workers("w", 1)
    begun, go_on = Event(), Event()

    def call() -> None:
        begun.set()
        go_on.wait(PATIENCE_SECONDS)

    answer = workers.submit(call)
    assert begun.wait(PATIENCE_SECONDS)
    answer.set_result(None)  # so that the thread cannot
    go_on.set()

    assert workers.submit(pow, 2, 5).result(PATIENCE_SECONDS) == 32
    assert comes_true(lambda: workers.busy == 0, PATIENCE_SECONDS)
    workers.shutdown()


def test_threads_start_only_when_calls_wait_and_never_more_than_the_bound() -> None:
    before = threading.active_count()
    with Workers("w", 4) as workers:
        for _ in range(20):
            workers.submit(int).result(PATIENCE_SECONDS)
        assert threading.active_count() - before <= 2
        go_on = Event()
        calls = [workers.submit(go_on.wait, PATIENCE_SECONDS) for _ in range(20)]
        assert threading.active_count() - before == 4
        assert workers.waiting >= 16
        go_on.set()
        assert not wait(calls, PATIENCE_SECONDS).not_done
    assert threading.active_count() == before


def test_calls_wait_for_the_existing_threads_while_no_other_can_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Workers("w", 4) as workers:
        with shortage_of_threads():
            calls = [workers.submit(int) for _ in range(50)]
            assert not wait(calls, PATIENCE_SECONDS).not_done
        assert len(caplog.records) == 1, "one line, however many calls wait"
        assert "the system refuses another thread" in caplog.text
        go_on = Event()
        more = [workers.submit(go_on.wait, PATIENCE_SECONDS) for _ in range(4)]
        assert threading.active_count() >= 4
        go_on.set()
        assert not wait(more, PATIENCE_SECONDS).not_done


def test_the_first_thread_is_there_or_the_caller_knows() -> None:
    with shortage_of_threads(), pytest.raises(RuntimeError, match="new thread"):
        Workers("w", 4)


def test_the_end_cancels_what_waits_and_accepts_nothing_more() -> None:
    workers, go_on = Workers("w", 1), Event()
    running = workers.submit(go_on.wait, PATIENCE_SECONDS)
    assert not wait([running], 0.05).done
    waiting = workers.submit(int)

    workers.shutdown(wait=False, cancel_futures=True)

    with pytest.raises(CancelledError):
        waiting.result(PATIENCE_SECONDS)
    with pytest.raises(RuntimeError, match="'w' have ended"):
        workers.submit(int)
    go_on.set()
    assert running.result(PATIENCE_SECONDS)


def test_the_threads_end_when_nothing_refers_to_them() -> None:
    before = threading.active_count()
    workers = Workers("w", 2)
    assert workers.submit(int).result(PATIENCE_SECONDS) == 0
    del workers
    gc.collect()

    assert comes_true(lambda: threading.active_count() == before, PATIENCE_SECONDS)
