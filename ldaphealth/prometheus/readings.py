"""Functions that make the series of a metric of the part that it depends on (parts.py). Pure.

table.py joins both. They are called with a part that is not None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ldaphealth.checks.links import Link
from ldaphealth.guard import RULES
from ldaphealth.model import Metric, Reason, State
from ldaphealth.octaves import Octaves
from ldaphealth.prometheus.family import Series

Metrics = Sequence[Metric]


def by_label(values: Iterable[tuple[str, float]]) -> Iterator[Series]:
    """Yield a series for each label and its value."""
    for label, value in values:
        yield (label,), float(value)


def histograms(times: Iterable[tuple[str, Octaves]]) -> Iterator[Series]:
    """Yield a series for each label and its times."""
    for label, each in times:
        yield (label,), each


def info(label: str) -> Iterable[Series]:
    """Return the one series, whose value is 1."""
    return (((label,), 1.0),)


def states(state: State) -> Iterator[Series]:
    """Yield 1 for the state of the verdict, 0 for the others."""
    for each in State:
        yield (each.name.lower(),), float(each is state)


def holds(held_by: str) -> Iterator[Series]:
    """Yield 1 for the rule that holds the verdict, 0 for the others."""
    rules = dict.fromkeys((rule.name for rule in RULES), 0.0)
    if held_by:
        rules[held_by] = 1.0
    return by_label(rules.items())


def severities(found: Iterable[tuple[str, State]]) -> Iterator[Series]:
    """Yield the severity of the worst state of each label."""
    worst: dict[str, int] = {}
    for label, state in found:
        worst[label] = max(worst.get(label, 0), state.severity)
    return by_label(worst.items())


def reasons(found: Iterable[Reason]) -> Iterator[Series]:
    """Yield the severity of each reason; nothing if there are no reasons."""
    return severities((each.code, each.state) for each in found)


def measured(metrics: Metrics) -> Iterator[Series]:
    """Yield a metric of a check's findings by its label."""
    return by_label({each.label: each.value for each in metrics}.items())


def single(metrics: Metrics) -> Iterator[Series]:
    """Yield the one metric of its name of a check's findings."""
    for _, value in measured(metrics):
        yield (), value


def of_server_ids(metrics: Metrics) -> Iterator[Series]:
    """Yield a metric of replication by server ID and naming context.

    The label is the server ID, followed by the naming context if the cluster has several.
    """
    for (label,), value in measured(metrics):
        server_id, _, suffix = label.partition(" ")
        yield (server_id, suffix), value


def of_shapes(found: Iterable[tuple[str, Metrics]]) -> Iterator[Series]:
    """Yield a metric by check and shape."""
    for check, metrics in found:
        for metric in metrics:
            yield (check, metric.label), float(metric.value)


def by_database(read: Callable[[Any], float]) -> Callable[[Iterable[Any]], Iterator[Series]]:
    """Return a reading of one number of each database, by its name."""

    def series(databases: Iterable[Any]) -> Iterator[Series]:
        for each in databases:
            yield (each.name,), float(read(each))

    return series


def links(found: Iterable[Link]) -> Iterator[Series]:
    """Yield whether each link of the server to a provider is connected."""
    for link in found:
        yield (link.name,), float(link.connected)
