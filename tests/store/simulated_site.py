"""A site with many servers whose clock runs as fast as the history can be written.

What the thread of the history does every minute is done here for simulated minutes: the file, the
folding, what is forgotten and what is deleted for want of room are those of the agent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from random import Random
from typing import NamedTuple

from ldaphealth.clocks import DAY_SECONDS, HOUR_SECONDS
from ldaphealth.histogram import histogram_of
from ldaphealth.history.aggregate import aggregate_of
from ldaphealth.history.kept_numbers import KEPT_NUMBERS, series
from ldaphealth.publishers.publication import VerdictChange
from ldaphealth.store.change_document import change_row
from ldaphealth.store.database import used_bytes
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.history_points import add_fresh
from ldaphealth.store.levels import HOUR, MINUTE, Bounds, row_start
from ldaphealth.store.number_rows import Numbers
from ldaphealth.store.point_rows import Times
from ldaphealth.store.point_tables import DURATIONS, NUMBERS
from tests.sinks.snapshots import silent

START = 1_800_000_000 // DAY_SECONDS * DAY_SECONDS
ROUNDS = 12  # in a minute, at the default interval of 5 seconds
# The operations of a server with a check of each kind that is on by default, by check.
OPERATIONS = {
    "connect": ("resolve", "connect", "starttls"),
    "bind": ("bind",),
    "search": ("search",),
    "replication": ("search",),
    "monitor": ("search",),
    "unbind": ("unbind",),
}
SERVER_IDS = ("001", "002", "003", "004")
KINDS = 100  # of minutes, and of hours: each server has one after the other


class Kind(NamedTuple):
    """The durations of the search in a minute or an hour, the points of all operations, numbers."""

    searches: Sequence[float]
    times: Times
    numbers: Numbers


class Site:
    """Servers and their history. `chosen` has what the first server took, by the hour."""

    def __init__(self, path: Path, bounds: Bounds, servers: int) -> None:
        self.file = HistoryFile(path, bounds, lambda: self.now)
        self.names = [f"main/ldap{number}.example.com" for number in range(servers)]
        self.now = float(START)
        self.chosen: dict[int, list[int]] = {}  # numbers of kinds
        self._random = Random(1)  # noqa: S311  not for a secret
        self._minutes = [self._kind(ROUNDS) for _ in range(KINDS)]
        self._hours = [self._kind(60 * ROUNDS) for _ in range(KINDS)]

    def minutes_pass(self, count: int) -> None:
        """Let minutes pass, each of which is written when it is over."""
        for _ in range(count):
            minute = int(self.now)
            found = self._passes(self._minutes, 0, MINUTE.step_seconds)
            self.file.add_minutes(
                {(minute, name): kind.times for name, kind in found.items()},
                self.now,
                {(minute, name): kind.numbers for name, kind in found.items()},
            )
            self.file.fold(self.now)

    def hours_pass(self, count: int) -> None:
        """Let hours pass whose minutes are not written: they would be forgotten by the end."""
        for _ in range(count):
            hour = int(self.now)
            found = self._passes(self._hours, KINDS, HOUR.step_seconds)
            connection = self.file.connection()
            with connection:
                for name, kind in found.items():
                    add_fresh(connection, DURATIONS, HOUR, (hour, name), kind.times)
                    add_fresh(connection, NUMBERS, HOUR, (hour, name), kind.numbers)
            self.file.fold(self.now)

    def change(self, server: str) -> None:
        """Write a change of the verdict on a server."""
        change = VerdictChange(None, silent(server))
        self.file.add_changes([change_row(self.now, change)], self.now)

    def exact(self, start: float, end: float, share: float) -> float:
        """Return the quantile of the searches of the first server between two hours."""
        times = Counter(
            number
            for hour, numbers in self.chosen.items()
            if start <= hour < end
            for number in numbers
        )
        kinds = [*self._minutes, *self._hours]
        weighted = sorted(
            (seconds, count)
            for number, count in times.items()
            for seconds in kinds[number].searches
        )
        rank, seen = ceil(share * sum(count for _, count in weighted)), 0
        for seconds, count in weighted:
            seen += count
            if seen >= rank:
                return seconds
        raise LookupError("nothing was measured")

    def searches(self, start: float, end: float) -> int:
        """Return how many searches of the first server were measured between two hours."""
        kinds = [*self._minutes, *self._hours]
        return sum(
            len(kinds[number].searches)
            for hour, numbers in self.chosen.items()
            if start <= hour < end
            for number in numbers
        )

    def report(self, max_bytes: int, growth_bytes: int) -> str:
        """Return the sizes of the file and of its levels."""
        connection = self.file.connection()
        lines = [
            f"{used_bytes(connection) / 2**20:.1f} of {max_bytes / 2**20:.1f} MiB",
            f"memory grew by {growth_bytes / 2**20:.1f} MiB",
            f"cuts: {self.file.cuts}",
        ]
        for table, column in (
            ("packed", "points"),
            ("fresh", "times"),
            ("packed_number", "points"),
            ("fresh_number", "numbers"),
        ):
            lines += [
                f"{table:13} steps of {step:5} s: {rows:6} rows, {size / 2**20:6.1f} MiB"
                for step, rows, size in connection.execute(
                    f"SELECT step_seconds, count(*), sum(length({column})) FROM {table} GROUP BY 1"  # noqa: S608
                )
            ]
        return "\n".join(lines)

    def _passes(self, kinds: Sequence[Kind], first: int, seconds: int) -> dict[str, Kind]:
        chosen = self._random.choices(range(KINDS), k=len(self.names))
        self.chosen.setdefault(row_start(MINUTE, self.now), []).append(first + chosen[0])
        self.file.add_days({int(self.now // DAY_SECONDS): float(seconds)})
        self.now += seconds
        if self.now % HOUR_SECONDS == 0:
            self.file.forget()
        return {name: kinds[each] for name, each in zip(self.names, chosen, strict=True)}

    def _kind(self, count: int) -> Kind:
        scale = 0.001 * (1 + self._random.random())
        searches = [self._duration(scale) for _ in range(count)]
        times: Times = {
            check: {
                operation: histogram_of(self._duration(scale) for _ in range(count))
                for operation in operations
            }
            for check, operations in OPERATIONS.items()
        }
        times["search"]["search"] = histogram_of(searches)
        return Kind(searches, times, self._numbers(count))

    def _numbers(self, count: int) -> Numbers:
        """Return each number once, that of replication for four server IDs.

        Without a client certificate there is one less.
        """
        draws: dict[str, Callable[[], float]] = {
            "seconds": self._behind_seconds,
            "pages": lambda: float(round(self._random.gauss(200_000, 500))),
            "entries": lambda: float(round(self._random.gauss(1_000_000, 500))),
            "connections": lambda: float(round(self._random.gauss(300, 30))),
            "operations": lambda: float(int(self._random.expovariate(1.0))),
            "days": lambda: 30 - self._random.randrange(4 if count == ROUNDS else 1000) / 100,
        }
        numbers: Numbers = {}
        for kept in KEPT_NUMBERS:
            if kept.name == "client_days_left":
                continue
            draw = draws[kept.unit]
            for label in SERVER_IDS if kept.check == "replication" else ("",):
                found = [draw() for _ in range(count)]
                if kept.name.endswith("_max"):
                    found = [65_536.0] * count
                elif kept.unit == "days":  # it falls slowly
                    found = [found[0]] * count
                elif kept.unit in {"pages", "entries"}:  # they grow slowly
                    found = sorted(found[0] + self._random.randrange(5) for _ in found)
                of_check = numbers.setdefault(kept.check, {})
                of_check[series(kept.name, label)] = aggregate_of(found)
        return numbers

    def _behind_seconds(self) -> float:
        return round(3 * self._random.random(), 2) if self._random.random() < 0.05 else 0.0

    def _duration(self, scale: float) -> float:
        slow = 30.0 if self._random.random() < 0.005 else 1.0
        return scale * slow * self._random.lognormvariate(0.0, 0.4)
