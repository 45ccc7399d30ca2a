"""When each server is due: spread over the interval, with jitter, without drift. Pure.

The agent calls `take` in every tick. Times are seconds on a clock that only goes forward.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from math import inf

from ldaphealth.clocks import BootSeconds

JITTER = 0.05  # share of the interval; two agents that started together do not stay in step


class Schedule:
    """The next due time of every server.

    A server is due at start + phase + n times the interval, whenever its last round ended. Due
    times that were missed (the machine was suspended) are skipped.
    """

    def __init__(
        self, intervals: Mapping[str, float], now: BootSeconds, random: Callable[[], float]
    ) -> None:
        self._intervals: Mapping[str, float] = {}
        self._random = random
        self._base: dict[str, BootSeconds] = {}
        self._due: list[tuple[BootSeconds, str]] = []
        self._hurried: dict[str, BootSeconds] = {}
        self.plan(intervals, now)

    def plan(self, intervals: Mapping[str, float], now: BootSeconds) -> None:
        """Replace the servers and intervals.

        A server that remains keeps the share of its interval that is left to wait, so reloads do
        not postpone it. New servers are spread over their interval.
        """
        due = {server: at for at, server in self._due}
        jitter = {server: at - self._base[server] for server, at in due.items()}
        base: dict[str, BootSeconds] = {}
        for place, (server, interval) in enumerate(intervals.items()):
            before = self._intervals.get(server)
            if before is None:
                base[server] = now + interval * place / len(intervals)
                jitter[server] = 0.0
            elif before == interval or due[server] <= now:  # what is overdue stays so
                base[server] = self._base[server]
            else:
                ratio = interval / before
                base[server] = now + max(0.0, self._base[server] - now) * ratio
                jitter[server] = now + (due[server] - now) * ratio - base[server]
        self._intervals, self._base = dict(intervals), base
        self._due = [(at + jitter[server], server) for server, at in base.items()]
        heapq.heapify(self._due)
        self._hurried = {key: at for key, at in self._hurried.items() if key in intervals}

    def take(self, now: BootSeconds) -> list[str]:
        """Return the servers that are due, each once, and set their next due times."""
        taken: list[str] = []
        while self._due and self._due[0][0] <= now:
            _, server = heapq.heappop(self._due)
            interval = self._intervals[server]
            passed = (now - self._base[server]) // interval
            self._base[server] += interval * (passed + 1)
            jitter = interval * JITTER * self._random()
            heapq.heappush(self._due, (self._base[server] + jitter, server))
            if server not in taken:
                taken.append(server)
        return taken

    def hurry(self, server: str, at: BootSeconds) -> None:
        """Make a server due once more, at that moment, beside its interval."""
        self._hurried[server] = min(at, self._hurried.get(server, inf))

    def take_hurried(self, now: BootSeconds) -> list[str]:
        """Return the hurried servers that are due; their next due times stay as they are."""
        taken = [server for server, at in self._hurried.items() if at <= now]
        for server in taken:
            del self._hurried[server]
        return taken

    def next_at(self) -> BootSeconds:
        """Return when a server is due next; infinity without servers."""
        planned = self._due[0][0] if self._due else inf
        return min(planned, min(self._hurried.values(), default=inf))
