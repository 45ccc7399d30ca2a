"""A bounded number of threads in which servers that hang cannot hold up the others.

The agent runs its looks here. A server that hung the last time waits in a lane of its own, a
quarter of the threads, so that healthy servers always find a free one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
HUNG_PART = 4


class Lanes:
    """Two pools of threads; none of them outlives the process, however it hangs."""

    def __init__(self, threads: int) -> None:
        hung = max(1, threads // HUNG_PART)
        self._quick = ThreadPoolExecutor(max(1, threads - hung), "look")
        self._hung = ThreadPoolExecutor(hung, "hung")

    def submit(self, run: Callable[[], T], *, hung: bool) -> Future[T]:
        """Run it when a thread of its lane is free."""
        return (self._hung if hung else self._quick).submit(run)

    def close(self) -> None:
        """Start nothing any more; what runs ends by its own deadline."""
        for pool in (self._quick, self._hung):
            pool.shutdown(wait=False, cancel_futures=True)
