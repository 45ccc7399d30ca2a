"""Thresholds and deadlines for a usual time, the same in `discover` and `doctor`."""

from __future__ import annotations

import pytest

from ldaphealth.judging.suggested_limits import suggested_deadline, suggested_limits
from ldaphealth.judging.thresholds import at_most

DEFAULT = at_most(0.5, 2)


@pytest.mark.parametrize(
    ("seconds", "limits"),
    [
        (0.002, {"warning": 0.5, "critical": 2}),
        (0.15, {"warning": 0.75, "critical": 3.0}),
        (0.1234, {"warning": 0.62, "critical": 2.5}),
        (2.0, {"warning": 10.0, "critical": 40.0}),
    ],
)
def test_limits(seconds: float, limits: dict[str, float]) -> None:
    assert suggested_limits(seconds, DEFAULT) == limits


@pytest.mark.parametrize(
    ("critical", "deadline", "suggested"),
    [(2.0, 5.0, None), (4.1, 5.0, None), (4.2, 5.0, 9.0), (14.0, 5.0, 28.0), (200.0, 5.0, 300.0)],
)
def test_a_deadline_leaves_room_for_what_is_not_yet_critical(
    critical: float, deadline: float, suggested: float | None
) -> None:
    assert suggested_deadline(critical, deadline) == suggested
