"""The lengths of the periods into which a longer time is divided."""

from __future__ import annotations

BY_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
MOST_PERIODS = 1000
USUAL_PERIODS = 100  # unless another length is wanted


def usual_by(seconds: float) -> str:
    """Return the shortest length that makes no more periods than people look at."""
    fitting = (name for name, each in BY_SECONDS.items() if seconds / each <= USUAL_PERIODS)
    return next(fitting, "day")
