"""The tables of points: minutes become hours, and hours days, by adding histograms.

What is new goes to the table `fresh`: a row for each server and step, which is appended, so that
few bytes are written and a process that is killed loses the current minute only. When an hour is
over, its minutes are folded: they move to rows of the table `packed`, and their sum is a step of
the next level, in `fresh` again. So each duration is counted once in `fresh` and in the last level.
The functions raise sqlite3.Error.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from math import inf

from ldaphealth.clocks import EpochSeconds
from ldaphealth.histogram import Histogram, merged
from ldaphealth.store.levels import CHANGE, LEVELS, Level, next_level, row_start
from ldaphealth.store.point_rows import (
    Points,
    Times,
    add_points,
    add_times,
    points_blob,
    points_of,
    times_blob,
    times_of,
)

PackedKey = tuple[int, int, str, str]  # step, start, server and check of a row

FRESH_OF_ROW = "FROM fresh WHERE step_seconds = ? AND epoch >= ? AND epoch < ?"

# What is the oldest of, the statement that finds it, and its parameters.
OLDEST: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    *(
        (
            level.name,
            f"SELECT min(epoch) FROM {table} WHERE step_seconds = ?",  # noqa: S608
            (level.step_seconds,),
        )
        for level in LEVELS
        for table in ("packed", "fresh")
    ),
    (CHANGE, "SELECT min(epoch) FROM change", ()),
)


def add_fresh(
    connection: sqlite3.Connection,
    level: Level,
    epoch: int,
    server: str,
    times: Mapping[str, Mapping[str, Histogram]],
) -> None:
    """Add the points of a server and a step. Those that are there, from before, are merged."""
    key = level.step_seconds, epoch, server
    row = connection.execute(
        "SELECT times FROM fresh WHERE step_seconds = ? AND epoch = ? AND server = ?", key
    ).fetchone()
    if row:
        with contextlib.suppress(ValueError):  # a broken one is replaced
            whole = times_of(row[0])
            add_times(whole, times)
            times = whole
    connection.execute(
        "INSERT OR REPLACE INTO fresh VALUES (?, ?, ?, ?)", (*key, times_blob(times))
    )


def rows_that_are_over(
    connection: sqlite3.Connection, level: Level, now: EpochSeconds
) -> Iterator[int]:
    """Yield the starts of rows that have fresh points and are not those of this time.

    Of a clock that was wrong, that includes the future.
    """
    current = row_start(level, now)
    for before, order in ((True, "ASC"), (False, "DESC")):
        while True:
            row = connection.execute(
                f"SELECT epoch FROM fresh WHERE step_seconds = ? ORDER BY epoch {order} LIMIT 1",  # noqa: S608
                (level.step_seconds,),
            ).fetchone()
            start = current if row is None else row_start(level, row[0])
            if not (start < current if before else start > current):
                break
            yield start


def fresh_bytes(connection: sqlite3.Connection, level: Level, start: int) -> int:
    """Return the size of the fresh points of a row, in bytes."""
    (size,) = connection.execute(
        f"SELECT coalesce(sum(length(times)), 0) {FRESH_OF_ROW}",
        (level.step_seconds, start, start + level.row_seconds),
    ).fetchone()
    return int(size)


def fold(connection: sqlite3.Connection, level: Level, start: int) -> None:
    """Pack the fresh points of a row, and add their sum to the next level.

    The caller makes one transaction of it, so that no duration is counted twice or lost.
    """
    above = next_level(level)
    bounds = level.step_seconds, start, start + level.row_seconds
    servers = connection.execute(f"SELECT DISTINCT server {FRESH_OF_ROW}", bounds).fetchall()
    epochs = connection.execute(f"SELECT DISTINCT epoch {FRESH_OF_ROW}", bounds).fetchall()
    for (server,) in servers:
        checks = _fresh_points(connection, level, start, server, [each for (each,) in epochs])
        for check, points in checks.items():
            _pack(connection, (level.step_seconds, start, server, check), points)
        if above is not None:
            add_fresh(connection, above, start, server, _sums(checks))
    connection.execute(f"DELETE {FRESH_OF_ROW}", bounds)


def roll_up(connection: sqlite3.Connection, level: Level, epoch: int) -> None:
    """Add fresh points to the next level and delete them; after the last level they are gone."""
    above = next_level(level)
    key = level.step_seconds, epoch
    rows = connection.execute(
        "SELECT server, times FROM fresh WHERE step_seconds = ? AND epoch = ?", key
    ).fetchall()
    connection.execute("DELETE FROM fresh WHERE step_seconds = ? AND epoch = ?", key)
    if above is None:
        return
    for server, times in rows:
        with contextlib.suppress(ValueError):
            add_fresh(connection, above, row_start(level, epoch), server, times_of(times))


def oldest(connection: sqlite3.Connection) -> dict[str, EpochSeconds]:
    """Return the start of the oldest point by level, to the row, and the time of the oldest change.

    None is before the first day on which the agent ran, as a clock that was wrong would have it.
    """
    (first,) = connection.execute("SELECT min(day) * 86400.0 FROM day").fetchone()
    found: dict[str, EpochSeconds] = {}
    for name, query, parameters in OLDEST:
        (epoch,) = connection.execute(query, parameters).fetchone()
        if epoch is not None:
            known = found.get(name, inf)
            found[name] = min(known, max(float(epoch), first or 0.0))
    return found


def _fresh_points(
    connection: sqlite3.Connection, level: Level, start: int, server: str, epochs: Iterable[int]
) -> dict[str, Points]:
    """Return the points of a server by check; those of a broken row are left out."""
    checks: dict[str, Points] = {}
    for epoch in epochs:
        row = connection.execute(
            "SELECT times FROM fresh WHERE step_seconds = ? AND epoch = ? AND server = ?",
            (level.step_seconds, epoch, server),
        ).fetchone()
        if row is None:
            continue
        with contextlib.suppress(ValueError):
            step = (epoch - start) // level.step_seconds
            for check, operations in times_of(row[0]).items():
                points = checks.setdefault(check, {})
                for operation, histogram in operations.items():
                    points.setdefault(operation, {})[step] = histogram
    return checks


def _pack(connection: sqlite3.Connection, key: PackedKey, points: Points) -> None:
    row = connection.execute(
        "SELECT points FROM packed "
        'WHERE step_seconds = ? AND epoch = ? AND server = ? AND "check" = ?',
        key,
    ).fetchone()
    if row:
        with contextlib.suppress(ValueError):  # a broken one is replaced
            whole = points_of(row[0])
            add_points(whole, points)
            points = whole
    connection.execute(
        "INSERT OR REPLACE INTO packed VALUES (?, ?, ?, ?, ?)", (*key, points_blob(points))
    )


def _sums(checks: Mapping[str, Points]) -> Times:
    return {
        check: {operation: merged(steps.values()) for operation, steps in points.items()}
        for check, points in checks.items()
    }
