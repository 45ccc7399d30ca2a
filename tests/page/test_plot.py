"""The plot of the last hour: its paths and its text, for all numbers."""

from __future__ import annotations

import re
from math import inf, nan

import pytest

from ldaphealth.live.recent_times import GrowingHour, LastHour, MinutePoint
from ldaphealth.page.plot import HEIGHT, LEFT, WIDTH, newest, plots


def hour(**minutes: float) -> LastHour:
    """Return an hour with one probe in each minute: m0=0.001 took a millisecond in minute 0."""
    found = GrowingHour()
    for minute, seconds in minutes.items():
        found.add(60.0 * int(minute[1:]), seconds)
    return found.so_far()


def test_a_line_ends_where_a_minute_is_missing() -> None:
    (plot,) = plots({"bind": hour(m57=0.001, m58=0.001, m60=0.001)}, 60)

    assert re.findall(r"[A-Z]", plot.middle_path) == ["M", "L", "M"]


def test_all_plots_of_a_server_have_one_scale() -> None:
    quick, slow = plots({"bind": hour(m60=0.001), "search": hour(m60=1.0)}, 60)

    assert quick.lines == slow.lines
    assert [line.label for line in quick.lines] == ["1 ms", "10 ms", "100 ms", "1 s"]
    assert int(quick.middle_path.split()[1]) > int(slow.middle_path.split()[1])  # y goes down


def test_the_numbers_are_in_words_too() -> None:
    (plot,) = plots({"bind": hour(m20=5.0, m60=0.002)}, 60)

    assert plot.description == (
        "Newest minute: half within 2.0 ms, 95 % within 2.0 ms. Longest of the hour: 5.0 s, "
        "40 min ago."
    )
    assert (plot.p50, plot.most, plot.age) == ("2.0 ms", "5.0 s", "")


def test_a_check_that_was_not_looked_at_lately_says_when() -> None:
    (plot,) = plots({"search": hour(m56=0.002)}, 60)

    assert plot.age == "4 min ago"
    assert plot.description.startswith("4 min ago: half within")


def test_what_is_older_than_an_hour_is_not_drawn() -> None:
    assert plots({"bind": hour(m0=1.0)}, 60) == ()
    assert len(plots({"bind": hour(m1=1.0)}, 60)) == 1


def test_the_newest_minute_of_nothing_is_a_number() -> None:
    assert newest(()) == 0
    assert newest((hour(m3=1.0), hour(m7=1.0))) == 7


@pytest.mark.parametrize("seconds", [0.0, 1e-12, 1.0, 86_400.0, 1e300, inf, nan])
def test_whatever_was_measured_stays_within_the_drawing(seconds: float) -> None:
    over = (MinutePoint(60, 1, seconds, seconds, seconds),)
    (plot,) = plots({"bind": LastHour(over)}, 60)
    numbers = [int(each) for each in re.findall(r"-?\d+", plot.middle_path)]

    assert re.fullmatch(r"M\d+ \d+", plot.middle_path)
    assert LEFT <= numbers[0] <= WIDTH
    assert 0 <= numbers[1] <= HEIGHT
    assert all(0 <= line.y <= HEIGHT for line in plot.lines)
