"""A history of two servers as an agent would have written it, for tests of what reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from msgspec.structs import replace

from ldaphealth.clocks import DAY_SECONDS, HOUR_SECONDS, EpochSeconds
from ldaphealth.histogram import histogram_of
from ldaphealth.history.aggregate import aggregate_of
from ldaphealth.model import OverrideNote, Verdict
from ldaphealth.publishers.publication import BaselineChange, VerdictChange
from ldaphealth.settings import HistorySettings
from ldaphealth.store.change_document import change_row
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.history_points import add_fresh
from ldaphealth.store.levels import HOUR, bounds_of
from ldaphealth.store.number_rows import Numbers
from ldaphealth.store.point_rows import Times
from ldaphealth.store.point_tables import DURATIONS, NUMBERS
from tests.page import views

DAYS = 40
# The checks and their operations, with the usual time of each.
OPERATIONS = {
    "connect": {"resolve": 0.0002, "connect": 0.0004, "starttls": 0.004},
    "bind": {"bind": 0.0011},
    "search": {"search": 0.0017},
    "write": {"modify": 0.0042, "read": 0.0008},
    "unbind": {"unbind": 0.0001},
}
DRAIN = OverrideNote(action="drain", by="alice", reason="new kernel")


class PastSite:
    """The history of `example/ldap1`, which was always in service, and `example/ldap2`.

    Of the latter, in seconds before `now`: `outages` are when it was out, and for how long. It was
    drained a week ago. Nothing was measured on it four to three hours ago.
    """

    def __init__(self, path: Path, now: EpochSeconds) -> None:
        self.path, self.now = path, now
        self.begin = now // DAY_SECONDS * DAY_SECONDS - DAYS * DAY_SECONDS
        self.outages = ((2 * DAY_SECONDS, 3600.0), (5 * HOUR_SECONDS, 600.0), (1500.0, 90.0))
        self._random = Random(20261127)  # noqa: S311  the same picture each time
        self._clock = self.begin
        self._file = HistoryFile(path, bounds_of(HistorySettings()), lambda: self._clock)

    def write(self) -> None:
        """Write it all."""
        for epoch, change in sorted(self._changes(), key=lambda each: each[0]):
            self._file.add_changes([change_row(epoch, change)], epoch)
        self._hours()
        self._minutes()
        self._file.close()

    def _changes(self) -> Sequence[tuple[EpochSeconds, VerdictChange | BaselineChange]]:
        good, other = views.fine("example/ldap2"), views.fine("example/ldap1")
        out = views.silent("example/ldap2")
        drained = replace(views.draining("example/ldap2"), override=DRAIN)
        found: list[tuple[EpochSeconds, VerdictChange | BaselineChange]] = [
            (self.begin, VerdictChange(None, other)),
            (self.begin, VerdictChange(None, good)),
            (self.now - 7.5 * DAY_SECONDS, VerdictChange(good, drained, "")),
            (self.now - 7 * DAY_SECONDS, VerdictChange(drained, good, "bob")),
            (self.now - 3 * DAY_SECONDS, VerdictChange(good, views.behind("example/ldap2"))),
            (self.now - 3 * DAY_SECONDS + 400, VerdictChange(views.behind("example/ldap2"), good)),
        ]
        for ago, lasted in self.outages:
            found += [
                (self.now - ago, VerdictChange(good, out)),
                (self.now - ago + lasted, VerdictChange(out, good)),
            ]
        return found

    def _hours(self) -> None:
        kinds = [self._times(120) for _ in range(24)]
        while self._clock < self.now // DAY_SECONDS * DAY_SECONDS - DAY_SECONDS:
            connection = self._file.connection()
            with connection:
                for server in ("example/ldap1", "example/ldap2"):
                    chosen = self._random.choice(kinds)
                    place = int(self._clock), server
                    add_fresh(connection, DURATIONS, HOUR, place, chosen)
                    add_fresh(connection, NUMBERS, HOUR, place, self._numbers())
            self._clock += HOUR_SECONDS
            if not self._clock % DAY_SECONDS:
                self._file.fold(self._clock)

    def _minutes(self) -> None:
        kinds = [self._times(12) for _ in range(60)]
        slow = [self._times(12, slow=20.0) for _ in range(10)]
        while self._clock < self.now - 60:
            ago = self.now - self._clock
            is_slow = 5 * HOUR_SECONDS - 600 < ago < 5 * HOUR_SECONDS + 1800
            minutes = {(int(self._clock), "example/ldap1"): self._random.choice(kinds)}
            if not 3 * HOUR_SECONDS < ago < 4 * HOUR_SECONDS:
                chosen = self._random.choice(slow if is_slow else kinds)
                minutes[int(self._clock), "example/ldap2"] = chosen
            numbers = {place: self._numbers() for place in minutes}
            self._file.add_minutes(minutes, self._clock, numbers)
            self._clock += 60
            if not self._clock % HOUR_SECONDS:
                self._file.fold(self._clock)

    def _numbers(self) -> Numbers:
        """Return numbers that grow, or expire, or are nearly always 0."""
        ago = self.now - self._clock
        behind = 600.0 - abs(ago - 6 * HOUR_SECONDS) / 3
        days = (self._clock - self.begin) / DAY_SECONDS
        shown = {
            "replication": {
                "behind_seconds 001": 0.0,
                "behind_seconds 002": max(0.0, round(behind, 2)),
                "behind_seconds 003": 0.0,
            },
            "resources": {
                "database_pages dc=example,dc=com": 1_200_000.0 + 9_000 * days,
                "database_pages_max dc=example,dc=com": 2_621_440.0,
                "connections": float(self._random.randrange(180, 240)),
                "pending_operations": 0.0,
            },
            "entry_count": {"entries dc=example,dc=com": 254_312.0 + int(days)},
            "certificate": {"days_left": round(88.0 - days, 2)},
        }
        return {
            check: {name: aggregate_of([value]) for name, value in of.items()}
            for check, of in shown.items()
        }

    def _times(self, count: int, slow: float = 1.0) -> Times:
        def took(usual: float) -> float:
            seconds = usual * slow * self._random.lognormvariate(0, 0.35)
            return seconds * (8 if self._random.random() < 0.02 else 1)

        return {
            check: {
                operation: histogram_of([took(usual) for _ in range(count)])
                for operation, usual in operations.items()
            }
            for check, operations in OPERATIONS.items()
        }


def verdicts() -> Sequence[Verdict]:
    """Return the verdicts now."""
    return [views.fine("example/ldap1"), views.fine("example/ldap2", 1410.0)]
