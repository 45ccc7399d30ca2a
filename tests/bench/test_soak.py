"""Which removals of the soak are false."""

from __future__ import annotations

import pytest

from bench.faults.scoring import Change
from bench.soak import CONFIRM_SECONDS, LATE_SECONDS, Kind, Restart, removals


def restart(kind: Kind, away_seconds: float) -> Restart:
    return Restart(kind, 2, began=100.0, ended=100.0 + away_seconds, away_seconds=away_seconds)


QUICK = restart(Kind.QUICK, CONFIRM_SECONDS / 2)
NOT_QUICK = restart(Kind.QUICK, CONFIRM_SECONDS)  # the machine was busy
LONG, DRAINED = restart(Kind.LONG, 12.0), restart(Kind.DRAINED, 12.0)


@pytest.mark.parametrize(
    ("change", "done", "expected"),
    [
        pytest.param(Change(100.5, 2, in_service=False), QUICK, None, id="a quick restart"),
        pytest.param(Change(100.5, 2, in_service=False), NOT_QUICK, NOT_QUICK, id="it took longer"),
        pytest.param(Change(106.0, 2, in_service=False), LONG, LONG, id="a long one"),
        pytest.param(Change(100.0, 2, in_service=False), DRAINED, DRAINED, id="drained"),
        pytest.param(Change(106.0, 1, in_service=False), LONG, None, id="another server"),
        pytest.param(Change(99.0, 2, in_service=False), LONG, None, id="before"),
        pytest.param(
            Change(112.5 + LATE_SECONDS, 2, in_service=False), LONG, None, id="long after"
        ),
    ],
)
def test_a_removal_is_false_unless_a_restart_explains_it(
    change: Change, done: Restart, expected: Restart | None
) -> None:
    (found,) = removals([change], [done])

    assert found.restart is expected


def test_a_server_that_comes_back_is_no_removal() -> None:
    assert removals([Change(106.0, 2, in_service=True)], [LONG]) == []
