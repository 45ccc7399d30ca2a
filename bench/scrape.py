"""CPU, bytes and series of a scrape of an agent with a hundred servers.

`make bench` runs it. The peer is prometheus_client itself, with the same number of gauges and
histograms and as many labels, without an agent.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from bench.cpu import table
from ldaphealth.prometheus import exposition
from ldaphealth.prometheus.family import EXPONENTS
from tests.sinks.healthy import HEALTH, NOW, cluster

SERVERS = 100
SCRAPES = 21
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def main() -> None:
    view = cluster(SERVERS)
    body, _ = exposition(view, HEALTH, NOW)
    families = [*text_string_to_metric_families(body.decode())]
    samples = sum(len(family.samples) for family in families)
    buckets = next(f for f in families if f.name == "ldaphealth_operation_duration_seconds")
    histograms = sum(sample.name.endswith("_count") for sample in buckets.samples)
    peer = _peer(samples - len(buckets.samples), histograms)
    scrapes: dict[str, Callable[[], object]] = {
        "a scrape, text": lambda: exposition(view, HEALTH, NOW),
        "a scrape, OpenMetrics": lambda: exposition(view, HEALTH, NOW, OPENMETRICS),
        "prometheus_client, text": lambda: generate_latest(peer),
        "prometheus_client, OpenMetrics": lambda: openmetrics.generate_latest(peer),  # type: ignore[no-untyped-call]
    }
    measured: dict[str, list[float]] = {name: [] for name in scrapes}
    for _ in range(SCRAPES):
        for name, scrape in scrapes.items():
            started = process_time()
            scrape()
            measured[name].append(process_time() - started)
    print(f"{SERVERS} servers: {samples} series, {len(body) / 2**20:.2f} MiB")
    table(measured, "prometheus_client, text")


def _peer(gauges: int, histograms: int) -> CollectorRegistry:
    registry = CollectorRegistry()
    labels = ("cluster", "server", "check")
    gauge = Gauge("peer_severity", "A number.", labels, registry=registry)
    for number in range(gauges):
        gauge.labels("example", f"ldap{number}", "search").set(number)
    bounds = tuple(2.0**exponent for exponent in EXPONENTS)
    times = Histogram(
        "peer_operation_duration_seconds", "Times.", labels, registry=registry, buckets=bounds
    )
    for number in range(histograms):
        times.labels("example", f"ldap{number}", "search").observe(0.002)
    return registry


if __name__ == "__main__":
    main()
