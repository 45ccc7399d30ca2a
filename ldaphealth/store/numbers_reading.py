"""Reading numbers of the history, such as how far servers were behind, by periods.

It works while an agent writes, and while none runs. `history/kept_numbers.py` has the numbers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from ldaphealth.clocks import DAY_SECONDS, HOUR_SECONDS, EpochSeconds
from ldaphealth.control.requests import NumbersRequest
from ldaphealth.history.aggregate import Aggregate, combined
from ldaphealth.history.kept_numbers import KeptNumber, labels_of
from ldaphealth.store.point_tables import NUMBERS, T
from ldaphealth.store.points_reader import (
    PeriodQuery,
    PointReader,
    periods_of,
    reading_points,
    servers_of,
)

PAST_SECONDS = 28.0 * DAY_SECONDS  # four weeks: what happened before says little of next week


class NumberQuery(PeriodQuery, frozen=True, kw_only=True):
    """Which number of a check is wanted, with all its labels."""

    name: str

    def wanted(self, points: Mapping[str, T]) -> Mapping[str, T]:
        """Return the points of the number."""
        return {kept: points[kept] for kept in labels_of(self.name, points)}


class NumberPeriod(Struct, frozen=True, kw_only=True):
    """What a number was in a period.

    Where the history has coarser points only, `seconds` is the length of such a point.
    """

    start_epoch: EpochSeconds
    seconds: int
    numbers: Aggregate


# By server, and by the label of the number; oldest first.
NumberPeriods = Mapping[str, Mapping[str, Sequence[NumberPeriod]]]


def read_numbers(
    path: Path, target: str, query: NumberQuery, *, has_writer: bool = False
) -> NumberPeriods:
    """Return the periods of a number on a server, those of a cluster, or all (""); HistoryError.

    Servers without it are left out. Each observation is counted once, as in `read_points`.
    """
    with reading_points(path, has_writer=has_writer) as connection:
        if not _has_numbers(connection):
            return {}
        servers = servers_of(connection, NUMBERS, target)
        found = {server: _periods(connection, server, query) for server in servers}
    return {server: labels for server, labels in found.items() if labels}


def number_query(kept: KeptNumber, request: NumbersRequest) -> NumberQuery:
    """Return the numbers that a request is of."""
    return NumberQuery(
        check=kept.check,
        name=kept.name,
        since_epoch=request.since_epoch,
        until_epoch=request.until_epoch,
        by_seconds=request.by_seconds,
    )


def hours_of(
    path: Path, server: str, kept: KeptNumber, now: EpochSeconds
) -> Mapping[str, Mapping[int, float]]:
    """Return by label the most of a number in each of the last hours, by the hour since 1970.

    HistoryError: it cannot be read. Days of which no hours are left are left out.
    """
    query = NumberQuery(
        check=kept.check,
        name=kept.name,
        since_epoch=now - PAST_SECONDS,
        until_epoch=now,
        by_seconds=HOUR_SECONDS,
    )
    found = read_numbers(path, server, query, has_writer=True).get(server, {})
    return {
        label: {
            int(each.start_epoch) // HOUR_SECONDS: each.numbers.most
            for each in periods
            if each.seconds == HOUR_SECONDS
        }
        for label, periods in found.items()
    }


def _periods(
    connection: sqlite3.Connection, server: str, query: NumberQuery
) -> Mapping[str, Sequence[NumberPeriod]]:
    by_label: dict[str, list[NumberPeriod]] = {}
    points = PointReader(connection, NUMBERS, server, query).points()
    for start, seconds, parts in periods_of(points, query):
        kept = dict.fromkeys(name for part in parts for name in part)
        for name, label in labels_of(query.name, sorted(kept)).items():
            numbers = combined(part[name] for part in parts if name in part)
            period = NumberPeriod(start_epoch=start, seconds=seconds, numbers=numbers)
            by_label.setdefault(label, []).append(period)
    return by_label


def _has_numbers(connection: sqlite3.Connection) -> bool:
    """Return whether the file was written by a program that knows numbers."""
    query = "SELECT 1 FROM sqlite_master WHERE name = ?"
    return connection.execute(query, (NUMBERS.packed,)).fetchone() is not None
