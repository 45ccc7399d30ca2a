"""Functions that read the metrics of a server from its live state; table.py uses them. Pure.

An observation counts only if it is from the newest session with its server: an older one does not
describe a server that has failed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ldaphealth.checks import bind, certificate, entry_count, monitor, resources
from ldaphealth.checks.links import Facts as LinkFacts
from ldaphealth.guard import RULES
from ldaphealth.live.live_server import LiveServer
from ldaphealth.model import State, Verdict
from ldaphealth.prometheus.family import ScrapedServer, Series
from ldaphealth.publishers.shadow_publication import ShadowVerdict

ARRIVED = "from "  # the prefix that the check propagation puts before the provider of these times
# Not times of the server: names are resolved locally, and an unbind has no response (RFC 4511 4.3).
NOT_ANSWERED = frozenset({"resolve", "unbind"})

# Returns the series of one metric from the live state of a server.
Reading = Callable[[LiveServer], Iterator[Series]]


def one(value: float) -> Iterable[Series]:
    """Return the one series of a metric without labels of its own."""
    return (((), float(value)),)


def by_level(values: Mapping[str, float]) -> Iterable[Series]:
    """Return a series for each level of the history."""
    return [((level,), float(value)) for level, value in values.items()]


def of_verdict(read: Callable[[Verdict], float]) -> Callable[[LiveServer], Iterable[Series]]:
    """Return a reading of one number of the verdict."""
    return lambda known: one(read(known.verdict))


def of_shadow(read: Callable[[ShadowVerdict], float]) -> Reading:
    """Return a reading of one number of what a shadow decided; without a shadow, of nothing."""

    def series(known: LiveServer) -> Iterator[Series]:
        if known.shadow is not None:
            yield (), float(read(known.shadow))

    return series


def shadow_changes(shown: ScrapedServer) -> Iterator[Series]:
    """Yield how often a shadow would have changed the service; without a shadow, nothing."""
    if shown.known.shadow is not None:
        yield (), float(shown.known.shadow_changes)


def states(known: LiveServer) -> Iterator[Series]:
    """Yield 1 for the state of the verdict, 0 for the others."""
    for state in State:
        yield (state.name.lower(),), float(known.verdict.state is state)


def holds(known: LiveServer) -> Iterator[Series]:
    """Yield 1 for the rule that holds the verdict, 0 for the others."""
    rules = dict.fromkeys((rule.name for rule in RULES), 0.0)
    if known.verdict.held_by:
        rules[known.verdict.held_by] = 1.0
    for rule, held in rules.items():
        yield (rule,), held


def severities(known: LiveServer) -> Iterator[Series]:
    """Yield the severity of the worst finding of each check."""
    worst: dict[str, int] = {}
    for finding in known.verdict.findings:
        worst[finding.check] = max(worst.get(finding.check, 0), finding.state.severity)
    for check, severity in worst.items():
        yield (check,), float(severity)


def reasons(known: LiveServer) -> Iterator[Series]:
    """Yield the severity of each reason; nothing if there are no reasons."""
    worst: dict[str, int] = {}
    for reason in known.verdict.reasons:
        worst[reason.code] = max(worst.get(reason.code, 0), reason.state.severity)
    for code, severity in worst.items():
        yield (code,), float(severity)


def measured(check: str, name: str) -> Reading:
    """Return a reading of one metric of a check's findings, by the label of the metric."""

    def read(known: LiveServer) -> Iterator[Series]:
        found = {
            metric.label: metric.value
            for finding in known.verdict.findings
            if finding.check == check
            for metric in finding.metrics
            if metric.name == name
        }
        for label, value in found.items():
            yield (label,), float(value)

    return read


def of_shapes(name: str) -> Reading:
    """Return a reading of a metric by check and shape, of each check of the kind `workload`."""

    def read(known: LiveServer) -> Iterator[Series]:
        for finding in known.verdict.findings:
            for metric in finding.metrics:
                if metric.name == f"{finding.check}_{name}":
                    yield (finding.check, metric.label), float(metric.value)

    return read


def single(check: str, name: str) -> Reading:
    """Return a reading of the one metric of this name of a check's findings."""
    read_labelled = measured(check, name)

    def read(known: LiveServer) -> Iterator[Series]:
        for _, value in read_labelled(known):
            yield (), value

    return read


