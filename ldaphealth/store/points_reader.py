"""Reading the points of one server so that each one counts once, from days to minutes.

`points_reading.py` makes periods of durations of them, `numbers_reading.py` of numbers.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Generic

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.store import old_history
from ldaphealth.store.database import version_of
from ldaphealth.store.history_reading import OF_TARGET, HistoryError, reading
from ldaphealth.store.history_tables import SCHEMA_VERSION
from ldaphealth.store.levels import DAY, HOUR, MINUTE, Level, row_start
from ldaphealth.store.point_tables import PointTables, T


class PeriodQuery(Struct, frozen=True, kw_only=True):
    """Of which check and time points are wanted.

    Periods begin at multiples of `by_seconds` since 1970 (UTC). Points that `since_epoch` or
    `until_epoch` cuts are read in finer ones, if there are any, and else left in as a whole.
    """

    check: str
    since_epoch: EpochSeconds
    until_epoch: EpochSeconds
    by_seconds: int = MINUTE.step_seconds

    def wanted(self, points: Mapping[str, T]) -> Mapping[str, T]:
        """Return those of the points of the check, by name, that are wanted: here all."""
        return points


class Point(Struct, Generic[T], frozen=True, gc=False):
    """The points of all wanted names that begin at `start` and are of one step of a level."""

    start: int
    level: Level
    values: Mapping[str, T]

    @property
    def end(self) -> int:
        """Return when they end, in seconds since 1970."""
        return self.start + self.level.step_seconds

    @property
    def count(self) -> int:
        """Return how much was counted in all of them."""
        return sum(each.count for each in self.values.values())


@contextlib.contextmanager
def reading_points(path: Path, *, has_writer: bool) -> Iterator[sqlite3.Connection]:
    """Open the file for reading only, in one state; HistoryError, also for what is read of it."""
    try:
        with reading(path, has_writer=has_writer) as connection:
            connection.execute("BEGIN")
            _refuse_other_versions(connection)
            yield connection
    except (sqlite3.Error, ValueError) as error:
        raise HistoryError(f"{path}: {error}") from error


def _refuse_other_versions(connection: sqlite3.Connection) -> None:
    version = version_of(connection)
    if version == old_history.VERSION:
        raise ValueError("of an older version; the agent takes it over when it starts")
    if version != SCHEMA_VERSION:
        raise ValueError(f"version {version}; this program knows {SCHEMA_VERSION}")


def servers_of(connection: sqlite3.Connection, kind: PointTables[Any], target: str) -> list[str]:
    """Return the IDs of a server, of those of a cluster or of all (""), that have such points."""
    rows = connection.execute(
        "SELECT DISTINCT server FROM "  # noqa: S608
        f"(SELECT server FROM {kind.fresh} UNION SELECT server FROM {kind.packed}) "
        f"WHERE {OF_TARGET} ORDER BY server",
        (target,),
    ).fetchall()
    return [server for (server,) in rows]


class PointReader(Generic[T]):
    """Reads the points of one kind and server."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        kind: PointTables[T],
        server: str,
        query: PeriodQuery,
    ) -> None:
        self._connection, self._server, self._query = connection, server, query
        self._kind: PointTables[T] = kind

    def points(self) -> Iterator[Point[T]]:
        """Yield points that together have each number of the wanted time once.

        From days to minutes: a point that is too long is replaced by finer ones, if those have all
        that it counts. What was not summed yet is beside the sums.
        """
        rows = range(
            row_start(DAY, self._query.since_epoch),
            ceil(self._query.until_epoch),
            DAY.row_seconds,
        )
        points: list[Point[T]] = [*_in_rows(self._packed(DAY, rows)), *self._fresh(DAY)]
        whole: set[int] = set()
        for level, finer in ((DAY, HOUR), (HOUR, MINUTE)):
            points = self._added(each for each in points if self._overlaps(each))
            wanted = [
                each.start
                for each in points
                if self._is_too_long(each) and row_start(level, each.start) not in whole
            ]
            parts = self._packed(finer, wanted)
            found: list[Point[T]] = []
            for point in points:
                replacement = parts.get(point.start, ())
                if replacement and sum(each.count for each in replacement) >= point.count:
                    found += replacement
                else:
                    yield point
                    whole.add(point.start)
            points = [*found, *self._fresh(finer)]
        yield from (each for each in points if self._overlaps(each))

    def _is_too_long(self, point: Point[T]) -> bool:
        """Return whether a point is longer than the periods, or only a part of it is wanted."""
        since, until = self._query.since_epoch, self._query.until_epoch
        is_cut = point.start < since or point.end > until
        return is_cut or point.level.step_seconds > self._query.by_seconds

    def _overlaps(self, point: Point[T]) -> bool:
        return point.end > self._query.since_epoch and point.start < self._query.until_epoch

    def _fresh(self, level: Level) -> Iterator[Point[T]]:
        """Yield the points that are in no row yet."""
        since = self._query.since_epoch - level.step_seconds
        rows = self._connection.execute(
            f"SELECT epoch, {self._kind.fresh_column} FROM {self._kind.fresh} "  # noqa: S608
            "WHERE step_seconds = ? AND epoch >= ? AND epoch < ? AND server = ? ORDER BY epoch",
            (level.step_seconds, since, self._query.until_epoch, self._server),
        )
        for epoch, blob in rows:
            yield from self._point(epoch, level, self._kind.step_of(blob).get(self._query.check))

    def _packed(self, level: Level, starts: Iterable[int]) -> dict[int, list[Point[T]]]:
        """Return the points of rows by the start of the row."""
        rows = self._connection.execute(
            f"SELECT epoch, points FROM {self._kind.packed} WHERE step_seconds = ? "  # noqa: S608
            'AND epoch IN (SELECT value FROM json_each(?)) AND server = ? AND "check" = ?',
            (level.step_seconds, json.dumps([*starts]), self._server, self._query.check),
        )
        found = {}
        for epoch, blob in rows:
            by_step: dict[int, dict[str, T]] = {}
            for name, steps in self._kind.row_of(blob).items():
                for step, point in steps.items():
                    by_step.setdefault(step, {})[name] = point
            found[epoch] = [
                point
                for step, names in by_step.items()
                for point in self._point(epoch + step * level.step_seconds, level, names)
            ]
        return found

    def _point(self, start: int, level: Level, names: Mapping[str, T] | None) -> Iterator[Point[T]]:
        """Yield the point if it has anything that is wanted."""
        point = Point(start, level, self._query.wanted(names or {}))
        if point.count:
            yield point

    def _added(self, points: Iterable[Point[T]]) -> list[Point[T]]:
        """Return points of one level with those of the same time added, in their order."""
        found: dict[int, dict[str, dict[str, T]]] = {}
        levels: dict[int, Level] = {}
        for point in points:
            levels[point.start] = point.level
            self._kind.add(found.setdefault(point.start, {}), {"": point.values})
        return [Point(start, levels[start], found[start][""]) for start in sorted(found)]


def periods_of(
    points: Iterable[Point[T]], query: PeriodQuery
) -> Iterator[tuple[EpochSeconds, int, list[Mapping[str, T]]]]:
    """Yield the start of each period, its length in seconds, and its points, oldest first.

    A point that is longer than a period is one of its own.
    """
    found: dict[tuple[int, int], list[Mapping[str, T]]] = {}
    for point in sorted(points, key=_start):
        seconds = max(query.by_seconds, point.level.step_seconds)
        start = point.start // seconds * seconds
        found.setdefault((start, seconds), []).append(point.values)
    for (start, seconds), values in sorted(found.items(), key=_key):
        yield float(start), seconds, values


def _start(point: Point[Any]) -> int:
    return point.start


def _key(period: tuple[tuple[int, int], Any]) -> tuple[int, int]:
    return period[0]


def _in_rows(rows: Mapping[int, Sequence[Point[T]]]) -> Iterator[Point[T]]:
    for points in rows.values():
        yield from points
