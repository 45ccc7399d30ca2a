"""Metrics as bytes, by prometheus_client; the only file that uses the library.

exposition.py has whole responses. kept_exposition.py writes the library's lines again, with other
numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from math import inf
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from prometheus_client import exposition as text
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ldaphealth.octaves import Octaves
from ldaphealth.prometheus.buckets import bounds, cumulative
from ldaphealth.prometheus.family import Exponents, Family, Labels, MetricType, S
from ldaphealth.text.printable import printable

MOST_SERIES = 64  # of one metric and server: one for each server ID, link or database
LABEL_CHARACTERS = 100
NEGOTIABLE = re.compile(r"[A-Za-z0-9/;,=.*+ _-]{0,1000}", re.ASCII)
SUFFIXES = MappingProxyType({"counter": "_total", "info": "_info"})  # the library adds them
PYTHONIC_BELOW = 1e6  # from there on the library writes numbers as Go does
EMPTY = Octaves()


class Scrape(Collector):
    """The metrics of one response, for the library's encoders, and the number of omitted series."""

    def __init__(self, metrics: Iterable[Metric] = ()) -> None:
        self.left_out = 0
        self._metrics = [*metrics]

    def collect(self) -> Iterable[Metric]:
        """Return the metrics, as the library requests them."""
        return self._metrics

    def add(self, families: Iterable[Family[S]], sources: Sequence[tuple[Labels, S]]) -> None:
        """Add the series of each family and source; a family without series is left out."""
        for family in families:
            metric = _metric(family)
            for values, value in self._series(family, sources):
                _add_series(metric, family, values, value)
            if metric.samples:
                self._metrics.append(metric)

    def _series(
        self, family: Family[S], sources: Sequence[tuple[Labels, S]]
    ) -> Iterator[tuple[Labels, float | Octaves]]:
        used: set[Labels] = set()
        for names, source in sources:
            part = family.part(source)
            for number, (labels, value) in enumerate(() if part is None else family.read(part)):
                values = (*names, *map(label, labels))
                if (
                    number >= MOST_SERIES or values in used
                ):  # a duplicate series makes the whole response invalid
                    self.left_out += 1
                else:
                    used.add(values)
                    yield values, value


class Form(Struct, frozen=True):
    """The form of a response: the encoder that the client requested, and its Content-Type."""

    encode: Callable[[Collector], bytes]
    content_type: str

    @property
    def is_openmetrics(self) -> bool:
        """Return whether it is OpenMetrics, in which the lines about a metric are others."""
        return self.content_type.startswith("application/openmetrics-text")

    @property
    def has_plain_lines(self) -> bool:
        """Return whether the lines of series are as in the text format.

        They are not with `escaping=dots`, which doubles the `_` of names.
        """
        example = _example()
        return _series_lines(self.encode, example) == _series_lines(text.generate_latest, example)


def negotiated(accept: str) -> Form:
    """Return the form that an Accept header requests; one that is not valid requests text."""
    try:
        encode, content_type = text.choose_encoder(accept if NEGOTIABLE.fullmatch(accept) else "")
    except TypeError:  # the library compares parts of a version that are not numbers
        encode, content_type = text.choose_encoder("")
    if content_type.startswith("application/openmetrics-text"):
        return Form(_openmetrics, openmetrics.CONTENT_TYPE_LATEST)
    return Form(encode, content_type)


def label(value: str) -> str:
    """Return one line of text that is valid in UTF-8, whatever a server sent."""
    return printable(value, LABEL_CHARACTERS)


@cache
def header(family: Family[Any], *, is_openmetrics: bool) -> bytes:
    """Return the lines about a family, which precede its series."""
    encode = _openmetrics if is_openmetrics else text.generate_latest
    return encode(Scrape([_metric(family)])).removesuffix(b"# EOF\n")


def lines(family: Family[Any], every: Iterable[Labels]) -> list[str]:
    """Return the lines of series with these values of labels, without the numbers at their ends.

    `number_texts` returns these. A histogram has a line for each bucket, its count and its sum.
    """
    metric = _metric(family)
    for values in every:
        _add_series(metric, family, values, EMPTY if family.kind is MetricType.HISTOGRAM else 0.0)
    return [line.rpartition(" ")[0] for line in _series_lines(text.generate_latest, metric)]


def number_texts(family: Family[Any], values: Iterable[Any]) -> list[str]:
    """Return the numbers at the ends of the `lines` of series with these values."""
    if family.kind is MetricType.HISTOGRAM:
        return [text for each in values for text in _histogram_texts(each, family.exponents)]
    return [_text(each) for each in values]


def _histogram_texts(times: Octaves, exponents: Exponents) -> list[str]:
    counts = cumulative(times, exponents)
    if counts[-1] < PYTHONIC_BELOW:
        texts = [f"{each}.0" for each in counts]
    else:
        texts = [*map(_text, counts)]
    return [*texts, texts[-1], _text(times.sum)]  # the last bucket has all


def _text(value: float) -> str:
    """Return a number as the library writes it. -0.0 is 0.0, as which it compares."""
    if -inf < value < PYTHONIC_BELOW:
        return repr(value + 0.0)
    as_go: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return as_go


def escaped(value: str) -> str:
    """Return the value of a label as it is written in lines."""
    metric = Metric("x", "", "gauge")
    metric.add_sample("x", {"l": value}, 0)
    (line,) = _series_lines(text.generate_latest, metric)
    return line.removeprefix('x{l="').removesuffix('"} 0.0')


def _metric(family: Family[Any]) -> Metric:
    name = family.name.removesuffix(SUFFIXES.get(family.kind, ""))
    return Metric(name, family.help, family.kind.value, family.unit)


def _add_series(
    metric: Metric, family: Family[Any], values: Labels, value: float | Octaves
) -> None:
    labels = dict(zip(family.labels, values, strict=True))
    if not isinstance(value, Octaves):
        metric.add_sample(family.name, labels, value + 0.0)  # -0.0 is 0.0
        return
    counts = cumulative(value, family.exponents)
    for bound, count in zip(bounds(family.exponents), counts, strict=True):
        metric.add_sample(f"{metric.name}_bucket", {**labels, "le": bound}, count)
    metric.add_sample(f"{metric.name}_count", labels, counts[-1])
    metric.add_sample(f"{metric.name}_sum", labels, value.sum)


def _openmetrics(scrape: Collector) -> bytes:
    """Encode without escaping names: these need none, and the check takes half of the time."""
    encoded: bytes = openmetrics.generate_latest(scrape, openmetrics.ALLOWUTF8)  # type: ignore[no-untyped-call]
    return encoded


def _series_lines(encode: Callable[[Collector], bytes], metric: Metric) -> list[str]:
    """Return the lines of a metric that are not about it."""
    written = encode(Scrape([metric])).decode().split("\n")
    return [line for line in written if line and not line.startswith("#")]


def _example() -> Metric:
    """Return a metric in whose lines all forms differ that ever do."""
    metric = Metric("a_b", "Help.", "gauge")
    metric.add_sample("a_b", {"c_d": 'e"\\'}, 1e7)
    return metric
