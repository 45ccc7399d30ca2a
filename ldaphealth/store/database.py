"""What any SQLite file of the agent needs: its mode, its version, its columns and its pages."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

MODE = 0o640  # the files that SQLite makes beside it get the same mode
BESIDE = ("-wal", "-shm")  # ends of the names of the files that SQLite makes beside it
# Held while a file is opened for reading, and while its name gets free for another one: SQLite
# opens the -shm after the file, by its name, and its locks have no effect within a process.
OPENING = threading.Lock()
PAGE_BYTES = 8192  # of a new file: rows of points are 1 to 2 KiB, and less of a page stays empty


Identity = tuple[int, int]  # device and inode


def identity_of(path: Path) -> Identity | None:
    """Return which file is at the path; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def files_beside(path: Path) -> tuple[Path, ...]:
    """Return the paths of the files that SQLite makes beside a file."""
    return tuple(path.with_name(path.name + end) for end in BESIDE)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the tables, which the program set; 0: the file is new."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def make_file(path: Path) -> None:
    """Create the file, or correct its mode and those of the files beside it.

    An existing file is not opened: to close it would release the locks of SQLite (fcntl(2)).
    sqlite3.OperationalError: it cannot be created.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
        for each in (path, *files_beside(path)):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                each.chmod(MODE)
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error


def refuse_lacking(connection: sqlite3.Connection, tables: Mapping[str, set[str]]) -> None:
    """Raise sqlite3.DatabaseError if a table lacks columns."""
    for table, columns in tables.items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if not found >= columns:
            raise sqlite3.DatabaseError(f"the table {table!r} lacks columns")


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of the pages of the file that are in use."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages - free) * page_bytes(connection)


def page_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of a page; an older file may have another one."""
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(size)
