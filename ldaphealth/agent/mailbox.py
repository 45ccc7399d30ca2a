"""What other threads send to the agent's thread."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Generic, TypeVar

from ldaphealth.clocks import MonotonicSeconds

T = TypeVar("T")

_NOTE = object()  # in the queue of messages: there is one that can wait


class Mailbox(Generic[T]):
    """Messages to one thread. Any thread and any signal handler may send one; none ever waits.

    Two threads that wake each other for each message take turns with the interpreter's lock, and
    each finds the caches of its processor full of what the other one did. So messages that can wait
    a moment are taken together.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._patient: deque[T] = deque()
        self._is_noted = False  # that there are patient ones
        self._due_at: MonotonicSeconds = inf  # when they are to be taken

    def put(self, message: T) -> None:
        """Send a message, which ends the wait of `take`."""
        self._queue.put(message)

    def put_patient(self, message: T) -> None:
        """Send a message that can wait for others; `take` returns it with the next ones."""
        self._patient.append(message)
        if not self._is_noted:  # else it is found with the one that was noted
            self._is_noted = True
            self._queue.put(_NOTE)

    def take(self, seconds: float, batch_seconds: float) -> list[T]:
        """Wait for messages, at most for so long; return all there are, the patient ones first.

        Patient ones alone are not returned until `batch_seconds` after the first one of them, even
        by another call.
        """
        until = monotonic() + max(0.0, seconds)
        others: list[Any] = []
        with suppress(Empty):
            while not others:
                left = min(until, self._due_at) - monotonic()
                message = self._queue.get(timeout=max(0.0, left))
                if message is _NOTE:
                    self._due_at = min(self._due_at, monotonic() + batch_seconds)
                else:
                    others.append(message)
            while True:
                others.append(self._queue.get_nowait())
        if not others and monotonic() < self._due_at:
            return []
        return [*self.take_patient(), *(each for each in others if each is not _NOTE)]

    def take_patient(self) -> list[T]:
        """Return the patient messages that are there, without a wait."""
        self._due_at = inf
        self._is_noted = False  # before they are taken: one that comes meanwhile is noted again
        taken: list[T] = []
        while self._patient:
            taken.append(self._patient.popleft())
        return taken
