"""The one hard deadline of a session: a moment on the monotonic clock.

session.py and transport.py ask it before every wait; nothing else may wait on a server.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.model import Failure, FailureKind


class SessionError(Exception):
    """Why a session could not give facts; carries the `Failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Deadline(Struct, frozen=True):
    """A moment in monotonic seconds after which nobody waits any more."""

    at: MonotonicSeconds
    seconds: float  # how long it was when it was set: for the message
    now: Callable[[], MonotonicSeconds] = monotonic

    @classmethod
    def after(cls, seconds: float, now: Callable[[], MonotonicSeconds] = monotonic) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(now() + seconds, seconds, now)

    def left(self, doing: str) -> float:
        """Return the seconds that are left, always positive; SessionError once there are none."""
        left = self.at - self.now()
        if left <= 0:
            raise self.passed(doing)
        return left

    def passed(self, doing: str) -> SessionError:
        """Return the error that says what was being waited for."""
        detail = f"no answer within {self.seconds:g} s: {doing}"
        return SessionError(Failure(FailureKind.TIMEOUT, detail))
