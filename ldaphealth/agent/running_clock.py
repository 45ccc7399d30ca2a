"""A clock of the time in which this process ran. It stands still while the process does.

Deadlines of the agent are on it, so no server is blamed for time in which the agent was stopped
(SIGSTOP, the cgroup freezer, a snapshot of the virtual machine) or got no CPU.

A thread wakes every BEAT_SECONDS, and exchanges a datagram with itself over the loopback interface.
A beat that comes late shows that this host is too slow. Then the clock does two things:

- It leaves out the time without a beat, but for MOST_COUNTED_SECONDS.
- It goes slower, up to SLOWEST times: where one thread is late, those that probe servers are late
  as well, in ways that no beat shows. With each late beat it goes slower by one step, with each
  CALM_SECONDS without one faster again. This is the local health multiplier of memberlist
  (Lifeguard, arXiv:1707.00788).

So a deadline also ends on a host that is always overloaded, in a multiple of its time.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from time import monotonic

from msgspec import Struct

from ldaphealth.clocks import BootSeconds, MonotonicSeconds, RunningSeconds

log = logging.getLogger(__name__)

BEAT_SECONDS = 0.05
ON_TIME_SECONDS = 0.2  # between two beats; as late as this a probe still has nearly all its time
MOST_COUNTED_SECONDS = 0.25
SLOWEST = 8
CALM_SECONDS = 1.0
LOOPBACK_SECONDS = 1.0  # no datagram for so long: it is filtered, and the exchange is left out
EVERY_SECONDS = 60.0  # between two lines in the log
WORTH_SECONDS = 0.5  # late since the last line


class Lateness(Struct, frozen=True):
    """How many beats were late since the start of the agent, and by how many seconds together."""

    count: int = 0
    seconds: float = 0.0


class Beat(Struct, frozen=True):
    """The latest beat: the time on both clocks, and what was known of this host then.

    `slowness` is how many times slower than the monotonic clock this one goes until the next beat.
    `calm_since` is the latest beat that was late, or that made it faster.
    """

    at: MonotonicSeconds
    running: RunningSeconds
    calm_since: MonotonicSeconds
    slowness: int = 1
    lateness: Lateness = Lateness()

    def running_at(self, now: MonotonicSeconds) -> RunningSeconds:
        """Return the time on this clock, if there was no beat since."""
        return self.running + min(now - self.at, MOST_COUNTED_SECONDS) / self.slowness

    def next(self, now: MonotonicSeconds) -> Beat:
        """Return the beat that comes at this moment."""
        passed, running = now - self.at, self.running_at(now)
        if passed > ON_TIME_SECONDS:
            late = self.lateness
            lateness = Lateness(late.count + 1, late.seconds + passed - BEAT_SECONDS)
            return Beat(now, running, now, min(self.slowness + 1, SLOWEST), lateness)
        if self.slowness > 1 and now - self.calm_since >= CALM_SECONDS:
            return Beat(now, running, now, self.slowness - 1, self.lateness)
        return Beat(now, running, self.calm_since, self.slowness, self.lateness)


class RunningClock:
    """The clock and its thread. Any thread may read it.

    It goes like the monotonic clock until `start` and after `close`: without beats it would stand
    still.
    """

    def __init__(self, clock: Callable[[], MonotonicSeconds] = monotonic) -> None:
        self._clock = clock
        now = clock()
        self._latest = Beat(now, now, now)
        self._has_beats = False
        self._closing = threading.Event()

    @property
    def lateness(self) -> Lateness:
        """Return how late this host was since the start."""
        return self._latest.lateness

    def start(self) -> None:
        """Start the beats."""
        now = self._clock()
        self._latest = Beat(now, self.now(), now)
        thread = threading.Thread(target=self._run, name="running clock", daemon=True)
        self._has_beats = True
        try:
            thread.start()
        except RuntimeError as error:  # the system refuses another thread
            self._has_beats = False
            log.warning("cannot measure how late this host is", extra={"error": str(error)})

    def close(self) -> None:
        """End the beats."""
        self._has_beats = False
        self._closing.set()

    def now(self) -> RunningSeconds:
        """Return the time on this clock, which begins as the monotonic clock."""
        latest, now = self._latest, self._clock()
        return latest.running_at(now) if self._has_beats else latest.running + now - latest.at

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                self._beat(_loopback_socket(stack))
        except Exception:
            log.exception("how late this host is will not be measured any more")
        finally:
            self._has_beats = False  # else the clock would stand still, and no deadline would end

    def _beat(self, loopback: socket.socket | None) -> None:
        while not self._closing.wait(BEAT_SECONDS):
            if loopback is not None and not _exchange(loopback):
                loopback = None
            self._latest = self._latest.next(self._clock())


class LatenessLog:
    """Logs that this host is too slow: at once, and then at most once in EVERY_SECONDS."""

    def __init__(self) -> None:
        self._reported = Lateness()
        self._next_at: BootSeconds = 0.0

    def report(self, lateness: Lateness, now: BootSeconds) -> None:
        """Log what is new since the last line, if it is worth one."""
        seconds = lateness.seconds - self._reported.seconds
        if seconds < WORTH_SECONDS or now < self._next_at:
            return
        times = lateness.count - self._reported.count
        log.warning(
            "this host was too slow: the agent did not run when it should have; its deadlines "
            "moved, and no server is blamed",
            extra={"late_seconds": round(seconds, 3), "times": times},
        )
        self._reported, self._next_at = lateness, now + EVERY_SECONDS


def _loopback_socket(stack: contextlib.ExitStack) -> socket.socket | None:
    """Return a socket that is connected to itself, None on a host without a loopback interface."""
    try:
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.settimeout(LOOPBACK_SECONDS)
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
    except OSError:
        return None
    return sock


def _exchange(loopback: socket.socket) -> bool:
    """Send a datagram to this process itself and receive it. Return whether it came."""
    try:
        loopback.send(b"\0")
        loopback.recv(1)
    except OSError:
        return False
    return True
