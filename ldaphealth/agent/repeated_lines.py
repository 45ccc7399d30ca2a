"""Bounds the log: the same trouble is one line at once, and then one a minute with a count.

A full disk, no descriptors or a defect in a check would otherwise be logged with every round, file
and client. Events such as changes of a verdict are no trouble: each of them is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Protocol

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds

LINE_SECONDS = 60.0  # between two lines about the same trouble
MOST_LINES = 20  # of one place in the code in LINE_SECONDS, about different things
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

Kind = tuple[str, ...]
OTHERS: Kind = ()  # what is beyond MOST_LINES


class Stream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """Write a line."""

    def flush(self) -> object:
        """Write what was kept."""


class _Counted(Struct):
    """One kind of trouble: how often it occurred since its last line, and the newest record."""

    next_at: MonotonicSeconds
    count: int = 0
    latest: logging.LogRecord | None = None


class RepeatedLines:
    """What was logged lately, and how often it occurred since. Not thread-safe."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int], dict[Kind, _Counted]] = {}

    def admit(self, record: logging.LogRecord, now: MonotonicSeconds) -> bool:
        """Return whether to write the record. If not, it is counted."""
        if not _is_trouble(record):
            return True
        kinds = self._places.setdefault((record.pathname, record.lineno), {})
        kind = _kind(record)
        if kind not in kinds and len(kinds) >= MOST_LINES:
            kind = OTHERS
        is_new = kind not in kinds
        counted = kinds.setdefault(kind, _Counted(now + LINE_SECONDS))
        if is_new and kind is not OTHERS:
            return True
        counted.count += 1
        counted.latest = _without_traceback(record)
        return False

    def due(self, now: MonotonicSeconds) -> Iterator[logging.LogRecord]:
        """Return a record with a `count` for what was repeated, and forget what has ended."""
        for place, kinds in list(self._places.items()):
            for kind, counted in list(kinds.items()):
                if now < counted.next_at:
                    continue
                if counted.latest is None:
                    del kinds[kind]
                    continue
                yield logging.makeLogRecord(vars(counted.latest) | {"count": counted.count})
                kinds[kind] = _Counted(now + LINE_SECONDS)
            if not kinds:
                del self._places[place]


class BoundedHandler(logging.StreamHandler[Stream]):
    """Writes records to a stream, and repeated trouble once a minute.

    `write_counts` is to be called every few seconds. Any thread may call the methods.
    """

    def __init__(self, stream: Stream, now: Callable[[], MonotonicSeconds] = monotonic) -> None:
        super().__init__(stream)
        self._now, self._repeated = now, RepeatedLines()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it. As in every handler, no error is raised."""
        try:
            is_admitted = self._repeated.admit(record, self._now())
        except Exception:
            self.handleError(record)
        else:
            if is_admitted:
                super().emit(record)

    def write_counts(self, *, everything: bool = False) -> None:
        """Write what was repeated within a minute that has ended; `everything`: until now."""
        now = self._now() + LINE_SECONDS * everything
        self.acquire()
        try:
            for record in self._repeated.due(now):
                super().emit(record)
        finally:
            self.release()


def _is_trouble(record: logging.LogRecord) -> bool:
    has_cause = "error" in vars(record) or bool(record.exc_info)
    return record.levelno >= (logging.WARNING if has_cause else logging.ERROR)


def _kind(record: logging.LogRecord) -> Kind:
    """Return what two records of the same trouble share: neither numbers nor names of files."""
    extra = {key: each for key, each in vars(record).items() if key not in STANDARD}
    error = str(extra.pop("error", ""))
    if error.startswith("[Errno "):  # str() of OSError ends with the name of its file
        error = error.partition(": '")[0]
    cause = type(record.exc_info[1]).__name__ if record.exc_info else ""
    names = [f"{key}={each}" for key, each in sorted(extra.items()) if isinstance(each, str)]
    return (record.getMessage(), error, cause, *names)


def _without_traceback(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy that refers to no frame, and names the exception as its `error`."""
    found = record.exc_info[1] if record.exc_info else None
    named = {} if found is None else {"error": f"{type(found).__name__}: {found}"}
    bare = {"exc_info": None, "exc_text": None, "stack_info": None}
    return logging.makeLogRecord(named | vars(record) | bare)
