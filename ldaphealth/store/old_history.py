"""The history of version 0.1, whose minutes are folded in piece by piece while the agent runs.

It had a row for each minute, server and operation, with a histogram as JSON, whose buckets were
twice as wide. Its changes of verdicts are in the table that is in use now.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import groupby

import msgspec
from msgspec import Struct

from ldaphealth.histogram import Histogram
from ldaphealth.store.database import used_bytes
from ldaphealth.store.history_points import add_fresh
from ldaphealth.store.levels import MINUTE
from ldaphealth.store.point_rows import Times
from ldaphealth.store.point_tables import DURATIONS

VERSION = 1
TABLE = "minute_of_version_1"
COLUMNS = {
    "change": {"id", "epoch", "server", "document"},
    "minute": {"epoch", "server", "name", "spread"},
}
BEGIN_MIGRATION = f"ALTER TABLE minute RENAME TO {TABLE};"
DAYS = f"""
INSERT INTO day SELECT epoch / 86400, 60 * count(DISTINCT epoch) FROM {TABLE}
WHERE NOT EXISTS (SELECT 1 FROM day) GROUP BY epoch / 86400;
"""  # noqa: S608  a constant; older files lack the days
PIECE_ROWS = 1000  # take about 30 ms
NEEDED_BYTES = 128 << 10  # for the new tables
SPARE_PART = 20  # of the file: minutes are folded in faster than it fills
FULL_PART = 10


class _OldHistogram(Struct, frozen=True, kw_only=True):
    count: int
    sum: float
    sum_of_squares: float
    least: float
    most: float
    buckets: Mapping[int, int]


def fold_piece(connection: sqlite3.Connection) -> bool:
    """Move some minutes to the table `fresh`, all or nothing. Return whether there was any.

    A row that cannot be read is left out.
    """
    if not connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (TABLE,)
    ).fetchone():
        return False
    with connection:
        rows = connection.execute(
            f"SELECT epoch, server, name, spread FROM {TABLE} "  # noqa: S608
            "ORDER BY epoch, server, name LIMIT ?",
            (PIECE_ROWS,),
        ).fetchall()
        if not rows:
            connection.execute(f"DROP TABLE {TABLE}")
            return True
        connection.execute(
            f"DELETE FROM {TABLE} WHERE (epoch, server, name) <= (?, ?, ?)",  # noqa: S608
            rows[-1][:3],
        )
        for (epoch, server), of_server in groupby(rows, key=lambda row: row[:2]):
            add_fresh(connection, DURATIONS, MINUTE, (epoch, server), _times(of_server))
    return True


def _times(rows: Iterable[tuple[int, str, str, bytes]]) -> Times:
    """Return the points of one server and minute; names were `CHECK.OPERATION_seconds`."""
    times: Times = {}
    for _, _, name, spread in rows:
        check, _, operation = name.removesuffix("_seconds").partition(".")
        with contextlib.suppress(ValueError):
            DURATIONS.add(times, {check: {operation: _histogram(spread)}})
    return times


def _histogram(spread: bytes) -> Histogram:
    """Return the histogram; the upper half of a wide bucket stands for all of it. ValueError."""
    old = msgspec.json.decode(spread, type=_OldHistogram)
    return Histogram(
        count=old.count,
        sum=old.sum,
        sum_of_squares=old.sum_of_squares,
        least=old.least,
        most=old.most,
        buckets={2 * bucket + 1: count for bucket, count in old.buckets.items()},
    )


def make_room(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Delete the oldest minutes until pieces can be folded in, and changes until tables fit.

    Version 0.1 filled the file to its last page.
    """
    for table, key, needed_bytes in (
        ("minute", "epoch", max(max_bytes // SPARE_PART, NEEDED_BYTES)),
        ("change", "id", NEEDED_BYTES),
    ):
        while used_bytes(connection) > max_bytes - needed_bytes:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
            if not count:
                break
            with connection:
                connection.execute(
                    f"DELETE FROM {table} WHERE {key} <= "  # noqa: S608
                    f"(SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET ?)",
                    (count // FULL_PART,),
                )
