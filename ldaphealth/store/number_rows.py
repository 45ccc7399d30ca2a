"""The bytes of numbers on disk: the aggregates of a minute, an hour or a day. Pure.

They are stored as durations are (`point_rows.py`). A number has the name of its kind and, where
there are several, a label: `behind_seconds 001`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise

import msgspec
from msgspec import Struct

from ldaphealth.history.aggregate import Aggregate
from ldaphealth.store.float_bytes import inflated, rounded_bytes, rounded_numbers

Numbers = dict[str, dict[str, Aggregate]]  # by check and name, at one time
NumberPoints = dict[str, dict[int, Aggregate]]  # of one check, by name and number of the step

_ENCODER = msgspec.msgpack.Encoder()
_NUMBERS = msgspec.msgpack.Decoder(Numbers)


class _Columns(Struct, frozen=True, array_like=True, kw_only=True):
    """The points of one number. `steps` has the first step and the distances to the next ones.

    `more` is the sum without as many times the least. So a number that stays, or that is 0 but
    once, has columns of the same bytes, which deflate to one.
    """

    steps: list[int]
    counts: list[int]
    least: bytes
    most: bytes
    last: bytes
    more: bytes


_COLUMNS = msgspec.msgpack.Decoder(dict[str, _Columns])


def numbers_blob(numbers: Mapping[str, Mapping[str, Aggregate]]) -> bytes:
    """Return the numbers of one server at one time."""
    return zlib.compress(_ENCODER.encode(numbers), 1)  # names are most of it


def numbers_of(blob: bytes) -> Numbers:
    """Return what `numbers_blob` encoded; ValueError."""
    return _NUMBERS.decode(inflated(blob))


def number_points_blob(points: Mapping[str, Mapping[int, Aggregate]]) -> bytes:
    """Return the numbers of one check.

    They are rounded by 1 in 100,000 at most; whole numbers up to 65,536 are exact.
    """
    columns = {name: _columns(dict(sorted(each.items()))) for name, each in points.items()}
    return zlib.compress(_ENCODER.encode(columns), 9)


def number_points_of(blob: bytes) -> NumberPoints:
    """Return what `number_points_blob` encoded; ValueError."""
    try:
        return {
            name: dict(_aggregates(columns))
            for name, columns in _COLUMNS.decode(inflated(blob)).items()
        }
    except struct.error as error:
        raise ValueError(f"broken points: {error}") from error


def _columns(points: Mapping[int, Aggregate]) -> _Columns:
    found = [*points.values()]
    return _Columns(
        steps=[after - before for before, after in pairwise((0, *points))],
        counts=[each.count for each in found],
        least=rounded_bytes([each.least for each in found]),
        most=rounded_bytes([each.most for each in found]),
        last=rounded_bytes([each.last for each in found]),
        more=rounded_bytes([_more(each) for each in found]),
    )


def _more(numbers: Aggregate) -> float:
    """Return the sum beyond as many times the least; no noise of rounding where all are equal."""
    equal = numbers.least == numbers.most
    return 0.0 if equal else numbers.sum - numbers.count * numbers.least


def _aggregates(columns: _Columns) -> Iterator[tuple[int, Aggregate]]:
    numbers = (
        rounded_numbers(each) for each in (columns.least, columns.most, columns.last, columns.more)
    )
    rows = zip(accumulate(columns.steps), columns.counts, *numbers, strict=True)
    for step, count, least, most, last, more in rows:
        total = more + count * least
        yield step, Aggregate(count=count, sum=total, least=least, most=most, last=last)
