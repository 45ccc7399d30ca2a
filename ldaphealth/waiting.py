"""Waits of code that may run in a thread of its own, or as one of many calls of an event loop.

In a thread they block it. In a call of an event loop (event_loop.py) they let its other calls run
meanwhile. Whoever calls them need not know which: sessions and rounds are the same code in both.
All waits have a bound, and may end early; the caller looks at its deadline again.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import wait as wait_for_futures
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class GivingWay(Protocol):
    """How a call of an event loop lets the others go on; event_loop.py has it."""

    @property
    def threads(self) -> Executor:
        """Return where calls run that may block."""

    def wait(self, seconds: float) -> bool:
        """Wait until the call is resumed; False if it took longer."""

    def wait_for_socket(self, descriptor: int, event: int, seconds: float) -> bool:
        """Wait for an event of poll(2); False if it took longer."""

    def resumption(self) -> Callable[[], None]:
        """Return what ends the next wait of this call."""


class _Here(threading.local):
    """How calls in this thread give way; None if it is not that of an event loop."""

    calls: GivingWay | None = None


here = _Here()


def for_socket(sock: socket.socket, event: int, seconds: float) -> bool:
    """Wait for POLLIN or POLLOUT of poll(2), or an error of the socket; False if it took longer."""
    calls = here.calls
    if calls is not None:
        return calls.wait_for_socket(sock.fileno(), event, seconds)
    poll = select.poll()
    poll.register(sock, event)
    return bool(poll.poll(seconds * 1000))


def for_future(future: Future[Any], seconds: float) -> bool:
    """Wait until the future is done; return whether it is."""
    if here.calls is None:
        return bool(wait_for_futures([future], seconds).done)
    if future.done():
        return True
    signal = Signal()
    future.add_done_callback(lambda _: signal.set())
    return signal.wait(seconds)


def pause(seconds: float) -> None:
    """Do nothing for that long."""
    calls = here.calls
    if calls is None:
        time.sleep(seconds)
    else:
        calls.wait(seconds)


def call_in_thread(call: Callable[[], T]) -> T:
    """Call what may block its thread, in one where that delays nobody else; return its result.

    It may wait with these functions, too.
    """
    calls = here.calls
    if calls is None:
        return call()
    answer = calls.threads.submit(call)
    while not for_future(answer, 60.0):
        pass
    return answer.result()


class Signal:
    """Something that happens once, which any thread may note, and wait for."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._waiting: list[Callable[[], None]] = []  # of calls in event loops

    @property
    def is_set(self) -> bool:
        """Return whether it has happened."""
        return self._event.is_set()

    def set(self) -> None:
        """Note that it has happened, and end all waits for it."""
        self._event.set()
        for resume in self._waiting:
            resume()

    def wait(self, seconds: float) -> bool:
        """Wait until it happens; return whether it has."""
        calls = here.calls
        if calls is None:
            return self._event.wait(seconds)
        self._waiting.append(calls.resumption())
        # `set` may have been called before it could see the list with us in it.
        calls.wait(0.0 if self._event.is_set() else seconds)
        return self._event.is_set()
