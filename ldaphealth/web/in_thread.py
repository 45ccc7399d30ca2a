"""Threads for answers that take long, such as a probe of a server: a few at a time.

app.py runs the routes with `in_thread` here. The threads are daemons, so that none delays the end
of the agent.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
MOST_THREADS = 4


class BusyError(Exception):
    """All threads are busy."""


class AnswerThreads:
    """At most `most` threads at a time. They are used by one event loop."""

    def __init__(self, most: int = MOST_THREADS) -> None:
        self._free = most

    async def run(self, work: Callable[[], T]) -> T:
        """Return the result of `work`, or raise its exception. BusyError: no thread is free."""
        if not self._free:
            raise BusyError
        self._free -= 1
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def finish(set_answer: Callable[[], None]) -> None:
            self._free += 1
            if not answer.done():  # the client may have disconnected
                set_answer()

        def call() -> None:
            try:
                result = work()
            except Exception as error:  # raised again in `run`
                exception = error
                _schedule(loop, lambda: finish(lambda: answer.set_exception(exception)))
            else:
                _schedule(loop, lambda: finish(lambda: answer.set_result(result)))

        threading.Thread(target=call, name="answer", daemon=True).start()
        return await answer


def _schedule(loop: asyncio.AbstractEventLoop, run: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(run)
    except RuntimeError:  # the server has ended meanwhile
        return
