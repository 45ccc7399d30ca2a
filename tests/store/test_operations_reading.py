"""Which operations the history knows of a server, however old and on whichever level they are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ldaphealth.histogram import histogram_of
from ldaphealth.settings import HistorySettings
from ldaphealth.store import operations_reading
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.history_points import add_fresh
from ldaphealth.store.history_reading import HistoryError
from ldaphealth.store.levels import DAY_SECONDS, HOUR, HOUR_SECONDS, bounds_of
from ldaphealth.store.operations_reading import TimesQuery, read_operations, read_times

SERVER = "c/a"
START = 1_795_737_600 // (32 * DAY_SECONDS) * 32 * DAY_SECONDS
DAYS = 40
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
            add_fresh(connection, HOUR, int(clock[0]), SERVER, times | old)
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


def query(since: float, until: float = NOW, by_seconds: int = DAY_SECONDS) -> TimesQuery:
    return TimesQuery(since, until, by_seconds)


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
    times, left = read_times(path, SERVER, query(since, until), go_on=lambda: True)

    assert read_operations(path, SERVER, query(since, until)) == found
    assert [(each.check, each.operation) for each in times] == found
    assert left == 0


def test_all_durations_are_read(path: Path) -> None:
    times, _ = read_times(path, SERVER, query(float(START)), go_on=lambda: True)
    counts = {each.name: sum(one.durations.count for one in each.periods) for each in times}

    hours = (DAYS * DAY_SECONDS + 2 * HOUR_SECONDS) // HOUR_SECONDS
    assert counts == {"bind.bind": hours + 1, "new.one": 1, "old.one": 24}


def test_reading_ends_in_time_and_says_what_is_left(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True, False])
    times, left = read_times(path, SERVER, query(float(START)), go_on=lambda: next(answers))
    monkeypatch.setattr(operations_reading, "MOST_OPERATIONS", 2)
    most = read_times(path, SERVER, query(float(START)), go_on=lambda: True)

    assert ([each.name for each in times], left) == (["bind.bind"], 2)
    assert (len(most[0]), most[1]) == (2, 1)


@pytest.mark.parametrize(
    "damage", ["UPDATE packed SET points = x'00'", "UPDATE fresh SET times = x'00'"]
)
def test_broken_points_are_an_error(path: Path, tmp_path: Path, damage: str) -> None:
    broken = tmp_path / "history.sqlite3"
    with closing(sqlite3.connect(path)) as whole, closing(sqlite3.connect(broken)) as copy:
        whole.backup(copy)
        copy.execute(damage)
        copy.commit()

    with pytest.raises(HistoryError):
        read_operations(broken, SERVER, query(float(START)))
