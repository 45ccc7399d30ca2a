"""Ratios and rates of the server's operation counters (slapd-monitor(5)), such as modify to search.

Only differences between reads are judged, not the totals since the start of slapd.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import le
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.monitor_access import MonitorAccess, no_monitor_finding, search_monitor
from ldaphealth.judging.thresholds import NOT_NEGATIVE, Thresholds
from ldaphealth.model import Finding, State

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

BASE = "cn=Operations,cn=Monitor"
COMPLETED = "monitorOpCompleted"
AFTER = frozenset({"search", "unbind"})  # operations of a session that count after it read them
MAX_DIGITS = 20  # of a number of 64 bits
OPERATIONS = frozenset(
    {"bind", "unbind", "search", "compare", "modify", "modrdn", "add", "delete", "abandon"}
    | {"extended"}
)


class Ratio(Struct, frozen=True):
    """A ratio of completed operations, judged once there were `min_operations` of the second."""

    of: Annotated[str, Meta(description="an operation: bind, search, compare, modify, add, …")]
    to: Annotated[str, Meta(description="the operation that it is compared with")]
    ratio: Annotated[
        Thresholds, Meta(description="the first divided by the second", extra=NOT_NEGATIVE)
    ] = Thresholds()
    min_operations: Annotated[
        int, Meta(description="with fewer operations of the second the ratio is not judged")
    ] = 10

    def __post_init__(self) -> None:
        _refuse_unknown({self.of, self.to})


class Rate(Struct, frozen=True):
    """The number of operations of one kind per second, without those of the check's sessions."""

    of: Annotated[str, Meta(description="an operation: bind, search, compare, modify, add, …")]
    per_second: Annotated[
        Thresholds,
        Meta(
            description="operations per second, over the time that was observed", extra=NOT_NEGATIVE
        ),
    ] = Thresholds()

    def __post_init__(self) -> None:
        _refuse_unknown({self.of})


def _refuse_unknown(names: set[str]) -> None:
    unknown = names - OPERATIONS
    if unknown:
        raise ValueError(f"{min(unknown)!r} is not an operation; there are {sorted(OPERATIONS)}")


class Params(Struct, frozen=True):
    """Settings of the check."""

    ratios: Annotated[tuple[Ratio, ...], Meta(description="the ratios to judge")] = (
        Ratio("modify", "search"),
    )
    rates: Annotated[tuple[Rate, ...], Meta(description="the rates to judge")] = ()


class Facts(Struct, frozen=True):
    """The operations that slapd completed since it started, and those of this session, by kind.

    `completed` is empty if cn=Monitor cannot be read; `access` is why.
    """

    completed: Mapping[str, int] = {}
    own: Mapping[str, int] = {}
    access: MonitorAccess = "read"


def observe(session: Session, _: Params) -> Facts:
    """Read the counters of completed operations."""
    own = {name: session.counts.get(name, 0) for name in OPERATIONS}
    access, found = search_monitor(
        session, BASE, "one", "(objectClass=monitorOperation)", (COMPLETED,)
    )
    completed = {
        dn.partition(",")[0].partition("=")[2].lower(): _counter(entry.get(COMPLETED.lower(), ()))
        for dn, entry in found
    }
    if completed:
        return Facts(completed, own)
    return Facts(access=access)


def _counter(values: tuple[str, ...]) -> int:
    """Parse a counter; 0 for more digits than 64 bits have."""
    text = values[0] if values and len(values[0]) <= MAX_DIGITS else ""
    return int(text) if text.isascii() and text.isdigit() else 0


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge each ratio and each rate over the time that was observed."""
    if not view.facts.completed:
        yield no_monitor_finding(view, view.facts.access)
        return
    seen = [
        (each.ended_at, each.facts)
        for each in view.own
        if each.facts is not None and each.facts.completed
    ]
    since = _since_restart([facts for _, facts in seen])
    if len(since) == 1:
        why = "slapd was restarted" if len(seen) > 1 else "only one read so far"
        yield view.finding(State.OK, "collecting", f"no ratio yet: {why}")
        return
    names = {name for ratio in params.ratios for name in (ratio.of, ratio.to)}
    done = {name: _done(since, name) for name in names | {rate.of for rate in params.rates}}
    for ratio in params.ratios:
        yield _judge_ratio(view, ratio, done[ratio.of], done[ratio.to])
    seconds = seen[-1][0] - seen[-len(since)][0]
    if seconds > 0 and params.rates:
        yield from _judge_rates(view, params.rates, done, seconds)


def _judge_rates(
    view: View[Facts], rates: Sequence[Rate], done: Mapping[str, int], seconds: float
) -> Iterable[Finding]:
    """Return a finding for each rate that alerts, or one OK finding on all rates."""
    metrics = []
    for rate in rates:
        value = done[rate.of] / seconds
        state = rate.per_second.state(value)
        metric = rate.per_second.metric("operations_per_second", value, rate.of)
        metrics.append(metric)
        if state is not State.OK:
            summary = f"{value:.3g} {rate.of} operations per second"
            yield view.finding(state, "rate", summary, (metric,))
    if not any(rate.per_second.state(done[rate.of] / seconds) is not State.OK for rate in rates):
        summary = ", ".join(f"{metric.label} {metric.value:.3g}/s" for metric in metrics)
        yield view.finding(State.OK, "ok", summary, metrics)


def _done(reads: Sequence[Facts], name: str) -> int:
    """Return the number of operations of other clients between the first read and the last.

    Own operations between two reads are the search that read the counters and the unbind of the
    earlier session, and those of the later session before its search. Operations of another agent
    are not known, and count as those of clients.
    """
    total = reads[-1].completed.get(name, 0) - reads[0].completed.get(name, 0)
    own = sum(read.own.get(name, 0) + (name in AFTER) for read in reads[1:] if read.own)
    return max(0, total - own)


def _since_restart(reads: Sequence[Facts]) -> Sequence[Facts]:
    """Return the newest reads between which no counter decreased: slapd was not restarted."""
    first = len(reads) - 1
    after = [reads[first].completed.get(name, 0) for name in OPERATIONS]
    while first:
        before = [reads[first - 1].completed.get(name, 0) for name in OPERATIONS]
        if not all(map(le, before, after)):
            break
        first, after = first - 1, before
    return reads[first:]


def _judge_ratio(view: View[Facts], ratio: Ratio, of: int, to: int) -> Finding:
    name = f"{ratio.of}_to_{ratio.to}_ratio"
    if to < max(1, ratio.min_operations):
        return view.finding(State.OK, "idle", f"only {to} {ratio.to} operations: {name} not judged")
    value = of / to
    state = ratio.ratio.state(value)
    code = "ok" if state is State.OK else "ratio"
    return view.finding(state, code, f"{name} {value:.3g}", (ratio.ratio.metric(name, value),))


def second_look(view: View[Facts], _: Params) -> bool:
    """Return whether there is only one read, and so no difference to judge."""
    return bool(view.facts.completed) and len(view.own) == 1


CHECK = Check(
    name="monitor",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    of_one_server=True,
    second_look=second_look,
    bound_because="it leaves out the operations of each session",
)
