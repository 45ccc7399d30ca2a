"""All that the history has of a server is read, however old and on whichever level it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ldaphealth.clocks import DAY_SECONDS, HOUR_SECONDS
from ldaphealth.histogram import histogram_of
from ldaphealth.history.aggregate import aggregate_of
from ldaphealth.settings import HistorySettings
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.history_points import add_fresh
from ldaphealth.store.history_reading import HistoryError
from ldaphealth.store.levels import HOUR, bounds_of
from ldaphealth.store.point_tables import DURATIONS, NUMBERS
from ldaphealth.store.server_reading import ServerQuery, read_all_numbers, read_operations

SERVER = "c/a"
START = 1_795_737_600 // (32 * DAY_SECONDS) * 32 * DAY_SECONDS
DAYS = 40
NUMBERS_OF_AN_HOUR = {
    "replication": {
        "behind_seconds 001": aggregate_of([0.0]),
        "behind_seconds 002": aggregate_of([7.0]),
    },
    "resources": {"connections": aggregate_of([12.0]), "unknown": aggregate_of([1.0])},
}
NOW = float(START + DAYS * DAY_SECONDS + 2 * HOUR_SECONDS + 600)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a history: `old.one` on the first day, `bind.bind` always, `new.one` just now."""
    path = tmp_path_factory.mktemp("history") / "history.sqlite3"
    clock = [float(START)]
    file = HistoryFile(path, bounds_of(HistorySettings()), lambda: clock[0])
    times = {"bind": {"bind": histogram_of([0.001])}}
    while clock[0] < NOW - HOUR_SECONDS:
        old = {"old": {"one": histogram_of([0.1])}} if clock[0] < START + DAY_SECONDS else {}
        with file.connection() as connection:
            place = int(clock[0]), SERVER
            add_fresh(connection, DURATIONS, HOUR, place, times | old)
            add_fresh(connection, NUMBERS, HOUR, place, NUMBERS_OF_AN_HOUR)
        clock[0] += HOUR_SECONDS
        if not clock[0] % DAY_SECONDS:
            file.fold(clock[0])
    file.add_minutes(
        {(int(NOW) - 60, SERVER): times | {"new": {"one": times["bind"]["bind"]}}}, NOW
    )
    file.add_minutes({(int(NOW) - 60, "c/b"): {"other": times["bind"]}}, NOW)
    file.fold(NOW)
    file.close()
    return path


def query(since: float, until: float = NOW, by_seconds: int = DAY_SECONDS) -> ServerQuery:
    return ServerQuery(since, until, by_seconds)


BIND, OLD, NEW = ("bind", "bind"), ("old", "one"), ("new", "one")


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        (float(START), NOW, [BIND, NEW, OLD]),
        (START + 33.0 * DAY_SECONDS, NOW, [BIND, NEW]),
        (NOW - HOUR_SECONDS, NOW, [BIND, NEW]),
        (float(START), START + 10.0, [BIND, OLD]),
        (START - 99.0 * DAY_SECONDS, START - 40.0 * DAY_SECONDS, []),
    ],
    ids=["all", "without the first row of days", "an hour", "the first day", "before all"],
)
def test_the_operations_are_those_of_the_period(
    path: Path, since: float, until: float, found: list[tuple[str, str]]
) -> None:
    times = read_operations(path, SERVER, query(since, until), go_on=lambda: True)

    assert [(each.check, each.operation) for each in times] == found


HOURS = (DAYS * DAY_SECONDS + 2 * HOUR_SECONDS) // HOUR_SECONDS


def test_all_durations_are_read(path: Path) -> None:
    times = read_operations(path, SERVER, query(float(START)), go_on=lambda: True)
    counts = {each.name: sum(one.durations.count for one in each.periods) for each in times}

    assert counts == {"bind.bind": HOURS + 1, "new.one": 1, "old.one": 24}


def test_all_numbers_are_read_by_label(path: Path) -> None:
    found = [*read_all_numbers(path, SERVER, query(float(START)), go_on=lambda: True)]

    assert [(each.number.key, each.label) for each in found] == [
        ("replication.behind_seconds", "001"),
        ("replication.behind_seconds", "002"),
        ("resources.connections", ""),
    ]
    assert [sum(one.numbers.count for one in each.periods) for each in found] == [HOURS] * 3
    assert {one.numbers.most for one in found[1].periods} == {7.0}
    assert not [*read_all_numbers(path, "c/b", query(float(START)), go_on=lambda: True)]


def test_reading_ends_when_it_should(path: Path) -> None:
    answers = iter([True, False])
    times = read_operations(path, SERVER, query(float(START)), go_on=lambda: next(answers))

    assert [each.name for each in times] == ["bind.bind"]
    assert not [*read_all_numbers(path, SERVER, query(float(START)), go_on=lambda: False)]


def everything(path: Path) -> list[object]:
    whole = query(float(START))
    operations = read_operations(path, SERVER, whole, go_on=lambda: True)
    return [*operations, *read_all_numbers(path, SERVER, whole, go_on=lambda: True)]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE packed SET points = x'00'",
        "UPDATE fresh SET times = x'00'",
        "UPDATE packed_number SET points = x'00'",
        "UPDATE fresh_number SET numbers = x'00'",
    ],
)
def test_broken_points_are_an_error(path: Path, tmp_path: Path, damage: str) -> None:
    broken = tmp_path / "history.sqlite3"
    with closing(sqlite3.connect(path)) as whole, closing(sqlite3.connect(broken)) as copy:
        whole.backup(copy)
        copy.execute(damage)
        copy.commit()

    with pytest.raises(HistoryError):
        assert everything(broken)
