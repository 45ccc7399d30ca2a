"""A history on a disk whose clock a test moves, and what is published into it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from demo import wait
from ldaphealth.clocks import DAY_SECONDS
from ldaphealth.histogram import Histogram, merged
from ldaphealth.model import AnyObservation, Observation, Verdict
from ldaphealth.publishers.publication import Publication, VerdictChange
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.history_reading import HistoryError
from ldaphealth.store.levels import CHANGE, LEVELS, Bounds
from ldaphealth.store.points_reading import PointQuery, read_points
from tests.sinks.snapshots import silent

START = 1_800_000_000.0  # the beginning of a minute
SERVER = "main/ldap1"
PATIENCE_SECONDS = 10.0
WRITE_SECONDS = 0.005


class Clock:
    """The time of the day, and the clock that never steps; a test moves both."""

    def __init__(self) -> None:
        self.now = START
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the time of the day."""
        return self.now

    def running(self) -> float:
        """Return the seconds since the boot."""
        return self.seconds

    def passes(self, seconds: float) -> None:
        """Let time pass; a step changes `now` alone."""
        self.now += seconds
        self.seconds += seconds


class StuckWriter(Clock):
    """Stands for a disk that hangs: the thread that writes the history never continues."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stuck, self.release = threading.Event(), threading.Event()

    def __call__(self) -> float:
        """Hang in the thread that writes."""
        if threading.current_thread().name == "history":
            self.is_stuck.set()
            self.release.wait(PATIENCE_SECONDS)
        return self.now


def bounds(keep_days: int, max_bytes: int, **days: int) -> Bounds:
    """Return the bounds, with other days for some levels."""
    names = (*(level.name for level in LEVELS), CHANGE)
    return Bounds(max_bytes=max_bytes, days=dict.fromkeys(names, keep_days) | days)


class Disk:
    """Where the history is, and how journals are opened on it; the fixture closes them."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.directory.mkdir()
        self.path = directory / "history.sqlite3"
        self.clock = Clock()
        self._stack = stack

    def open(self, keep_days: int = 60, max_bytes: int = 64 << 20, **days: int) -> HistoryDatabase:
        """Open the history; another time without the memory of the first."""
        journal = HistoryDatabase(
            self.path,
            bounds(keep_days, max_bytes, **days),
            clock=self.clock,
            running=self.clock.running,
            write_seconds=WRITE_SECONDS,
        )
        self._stack.callback(journal.close)
        return journal

    def sql(self, *statements: str) -> list[Any]:
        """Change the file, unknown to the history."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements]


def changed(after: Verdict, before: Verdict | None = None) -> Publication:
    return Publication(
        cluster="main",
        verdicts={after.server: after},
        due={},
        changes=(VerdictChange(before, after),),
        seen=(),
    )


def timed(seconds: float, check: str = "search") -> Publication:
    seen: AnyObservation = Observation(
        server=SERVER,
        check=check,
        started_at=0.0,
        duration_seconds=seconds,
        timings={"search": seconds},
    )
    return Publication(cluster="main", verdicts={}, due={}, changes=(), seen=(seen,))


def comes_true(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    return wait.comes_true(condition, seconds)


def stored(journal: HistoryDatabase, server: str = "", limit: int = 1000) -> list[str]:
    """Return the servers of the changes on disk, newest first; none where it cannot be read."""
    try:
        found = journal.changes(server, limit, None)
    except HistoryError:
        return []
    return [
        change["verdict"]["server"] if "verdict" in change else change["baseline"]["cluster"]
        for change in found
    ]


def days_pass(disk: Disk, journal: HistoryDatabase, days: int) -> None:
    """Let the agent run for days; with a server at the end of each."""
    for _ in range(days):
        for _ in range(DAY_SECONDS // 100):
            disk.clock.passes(100.0)
            journal._note_time()


def durations(
    disk: Disk,
    since_epoch: float = 0.0,
    *,
    server: str = SERVER,
    check: str = "search",
    operation: str = "search",
) -> Histogram:
    """Return the durations of all points since then; none where the file cannot be read."""
    query = PointQuery(
        check=check,
        operation=operation,
        since_epoch=since_epoch,
        until_epoch=disk.clock.now + 1000 * DAY_SECONDS,
    )
    try:
        found = read_points(disk.path, [server], query, has_writer=True)
    except HistoryError:
        return Histogram()
    return merged(each.durations for each in found[server])


SMALL_BYTES = 1 << 20


def publish_many(journal: HistoryDatabase, number: int, first: int = 0) -> None:
    """Publish so many changes, each of a server of its own, in the order of their numbers."""
    one = silent(SERVER)
    for at in range(first, first + number, 50):
        changes = [VerdictChange(None, replace(one, server=f"main/s{at + n}")) for n in range(50)]
        journal.publish(Publication(cluster="main", verdicts={}, due={}, changes=changes, seen=()))
        assert comes_true(lambda: not journal._waiting)


def minutes_of(disk: Disk, journal: HistoryDatabase, number: int) -> None:
    """Let so many minutes pass, with durations of many operations, all of them different."""
    for minute in range(number):
        for check in range(40):
            seconds = 0.001 * (1 + (40 * minute + check) * 7919 % 1000)
            journal.publish(timed(seconds, f"{'x' * 100}{check}"))
        assert comes_true(lambda: not journal._waiting)
        disk.clock.passes(60)
