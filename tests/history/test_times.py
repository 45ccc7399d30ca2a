"""How long operations took, as JSON, as plots and as CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.control.requests import TimesRequest
from ldaphealth.histogram import histogram_of
from ldaphealth.history.times_document import times_document
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.levels import Bounds
from ldaphealth.store.points_reading import Period, query_of, read_points, servers_with_points
from ldaphealth.tables.terminal import as_text
from ldaphealth.tables.times_table import csv_lines, plot, render_times
from ldaphealth.text.sparkline import BLOCKS

START = 1_800_000_000.0  # 2027-01-15T08:00:00Z
REQUEST = TimesRequest(
    server="c",
    check="search",
    operation="",
    since_epoch=START,
    until_epoch=START + 3 * 3600,
    by_seconds=3600,
    quantile=0.9,
)


def period(number: int, *seconds: float) -> Period:
    return Period(start_epoch=START + 3600 * number, seconds=3600, durations=histogram_of(seconds))


def shown(document: Any, *, ascii_only: bool = False) -> list[str]:
    table = render_times(document, ascii_only=ascii_only)
    return as_text(table, width=80, colour=False).splitlines()


FOUND = times_document(
    REQUEST,
    {
        "c/b": [period(0, 0.01, 0.01), period(2, 0.08)],
        "c/a": [period(0, 0.01), period(1, 0.02)],
        "c/none": [],
    },
)


def test_each_server_has_its_periods_and_their_sum() -> None:
    assert [each["server"] for each in FOUND["servers"]] == ["c/a", "c/b"]
    whole = FOUND["servers"][1]
    assert (whole["count"], whole["least_seconds"], whole["most_seconds"]) == (3, 0.01, 0.08)
    assert whole["mean_seconds"] == pytest.approx(0.1 / 3)
    assert whole["quantile_seconds"] == 0.08
    assert [each["start"] for each in whole["periods"]] == [
        "2027-01-15T08:00:00Z",
        "2027-01-15T10:00:00Z",
    ]


def test_plots_have_one_scale_and_a_gap_where_nothing_was_measured() -> None:
    lines = shown(FOUND)

    assert lines[0] == "times of search by 1 h, 2027-01-15T08:00:00Z to 2027-01-15T11:00:00Z"
    assert lines[2].split() == ["SERVER", "TIMES", "MEAN", "90", "%", "MOST"]
    assert lines[4].strip() == "▂▃"
    assert lines[6].strip() == "▂ █"
    assert "90 % took at most so long, from 0 to 80 ms" in lines[7]
    assert all(each.isascii() for each in shown(FOUND, ascii_only=True))


def test_of_one_server_the_periods_are_listed() -> None:
    lines = shown(times_document(REQUEST, {"c/a": [period(0, 0.01), period(1, 0.02)]}))

    assert lines[-2].split() == [
        "2027-01-15T08:00:00Z",
        "1",
        "h",
        "1",
        "10",
        "ms",
        "10",
        "ms",
        "10",
        "ms",
    ]
    assert "no times of it" in "\n".join(shown(times_document(REQUEST, {})))


def test_csv_has_a_line_for_each_server_and_period() -> None:
    rows = [*csv.DictReader(csv_lines(FOUND))]

    assert [(each["server"], each["count"]) for each in rows] == [
        ("c/a", "1"),
        ("c/a", "1"),
        ("c/b", "2"),
        ("c/b", "1"),
    ]
    assert float(rows[-1]["quantile_seconds"]) == 0.08


@given(
    st.lists(
        st.tuples(st.integers(0, 999), st.floats(0, 1e3)), max_size=50, unique_by=lambda e: e[0]
    )
)
def test_a_plot_is_never_too_wide_and_shows_the_highest(points: list[tuple[int, float]]) -> None:
    periods = times_document(
        REQUEST, {"c/a": [period(at, seconds) for at, seconds in sorted(points)]}
    )["servers"]
    found = periods[0]["periods"] if periods else []
    most = max((each["quantile_seconds"] for each in found), default=0.0)

    line = plot(found, most, BLOCKS)

    assert len(line) <= 60
    assert bool(line) is bool(points)
    assert most == 0 or BLOCKS[-1] in line


def test_servers_are_those_of_a_cluster_that_have_points(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    days = dict.fromkeys(("minute", "hour", "day", "change"), 9)
    file = HistoryFile(path, Bounds(max_bytes=8 << 20, days=days), lambda: START)
    times = {"search": {"search": histogram_of([0.01])}}
    servers = ("c/a", "c/b", "cc/a")
    file.add_minutes({(int(START), server): times for server in servers}, START)
    file.close()

    assert servers_with_points(path, "") == [*servers]
    assert servers_with_points(path, "c") == ["c/a", "c/b"]
    assert servers_with_points(path, "c/b") == ["c/b"]
    assert servers_with_points(path, "c/") == []
    found = times_document(REQUEST, read_points(path, ["c/a"], query_of(REQUEST)))
    assert found["servers"][0]["count"] == 1
