"""The levels of points: minutes, the hours that sum them, and the days that sum hours. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ldaphealth.clocks import DAY_SECONDS, HOUR_SECONDS
from ldaphealth.settings import HistorySettings


class Level(Struct, frozen=True, kw_only=True):
    """Points of one length, and for how long a row of the table `packed` has the points.

    Steps and rows begin at multiples of their length since 1970, so days are those of UTC.
    """

    name: str
    step_seconds: int
    row_seconds: int


MINUTE = Level(name="minute", step_seconds=60, row_seconds=HOUR_SECONDS)
HOUR = Level(name="hour", step_seconds=HOUR_SECONDS, row_seconds=DAY_SECONDS)
DAY = Level(name="day", step_seconds=DAY_SECONDS, row_seconds=32 * DAY_SECONDS)

LEVELS = (MINUTE, HOUR, DAY)  # a row of one is a step of the next
CHANGE = "change"  # stands beside the names of levels where changes of verdicts are counted too


class Bounds(Struct, frozen=True, kw_only=True):
    """How long, and in how much space, the history is kept.

    `days` has the days on which the agent ran, by the name of a level and for `CHANGE`.
    """

    max_bytes: int
    days: Mapping[str, int]


def bounds_of(settings: HistorySettings) -> Bounds:
    """Return the bounds that the configuration sets."""
    return Bounds(
        max_bytes=settings.megabytes << 20,
        days={
            MINUTE.name: settings.minute_points_days,
            HOUR.name: settings.hour_points_days,
            DAY.name: settings.day_points_days,
            CHANGE: settings.changes_days,
        },
    )


def next_level(level: Level) -> Level | None:
    """Return the level whose steps are the rows of this one; None after days."""
    return next((each for each in LEVELS if each.step_seconds == level.row_seconds), None)


def row_start(level: Level, epoch: float) -> int:
    """Return the start of the row that has the points of that time."""
    return int(epoch // level.row_seconds) * level.row_seconds
