"""The one hard deadline of a session: a moment on the monotonic clock.

session.py and transport.py ask it before every wait; nothing else may wait on a server.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime, monotonic

from msgspec import Struct

from ldaphealth.model import Failure, FailureKind


def _container_shift() -> float:
    """Return by how much /proc/uptime differs: lxcfs shows a container its own, from its start.

    keepalived's scripts can read nothing else, and would believe a dead agent for ever.
    """
    try:
        shown = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    shift = shown - clock_gettime(CLOCK_BOOTTIME)
    return shift if abs(shift) > 1.0 else 0.0


SHIFT = _container_shift()


def boot_seconds() -> float:
    """Return the seconds since the boot, as in /proc/uptime; they never step (clock_gettime(2))."""
    return clock_gettime(CLOCK_BOOTTIME) + SHIFT


class SessionError(Exception):
    """Why a session could not give facts; carries the `Failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Deadline(Struct, frozen=True):
    """A moment in monotonic seconds after which nobody waits any more."""

    at: float
    seconds: float  # how long it was when it was set: for the message
    now: Callable[[], float] = monotonic

    @classmethod
    def after(cls, seconds: float, now: Callable[[], float] = monotonic) -> Deadline:
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
