"""The file of the history, as the thread that writes has it: opened, written, set aside.

Each method that writes is one transaction or several whole ones. They raise sqlite3.Error or
OSError; after one of them `close` is called, and the next method opens the file again.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ldaphealth.clocks import EpochSeconds
from ldaphealth.files.regular_file import refuse_other_kinds
from ldaphealth.files.set_aside import set_aside
from ldaphealth.store import history_tables
from ldaphealth.store.database import OPENING, Identity, files_beside, identity_of
from ldaphealth.store.history_points import (
    Place,
    add_fresh,
    fold,
    oldest,
    packed_bytes,
    rows_that_are_over,
)
from ldaphealth.store.history_room import Room
from ldaphealth.store.history_tables import ChangeRow
from ldaphealth.store.levels import LEVELS, MINUTE, Bounds
from ldaphealth.store.number_rows import Numbers, numbers_blob
from ldaphealth.store.old_history import fold_piece
from ldaphealth.store.point_rows import Times, times_blob
from ldaphealth.store.point_tables import DURATIONS, NUMBERS

log = logging.getLogger(__name__)


class HistoryFile:
    """One SQLite file (WAL).

    `oldest` has the times of the oldest points by level, and of the oldest change.
    `cuts` counts for how often points of a level, or changes, were deleted because it was full.
    """

    def __init__(self, path: Path, bounds: Bounds, clock: Callable[[], EpochSeconds]) -> None:
        self._path, self._bounds, self._clock = path, bounds, clock
        self._connection: sqlite3.Connection | None = None
        self._identity: Identity | None = None
        self._beside: Mapping[Path, Identity | None] = {}
        self._has_old_minutes = False
        self._room = Room(bounds.max_bytes)
        self.oldest: Mapping[str, EpochSeconds] = {}

    @property
    def cuts(self) -> Mapping[str, int]:
        """Return how often something was deleted for want of room."""
        return self._room.cuts

    def connection(self) -> sqlite3.Connection:
        """Return the open file. One that is damaged or of another version is replaced by a new one.

        One that is no longer at its path is closed, because it would never be read.
        """
        if self._connection is not None and identity_of(self._path) != self._identity:
            self._leave()
        if self._connection is None:
            self._connection = self._opened()
            self._room.measure(self._connection)
            self._has_old_minutes = True
            self._identity = identity_of(self._path)
            self._beside = {each: identity_of(each) for each in files_beside(self._path)}
        return self._connection

    def add_days(self, seconds: Mapping[int, float]) -> None:
        """Add for how long the agent ran on which days."""
        connection = self.connection()
        with connection:
            history_tables.add_days(connection, seconds)

    def forget(self) -> None:
        """Delete what is older than wanted."""
        connection = self.connection()
        if history_tables.forget(connection, self._bounds):
            self._room.measure(connection)

    def add_changes(self, rows: Sequence[ChangeRow], now: EpochSeconds) -> None:
        """Add changes."""
        connection = self.connection()
        with connection:
            self._room.for_changes(connection, [len(document) for _, _, document in rows], now)
            history_tables.add_changes(connection, rows)

    def add_minutes(
        self,
        minutes: Mapping[Place, Times],
        now: EpochSeconds,
        numbers: Mapping[Place, Numbers] = {},
    ) -> None:
        """Add the durations, and the numbers, of minutes, by their start and server."""
        connection = self.connection()
        with connection:
            sizes = [len(times_blob(each)) for each in minutes.values()]
            sizes += [len(numbers_blob(each)) for each in numbers.values()]
            self._room.for_points(connection, sizes, now)
            for place, times in minutes.items():
                add_fresh(connection, DURATIONS, MINUTE, place, times)
            for place, found in numbers.items():
                add_fresh(connection, NUMBERS, MINUTE, place, found)

    def fold(self, now: EpochSeconds) -> None:
        """Fold what is over into rows and the next level, and some minutes of an older version."""
        connection = self.connection()
        for level in LEVELS:
            for start in rows_that_are_over(connection, level, now):
                with connection:
                    size = packed_bytes(connection, level, start)
                    self._room.for_points(connection, [size], now)
                    fold(connection, level, start)
        self.oldest = oldest(connection)

    def fold_old_piece(self) -> None:
        """Fold in some minutes of an older version, if the file had any when it was opened."""
        if self._has_old_minutes:
            self._has_old_minutes = fold_piece(self.connection())

    def close(self) -> None:
        """Close the file; the next method opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def set_aside(self, reason: str) -> None:
        """Rename a file that is no history, so that a new one can be made."""
        with OPENING:
            aside = set_aside(self._path, self._clock())
            for each, renamed in zip(files_beside(self._path), files_beside(aside), strict=True):
                with contextlib.suppress(FileNotFoundError):
                    each.rename(renamed)
        message = "the history is damaged; a new one is created"
        log.error(message, extra={"kept_as": str(aside), "error": reason})

    def _leave(self) -> None:
        """Close a file that is no longer at its path, and remove what SQLite made beside it.

        Another file at the path would else share them with readers of this one, and so would get
        pages of it. SQLite shortens a -shm that it opens again: a reader would end by SIGBUS.
        """
        with OPENING:
            self.close()
            for path, identity in self._beside.items():
                if identity is not None and identity_of(path) == identity:
                    path.unlink()

    def _opened(self) -> sqlite3.Connection:
        try:
            refuse_other_kinds(self._path)
            return history_tables.open_history(self._path, self._bounds.max_bytes)
        except sqlite3.OperationalError:
            raise  # full, locked, no permission: the file itself may be good
        except (sqlite3.DatabaseError, OSError) as error:
            self.set_aside(str(error))
            return history_tables.open_history(self._path, self._bounds.max_bytes)
