"""Which operations of a server the history has points of, and the points of all of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.times_document import OperationTimes
from ldaphealth.store.history_reading import HistoryError, reading
from ldaphealth.store.levels import DAY, row_start
from ldaphealth.store.point_rows import points_of, times_of
from ldaphealth.store.points_reading import PointQuery, read_points

MOST_OPERATIONS = 64  # of a server that are read for one answer
# What is in no row yet has all operations of the last 32 days, the rows of days those before.
FRESH = "SELECT times FROM fresh WHERE server = ? AND epoch + step_seconds > ? AND epoch < ?"
DAYS = (
    'SELECT "check", points FROM packed '
    "WHERE server = ? AND step_seconds = ? AND epoch BETWEEN ? AND ?"
)


class TimesQuery(Struct, frozen=True):
    """A period, and the length of the periods into which it is divided."""

    since_epoch: EpochSeconds
    until_epoch: EpochSeconds
    by_seconds: int


def read_operations(path: Path, server: str, query: TimesQuery) -> list[tuple[str, str]]:
    """Return the checks and operations that may have points in the period; HistoryError."""
    found: set[tuple[str, str]] = set()
    since, until = query.since_epoch, query.until_epoch
    try:
        with reading(path, has_writer=True) as connection:
            for (blob,) in connection.execute(FRESH, (server, since, until)):
                times = times_of(blob)
                found |= {(check, each) for check in times for each in times[check]}
            first = row_start(DAY, since)
            rows = connection.execute(DAYS, (server, DAY.step_seconds, first, until))
            for check, blob in rows:
                found |= {(check, operation) for operation in points_of(blob)}
    except (sqlite3.Error, ValueError) as error:
        raise HistoryError(f"{path}: {error}") from error
    return sorted(found)


def read_times(
    path: Path, server: str, query: TimesQuery, *, go_on: Callable[[], bool]
) -> tuple[list[OperationTimes], int]:
    """Return the times of each operation, and how many were not read.

    `go_on` is called before each one, and ends the reading when it is False; so does
    `MOST_OPERATIONS`. HistoryError.
    """
    wanted = read_operations(path, server, query)
    found: list[OperationTimes] = []
    for number, (check, operation) in enumerate(wanted):
        if number == MOST_OPERATIONS or not go_on():
            return found, len(wanted) - number
        points = PointQuery(
            check=check,
            operation=operation,
            since_epoch=query.since_epoch,
            until_epoch=query.until_epoch,
            by_seconds=query.by_seconds,
        )
        periods = read_points(path, [server], points, has_writer=True)[server]
        if periods:
            found.append(OperationTimes(check, operation, periods))
    return found, 0
