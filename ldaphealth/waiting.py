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
from weakref import WeakKeyDictionary

T = TypeVar("T")

LONG_SECONDS = 60.0  # of one wait where there is no limit


class GivingWay(Protocol):
    """How a call of an event loop lets the others go on; event_loop.py has it."""

    @property
    def threads(self) -> Executor:
        """Return where calls run that may block."""

    def wait(self, seconds: float) -> bool:
        """Wait until the call is resumed; False if it took longer."""

    def wait_for_socket(self, descriptor: int, event: int, seconds: float) -> bool:
        """Wait for an event of poll(2); False if it took longer."""

    def later(self, call: Callable[[], T], seconds: float) -> Future[T]:
        """Call it beside the others after that time, unless the future is cancelled before."""

    def resumption(self) -> Callable[[], None]:
        """Return what ends the next wait of this call."""


class NoThreadError(Exception):
    """Raised when no thread was free for a call that may block its thread."""


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
        for resume in [*self._waiting]:
            resume()

    def wait(self, seconds: float) -> bool:
        """Wait until it happens; return whether it has."""
        calls = here.calls
        if calls is None:
            return self._event.wait(seconds)
        resume = calls.resumption()
        self._waiting.append(resume)
        # `set` may have been called before it could see the list with us in it.
        calls.wait(0.0 if self._event.is_set() else seconds)
        self._waiting.remove(resume)
        return self._event.is_set()


_signals: WeakKeyDictionary[Future[Any], Signal] = WeakKeyDictionary()


def for_future(future: Future[Any], seconds: float) -> bool:
    """Wait until the future is done; return whether it is."""
    if here.calls is None:
        return bool(wait_for_futures([future], seconds).done)
    if future.done():
        return True
    new = Signal()
    signal = _signals.setdefault(future, new)
    if signal is new:
        future.add_done_callback(_note_done)
    return signal.wait(seconds)


def _note_done(future: Future[Any]) -> None:
    signal = _signals.pop(future, None)
    if signal is not None:
        signal.set()


def pause(seconds: float) -> None:
    """Do nothing for that long."""
    calls = here.calls
    if calls is None:
        time.sleep(seconds)
    else:
        calls.wait(seconds)


def call_beside(call: Callable[[], T], seconds: float, threads: Executor) -> Future[T]:
    """Call it beside this one: after that time, or in one of `threads` at once, where it must wait.

    It is not begun after the future is cancelled. RuntimeError: there are no threads any more.
    """
    calls = here.calls
    return threads.submit(call) if calls is None else calls.later(call, seconds)


def call_in_thread(call: Callable[[], T], seconds: float) -> T:
    """Call what may block its thread, in one where that delays nobody else; return its result.

    It may wait with these functions, too. NoThreadError: none was free for so long. A call that has
    begun is waited for, however long it takes.
    """
    calls = here.calls
    if calls is None:
        return call()
    answer = calls.threads.submit(call)
    if not for_future(answer, seconds) and answer.cancel():
        raise NoThreadError(f"no thread was free for {seconds:.3g} s")
    while not for_future(answer, LONG_SECONDS):
        pass
    return answer.result()
