"""Reading points of the history: durations by the minute, hour, day or any longer period.

It works while an agent writes, and while none runs. `levels.py` says what a point is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.control.requests import TimesRequest
from ldaphealth.histogram import Histogram, merged
from ldaphealth.store import old_history
from ldaphealth.store.database import version_of
from ldaphealth.store.history_reading import OF_TARGET, HistoryError, reading
from ldaphealth.store.history_tables import SCHEMA_VERSION
from ldaphealth.store.levels import DAY, HOUR, MINUTE, Level, row_start
from ldaphealth.store.point_rows import points_of, times_of

FRESH = """
SELECT epoch, times FROM fresh
WHERE step_seconds = ? AND epoch >= ? AND epoch < ? AND server = ?
"""
PACKED = """
SELECT epoch, points FROM packed
WHERE step_seconds = ? AND epoch IN (SELECT value FROM json_each(?)) AND server = ? AND "check" = ?
"""

SERVERS = (
    "SELECT DISTINCT server FROM (SELECT server FROM fresh UNION SELECT server FROM packed) "  # noqa: S608
    f"WHERE {OF_TARGET}"
)


class PointQuery(Struct, frozen=True, kw_only=True):
    """Which points are wanted.

    `operation` is "" for all operations of the check together. Periods begin at multiples of
    `by_seconds` since 1970 (UTC). Points that `since_epoch` or `until_epoch` cuts are read in finer
    ones, if there are any, and else left in as a whole.
    """

    check: str
    operation: str = ""
    since_epoch: EpochSeconds
    until_epoch: EpochSeconds
    by_seconds: int = MINUTE.step_seconds


class Period(Struct, frozen=True, kw_only=True):
    """The durations that were measured in a period.

    Where the history has coarser points only, `seconds` is the length of such a point.
    """

    start_epoch: EpochSeconds
    seconds: int
    durations: Histogram


class _Point(Struct, frozen=True, gc=False):
    """A histogram that begins at `start` and is of one step of a level."""

    start: int
    level: Level
    durations: Histogram

    @property
    def end(self) -> int:
        return self.start + self.level.step_seconds


def read_points(
    path: Path, servers: Iterable[str], query: PointQuery, *, has_writer: bool = False
) -> dict[str, tuple[Period, ...]]:
    """Return the periods of each server that have points, oldest first; HistoryError.

    Each duration is counted once: days and hours are taken where they fit into a period, finer
    points for what is cut or not summed yet, and coarser ones where nothing finer is kept.
    """
    try:
        with reading(path, has_writer=has_writer) as connection:
            connection.execute("BEGIN")  # one state of the file for all that follows
            _refuse_other_versions(connection)
            return {
                server: _periods(_Reader(connection, server, query).points(), query)
                for server in servers
            }
    except (sqlite3.Error, ValueError) as error:
        raise HistoryError(f"{path}: {error}") from error


def query_of(request: TimesRequest) -> PointQuery:
    """Return the points that a request is of."""
    return PointQuery(
        check=request.check,
        operation=request.operation,
        since_epoch=request.since_epoch,
        until_epoch=request.until_epoch,
        by_seconds=request.by_seconds,
    )


def servers_with_points(path: Path, target: str, *, has_writer: bool = False) -> list[str]:
    """Return the IDs of a server, of those of a cluster or of all (""), that have points.

    HistoryError: it cannot be read.
    """
    with reading(path, has_writer=has_writer) as connection:
        rows = connection.execute(SERVERS, (target,)).fetchall()
    return sorted(server for (server,) in rows)


def _refuse_other_versions(connection: sqlite3.Connection) -> None:
    version = version_of(connection)
    if version == old_history.VERSION:
        raise ValueError("of an older version; the agent takes it over when it starts")
    if version != SCHEMA_VERSION:
        raise ValueError(f"version {version}; this program knows {SCHEMA_VERSION}")


class _Reader:
    """Reads the points of one server."""

    def __init__(self, connection: sqlite3.Connection, server: str, query: PointQuery) -> None:
        self._connection, self._server, self._query = connection, server, query

    def points(self) -> Iterator[_Point]:
        """Yield points that together have each duration of the wanted time once.

        From days to minutes: a point that is too long is replaced by finer ones, if those have all
        of its durations. What was not summed yet is beside the sums.
        """
        rows = range(
            row_start(DAY, self._query.since_epoch),
            ceil(self._query.until_epoch),
            DAY.row_seconds,
        )
        points = [*_packed_points(self._packed(DAY, rows)), *self._fresh(DAY)]
        whole: set[int] = set()
        for level, finer in ((DAY, HOUR), (HOUR, MINUTE)):
            points = _added(each for each in points if self._overlaps(each))
            wanted = [
                each.start
                for each in points
                if self._is_too_long(each) and row_start(level, each.start) not in whole
            ]
            parts = self._packed(finer, wanted)
            found: list[_Point] = []
            for point in points:
                replacement = parts.get(point.start, ())
                if replacement and _count(replacement) >= point.durations.count:
                    found += replacement
                else:
                    yield point
                    whole.add(point.start)
            points = [*found, *self._fresh(finer)]
        yield from (each for each in points if self._overlaps(each))

    def _is_too_long(self, point: _Point) -> bool:
        """Return whether a point is longer than the periods, or only a part of it is wanted."""
        since, until = self._query.since_epoch, self._query.until_epoch
        is_cut = point.start < since or point.end > until
        return is_cut or point.level.step_seconds > self._query.by_seconds

    def _overlaps(self, point: _Point) -> bool:
        return point.end > self._query.since_epoch and point.start < self._query.until_epoch

    def _fresh(self, level: Level) -> Iterator[_Point]:
        """Yield the points that are in no row yet."""
        since = self._query.since_epoch - level.step_seconds
        rows = self._connection.execute(
            FRESH, (level.step_seconds, since, self._query.until_epoch, self._server)
        )
        for epoch, blob in rows:
            durations = self._chosen(times_of(blob).get(self._query.check, {}))
            if durations.count:
                yield _Point(epoch, level, durations)

    def _packed(self, level: Level, starts: Iterable[int]) -> dict[int, list[_Point]]:
        """Return the points of rows by the start of the row."""
        rows = self._connection.execute(
            PACKED,
            (level.step_seconds, json.dumps([*starts]), self._server, self._query.check),
        )
        found = {}
        for epoch, blob in rows:
            by_step: dict[int, dict[str, Histogram]] = {}
            for operation, steps in points_of(blob).items():
                for step, histogram in steps.items():
                    by_step.setdefault(step, {})[operation] = histogram
            found[epoch] = [
                _Point(epoch + step * level.step_seconds, level, durations)
                for step, operations in by_step.items()
                if (durations := self._chosen(operations)).count
            ]
        return found

    def _chosen(self, operations: Mapping[str, Histogram]) -> Histogram:
        wanted = self._query.operation
        return operations.get(wanted, Histogram()) if wanted else merged(operations.values())


def _packed_points(rows: Mapping[int, Sequence[_Point]]) -> Iterator[_Point]:
    for points in rows.values():
        yield from points


def _added(points: Iterable[_Point]) -> list[_Point]:
    """Return points of one level with those of the same time added, in their order."""
    found: dict[int, _Point] = {}
    for point in points:
        known = found.get(point.start)
        durations = merged((known.durations, point.durations)) if known else point.durations
        found[point.start] = _Point(point.start, point.level, durations)
    return [found[start] for start in sorted(found)]


def _count(points: Iterable[_Point]) -> int:
    return sum(each.durations.count for each in points)


def _periods(points: Iterable[_Point], query: PointQuery) -> tuple[Period, ...]:
    """Return the points by period; one that is longer than a period is one of its own."""
    found: dict[tuple[int, int], list[Histogram]] = {}
    for point in points:
        seconds = max(query.by_seconds, point.level.step_seconds)
        start = point.start // seconds * seconds
        found.setdefault((start, seconds), []).append(point.durations)
    return tuple(
        Period(start_epoch=float(start), seconds=seconds, durations=merged(histograms))
        for (start, seconds), histograms in sorted(found.items())
    )
