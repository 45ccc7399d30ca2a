"""A moment has its zone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ldaphealth.text.moment import moment, utc_text


def test_a_moment_is_in_utc_and_has_z() -> None:
    east = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    assert moment(0.25) == "1970-01-01T00:00:00Z"
    assert moment(0.25, "milliseconds") == "1970-01-01T00:00:00.250Z"
    assert utc_text(east) == "2025-12-31T23:30:00Z"
