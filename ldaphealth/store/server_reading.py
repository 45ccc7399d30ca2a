"""Reading all points that the history has of one server: of each operation, and of each number."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.kept_numbers import KEPT_NUMBERS, labels_of
from ldaphealth.history.number_series import NumberSeries
from ldaphealth.history.times_document import OperationTimes
from ldaphealth.store.levels import DAY
from ldaphealth.store.numbers_reading import NumberPeriod
from ldaphealth.store.point_tables import DURATIONS, NUMBERS, PointTables, T
from ldaphealth.store.points_reader import PeriodQuery, PointReader, periods_of, reading_points
from ldaphealth.store.points_reading import Period

Series = Mapping[str, list[tuple[EpochSeconds, int, T]]]  # by name: start, length and point


class ServerQuery(Struct, frozen=True):
    """A time, and the length of the periods into which it is divided."""

    since_epoch: EpochSeconds
    until_epoch: EpochSeconds
    by_seconds: int

    def of_check(self, check: str) -> PeriodQuery:
        """Return the query for the points of one check."""
        return PeriodQuery(
            check=check,
            since_epoch=self.since_epoch,
            until_epoch=self.until_epoch,
            by_seconds=self.by_seconds,
        )


def read_operations(
    path: Path, server: str, query: ServerQuery, *, go_on: Callable[[], bool]
) -> Iterator[OperationTimes]:
    """Yield the times of each operation of each check; HistoryError.

    `go_on` is called before each check, and ends the reading when it is False.
    """
    with reading_points(path, has_writer=True) as connection:
        for check in _checks(connection, DURATIONS, server, query):
            if not go_on():
                return
            for name, found in sorted(_series(connection, DURATIONS, server, query, check).items()):
                periods = [
                    Period(start_epoch=start, seconds=seconds, durations=durations)
                    for start, seconds, durations in found
                ]
                yield OperationTimes(check, name, periods)


def read_all_numbers(
    path: Path, server: str, query: ServerQuery, *, go_on: Callable[[], bool]
) -> Iterator[NumberSeries]:
    """Yield the periods of each kept number and label, likewise."""
    with reading_points(path, has_writer=True) as connection:
        if not _has(connection, NUMBERS):  # written by an older program
            return
        checks = _checks(connection, NUMBERS, server, query)
        for check in (each for each in dict.fromkeys(_checks_of_numbers()) if each in checks):
            if not go_on():
                return
            series = _series(connection, NUMBERS, server, query, check)
            for kept in KEPT_NUMBERS:
                labels = labels_of(kept.name, sorted(series)) if kept.check == check else {}
                for name, label in labels.items():
                    periods = [
                        NumberPeriod(start_epoch=start, seconds=seconds, numbers=numbers)
                        for start, seconds, numbers in series[name]
                    ]
                    yield NumberSeries(kept, label, periods)


def _checks_of_numbers() -> Iterable[str]:
    return (each.check for each in KEPT_NUMBERS)


def _checks(
    connection: sqlite3.Connection, kind: PointTables[T], server: str, query: ServerQuery
) -> list[str]:
    """Return the checks that may have points in the period."""
    since, until = query.since_epoch, query.until_epoch
    rows = connection.execute(
        f'SELECT DISTINCT "check" FROM {kind.packed} '  # noqa: S608
        "WHERE server = ? AND epoch > ? AND epoch < ?",
        (server, since - DAY.row_seconds, until),
    )
    found = {check for (check,) in rows}
    fresh = connection.execute(
        f"SELECT {kind.fresh_column} FROM {kind.fresh} "  # noqa: S608
        "WHERE server = ? AND epoch + step_seconds > ? AND epoch < ?",
        (server, since, until),
    )
    for (blob,) in fresh:
        found |= kind.step_of(blob).keys()
    return sorted(found)


def _series(
    connection: sqlite3.Connection,
    kind: PointTables[T],
    server: str,
    query: ServerQuery,
    check: str,
) -> Series[T]:
    """Return the periods of each name of a check, oldest first."""
    wanted = query.of_check(check)
    found: dict[str, list[tuple[EpochSeconds, int, T]]] = {}
    points = PointReader(connection, kind, server, wanted).points()
    for start, seconds, parts in periods_of(points, wanted):
        for name in dict.fromkeys(name for part in parts for name in part):
            whole = kind.added(part[name] for part in parts if name in part)
            found.setdefault(name, []).append((start, seconds, whole))
    return found


def _has(connection: sqlite3.Connection, kind: PointTables[T]) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE name = ?"
    return connection.execute(query, (kind.packed,)).fetchone() is not None
