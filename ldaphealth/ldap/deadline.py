"""The hard deadline of a session: a moment on the clock of the time in which this process ran.

That is the monotonic clock in a program that does not measure this time (agent/running_clock.py).
session.py and transport.py check it before every wait; nothing else may wait for a server.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from msgspec import Struct

from ldaphealth.clocks import RunningSeconds
from ldaphealth.model import Failure, FailureKind
from ldaphealth.text.printable import printable


class SessionError(Exception):
    """Raised when an operation of a session failed; `failure` is the reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Deadline(Struct, frozen=True):
    """A moment after which no wait continues."""

    at: RunningSeconds
    seconds: float  # the time from when it was set, for the message
    now: Callable[[], RunningSeconds] = monotonic

    @classmethod
    def after(cls, seconds: float, now: Callable[[], RunningSeconds] = monotonic) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(now() + seconds, seconds, now)

    def left(self, doing: str) -> float:
        """Return the seconds that are left, always positive; SessionError if there are none."""
        left = self.at - self.now()
        if left <= 0:
            raise self.passed(doing)
        return left

    def passed(self, doing: str) -> SessionError:
        """Return the error for a passed deadline; `doing` is what was requested."""
        detail = printable(f"no answer within {self.seconds:g} s to {doing}")
        return SessionError(Failure(FailureKind.TIMEOUT, detail))
