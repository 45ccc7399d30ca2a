"""A bounded number of threads for rounds, so that servers that hang do not delay the others.

A server that hung in its latest round is probed in a bulkhead of its own with a quarter of the
threads. So the other threads stay free for healthy servers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

T = TypeVar("T")
HUNG_PART = 4
LEAST_THREADS = 2  # one for each bulkhead


class Bulkhead:
    """A pool of threads with a queue. Any thread may read its numbers."""

    def __init__(self, name: str, threads: int) -> None:
        self.threads = threads
        self.busy = 0
        self.waiting = 0
        self._changing = Lock()
        self._pool = ThreadPoolExecutor(threads, name)
        self._pool.submit(int).result()  # start one thread now: the system may refuse it later

    def submit(self, run: Callable[[], T]) -> Future[T]:
        """Call `run` when a thread is free.

        RuntimeError: the system refuses another thread. One of the existing threads will call it.
        """
        with self._changing:
            self.waiting += 1
        return self._pool.submit(self._run, run)

    def close(self) -> None:
        """Start no more calls. Those in progress end at their own deadlines."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._changing:
            self.waiting = 0

    def _run(self, run: Callable[[], T]) -> T:
        with self._changing:
            self.waiting -= 1
            self.busy += 1
        try:
            return run()
        finally:
            with self._changing:
                self.busy -= 1


class Bulkheads:
    """Two bulkheads: for servers that answer, and for servers that hang."""

    def __init__(self, threads: int) -> None:
        """ValueError: fewer than LEAST_THREADS."""
        hung = max(1, threads // HUNG_PART)
        self.quick = Bulkhead("quick", threads - hung)
        self.hung = Bulkhead("hung", hung)

    @property
    def threads(self) -> int:
        """Return how many calls can run in parallel."""
        return self.quick.threads + self.hung.threads

    @property
    def busy(self) -> int:
        """Return how many calls run now."""
        return self.quick.busy + self.hung.busy

    @property
    def waiting(self) -> int:
        """Return how many calls wait for a thread. If it stays above 0, add threads."""
        return self.quick.waiting + self.hung.waiting

    def submit(self, run: Callable[[], T], *, hung: bool) -> Future[T]:
        """Call `run` when a thread of its bulkhead is free. RuntimeError as in `Bulkhead`."""
        return (self.hung if hung else self.quick).submit(run)

    def close(self) -> None:
        """Start no more calls. Those in progress end at their own deadlines."""
        for bulkhead in (self.quick, self.hung):
            bulkhead.close()