def of_server_ids(name: str) -> Reading:
    """Return a reading of a metric of replication by server ID and naming context.

    The label is the server ID, followed by the naming context if the cluster has several.
    """
    read_labelled = measured("replication", name)

    def read(known: LiveServer) -> Iterator[Series]:
        for (label,), value in read_labelled(known):
            server_id, _, suffix = label.partition(" ")
            yield (server_id, suffix), value

    return read


def operation_times(shown: ScrapedServer) -> Iterator[Series]:
    """Yield the times of each operation that the server answers, since the agent started."""
    for operation, times in shown.known.times.items():
        if operation not in NOT_ANSWERED and not operation.startswith(ARRIVED):
            yield (operation,), times


def propagation_times(shown: ScrapedServer) -> Iterator[Series]:
    """Yield the times that writes on each provider took to appear, since the agent started."""
    for operation, times in shown.known.times.items():
        if operation.startswith(ARRIVED):
            yield (operation.removeprefix(ARRIVED),), times


def times_of_one_probe(known: LiveServer) -> Iterator[Series]:
    """Yield the seconds that each operation took in one probe."""
    for operation, times in known.times.items():
        yield (operation,), times.sum


def completed_operations(known: LiveServer) -> Iterator[Series]:
    """Yield the operations that slapd reports as completed since it started."""
    facts: monitor.Facts | None = facts_of(known, "monitor")
    if facts is not None:
        for operation in sorted(monitor.OPERATIONS & facts.completed.keys()):
            yield (operation,), float(facts.completed[operation])


def requests_in_flight(known: LiveServer) -> Iterator[Series]:
    """Yield the requests in flight by kind, 0 for a kind without any."""
    facts: monitor.Facts | None = facts_of(known, "monitor")
    if facts is not None:
        for operation in sorted(monitor.OPERATIONS & facts.completed.keys()):
            yield (operation,), float(facts.in_flight.get(operation, 0))


def resource(read: Callable[[resources.Facts], float | None]) -> Reading:
    """Return a reading of one number of the facts of the check `resources`."""

    def series(known: LiveServer) -> Iterator[Series]:
        facts: resources.Facts | None = facts_of(known, "resources")
        value = None if facts is None else read(facts)
        if value is not None:
            yield (), float(value)

    return series


def database(read: Callable[[resources.Database], float]) -> Reading:
    """Return a reading of one number of each database in the facts of `resources`."""

    def series(known: LiveServer) -> Iterator[Series]:
        facts: resources.Facts | None = facts_of(known, "resources")
        for each in facts.databases if facts is not None else ():
            yield (each.name,), read(each)

    return series


def entries(known: LiveServer) -> Iterator[Series]:
    """Yield the number of entries of each database in the facts of `entry_count`."""
    facts: entry_count.Facts | None = facts_of(known, "entry_count")
    for suffix, count in facts.entries.items() if facts is not None else ():
        yield (suffix,), float(count)


def links(known: LiveServer) -> Iterator[Series]:
    """Yield whether each link of the server to a provider is connected."""
    facts: LinkFacts | None = facts_of(known, "consumer")
    for link in facts.links if facts is not None else ():
        yield (link.name,), float(link.connected)


def certificate_expiry(known: LiveServer) -> Iterator[Series]:
    """Yield the end of the certificate's validity, in seconds since the epoch."""
    facts: certificate.Facts | None = facts_of(known, "certificate")
    if facts is not None and facts.expires_epoch_seconds is not None:
        yield (), facts.expires_epoch_seconds


def client_certificate_expiry(known: LiveServer) -> Iterator[Series]:
    """Yield the end of the client certificate's validity, in seconds since the epoch."""
    facts: certificate.Facts | None = facts_of(known, "certificate")
    if facts is not None and facts.client_expires_epoch_seconds is not None:
        yield (), facts.client_expires_epoch_seconds


def password_expiry(known: LiveServer) -> Iterator[Series]:
    """Yield when the password of the account expires, in seconds since the epoch."""
    facts: bind.Facts | None = facts_of(known, "bind")
    if facts is not None and facts.expires_epoch_seconds is not None:
        yield (), facts.expires_epoch_seconds


def facts_of(known: LiveServer, check: str) -> Any:
    """Return the facts of a check, or None if the newest session has none."""
    seen, session = known.seen.get(check), known.seen.get("connect")
    if seen is None or (session is not None and seen.started_at < session.started_at):
        return None
    return seen.facts
