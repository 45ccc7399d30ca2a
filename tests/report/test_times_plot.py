"""Plots of several servers over one axis of time."""

from __future__ import annotations

from typing import Any

from ldaphealth.report.times_plot import MOST_SERVERS, heights, marks, plot_around, times_lines
from ldaphealth.text.moment import moment
from tests.report.changes import SINCE

COLUMNS = [SINCE + 60 * at for at in range(4)]


def period(at: float, seconds: float, height: float) -> dict[str, Any]:
    return {"start": moment(SINCE + at), "seconds": seconds, "quantile_seconds": height}


def test_a_period_fills_the_columns_that_it_lasts() -> None:
    assert heights([period(60, 60, 0.1)], COLUMNS) == [None, 0.1, None, None]
    assert heights([period(0, 180, 0.1), period(60, 60, 0.5)], COLUMNS) == [0.1, 0.5, 0.1, None]
    assert heights([period(-60, 60, 0.1), period(240, 60, 0.1)], COLUMNS) == [None] * 4


def test_an_outage_marks_each_column_that_it_touches() -> None:
    assert marks([(SINCE + 59, SINCE + 61)], COLUMNS) == "xx  "
    assert marks([(SINCE + 180, SINCE + 181)], COLUMNS) == "   x"


def document(servers: int) -> dict[str, Any]:
    return {
        "check": "search",
        "quantile": 0.99,
        "since": moment(SINCE),
        "until": moment(SINCE + 240),
        "by_seconds": 60,
        "servers": [
            {
                "server": f"c/s{at}",
                "quantile_seconds": 0.1 * (at + 1),
                "count": 5,
                "periods": [period(0, 60, 0.1), period(180, 60, 0.1 * (at + 1))],
            }
            for at in range(servers)
        ],
    }


def test_all_servers_have_one_axis_and_those_with_outages_are_the_first() -> None:
    lines, left_out = times_lines(document(3), {"c/s0": [(SINCE + 120, SINCE + 130)]})

    assert lines == [
        "c/s0  ▃  ▃  100 ms, 5 times",
        "        x",
        "c/s2  ▃  █  300 ms, 5 times",
        "c/s1  ▃  ▆  200 ms, 5 times",
        "",
        "from 2027-01-15T08:00:00Z, a column is 1 min; from 0 to 300 ms; x: out of service",
    ]
    assert left_out == 0


def test_too_many_servers_are_counted() -> None:
    lines, left_out = times_lines(document(MOST_SERVERS + 2), {})

    assert left_out == 2
    assert len(lines) == MOST_SERVERS + 2


def test_around_an_outage_there_is_one_line_and_its_mark() -> None:
    around = {
        "since": moment(SINCE),
        "by_seconds": 60,
        "periods": [period(0, 60, 0.1), period(60, 60, 0.8)],
    }

    assert plot_around(around, (SINCE + 60, SINCE + 150))[:2] == ["▂█", " xx"]
