"""Memory and threads of an agent stay flat while many clients read and probe (`make soak`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from demo import ports
from demo.cluster import Cluster
from ldaphealth.control.client import send_request
from ldaphealth.control.requests import StatusRequest
from tests.prometheus.server import get
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd
HOST = "127.0.0.1"
PATHS = ("/", "/metrics", "/api/v1/status", "/probe?target=c", "/probe?target=c/ldap1", "/ready")
WARM_UP_SECONDS = 600.0  # or a third of a short run; caches of a fixed size fill meanwhile
MOST_MIB = 4.0  # that memory may grow after the warm-up
MOST_MIB_OF_SHORT = 12.0
MOST_THREADS = 64  # with four servers; each set grows to what was needed at the same time
FIGURES = 12


@contextmanager
def traffic(requests: list[Callable[[], object]]) -> Iterator[list[int]]:
    """Send each of the requests again and again, and count them."""
    counts, end = [0] * len(requests), threading.Event()

    def send(number: int, request: Callable[[], object]) -> None:
        while not end.is_set():
            request()
            counts[number] += 1

    threads = [threading.Thread(target=send, args=each) for each in enumerate(requests)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_memory_and_threads_stay_flat(
    cluster: Cluster, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    seconds = pytestconfig.getoption("traffic_seconds")
    warm_up = min(WARM_UP_SECONDS, seconds / 3)
    reserved = ports.reserve(1, (HOST,))
    port = reserved.ports[0]
    with RunningAgent(cluster, tmp_path, more=f', http: {{listen: "{HOST}:{port}"}}') as agent:
        process = psutil.Process(agent.program.pid)
        requests: list[Callable[[], object]] = [
            lambda path=path: get(f"http://{HOST}:{port}{path}")  # type: ignore[misc]
            for path in PATHS
        ]
        requests.append(lambda: send_request(tmp_path / "run" / "agent.sock", StatusRequest()))
        began = time.monotonic()
        figures: list[tuple[float, float, int]] = []
        with traffic(requests) as counts:
            while (at := time.monotonic() - began) < seconds:
                mib = process.memory_info().rss / 2**20
                figures.append((at, mib, process.num_threads()))
                time.sleep(seconds / 60)
        for at, mib, threads in figures[:: max(1, len(figures) // FIGURES)]:
            print(f"{at:7.0f} s {mib:7.1f} MiB {threads:4} threads")  # noqa: T201  of `make soak`
        print(dict(zip([*PATHS, "status"], counts, strict=True)))  # noqa: T201
        assert min(counts) > 0
        warm = [each for each in figures if each[0] >= warm_up]
        most = MOST_MIB if seconds > 2 * WARM_UP_SECONDS else MOST_MIB_OF_SHORT
        assert max(mib for _, mib, _ in warm) - warm[0][1] < most
        assert max(threads for _, _, threads in figures) <= MOST_THREADS, "however many requests"
    reserved.release()
