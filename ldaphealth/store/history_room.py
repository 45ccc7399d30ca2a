"""The bound of the history: what is deleted when it is full, and how often that was.

SQLite reports a full file and a full disk by the same error. So room is made before rows are
written, and a full disk deletes nothing. Points never displace changes of verdicts: minutes go
first, then hours, then days, of each the oldest. Changes have half of the file; what they do not
use, points may. When changes alone fill their half, the oldest of them go.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ldaphealth.clocks import EpochSeconds
from ldaphealth.store.database import used_bytes
from ldaphealth.store.history_points import roll_up
from ldaphealth.store.levels import CHANGE, LEVELS, Level
from ldaphealth.store.point_tables import KINDS, PointTables, T

FULL_PART = 10  # a full file loses a tenth of the oldest rows of a level at a time
SPARE_BYTES = 64 << 10  # for the inner pages of tables and indexes
ROW_BYTES = 100  # of a row and its entries in indexes, beside the document


class Room:
    """Makes room in one file. `cuts` counts deletions, by the name of a level and for `CHANGE`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._change_bytes = 0
        self.cuts = dict.fromkeys((*(level.name for level in LEVELS), CHANGE), 0)

    def measure(self, connection: sqlite3.Connection) -> None:
        """Measure the changes in a file that was opened, or from which some were deleted."""
        (self._change_bytes,) = connection.execute(
            "SELECT coalesce(sum(length(document) + ?), 0) FROM change", (ROW_BYTES,)
        ).fetchone()

    def for_changes(
        self, connection: sqlite3.Connection, sizes: Sequence[int], now: EpochSeconds
    ) -> None:
        """Delete until changes of these sizes fit, in bytes."""
        added = sum(sizes) + ROW_BYTES * len(sizes)
        while self._change_bytes + added > self._max_bytes // 2:
            deleted = _delete_oldest_changes(connection)
            if not deleted:
                break
            self._change_bytes -= deleted
            self._count(CHANGE)
        self._change_bytes += added
        self.for_points(connection, sizes, now)

    def for_points(
        self, connection: sqlite3.Connection, sizes: Sequence[int], now: EpochSeconds
    ) -> None:
        """Delete points until rows of these sizes fit, in bytes."""
        needed_bytes = 2 * sum(sizes) + ROW_BYTES * len(sizes)  # pages are half full at the worst
        allowed = self._max_bytes - SPARE_BYTES - needed_bytes
        while used_bytes(connection) > allowed:
            level = next((each for each in LEVELS if _delete_some(connection, each, now)), None)
            if level is None:
                break
            self._count(level.name)

    def _count(self, name: str) -> None:
        self.cuts[name] += 1


def _delete_oldest_changes(connection: sqlite3.Connection) -> int:
    """Delete a tenth of the changes, and return how many bytes that were."""
    (count,) = connection.execute("SELECT count(*) FROM change").fetchone()
    deleted = connection.execute(
        "DELETE FROM change WHERE id <= (SELECT id FROM change ORDER BY id LIMIT 1 OFFSET ?) "
        "RETURNING length(document)",
        (count // FULL_PART,),
    ).fetchall()
    return sum(size + ROW_BYTES for (size,) in deleted)


def _delete_some(connection: sqlite3.Connection, level: Level, now: EpochSeconds) -> bool:
    """Delete the oldest points of a level, but not the newest; return whether there were any.

    Those of a clock that was wrong go first: they are in the future.
    """
    packed = [_delete_packed(connection, kind, level, now) for kind in KINDS]
    if any(packed):
        return True
    fresh = [_roll_up_some(connection, kind, level) for kind in KINDS]
    return any(fresh)


def _delete_packed(
    connection: sqlite3.Connection, kind: PointTables[T], level: Level, now: EpochSeconds
) -> bool:
    (count,) = connection.execute(
        f"SELECT count(*) FROM {kind.packed} WHERE step_seconds = ?",  # noqa: S608
        (level.step_seconds,),
    ).fetchone()
    if not count:
        return False
    for condition in ("epoch > ?2", "epoch <= ?2"):
        (until,) = connection.execute(
            f"SELECT max(epoch) FROM (SELECT epoch FROM {kind.packed} "  # noqa: S608
            f"WHERE step_seconds = ?1 AND {condition} ORDER BY epoch LIMIT ?3)",
            (level.step_seconds, now, count // FULL_PART + 1),
        ).fetchone()
        if until is not None:
            connection.execute(
                f"DELETE FROM {kind.packed} "  # noqa: S608
                f"WHERE step_seconds = ?1 AND {condition} AND epoch <= ?3",
                (level.step_seconds, now, until),
            )
            break
    return True


def _roll_up_some(connection: sqlite3.Connection, kind: PointTables[T], level: Level) -> bool:
    """Delete a tenth of the steps that are not packed yet, but the newest of them not."""
    epochs = connection.execute(
        f"SELECT DISTINCT epoch FROM {kind.fresh} WHERE step_seconds = ? ORDER BY epoch",  # noqa: S608
        (level.step_seconds,),
    ).fetchall()
    oldest = epochs[: min(len(epochs) // FULL_PART + 1, len(epochs) - 1)]
    for (epoch,) in oldest:
        roll_up(connection, kind, level, epoch)
    return bool(oldest)
