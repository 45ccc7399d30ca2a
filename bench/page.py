"""CPU of one page against the status document as JSON, and the memory of the last hour's points.

`make bench` runs it. It starts no program; the views are those of the tests. A page is made anew,
with what is kept of the page before the newest round of all servers, of a decision without news of
them, and of the same view, as for a second reader.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle

from msgspec.structs import replace

from ldaphealth.histogram import histogram_of
from ldaphealth.live.live_server import CHECKS_BY_MINUTE, LiveServer
from ldaphealth.live.live_state import LiveView
from ldaphealth.live.recent_times import KEPT_MINUTES, MINUTE_SECONDS, GrowingHour, LastHour
from ldaphealth.model import Snapshot
from ldaphealth.page import page
from ldaphealth.page.kept_cards import KeptCards
from ldaphealth.sinks.json_document import snapshot_document
from ldaphealth.web.compression import GZIP_FORMAT, LEVEL
from tests.page import views

RUNS = 30


def main() -> None:
    print(
        f"{'servers':8}{'page':>9}{'in gzip':>10}  {'anew':>9}{'a round':>9}{'no news':>9}", end=""
    )
    print(f"{'same':>9}{'gzip':>9}{'as JSON':>9}   points of an hour")
    for servers, view in (
        ("6", views.many(6)),
        ("100", views.many(100)),
        ("100 out", views.many(100, healthy=False)),
        ("300", views.many(300)),
        ("1000", views.many(1000)),
    ):
        count = sum(map(len, view.clusters.values()))
        text = _page(view, count, None)
        packed = zlib.compress(text.encode(), LEVEL, GZIP_FORMAT)
        runs = (
            lambda view=view, count=count: _page(view, count, None),
            _alternating((view, _after_a_round(view)), count),
            _alternating((view, _a_moment_later(view)), count),
            _alternating((view,), count),
            lambda text=text: zlib.compress(text.encode(), LEVEL, GZIP_FORMAT),
            partial(_json, view),
        )
        print(
            f"{servers:8}{len(text.encode()) / 1024:5.0f} KiB{len(packed) / 1024:6.0f} KiB  "
            f"{''.join(f'{_median_seconds(run) * 1e3:6.1f} ms' for run in runs)}"
            f" {_memory_of_hours(count) / 2**20:9.1f} MiB"
        )


def _page(view: LiveView, servers: int, kept: KeptCards | None) -> str:
    health = replace(views.HEALTH, servers=servers)
    return page.render(view, health, boot_seconds=views.BOOT, epoch_seconds=views.EPOCH, kept=kept)


def _alternating(shown: Sequence[LiveView], servers: int) -> Callable[[], str]:
    """Return what renders these views in turn, each with what is kept of the one before."""
    kept, turns = KeptCards(), cycle(shown)
    return lambda: _page(next(turns), servers, kept)


def _after_a_round(view: LiveView) -> LiveView:
    """Return the view after another round of all servers, which changes their newest minutes."""

    def after(known: LiveServer) -> LiveServer:
        numbers = known.verdict.lasted_seconds * 1e-9, 0.002
        hours = {
            check: LastHour(hour.over, hour.minute, histogram_of(numbers))
            for check, hour in known.hours.items()
        }
        return replace(known, hours=hours)

    return _changed(view, after)


def _a_moment_later(view: LiveView) -> LiveView:
    """Return the view after another decision, in which all verdicts have lasted longer."""

    def later(known: LiveServer) -> LiveServer:
        lasted = known.verdict.lasted_seconds + 0.1
        return replace(known, verdict=replace(known.verdict, lasted_seconds=lasted))

    return _changed(view, later)


def _changed(view: LiveView, change: Callable[[LiveServer], LiveServer]) -> LiveView:
    clusters = {
        name: {server: change(known) for server, known in servers.items()}
        for name, servers in view.clusters.items()
    }
    return LiveView(clusters, view.changes)


def _json(view: LiveView) -> str:
    verdicts = tuple(known.verdict for _, known in view.servers())
    return json.dumps(snapshot_document(Snapshot(views.EPOCH, verdicts)))


def _memory_of_hours(servers: int) -> int:
    """Return the memory of the last hour of so many servers, in bytes."""
    gc.collect()
    tracemalloc.start()
    hours = []
    for number in range(servers * len(CHECKS_BY_MINUTE)):
        hour = GrowingHour()
        for minute in range(KEPT_MINUTES):
            hour.add(minute * MINUTE_SECONDS, 0.001 + number * 1e-7 + minute * 1e-5)
        hours.append(hour)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size


def _median_seconds(run: Callable[[], object]) -> float:
    """Return the median of the CPU seconds."""
    run()  # also compiles the template
    spent = []
    for _ in range(RUNS):
        before = time.process_time()
        run()
        spent.append(time.process_time() - before)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
