"""Moments for people and programs: ISO 8601 in UTC with `Z`, the same in all outputs (RFC 3339)."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, time

from ldaphealth.clocks import EpochSeconds
from ldaphealth.text.duration import seconds_in


def moment(epoch_seconds: EpochSeconds, timespec: str = "seconds") -> str:
    """Return such as `2026-11-23T10:15:00Z`; `timespec` is that of `datetime.isoformat`."""
    return utc_text(datetime.fromtimestamp(epoch_seconds, UTC), timespec)


def epoch_of(text: str) -> EpochSeconds:
    """Return the moment that `moment` wrote; ValueError: it is none."""
    return datetime.fromisoformat(text).timestamp()


def epoch_in(text: str, now: EpochSeconds) -> EpochSeconds:
    """Return a moment in ISO 8601, in UTC unless it has another offset, or how long ago it was.

    ValueError: it is neither; the message has examples.
    """
    with contextlib.suppress(ValueError):
        return now - seconds_in(text, needs_unit=True)
    try:
        return utc_of(text).timestamp()
    except ValueError as error:
        example = "such as 2026-11-23T03:12Z, or 2h for two hours ago"
        raise ValueError(f"{text!r} is not a moment that is known, {example}") from error


def utc_text(at: datetime, timespec: str = "seconds") -> str:
    """Return a moment that is in UTC as a text."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def utc_of(written: str | date) -> datetime:
    """Return a moment in ISO 8601, or as YAML has it, in UTC; without an offset it is in UTC.

    A day is its first moment. ValueError: it is no moment, or one that no clock has.
    """
    at = datetime.fromisoformat(written) if isinstance(written, str) else written
    if not isinstance(at, datetime):
        at = datetime.combine(at, time())
    try:
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError as error:  # year 1 or 9999, with an offset
        raise ValueError(str(error)) from error
