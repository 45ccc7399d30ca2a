"""The parts of the live state of a server on which its metrics depend; table.py uses them. Pure.

Equal parts have the same series in the same order, so what was written of one is true of the other
(kept_exposition.py). Nothing changes a part. It is None where there is nothing to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from msgspec import Struct

from ldaphealth.checks import monitor
from ldaphealth.live.live_server import LiveServer
from ldaphealth.model import Metric, State
from ldaphealth.octaves import Octaves
from ldaphealth.publishers.shadow_publication import ShadowVerdict

ARRIVED = "from "  # the prefix that the check propagation puts before the provider of these times
# Not times of the server: names are resolved locally, and an unbind has no response (RFC 4511 4.3).
NOT_ANSWERED = frozenset({"resolve", "unbind"})

Times = Sequence[tuple[str, Octaves]]


class ScrapedServer(Struct, frozen=True):
    """The live state of a server, and whether its verdict is valid; `of` makes it.

    `metrics` are those of the findings by check and name, `facts` those of the newest session by
    check: older ones do not describe a server that has failed since. Without a valid verdict there
    are none.
    """

    known: LiveServer
    is_valid: bool
    metrics: Mapping[tuple[str, str], Sequence[Metric]]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, known: LiveServer, *, is_valid: bool) -> ScrapedServer:
        """Return a server with what is shown of it."""
        if not is_valid:
            return cls(known, is_valid, {}, {})
        return cls(known, is_valid, _metrics(known), _newest_facts(known))


def _metrics(known: LiveServer) -> Mapping[tuple[str, str], Sequence[Metric]]:
    found: dict[tuple[str, str], list[Metric]] = {}
    for finding in known.verdict.findings:
        for metric in finding.metrics:
            found.setdefault((finding.check, metric.name), []).append(metric)
    return found


def _newest_facts(known: LiveServer) -> Mapping[str, Any]:
    session = known.seen.get("connect")
    since = -inf if session is None else session.started_at
    return {
        check: seen.facts
        for check, seen in known.seen.items()
        if seen.facts is not None and seen.started_at >= since
    }


Part = Callable[[ScrapedServer], Any]


def of_shadow(read: Callable[[ShadowVerdict], float]) -> Part:
    """Return the part that is one value of what a shadow decided; without a shadow, nothing."""

    def part(shown: ScrapedServer) -> float | None:
        return None if shown.known.shadow is None else read(shown.known.shadow)

    return part


def shadow_changes(shown: ScrapedServer) -> int | None:
    """Return how often a shadow would have changed the service; without a shadow, nothing."""
    return None if shown.known.shadow is None else shown.known.shadow_changes


def finding_states(shown: ScrapedServer) -> Sequence[tuple[str, State]]:
    """Return the state of each finding, by check."""
    return [(each.check, each.state) for each in shown.known.verdict.findings]


def metrics_named(check: str, name: str) -> Part:
    """Return the part that is the metrics of a name of the findings of a check."""
    key = (check, name)
    return lambda shown: shown.metrics.get(key)


def shape_metrics(name: str) -> Part:
    """Return the part that is a metric of each shape, of each check of the kind `workload`."""

    def part(shown: ScrapedServer) -> Sequence[tuple[str, Sequence[Metric]]]:
        return [
            (check, found)
            for (check, metric), found in shown.metrics.items()
            if metric.endswith(name) and metric == f"{check}_{name}"
        ]

    return part


def facts(check: str, read: Callable[[Any], Any]) -> Part:
    """Return the part that is something of the facts of a check."""

    def part(shown: ScrapedServer) -> Any:
        found = shown.facts.get(check)
        return None if found is None else read(found)

    return part


def completed_operations(shown: monitor.Facts) -> Sequence[tuple[str, int]]:
    """Return the operations that slapd reports as completed since it started."""
    operations = sorted(monitor.OPERATIONS & shown.completed.keys())
    return [(operation, shown.completed[operation]) for operation in operations]


def requests_in_flight(shown: monitor.Facts) -> Sequence[tuple[str, int]]:
    """Return the requests in flight by kind, 0 for a kind without any."""
    operations = sorted(monitor.OPERATIONS & shown.completed.keys())
    return [(operation, shown.in_flight.get(operation, 0)) for operation in operations]


def operation_times(shown: ScrapedServer) -> Times:
    """Return the times of each operation that the server answers, since the agent started."""
    return [
        (operation, times)
        for operation, times in shown.known.times.items()
        if operation not in NOT_ANSWERED and not operation.startswith(ARRIVED)
    ]


def propagation_times(shown: ScrapedServer) -> Times:
    """Return the times that writes on each provider took to appear, since the agent started."""
    return [
        (operation.removeprefix(ARRIVED), times)
        for operation, times in shown.known.times.items()
        if operation.startswith(ARRIVED)
    ]


def times_of_one_probe(shown: ScrapedServer) -> Sequence[tuple[str, float]]:
    """Return the seconds that each operation took in one probe."""
    return [(operation, times.sum) for operation, times in shown.known.times.items()]
