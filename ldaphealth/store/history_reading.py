"""Reading the history on disk: by the agent, and by `ldaphealth history` while no agent runs."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import msgspec

from ldaphealth.clocks import EpochSeconds
from ldaphealth.files.regular_file import refuse_other_kinds
from ldaphealth.store.database import OPENING
from ldaphealth.store.history_tables import BUSY_SECONDS

# The first parameter is a server ID or a cluster, or empty: all rows.
OF_TARGET = "(?1 = '' OR server = ?1 OR substr(server, 1, length(?1) + 1) = ?1 || '/')"
CHANGES = (
    f"SELECT document FROM change WHERE {OF_TARGET} AND epoch <= ?2 "  # noqa: S608
    "ORDER BY id DESC LIMIT ?3"
)


class HistoryError(Exception):
    """The history cannot be read. The message is one line with the reason."""


def history_path(state_directory: Path) -> Path:
    """Return the path of the database."""
    return state_directory / "history.sqlite3"


def read_changes(
    path: Path,
    server: str,
    limit: int,
    before_epoch: EpochSeconds | None,
    *,
    has_writer: bool = False,
) -> list[dict[str, Any]]:
    """Return the latest changes of one server, a cluster or of all, newest first; HistoryError."""
    until = inf if before_epoch is None else before_epoch
    with reading(path, has_writer=has_writer) as connection:
        rows = connection.execute(CHANGES, (server, until, limit)).fetchall()
    try:
        return [msgspec.json.decode(document) for (document,) in rows]
    except ValueError as error:
        raise HistoryError(f"{path}: {error}") from error


@contextlib.contextmanager
def reading(path: Path, *, has_writer: bool) -> Iterator[sqlite3.Connection]:
    """Open the file for reading only. HistoryError: it is not there, or cannot be read.

    Without a writer and a write-ahead log the file is opened as one that does not change
    (https://www.sqlite.org/uri.html#uriimmutable): then neither lock nor file is made beside it,
    and its directory need not be writable.
    """
    try:
        refuse_other_kinds(path)  # to open a FIFO would wait for a writer
        has_log = has_writer or path.with_name(f"{path.name}-wal").exists()
        uri = f"{path.absolute().as_uri()}?mode=ro{'' if has_log else '&immutable=1'}"
        with contextlib.closing(_opened(uri)) as connection:
            yield connection
    except (sqlite3.Error, OSError) as error:
        missing = "" if path.exists() else "no history: "
        raise HistoryError(f"{missing}{path}: {error}") from error


def _opened(uri: str) -> sqlite3.Connection:
    with OPENING:
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
        try:
            connection.execute("PRAGMA schema_version")  # else a later read opens the -shm
        except BaseException:
            connection.close()
            raise
    return connection
