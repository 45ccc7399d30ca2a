"""Reading points of the history: durations by the minute, hour, day or any longer period.

It works while an agent writes, and while none runs. `levels.py` says what a point is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.control.requests import TimesRequest
from ldaphealth.histogram import Histogram, merged
from ldaphealth.store.history_reading import reading
from ldaphealth.store.point_tables import DURATIONS, T
from ldaphealth.store.points_reader import (
    PeriodQuery,
    PointReader,
    periods_of,
    reading_points,
    servers_of,
)


class PointQuery(PeriodQuery, frozen=True, kw_only=True):
    """Which durations are wanted. `operation` is "" for all of the check together."""

    operation: str = ""

    def wanted(self, points: Mapping[str, T]) -> Mapping[str, T]:
        """Return the points of the operation."""
        if not self.operation:
            return points
        return {name: each for name, each in points.items() if name == self.operation}


class Period(Struct, frozen=True, kw_only=True):
    """The durations that were measured in a period.

    Where the history has coarser points only, `seconds` is the length of such a point.
    """

    start_epoch: EpochSeconds
    seconds: int
    durations: Histogram


def read_points(
    path: Path, servers: Iterable[str], query: PointQuery, *, has_writer: bool = False
) -> dict[str, tuple[Period, ...]]:
    """Return the periods of each server that have points, oldest first; HistoryError.

    Each duration is counted once: days and hours are taken where they fit into a period, finer
    points for what is cut or not summed yet, and coarser ones where nothing finer is kept.
    """
    with reading_points(path, has_writer=has_writer) as connection:
        return {
            server: tuple(
                Period(
                    start_epoch=start,
                    seconds=seconds,
                    durations=merged(each for point in points for each in point.values()),
                )
                for start, seconds, points in periods_of(
                    PointReader(connection, DURATIONS, server, query).points(), query
                )
            )
            for server in servers
        }


def query_of(request: TimesRequest) -> PointQuery:
    """Return the points that a request is of."""
    return PointQuery(
        check=request.check,
        operation=request.operation,
        since_epoch=request.since_epoch,
        until_epoch=request.until_epoch,
        by_seconds=request.by_seconds,
    )


def servers_with_points(path: Path, target: str, *, has_writer: bool = False) -> list[str]:
    """Return the IDs of a server, of those of a cluster or of all (""), that have points.

    HistoryError: it cannot be read.
    """
    with reading(path, has_writer=has_writer) as connection:
        return servers_of(connection, DURATIONS, target)
