"""The band of a period: its parts are inside of it, and never more than a screen can show."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.plots.axes import TimeAxis
from ldaphealth.plots.band import RESOLUTION, BandPart, Span, band

AXIS = TimeAxis(1000.0, 2000.0)


def test_spans_are_parts_and_those_outside_are_left_out() -> None:
    spans = [
        Span(0.0, 1000.0, "in", "before"),
        Span(500.0, 1250.0, "in", "cut"),
        Span(1250.0, 1500.0, "out", "whole"),
        Span(2000.0, 2500.0, "in", "after"),
    ]

    assert band(spans, AXIS) == (
        BandPart(share=0.0, length=0.25, kind="in", texts=("cut",)),
        BandPart(share=0.25, length=0.25, kind="out", texts=("whole",)),
    )


def test_spans_that_cannot_be_seen_apart_are_one_part() -> None:
    spans = [Span(1100.0, 1100.1, "out", "a"), Span(1100.5, 1101.0, "out", "b")]
    (part,) = band(spans, AXIS)

    assert part.texts == ("a", "b")
    assert round(part.share + part.length, 6) == 0.101


KINDS = st.sampled_from(["in", "out"])
SPANS = st.lists(st.tuples(st.floats(0, 3000), st.floats(0, 1000), KINDS), max_size=20)


@given(SPANS)
def test_parts_are_inside_of_the_band(spans: list[tuple[float, float, str]]) -> None:
    parts = band((Span(at, at + length, kind, "") for at, length, kind in sorted(spans)), AXIS)

    assert all(0.0 <= each.share <= each.share + each.length <= 1.0 + 1e-9 for each in parts)


def test_many_spans_are_a_bounded_number_of_parts() -> None:
    spans = [
        Span(1000.0 + number / 50, 1000.0 + number / 50 + 0.01, "out", "")
        for number in range(50_000)
    ]

    assert len(band(spans, AXIS)) <= 1 / RESOLUTION
