"""Moments for people and programs: ISO 8601 in UTC with `Z`, the same in all outputs (RFC 3339)."""

from __future__ import annotations

from datetime import UTC, datetime

from ldaphealth.clocks import EpochSeconds


def moment(epoch_seconds: EpochSeconds, timespec: str = "seconds") -> str:
    """Return such as `2026-11-23T10:15:00Z`; `timespec` is that of `datetime.isoformat`."""
    return utc_text(datetime.fromtimestamp(epoch_seconds, UTC), timespec)


def utc_text(at: datetime, timespec: str = "seconds") -> str:
    """Return a moment that is in UTC as a text."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
