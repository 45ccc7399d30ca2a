"""What a metric is to us, before any library: a row of table.py, and the series it is read as."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from ldaphealth.live.histogram import Histogram
from ldaphealth.live.live_state import LiveServer

S = TypeVar("S")
# The values of a family's labels, in their order, and what is measured.
Series = tuple[tuple[str, ...], float | Histogram]

# Upper bounds of a histogram as powers of two, by default 1 ms to 1 s; never change them: what was
# recorded with other bounds does not add up with these. Each makes a scrape longer by a line for
# every operation of every server.
Exponents = tuple[int, ...]
EXPONENTS: Exponents = (-10, -8, -6, -4, -2, 0)

UNITS = ("seconds", "bytes", "ratio")
SERVER = ("cluster", "server")  # the labels of everything that is said of a server


class MetricType(StrEnum):
    """The type of a metric in the exposition format; `info` is a gauge with the value 1."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Family(Struct, Generic[S], frozen=True, kw_only=True):
    """One metric: `read` makes its series of a source, without the labels of the server.

    https://prometheus.io/docs/practices/naming/: the unit is the end of the name, `_total` is for
    counters alone.
    """

    name: str
    kind: MetricType
    help: str
    read: Callable[[S], Iterable[Series]]
    labels: tuple[str, ...] = ()
    exponents: Exponents = EXPONENTS

    @property
    def unit(self) -> str:
        """Return the base unit, or "" for a number of things."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in UNITS else ""


class ScrapedServer(Struct, frozen=True):
    """What is known of a server, and whether its verdict still holds."""

    known: LiveServer
    is_valid: bool


class Probed(Struct, frozen=True):
    """How one look on demand went; `success`: every server that was asked about serves."""

    success: bool
    duration_seconds: float
