"""What other threads send to the agent's thread."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from math import inf
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

from ldaphealth.clocks import MonotonicSeconds

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Messages to one thread. Any thread and any signal handler may send one; none ever waits.

    Two threads that wake each other for each message take turns with the interpreter's lock, and
    each finds the caches of its processor full of what the other one did. So messages that can wait
    a moment are taken together.

    It does not use `queue.SimpleQueue`: with a timeout its `get` may never return. If that time
    passes within the call, the rest is negative, which its lock takes for no limit (Python 3.11,
    Modules/_queuemodule.c).
    """

    def __init__(self) -> None:
        self._urgent: deque[T] = deque()
        self._patient: deque[T] = deque()
        self._due_at: MonotonicSeconds = inf  # when the patient ones are to be taken
        self._asleep = Lock()  # released to end the wait of `take`
        self._asleep.acquire()

    def put(self, message: T) -> None:
        """Send a message, which ends the wait of `take`."""
        self._urgent.append(message)
        self._wake_up()

    def put_patient(self, message: T) -> None:
        """Send a message that can wait for others; `take` returns it with the next ones."""
        self._patient.append(message)
        if self._due_at == inf:  # else it is taken with the one that was noticed
            self._wake_up()

    def take(self, seconds: float, batch_seconds: float) -> list[T]:
        """Wait for messages, at most for so long; return all there are, the patient ones first.

        Patient ones alone are not returned until `batch_seconds` after the first one of them, even
        by another call.
        """
        until = monotonic() + max(0.0, seconds)
        while not self._urgent:
            if self._patient and self._due_at == inf:
                self._due_at = monotonic() + batch_seconds
            left = min(until, self._due_at) - monotonic()
            if left <= 0.0:
                break
            self._asleep.acquire(timeout=left)
        is_due = bool(self._urgent) or monotonic() >= self._due_at
        taken = self.take_patient() if is_due else []
        return taken + _taken(self._urgent)

    def take_patient(self) -> list[T]:
        """Return the patient messages that are there, without a wait."""
        self._due_at = inf  # before they are taken: one that comes meanwhile is noticed again
        return _taken(self._patient)

    def _wake_up(self) -> None:
        with suppress(RuntimeError):  # it is released already
            self._asleep.release()


def _taken(messages: deque[T]) -> list[T]:
    taken: list[T] = []
    while messages:
        taken.append(messages.popleft())
    return taken
