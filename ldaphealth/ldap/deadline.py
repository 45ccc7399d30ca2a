"""The hard deadline of a session: a moment on the monotonic clock.

session.py and transport.py check it before every wait; nothing else may wait for a server.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.model import Failure, FailureKind


class SessionError(Exception):
    """Raised when an operation of a session failed; `failure` is the reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Deadline(Struct, frozen=True):
    """A moment in monotonic seconds after which no wait continues."""

    at: MonotonicSeconds
    seconds: float  # the time from when it was set, for the message
    now: Callable[[], MonotonicSeconds] = monotonic

    @classmethod
    def after(cls, seconds: float, now: Callable[[], MonotonicSeconds] = monotonic) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(now() + seconds, seconds, now)

    def left(self, doing: str) -> float:
        """Return the seconds that are left, always positive; SessionError if there are none."""
        left = self.at - self.now()
        if left <= 0:
            raise self.passed(doing)
        return left

    def passed(self, doing: str) -> SessionError:
        """Return the error for a passed deadline; `doing` is what was waited for."""
        detail = f"no answer within {self.seconds:g} s: {doing}"
        return SessionError(Failure(FailureKind.TIMEOUT, detail))
