"""The tables of points: minutes become hours, and hours days, by adding points of the same name.

What is new goes to the table `fresh`: a row for each server and step, which is appended, so that
few bytes are written and a process that is killed loses the current minute only. When an hour is
over, its minutes are folded: they move to rows of the table `packed`, and their sum is a step of
the next level, in `fresh` again. So each duration is counted once in `fresh` and in the last level.
Numbers have tables of their own (`point_tables.py`) and are folded alike. The functions raise
sqlite3.Error.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from math import inf

from ldaphealth.clocks import EpochSeconds
from ldaphealth.store.levels import CHANGE, LEVELS, Level, next_level, row_start
from ldaphealth.store.point_tables import KINDS, PointTables, T

Place = tuple[int, str]  # the start of a step or of a row, and the server ID
PackedKey = tuple[int, int, str, str]  # step, start, server and check of a row

OF_ROW = "WHERE step_seconds = ? AND epoch >= ? AND epoch < ?"
OF_STEP = "WHERE step_seconds = ? AND epoch = ?"

# What is the oldest of, the statement that finds it, and its parameters.
OLDEST: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    *(
        (
            level.name,
            f"SELECT min(epoch) FROM {table} WHERE step_seconds = ?",  # noqa: S608
            (level.step_seconds,),
        )
        for level in LEVELS
        for kind in KINDS
        for table in (kind.packed, kind.fresh)
    ),
    (CHANGE, "SELECT min(epoch) FROM change", ()),
)


def add_fresh(
    connection: sqlite3.Connection,
    kind: PointTables[T],
    level: Level,
    place: Place,
    points: Mapping[str, Mapping[str, T]],
) -> None:
    """Add the points of a server and a step. Those that are there, from before, come first."""
    key: tuple[int, int, str] = (level.step_seconds, *place)
    row = connection.execute(
        f"SELECT {kind.fresh_column} FROM {kind.fresh} {OF_STEP} AND server = ?",  # noqa: S608
        key,
    ).fetchone()
    if row:
        with contextlib.suppress(ValueError):  # a broken one is replaced
            whole = kind.step_of(row[0])
            kind.add(whole, points)
            points = whole
    connection.execute(
        f"INSERT OR REPLACE INTO {kind.fresh} VALUES (?, ?, ?, ?)",  # noqa: S608
        (*key, kind.step_blob(points)),
    )


def rows_that_are_over(
    connection: sqlite3.Connection, level: Level, now: EpochSeconds
) -> Iterator[int]:
    """Yield the starts of rows that have fresh points and are not those of this time.

    Of a clock that was wrong, that includes the future. What is yielded must be folded before the
    next one.
    """
    current = row_start(level, now)
    for kind in KINDS:
        for before, order in ((True, "ASC"), (False, "DESC")):
            while True:
                row = connection.execute(
                    f"SELECT epoch FROM {kind.fresh} WHERE step_seconds = ? "  # noqa: S608
                    f"ORDER BY epoch {order} LIMIT 1",
                    (level.step_seconds,),
                ).fetchone()
                start = current if row is None else row_start(level, row[0])
                if not (start < current if before else start > current):
                    break
                yield start


def packed_bytes(connection: sqlite3.Connection, level: Level, start: int) -> int:
    """Return how many bytes the fresh points of a row need at most when they are packed."""
    bounds = level.step_seconds, start, start + level.row_seconds
    return sum(
        connection.execute(
            f"SELECT coalesce(sum(length({kind.fresh_column})), 0) FROM {kind.fresh} {OF_ROW}",  # noqa: S608
            bounds,
        ).fetchone()[0]
        // kind.packed_part
        for kind in KINDS
    )


def fold(connection: sqlite3.Connection, level: Level, start: int) -> None:
    """Pack the fresh points of a row, and add their sum to the next level.

    The caller makes one transaction of it, so that no duration is counted twice or lost.
    """
    for kind in KINDS:
        _fold_kind(connection, kind, level, start)


def _fold_kind(
    connection: sqlite3.Connection, kind: PointTables[T], level: Level, start: int
) -> None:
    above = next_level(level)
    bounds = level.step_seconds, start, start + level.row_seconds
    servers, epochs = (
        connection.execute(
            f"SELECT DISTINCT {column} FROM {kind.fresh} {OF_ROW} ORDER BY 1",  # noqa: S608
            bounds,
        ).fetchall()
        for column in ("server", "epoch")
    )
    for (server,) in servers:
        checks = _fresh_points(connection, kind, level, (start, server), [at for (at,) in epochs])
        for check, points in checks.items():
            _pack(connection, kind, (level.step_seconds, start, server, check), points)
        if above is not None:
            add_fresh(connection, kind, above, (start, server), _sums(kind, checks))
    connection.execute(f"DELETE FROM {kind.fresh} {OF_ROW}", bounds)  # noqa: S608


def roll_up(connection: sqlite3.Connection, kind: PointTables[T], level: Level, epoch: int) -> None:
    """Add fresh points to the next level and delete them; after the last level they are gone."""
    above = next_level(level)
    key = level.step_seconds, epoch
    rows = connection.execute(
        f"SELECT server, {kind.fresh_column} FROM {kind.fresh} {OF_STEP}",  # noqa: S608
        key,
    ).fetchall()
    connection.execute(f"DELETE FROM {kind.fresh} {OF_STEP}", key)  # noqa: S608
    if above is None:
        return
    for server, blob in rows:
        with contextlib.suppress(ValueError):
            start = row_start(level, epoch)
            add_fresh(connection, kind, above, (start, server), kind.step_of(blob))


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
    connection: sqlite3.Connection,
    kind: PointTables[T],
    level: Level,
    place: Place,
    epochs: Iterable[int],
) -> dict[str, dict[str, dict[int, T]]]:
    """Return the points of a server by check; those of a broken row are left out."""
    start, server = place
    checks: dict[str, dict[str, dict[int, T]]] = {}
    for epoch in epochs:
        row = connection.execute(
            f"SELECT {kind.fresh_column} FROM {kind.fresh} {OF_STEP} AND server = ?",  # noqa: S608
            (level.step_seconds, epoch, server),
        ).fetchone()
        if row is None:
            continue
        with contextlib.suppress(ValueError):
            step = (epoch - start) // level.step_seconds
            for check, names in kind.step_of(row[0]).items():
                points = checks.setdefault(check, {})
                for name, point in names.items():
                    points.setdefault(name, {})[step] = point
    return checks


def _pack(
    connection: sqlite3.Connection,
    kind: PointTables[T],
    key: PackedKey,
    points: Mapping[str, Mapping[int, T]],
) -> None:
    row = connection.execute(
        f"SELECT points FROM {kind.packed} "  # noqa: S608
        'WHERE step_seconds = ? AND epoch = ? AND server = ? AND "check" = ?',
        key,
    ).fetchone()
    if row:
        with contextlib.suppress(ValueError):  # a broken one is replaced
            whole = kind.row_of(row[0])
            kind.add(whole, points)
            points = whole
    connection.execute(
        f"INSERT OR REPLACE INTO {kind.packed} VALUES (?, ?, ?, ?, ?)",  # noqa: S608
        (*key, kind.row_blob(points)),
    )


def _sums(
    kind: PointTables[T], checks: Mapping[str, Mapping[str, Mapping[int, T]]]
) -> dict[str, dict[str, T]]:
    """Return the sums of steps, which are in the order of their times."""
    return {
        check: {name: kind.added(steps.values()) for name, steps in points.items()}
        for check, points in checks.items()
    }
