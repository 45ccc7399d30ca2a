"""Observations as rows of plain data and back: what is as in the observation before is left out.

Pure. A writer and a reader remember the newest observation of each server and check. A row is
`[which, start, duration, times, facts, failure]`, without what is left out at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ldaphealth.agent.journal_leaves import (
    Leaf,
    LeafReader,
    LeafWriter,
    Shape,
    long,
    marks_of,
    shape_of,
    short,
    units,
    with_leaves,
)
from ldaphealth.model import AnyObservation, Failure, Observation

Row = list[Any]
FactsType = Callable[[str], type[Struct]]  # by the name of a check
SAME: None = None  # facts equal to those before
NONE = False  # no facts
LEFT_OUT: Row = [None, None, None, [], SAME, None]
FIELDS = len(LEFT_OUT)


class _Past:
    """The newest observation of one server and check."""

    __slots__ = ("encoded", "facts", "leaves", "marks", "names", "shape", "started", "which")

    def __init__(self, which: int) -> None:
        self.which = which
        self.names: tuple[str, ...] = ()
        self.facts: Struct | None = None
        self.encoded = b""  # of the facts; it differs if only the order of keys does
        self.shape: Shape = None
        self.marks: list[Leaf] = []
        self.leaves: list[int | str] = []
        self.started = 0


class ObservationWriter:
    """Observations to rows."""

    def __init__(self) -> None:
        self._past: dict[tuple[str, str], _Past] = {}
        self._failures: dict[Failure, int] = {}
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_nothing)
        self._leaves = LeafWriter()
        self._ended = 0

    def row(self, seen: AnyObservation) -> Row:
        """Return the row of an observation."""
        key = seen.server, seen.check
        past = self._past.get(key)
        which: Any = key if past is None else past.which
        if past is None:
            past = self._past[key] = _Past(len(self._past))
        start, took = units(seen.started_at), units(seen.duration_seconds)
        row = [
            which,
            seen.started_at if start is None else start - self._ended,
            seen.duration_seconds if took is None else took,
            self._times(seen.timings, took or 0, past),
        ]
        started = round(seen.started_at * 1e6) if start is None else start
        self._ended = started + (took or 0)
        facts = self._facts(seen.facts, past, started)
        past.started = started
        if seen.failure is not None:
            row += [facts, self._failure(seen.failure)]
        elif facts is not SAME:
            row.append(facts)
        elif row[-1] == []:
            row.pop()
        return row

    def _times(self, timings: Mapping[str, float], took: int, past: _Past) -> Any:
        """Return the times of the operations; the last one is subtracted from what is left."""
        names = (*timings,)
        times: list[int | float] = []
        for each in timings.values():
            time = short(each)
            times.append(time)
            if type(time) is int:
                took -= time
        if times and type(times[-1]) is int:
            times[-1] = took
        if names == past.names:
            return times
        past.names = names
        return dict(zip(names, times, strict=True))

    def _facts(self, facts: Struct | None, past: _Past, started: int) -> Any:
        if facts is None:
            return NONE
        if facts is past.facts:
            return SAME
        encoded = self._encoder.encode(facts)
        if encoded == past.encoded:
            return SAME
        past.encoded = encoded
        leaves: list[Leaf] = []
        shape = shape_of(msgspec.to_builtins(facts, enc_hook=_nothing), leaves)
        is_same = shape == past.shape and self._has_order_of(shape, past.shape)
        before = past.leaves if is_same else ()
        rows, past.leaves = self._leaves.differences(leaves, before, started - past.started)
        past.facts = facts
        if is_same:
            return rows
        past.shape = shape
        return {"shape": shape, "leaves": rows}

    def _has_order_of(self, shape: Shape, other: Shape) -> bool:
        """Return whether the keys of equal shapes are in the same order, as their leaves are."""
        return self._encoder.encode(shape) == self._encoder.encode(other)

    def _failure(self, failure: Failure) -> Any:
        known = self._failures.get(failure)
        if known is not None:
            return known
        self._failures[failure] = len(self._failures)
        return msgspec.to_builtins(failure)


class ObservationReader:
    """Rows to observations, in the order in which they were written."""

    def __init__(self, facts_type: FactsType) -> None:
        self._facts_type = facts_type
        self._past: list[tuple[str, str, _Past]] = []
        self._failures: list[Failure] = []
        self._leaves = LeafReader()
        self._ended = 0

    def observation(self, row: Row) -> AnyObservation:
        """Return the observation of a row."""
        which, start, took, times, kept, failed = row if len(row) == FIELDS else _filled(row)
        if type(which) is not int:
            server, check = which
            which = len(self._past)
            self._past.append((server, check, _Past(which)))
        server, check, past = self._past[which]
        if type(start) is int:
            started = start + self._ended
            started_at = started / 1e6
        else:
            started_at, started = start, round(start * 1e6)
        spent = took if type(took) is int else 0
        self._ended = started + spent
        timings = _timings(times, spent, past)
        facts = past.facts if kept is SAME else self._facts(kept, check, past, started)
        past.started = started
        return Observation(
            server=server,
            check=check,
            started_at=started_at,
            duration_seconds=took / 1e6 if type(took) is int else float(took),
            facts=facts,
            timings=timings,
            failure=None if failed is None else self._failure(failed),
        )

    def _facts(self, kept: Any, check: str, past: _Past, started: int) -> Struct | None:
        if kept is NONE:
            return None
        rows, before = kept, past.leaves
        if type(kept) is dict:
            rows, past.shape, before = kept["leaves"], kept["shape"], []
            past.marks = marks_of(past.shape)
        passed = started - past.started
        leaves, past.leaves = self._leaves.leaves(rows, past.marks, before, passed)
        plain = with_leaves(past.shape, iter(leaves))
        past.facts = msgspec.convert(plain, self._facts_type(check))
        return past.facts

    def _failure(self, kept: Any) -> Failure:
        if type(kept) is int:
            return self._failures[kept]
        self._failures.append(msgspec.convert(kept, Failure))
        return self._failures[-1]


def _filled(row: Row) -> Row:
    """Return a row with what is left out at its end."""
    return row + LEFT_OUT[len(row) :]


def _timings(kept: Any, took: int, past: _Past) -> dict[str, float]:
    if type(kept) is dict:
        past.names = (*kept,)
        kept = [*kept.values()]
    if not (kept or past.names):
        return {}
    if len(kept) == 1 == len(past.names) and type(kept[0]) is int:  # the usual one operation
        return {past.names[0]: (took - kept[0]) / 1e6}
    for each in kept[:-1]:
        if type(each) is int:
            took -= each
    if kept and type(kept[-1]) is int:
        kept = [*kept[:-1], took - kept[-1]]
    return dict(zip(past.names, map(long, kept), strict=True))


def _nothing(_: object) -> None:
    """Leave out what becomes a text when it is shown: it may have a value of a client."""
