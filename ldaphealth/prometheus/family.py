"""Types for metrics that do not depend on the library: a row of table.py, and its series."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from ldaphealth.histogram import Histogram
from ldaphealth.live.live_server import LiveServer

S = TypeVar("S")
# The values of a family's labels, in their order, and the measured value.
Series = tuple[tuple[str, ...], float | Histogram]

# Upper bounds of a histogram as powers of two, by default 1 ms to 4 s, beyond the
# critical thresholds of a step. Never change them: recorded
# histograms with other bounds cannot be added to these. Each bound adds a line to a scrape for
# every operation of every server.
Exponents = tuple[int, ...]
EXPONENTS: Exponents = (-10, -8, -6, -4, -2, 0, 2)

UNITS = ("seconds", "bytes", "ratio")
SERVER = ("cluster", "server")  # the labels of every metric of a server


class MetricType(StrEnum):
    """The type of a metric in the exposition format; `info` is a gauge with the value 1."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Family(Struct, Generic[S], frozen=True, kw_only=True):
    """One metric: `read` returns its series from a source, without the labels of the server.

    https://prometheus.io/docs/practices/naming/: the name ends in the unit; `_total` is for
    counters only.
    """

    name: str
    kind: MetricType
    help: str
    read: Callable[[S], Iterable[Series]]
    labels: tuple[str, ...] = ()
    exponents: Exponents = EXPONENTS

    @property
    def unit(self) -> str:
        """Return the base unit, or "" for a count."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in UNITS else ""


class ScrapedServer(Struct, frozen=True):
    """The live state of a server, and whether its verdict is valid."""

    known: LiveServer
    is_valid: bool


class Probed(Struct, frozen=True):
    """The result of one probe on demand; `success`: see probe_success in table.py."""

    success: bool
    duration_seconds: float
