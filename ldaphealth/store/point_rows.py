"""The bytes of points on disk. Pure.

A point is the histogram of the durations of one operation in one minute, hour or day. What is
written every minute is quick to make: the points of a server as MessagePack. What is kept is small:
the points of one check over an hour, a day or 32 days in columns, deflated.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import msgspec
from msgspec import Struct

from ldaphealth.histogram import Histogram
from ldaphealth.store.float_bytes import inflated, rounded_bytes, rounded_numbers

Times = dict[str, dict[str, Histogram]]  # by check and operation, at one time
Points = dict[str, dict[int, Histogram]]  # of one check, by operation and number of the step

_ENCODER = msgspec.msgpack.Encoder()
_TIMES = msgspec.msgpack.Decoder(Times)


class _Columns(Struct, frozen=True, array_like=True, kw_only=True):
    """The points of one operation.

    `steps` has the first step and the distances to the next ones. `buckets` has of each point the
    first bucket (as the distance to that of the point before), how many there are from the first to
    the last, and their counts.
    """

    steps: list[int]
    counts: list[int]
    sums: bytes
    squares: bytes
    least: bytes
    most: bytes
    buckets: list[int]


_COLUMNS = msgspec.msgpack.Decoder(dict[str, _Columns])


def times_blob(times: Mapping[str, Mapping[str, Histogram]]) -> bytes:
    """Return the points of one server at one time."""
    return _ENCODER.encode(times)


def times_of(blob: bytes) -> Times:
    """Return what `times_blob` encoded; ValueError."""
    return _TIMES.decode(blob)


def points_blob(points: Mapping[str, Mapping[int, Histogram]]) -> bytes:
    """Return the points of one check. None of them is empty.

    Sums, squares and extremes are rounded by 2 in 100,000 at most.
    """
    columns = {
        operation: _columns(dict(sorted(each.items()))) for operation, each in points.items()
    }
    return zlib.compress(_ENCODER.encode(columns), 9)


def points_of(blob: bytes) -> Points:
    """Return what `points_blob` encoded; ValueError."""
    try:
        return {
            operation: dict(_histograms(columns))
            for operation, columns in _COLUMNS.decode(inflated(blob)).items()
        }
    except (struct.error, RuntimeError, IndexError) as error:
        raise ValueError(f"broken points: {error}") from error


def _columns(points: Mapping[int, Histogram]) -> _Columns:
    found = [*points.values()]
    return _Columns(
        steps=[after - before for before, after in pairwise((0, *points))],
        counts=[each.count for each in found],
        sums=rounded_bytes([each.sum for each in found]),
        squares=rounded_bytes([each.sum_of_squares for each in found]),
        least=rounded_bytes([each.least for each in found]),
        most=rounded_bytes([each.most for each in found]),
        buckets=_bucket_numbers(found),
    )


def _bucket_numbers(histograms: Sequence[Histogram]) -> list[int]:
    numbers: list[int] = []
    before = 0
    for each in histograms:
        first, last = min(each.buckets), max(each.buckets)
        numbers += (first - before, last - first + 1)
        count_of = each.buckets.get
        numbers += [count_of(bucket, 0) for bucket in range(first, last + 1)]
        before = first
    return numbers


def _histograms(columns: _Columns) -> Iterator[tuple[int, Histogram]]:
    numbers = (
        rounded_numbers(each)
        for each in (columns.sums, columns.squares, columns.least, columns.most)
    )
    rows = zip(
        accumulate(columns.steps),
        columns.counts,
        *numbers,
        _buckets_of(columns.buckets),
        strict=True,
    )
    for step, count, total, squares, least, most, buckets in rows:
        yield (
            step,
            Histogram(
                count=count,
                sum=total,
                sum_of_squares=squares,
                least=least,
                most=most,
                buckets=buckets,
            ),
        )


def _buckets_of(numbers: Sequence[int]) -> Iterator[dict[int, int]]:
    at = first = 0
    while at < len(numbers):
        first += numbers[at]
        begin, at = at + 2, at + 2 + numbers[at + 1]
        counts = enumerate(numbers[begin:at], first)
        yield {bucket: count for bucket, count in counts if count}
