"""What one page costs beside the status document as JSON, and what its hour of points weighs.

`make bench` runs it; nothing is started, the views are those of the tests.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from ldaphealth.live.live_state import CHECKS_BY_MINUTE, LiveView
from ldaphealth.live.recent_times import KEPT_MINUTES, MINUTE_SECONDS, LastHour, added
from ldaphealth.model import Snapshot
from ldaphealth.page import page
from ldaphealth.sinks.json_document import snapshot_document
from tests.page import views

RUNS = 30


def main() -> None:
    print("servers       page     CPU    as JSON     CPU   ratio   points of an hour")
    for servers, view in (
        ("6", views.many(6)),
        ("100", views.many(100)),
        ("100 out", views.many(100, healthy=False)),
        ("300", views.many(300)),
    ):
        count = sum(map(len, view.clusters.values()))
        our_bytes, ours = _measured(partial(_page, view, count))
        their_bytes, theirs = _measured(partial(_json, view))
        print(
            f"{servers:9}{our_bytes / 1024:5.0f} KiB {ours * 1e3:4.1f} ms"
            f" {their_bytes / 1024:6.0f} KiB {theirs * 1e3:4.1f} ms {ours / theirs:7.1f}"
            f" {_weight_of_hours(count) / 2**20:9.1f} MiB"
        )


def _page(view: LiveView, servers: int) -> str:
    health = replace(views.HEALTH, servers=servers)
    return page.render(view, health, boot_seconds=views.BOOT, epoch_seconds=views.EPOCH)


def _json(view: LiveView) -> str:
    verdicts = tuple(known.verdict for _, known in view.servers())
    return json.dumps(snapshot_document(Snapshot(views.EPOCH, verdicts)))


def _weight_of_hours(servers: int) -> int:
    """Return how much memory the last hour of so many servers takes, in bytes."""
    gc.collect()
    tracemalloc.start()
    hours = []
    for number in range(servers * len(CHECKS_BY_MINUTE)):
        hour = LastHour()
        for minute in range(KEPT_MINUTES):
            hour = added(hour, minute * MINUTE_SECONDS, [0.001 + number * 1e-7 + minute * 1e-5])
        hours.append(hour)
    weight, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return weight


def _measured(run: Callable[[], str]) -> tuple[int, float]:
    """Return the bytes that are sent, and the median of the seconds of CPU."""
    size = len(run().encode())  # templates are compiled once a process
    spent = []
    for _ in range(RUNS):
        before = time.process_time()
        run()
        spent.append(time.process_time() - before)
    return size, statistics.median(spent)


if __name__ == "__main__":
    main()
