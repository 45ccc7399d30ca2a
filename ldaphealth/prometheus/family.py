"""Types for metrics that do not depend on the library: a row of table.py, and its series."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Generic, TypeVar

from msgspec import Struct

from ldaphealth.octaves import Octaves

S = TypeVar("S")
Labels = tuple[str, ...]  # the values of a family's labels, in their order
Series = tuple[Labels, float | Octaves]  # and the measured value

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


def one(value: float) -> Iterable[Series]:
    """Return the one series of a metric without labels of its own."""
    return (((), float(value)),)


class Family(Struct, Generic[S], frozen=True, kw_only=True):
    """One metric: `read` returns its series from a part of a source, without the server's labels.

    The `part` is all that the series depend on; where it is None there are none.
    https://prometheus.io/docs/practices/naming/: the name ends in the unit; `_total` is for
    counters only.
    """

    name: str
    kind: MetricType
    help: str
    part: Callable[[S], Any]
    read: Callable[[Any], Iterable[Series]] = one
    labels: tuple[str, ...] = ()
    exponents: Exponents = EXPONENTS

    @property
    def unit(self) -> str:
        """Return the base unit, or "" for a count."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in UNITS else ""


class Probed(Struct, frozen=True):
    """The result of one probe on demand; `success`: see probe_success in table.py."""

    success: bool
    duration_seconds: float
