"""Thresholds and deadlines for times that are usual: for a configuration that is written or mended.

Pure.
"""

from __future__ import annotations

from math import ceil

from ldaphealth.judging.thresholds import Thresholds
from ldaphealth.text.number import rounded_up

WARNING_TIMES, CRITICAL_TIMES = 5, 20  # what is usual
DEADLINE_TIMES = 2  # the largest critical threshold
LEAST_ROOM = 1.2  # of the deadline to that threshold
MOST_DEADLINE_SECONDS = 300.0  # that a configuration may have


def suggested_limits(usual_seconds: float, default: Thresholds) -> dict[str, float]:
    """Return `warning` and `critical` in seconds: so many times the usual, at least the default."""
    times = {"warning": WARNING_TIMES, "critical": CRITICAL_TIMES}
    return {
        name: max(getattr(default, name).end, rounded_up(factor * usual_seconds))
        for name, factor in times.items()
    }


def suggested_deadline(critical_seconds: float, deadline_seconds: float) -> float | None:
    """Return a deadline that leaves room for an operation that is not yet CRITICAL.

    None: the deadline leaves it.
    """
    if critical_seconds * LEAST_ROOM <= deadline_seconds:
        return None
    return float(min(ceil(DEADLINE_TIMES * critical_seconds), MOST_DEADLINE_SECONDS))
