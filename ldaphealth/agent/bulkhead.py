"""A bounded number of threads for rounds, so that servers that hang do not delay the others.

A server that hung in its latest round is probed in a bulkhead of its own with a quarter of the
threads. So the other threads stay free for healthy servers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ldaphealth.workers import Workers

T = TypeVar("T")
HUNG_PART = 4
LEAST_THREADS = 2  # one for each bulkhead


class Bulkheads:
    """Two bulkheads: for servers that answer, and for servers that hang.

    `second` are as many threads as `quick`, for the second probes of slow servers.
    """

    def __init__(self, threads: int) -> None:
        """ValueError: fewer than LEAST_THREADS."""
        hung = max(1, threads // HUNG_PART)
        self.quick = Workers("quick", threads - hung)
        self.hung = Workers("hung", hung)
        self.second = Workers("second", threads - hung)

    @property
    def threads(self) -> int:
        """Return how many calls can run in parallel."""
        return self.quick.most + self.hung.most

    @property
    def busy(self) -> int:
        """Return how many calls run now."""
        return self.quick.busy + self.hung.busy

    @property
    def waiting(self) -> int:
        """Return how many calls wait for a thread. If it stays above 0, add threads."""
        return self.quick.waiting + self.hung.waiting

    def submit(self, run: Callable[[], T], *, hung: bool) -> Future[T]:
        """Call `run` when a thread of its bulkhead is free. RuntimeError: after `close`."""
        return (self.hung if hung else self.quick).submit(run)

    def close(self) -> None:
        """Start no more calls. Those in progress end at their own deadlines."""
        for bulkhead in (self.quick, self.hung, self.second):
            bulkhead.shutdown(wait=False, cancel_futures=True)
