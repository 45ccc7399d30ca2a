"""Wilson's interval: against values of R's `prop.test(correct = FALSE)`, and what must hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.backtest.share import Share


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),
        (1, 2, 0.09453121, 0.90546879),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (15, 148, 0.06238, 0.16052),
    ],
)
def test_known_intervals(count: int, of: int, low: float, high: float) -> None:
    assert Share(count, of).interval == pytest.approx((low, high), abs=1e-4)


def test_nothing_has_no_share() -> None:
    assert Share(0, 0).ratio is None
    assert Share(0, 0).interval is None


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_the_share_is_in_its_interval(count: int, more: int) -> None:
    share = Share(count, count + more)
    assert share.interval is not None
    assert share.ratio is not None
    low, high = share.interval
    assert 0.0 <= low <= share.ratio <= high <= 1.0
