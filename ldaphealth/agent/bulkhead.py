"""A bounded number of threads in which servers that hang cannot hold up the others.

The agent runs its looks here. A server that hung the last time waits in a lane of its own, a
quarter of the threads, so that healthy servers always find a free one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

T = TypeVar("T")
HUNG_PART = 4
LEAST_THREADS = 2  # one a lane


class Bulkhead:
    """Some threads, and what waits for one. Any thread may read its numbers."""

    def __init__(self, name: str, threads: int) -> None:
        self.threads = threads
        self.busy = 0
        self.waiting = 0
        self._changing = Lock()
        self._pool = ThreadPoolExecutor(threads, name)
        self._pool.submit(int).result()  # one thread there is, whatever the system refuses later

    def submit(self, run: Callable[[], T]) -> Future[T]:
        """Run it when a thread is free.

        RuntimeError: the system has no other thread for us; those that there are will run it.
        """
        with self._changing:
            self.waiting += 1
        return self._pool.submit(self._run, run)

    def close(self) -> None:
        """Start nothing any more; what runs ends by its own deadline."""
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
    """Two lanes; none of their threads outlives the process, however it hangs."""

    def __init__(self, threads: int) -> None:
        """ValueError: fewer than LEAST_THREADS."""
        hung = max(1, threads // HUNG_PART)
        self.quick = Bulkhead("look", threads - hung)
        self.hung = Bulkhead("hung", hung)

    @property
    def threads(self) -> int:
        """Return how many looks can run side by side."""
        return self.quick.threads + self.hung.threads

    @property
    def busy(self) -> int:
        """Return how many run now."""
        return self.quick.busy + self.hung.busy

    @property
    def waiting(self) -> int:
        """Return how many are due and wait for a thread: more threads would help."""
        return self.quick.waiting + self.hung.waiting

    def submit(self, run: Callable[[], T], *, hung: bool) -> Future[T]:
        """Run it when a thread of its lane is free."""
        return (self.hung if hung else self.quick).submit(run)

    def close(self) -> None:
        """Start nothing any more; what runs ends by its own deadline."""
        for lane in (self.quick, self.hung):
            lane.close()
