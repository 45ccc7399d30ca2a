"""The response to a scrape, from the live state at that moment; nothing is kept between scrapes.

The only file that uses prometheus_client. web/ calls both expositions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache

from prometheus_client import exposition as text
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from ldaphealth.clocks import BootSeconds
from ldaphealth.histogram import BUCKETS_PER_OCTAVE, Histogram
from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_state import LiveView
from ldaphealth.prometheus.family import Exponents, Family, Probed, S, ScrapedServer
from ldaphealth.prometheus.table import AGENT, ALWAYS, ANSWER, PROBE, PROBED_SERVER, VERDICT
from ldaphealth.text.printable import printable

MOST_SERIES = 64  # of one metric and server: one for each server ID, link or database
LABEL_CHARACTERS = 100
NEGOTIABLE = re.compile(r"[A-Za-z0-9/;,=.*+ _-]{0,1000}", re.ASCII)

SUFFIXES: Mapping[str, str] = {"counter": "_total", "info": "_info"}  # the library adds them

Labels = tuple[str, ...]


def exposition(
    view: LiveView, health: AgentHealth, now: BootSeconds, accept: str = ""
) -> tuple[bytes, str]:
    """Return the agent's metrics and their Content-Type; OpenMetrics if Accept requests it.

    `now` is in seconds since the boot (`clocks.boot_seconds`): stale verdicts are left out. An
    `accept` that is not valid selects the text format.
    """
    shown = [
        (_names(server), ScrapedServer(known, not known.is_stale(now)))
        for server, known in view.servers()
    ]
    scrape = _Scrape()
    scrape.add(ALWAYS, shown)
    scrape.add(VERDICT, [(names, each.known) for names, each in shown if each.is_valid])
    scrape.add(AGENT, [((), health)])
    return _encoded(scrape, accept)


def exposition_of_probe(view: LiveView, probed: Probed, accept: str = "") -> tuple[bytes, str]:
    """Return the metrics of one probe on demand, without counters over several probes."""
    known = [(_names(server), each) for server, each in view.servers()]
    scrape = _Scrape()
    scrape.add(PROBE, [((), probed)])
    scrape.add(PROBED_SERVER, known)
    scrape.add(VERDICT, known)
    return _encoded(scrape, accept)


def _encoded(scrape: _Scrape, accept: str) -> tuple[bytes, str]:
    scrape.add(ANSWER, [((), scrape.left_out)])
    encode, content_type = _negotiated(accept)
    return encode(scrape), content_type


def _negotiated(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    try:
        encode, content_type = text.choose_encoder(accept if NEGOTIABLE.fullmatch(accept) else "")
    except TypeError:  # the library compares parts of a version that are not numbers
        encode, content_type = text.choose_encoder("")
    if content_type.startswith("application/openmetrics-text"):
        return _openmetrics, openmetrics.CONTENT_TYPE_LATEST
    return encode, content_type


def _openmetrics(scrape: Collector) -> bytes:
    """Encode without escaping names: these need none, and the check takes half of the time."""
    encoded: bytes = openmetrics.generate_latest(scrape, openmetrics.ALLOWUTF8)  # type: ignore[no-untyped-call]
    return encoded


class _Scrape(Collector):
    """The metrics of one response, for the library's encoders, and the number of omitted series."""

    def __init__(self) -> None:
        self.left_out = 0
        self._metrics: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        return self._metrics

    def add(self, families: Iterable[Family[S]], sources: Sequence[tuple[Labels, S]]) -> None:
        """Add the series of each family and source; a family without series is left out."""
        for family in families:
            name = family.name.removesuffix(SUFFIXES.get(family.kind, ""))
            metric = Metric(name, family.help, family.kind.value, family.unit)
            for names, series in self._series(family, sources):
                labels = dict(zip(family.labels, names, strict=True))
                if isinstance(series, Histogram):
                    _add_histogram(metric, labels, series, family.exponents)
                else:
                    metric.add_sample(family.name, labels, series)
            if metric.samples:
                self._metrics.append(metric)

    def _series(
        self, family: Family[S], sources: Sequence[tuple[Labels, S]]
    ) -> Iterator[tuple[Labels, float | Histogram]]:
        used: set[Labels] = set()
        for names, source in sources:
            for number, (labels, value) in enumerate(family.read(source)):
                values = (*names, *[_label(each) for each in labels])
                if (
                    number >= MOST_SERIES or values in used
                ):  # a duplicate series makes the whole response invalid
                    self.left_out += 1
                else:
                    used.add(values)
                    yield values, value


def _add_histogram(
    metric: Metric, labels: dict[str, str], times: Histogram, exponents: Exponents
) -> None:
    bucket = f"{metric.name}_bucket"
    for bound, count in zip(_bounds(exponents), cumulative(times, exponents), strict=True):
        metric.add_sample(bucket, {**labels, "le": bound}, count)
    metric.add_sample(f"{metric.name}_count", labels, times.count)
    metric.add_sample(f"{metric.name}_sum", labels, times.sum)


@cache
def _bounds(exponents: Exponents) -> tuple[str, ...]:
    return (*(str(2.0**exponent) for exponent in exponents), "+Inf")


def cumulative(times: Histogram, exponents: Exponents) -> list[int]:
    """Return how many values are below each bound, the last of which is infinity.

    A value that equals a bound counts as above it: the buckets exclude their upper bound.
    """
    counts, below = [], 0
    buckets = sorted(times.buckets.items(), reverse=True)
    for exponent in exponents:
        while buckets and buckets[-1][0] < exponent * BUCKETS_PER_OCTAVE:
            below += buckets.pop()[1]
        counts.append(below)
    return [*counts, times.count]


def _names(server: str) -> Labels:
    cluster, _, name = server.partition("/")
    return _label(cluster), _label(name)


def _label(value: str) -> str:
    """Return one line of text that is valid in UTF-8, whatever a server sent."""
    return printable(value, LABEL_CHARACTERS)
