"""400 days of many servers stay within the bound, with every quantile near the exact one."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from ldaphealth.clocks import DAY_SECONDS, HOUR_SECONDS
from ldaphealth.settings import HistorySettings
from ldaphealth.store.history_reading import read_changes
from ldaphealth.store.levels import bounds_of
from ldaphealth.store.numbers_reading import NumberQuery, read_numbers
from ldaphealth.store.points_reading import PointQuery, read_points
from tests.store.simulated_site import START, Site

SERVERS = 100  # that the default bound is for
DAYS = 400
DAYS_BY_MINUTE = 3  # at the end; minutes before them would be forgotten
ERROR = 0.05
GROWTH_BYTES = 8 << 20


def memory_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def agree(site: Site, path: Path, since: float, until: float, by_seconds: int) -> int:
    """Compare quantiles and counts with the exact ones; return how many periods there are."""
    query = PointQuery(
        check="search",
        operation="search",
        since_epoch=since,
        until_epoch=until,
        by_seconds=by_seconds,
    )
    found = read_points(path, site.names[:1], query, has_writer=True)[site.names[0]]
    for period in found:
        ends = max(period.start_epoch, since), min(period.start_epoch + period.seconds, until)
        assert period.durations.count == site.searches(*ends)
        for share in (0.5, 0.9, 0.99):
            exact = site.exact(*ends, share)
            assert period.durations.quantile(share) == pytest.approx(exact, rel=ERROR)
    return len(found)


def test_a_year_of_many_servers_is_within_its_bound(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    servers = request.config.getoption("--history-servers")
    path, default = tmp_path / "history.sqlite3", bounds_of(HistorySettings())
    max_bytes = default.max_bytes * servers // SERVERS
    site = Site(path, type(default)(max_bytes=max_bytes, days=default.days), servers)
    site.change("main/oldest")
    early = 0
    for day in range(DAYS - DAYS_BY_MINUTE):
        site.hours_pass(24)
        for name in site.names:
            site.change(name)
        if day == DAYS // 10:
            early = memory_bytes()
    site.minutes_pass(DAYS_BY_MINUTE * 24 * 60)
    growth = memory_bytes() - early
    print(site.report(max_bytes, growth))  # noqa: T201  `make history-year` shows it

    assert path.stat().st_size <= max_bytes
    assert set(site.file.cuts.values()) == {0}
    assert read_changes(path, "main/oldest", 9, None, has_writer=True)
    assert growth < GROWTH_BYTES
    now = site.now
    assert agree(site, path, now - 2 * DAY_SECONDS, now, HOUR_SECONDS) == 48
    assert agree(site, path, now - 45 * DAY_SECONDS, now - 35 * DAY_SECONDS, HOUR_SECONDS) == 240
    assert agree(site, path, now - 390 * DAY_SECONDS, now, DAY_SECONDS) == 390
    assert agree(site, path, START, now, 40_000 * DAY_SECONDS) == 1
    behind = NumberQuery(
        check="replication",
        name="behind_seconds",
        since_epoch=START,
        until_epoch=now,
        by_seconds=DAY_SECONDS,
    )
    (by_server_id,) = read_numbers(path, site.names[0], behind, has_writer=True).values()
    for periods in by_server_id.values():
        assert sum(each.numbers.count for each in periods) == site.searches(START, now)
        assert max(each.numbers.most for each in periods) <= 3
