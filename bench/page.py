"""CPU of one page against the status document as JSON, and the memory of the last hour's points.

`make bench` runs it. It starts no program; the views are those of the tests.
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

from ldaphealth.live.live_server import CHECKS_BY_MINUTE
from ldaphealth.live.live_state import LiveView
from ldaphealth.live.recent_times import KEPT_MINUTES, MINUTE_SECONDS, GrowingHour
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
        page_bytes, page_seconds = _measured(partial(_page, view, count))
        json_bytes, json_seconds = _measured(partial(_json, view))
        print(
            f"{servers:9}{page_bytes / 1024:5.0f} KiB {page_seconds * 1e3:4.1f} ms"
            f" {json_bytes / 1024:6.0f} KiB {json_seconds * 1e3:4.1f} ms"
            f" {page_seconds / json_seconds:7.1f}"
            f" {_memory_of_hours(count) / 2**20:9.1f} MiB"
        )


def _page(view: LiveView, servers: int) -> str:
    health = replace(views.HEALTH, servers=servers)
    return page.render(view, health, boot_seconds=views.BOOT, epoch_seconds=views.EPOCH)


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


def _measured(run: Callable[[], str]) -> tuple[int, float]:
    """Return the size in bytes, and the median of the CPU seconds."""
    size = len(run().encode())  # also compiles the template
    spent = []
    for _ in range(RUNS):
        before = time.process_time()
        run()
        spent.append(time.process_time() - before)
    return size, statistics.median(spent)


if __name__ == "__main__":
    main()
