"""What a number of servers was, as JSON, as plots and as CSV."""

from __future__ import annotations

import csv
from typing import Any

from ldaphealth.control.requests import NumbersRequest
from ldaphealth.history.aggregate import aggregate_of
from ldaphealth.history.kept_numbers import BY_KEY
from ldaphealth.history.numbers_document import numbers_document
from ldaphealth.store.numbers_reading import NumberPeriod
from ldaphealth.tables.numbers_table import numbers_csv, render_numbers
from ldaphealth.tables.terminal import as_text

START = 1_800_000_000.0  # 2027-01-15T08:00:00Z
BEHIND, DAYS_LEFT = "replication.behind_seconds", "certificate.days_left"


def period(number: int, *numbers: float) -> NumberPeriod:
    return NumberPeriod(
        start_epoch=START + 3600 * number, seconds=3600, numbers=aggregate_of(numbers)
    )


def document(number: str, periods: dict[str, dict[str, list[NumberPeriod]]]) -> dict[str, Any]:
    request = NumbersRequest(
        server="c",
        number=number,
        since_epoch=START,
        until_epoch=START + 3 * 3600,
        by_seconds=3600,
    )
    return numbers_document(request, BY_KEY[number], periods)


def shown(found: dict[str, Any], *, ascii_only: bool = False) -> list[str]:
    return as_text(
        render_numbers(found, ascii_only=ascii_only), width=80, colour=False
    ).splitlines()


FOUND = document(
    BEHIND,
    {
        "c/b": {"002": [period(0, 0.0, 4.0), period(2, 8.0, 2.0)], "001": [period(0, 0.0)]},
        "c/a": {"001": [period(0, 0.0), period(1, 200.0, 0.5)]},
    },
)


def test_each_server_has_its_labels_and_periods() -> None:
    assert [each["server"] for each in FOUND["servers"]] == ["c/a", "c/b"]
    first, second = FOUND["servers"][1]["numbers"]
    assert (first["label"], second["label"]) == ("001", "002")
    assert (second["count"], second["mean"], second["most"], second["last"]) == (4, 3.5, 8.0, 2.0)
    assert second["periods"][1] == {
        "start": "2027-01-15T10:00:00Z",
        "seconds": 3600,
        "count": 2,
        "mean": 5.0,
        "least": 2.0,
        "most": 8.0,
        "last": 2.0,
    }


def test_plots_have_one_scale_and_show_the_most_of_each_period() -> None:
    lines = shown(FOUND)

    assert lines[0].startswith("replication.behind_seconds by 1 h, 2027-01-15T08:00:00Z to")
    assert lines[1] == BY_KEY[BEHIND].means
    assert lines[3].split() == ["SERVER", "MEAN", "LEAST", "MOST", "LAST"]
    assert lines[4].split() == [
        "c/a",
        "001",
        "1",
        "min",
        "6",
        "s",
        "0",
        "s",
        "3",
        "min",
        "20",
        "s",
        "500",
        "ms",
    ]
    assert lines[5].strip() == "▁█"
    assert lines[9].strip() == "▁ ▁"
    assert "the most of each period, from 0 to 3 min 20 s" in lines[10]
    assert all(each.isascii() for each in shown(FOUND, ascii_only=True))


def test_of_days_left_the_least_is_shown() -> None:
    found = document(DAYS_LEFT, {"c/a": {"": [period(0, 30.04, 30.0), period(1, 15.0)]}})
    lines = shown(found)

    assert lines[4].split() == ["c/a", "25.0", "15", "30.0", "15"]
    assert lines[5].strip() == "█▅"
    assert "the least of each period, from 0 to 30" in lines[6]


def test_of_one_number_the_periods_are_listed() -> None:
    lines = shown(document(DAYS_LEFT, {"c/a": {"": [period(0, 30.0), period(1, 15.0)]}}))

    assert lines[-1].split() == ["2027-01-15T09:00:00Z", "1", "h", "15", "15", "15", "15"]
    assert "does not have this number" in "\n".join(shown(document(DAYS_LEFT, {})))


def test_csv_has_a_line_for_each_server_label_and_period() -> None:
    found = document(
        "resources.database_pages", {"c/a": {'dc=a, "b"': [period(0, 7.0), period(1, 123_456_789)]}}
    )
    rows = [*csv.DictReader(numbers_csv(found))]

    assert [(each["server"], each["label"], each["most"]) for each in rows] == [
        ("c/a", 'dc=a, "b"', "7"),
        ("c/a", 'dc=a, "b"', "123456789"),
    ]
