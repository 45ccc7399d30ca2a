"""Answers that take long, such as a look at a server: in threads, a few at a time.

app.py runs the routes that say so here. The threads are daemons: none holds up the agent's end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
MOST_THREADS = 4


class BusyError(Exception):
    """All threads are at work."""


class AnswerThreads:
    """At most so many at a time; whoever comes then is told so at once. Used by one event loop."""

    def __init__(self, most: int = MOST_THREADS) -> None:
        self._free = most

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises; BusyError: there is no thread."""
        if not self._free:
            raise BusyError
        self._free -= 1
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def land(done: Callable[[], None]) -> None:
            self._free += 1
            if not answer.done():  # whoever asked may have gone
                done()

        def fly() -> None:
            try:
                found = work()
            except Exception as error:  # raised again where it was asked for
                failed = error
                _later(loop, lambda: land(lambda: answer.set_exception(failed)))
            else:
                _later(loop, lambda: land(lambda: answer.set_result(found)))

        threading.Thread(target=fly, name="answer", daemon=True).start()
        return await answer


def _later(loop: asyncio.AbstractEventLoop, run: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(run)
    except RuntimeError:  # the server has ended meanwhile
        return
