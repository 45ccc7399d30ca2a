"""Moments for people and programs: ISO 8601 in UTC with `Z`, the same in all outputs (RFC 3339)."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from ldaphealth.clocks import EpochSeconds
from ldaphealth.text.duration import seconds_in


def moment(epoch_seconds: EpochSeconds, timespec: str = "seconds") -> str:
    """Return such as `2026-11-23T10:15:00Z`; `timespec` is that of `datetime.isoformat`."""
    return utc_text(datetime.fromtimestamp(epoch_seconds, UTC), timespec)


def epoch_in(text: str, now: EpochSeconds) -> EpochSeconds:
    """Return a moment in ISO 8601, in UTC unless it has another offset, or how long ago it was.

    ValueError: it is neither; the message has examples.
    """
    with contextlib.suppress(ValueError):
        return now - seconds_in(text, needs_unit=True)
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:  # not ISO 8601, or out of the range of the clock
        example = "such as 2026-11-23T03:12Z, or 2h for two hours ago"
        raise ValueError(f"{text!r} is not a moment that is known, {example}") from error


def utc_text(at: datetime, timespec: str = "seconds") -> str:
    """Return a moment that is in UTC as a text."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
