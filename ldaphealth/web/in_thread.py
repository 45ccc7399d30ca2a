"""Threads for answers that take long, such as a probe of a server: a few at a time.

app.py runs the routes that do I/O or write much here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ldaphealth.workers import Workers

T = TypeVar("T")
MOST_CALLS = 4


class BusyError(Exception):
    """All threads are busy."""


class AnswerThreads:
    """At most `most` calls at a time. They are used by one event loop.

    Calls that compute run in one thread, one after the other, because more threads would not be
    faster (GIL). Calls that wait need as many `threads`.
    """

    def __init__(self, most: int = MOST_CALLS, *, threads: int = 1) -> None:
        self._free = most
        self._threads = Workers("answer", threads)

    async def run(self, work: Callable[[], T]) -> T:
        """Return the result of `work`, or raise its exception. BusyError: too many calls.

        A call counts until it ends, even if the client has disconnected before.
        """
        if not self._free:
            raise BusyError
        loop = asyncio.get_running_loop()
        call = self._threads.submit(work)
        self._free -= 1

        def ended(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(self._release)

        call.add_done_callback(ended)
        return await asyncio.wrap_future(call)

    def _release(self) -> None:
        self._free += 1
