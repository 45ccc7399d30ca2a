"""A process that is killed while it writes minutes and deletes the oldest keeps a whole history."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.point_rows import points_of, times_of
from ldaphealth.store.points_reading import PointQuery, read_points
from tests.store.disk import SERVER, bounds

BYTES = 1 << 20
FAST = 6000  # times as fast as the time of day: a minute takes a hundredth of a second
WRITER = f"""
import sys, time
from pathlib import Path
from ldaphealth.store.history import HistoryDatabase
from tests.store.disk import bounds, changed, timed
from tests.sinks.snapshots import serving

begin = float(sys.argv[2])
running = lambda: {FAST} * time.monotonic()
clock = lambda: begin + running()
history = HistoryDatabase(
    Path(sys.argv[1]), bounds(1000, {BYTES}), clock=clock, running=running
)
for number in range(1_000_000):
    for check in range(20):
        history.publish(timed(0.5, "x" * 100 + str(check)))
    history.publish(changed(serving(f"main/s{{number}}")))
    while history._waiting:
        time.sleep(0.001)
    if number > 20:
        print(history.changes("", 1, None)[0]["verdict"]["server"], flush=True)
"""


def counted(path: Path, since: float) -> int:
    """Return how many durations of one operation are there since then."""
    query = PointQuery(check="x" * 100 + "7", since_epoch=since - 60, until_epoch=since + 1e7)
    (periods,) = read_points(path, [SERVER], query).values()
    return sum(each.durations.count for each in periods)


def test_what_was_written_once_is_there_after_any_kill(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path, random = tmp_path / "history.sqlite3", Random(1)  # noqa: S311  not for a secret
    for number in range(request.config.getoption("--kills")):
        begin = 1.8e9 + 1e7 * number
        since = begin + FAST * time.monotonic()
        command = [sys.executable, "-c", WRITER, str(path), str(begin)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(random.randint(1, 30)):
                seen = writer.stdout.readline().strip()
            writer.kill()
            seen = (writer.stdout.read().split() or [seen])[-1]
        history = HistoryDatabase(path, bounds(1000, BYTES))
        changes = [each["verdict"]["server"] for each in history.changes("", 100, None)]
        history.close()
        assert seen in changes
        published = int(seen.removeprefix("main/s")) + 2  # the last one may not be printed
        assert 0 < counted(path, since) <= published
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            fresh = connection.execute("SELECT step_seconds, epoch, times FROM fresh").fetchall()
            packed = connection.execute("SELECT points FROM packed").fetchall()
        assert all(epoch % step == 0 for step, epoch, _ in fresh)
        assert all(times_of(each) for _, _, each in fresh)
        assert all(points_of(each) for (each,) in packed)
        assert [*tmp_path.iterdir()] == [path]
    assert path.stat().st_size <= BYTES
    assert fresh
    assert packed
