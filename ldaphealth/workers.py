"""A set of threads that run calls from a queue, also while the system refuses more threads.

A thread that is started for each call is refused in a shortage (`pids.max` of cgroups(7),
RLIMIT_NPROC of setrlimit(2)), and many short-lived threads spread over the arenas of malloc(3), so
memory grows. So each part of the agent that runs calls in parallel has a fixed set of threads.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from msgspec import Struct

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Call(Struct, frozen=True):
    """A call, and the future that gets its result or what it raises."""

    answer: Future[Any]
    run: Callable[..., Any]
    args: tuple[Any, ...]
    named: Mapping[str, Any]

    def __call__(self) -> None:
        """Run it, unless it was cancelled; never raises."""
        if not self.answer.set_running_or_notify_cancel():
            return
        try:
            result = self.run(*self.args, **self.named)
        except BaseException as error:  # raised again by `result` of the future
            self.answer.set_exception(error)
            del self  # the traceback of the error has this frame: a cycle
        else:
            self.answer.set_result(result)


class _Queue:
    """The calls that wait, and how many run. The threads refer to it, and not to `Workers`."""

    def __init__(self) -> None:
        self.calls: deque[Call] = deque()
        self.changed = threading.Condition()
        self.busy = 0
        self.is_shut = False

    def shut(self) -> None:
        """Let each thread end when no call waits."""
        with self.changed:
            self.is_shut = True
            self.changed.notify_all()

    def work(self) -> None:
        """Run calls in a thread until the end."""
        while True:
            with self.changed:
                while not self.calls:
                    if self.is_shut:
                        return
                    self.changed.wait()
                call = self.calls.popleft()
                self.busy += 1
            try:
                call()
            except Exception as error:  # such as a MemoryError: the thread goes on
                with suppress(Exception):
                    call.answer.set_exception(error)
            finally:
                del call  # its result must not live until the next call
                with self.changed:
                    self.busy -= 1


class Workers(Executor):
    """At most `most` daemon threads. Any thread may call the methods and read the numbers.

    The first thread starts at once, the others when calls wait; they remain until `shutdown`, or
    until the object is gone. If the system refuses one, the calls wait for those that exist: none
    is lost. As daemons they do not delay the end of the process.
    """

    def __init__(self, name: str, most: int) -> None:
        """ValueError: `most` is less than 1. RuntimeError: the system refuses the first thread."""
        if most < 1:
            raise ValueError(f"{name}: at least one thread is needed, not {most}")
        self.most = most
        self._name = name
        self._queue = _Queue()
        self._threads: list[threading.Thread] = []
        self._is_short = False  # whether the system refused the newest thread
        self._start()
        weakref.finalize(self, self._queue.shut).atexit = False

    @property
    def busy(self) -> int:
        """Return how many calls run now."""
        return self._queue.busy

    @property
    def waiting(self) -> int:
        """Return how many calls wait for a thread."""
        return len(self._queue.calls)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call it when a thread is free. RuntimeError: after `shutdown`."""
        answer: Future[T] = Future()
        queue = self._queue
        with queue.changed:
            if queue.is_shut:
                raise RuntimeError(f"the threads {self._name!r} have ended")
            queue.calls.append(Call(answer, fn, args, kwargs))
            idle = len(self._threads) - queue.busy
            if len(queue.calls) > idle and len(self._threads) < self.most:
                self._start_if_possible()
            queue.changed.notify()
        return answer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls, and end each thread when no call waits.

        As `Executor.shutdown`: with `cancel_futures` the calls that wait are cancelled.
        """
        cancelled: list[Call] = []
        with self._queue.changed:
            if cancel_futures:
                cancelled = [*self._queue.calls]
                self._queue.calls.clear()
        self._queue.shut()
        for call in cancelled:
            call.answer.cancel()
        for thread in self._threads if wait else ():
            thread.join()

    def _start_if_possible(self) -> None:
        try:
            self._start()
        except RuntimeError as error:  # raised by Thread.start
            if not self._is_short:
                extra = {"name_of_threads": self._name, "error": str(error)}
                message = "the system refuses another thread; calls wait for the existing ones"
                log.warning(message, extra=extra | {"threads": len(self._threads)})
            self._is_short = True
        else:
            self._is_short = False

    def _start(self) -> None:
        name = f"{self._name}_{len(self._threads)}"
        thread = threading.Thread(target=self._queue.work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
