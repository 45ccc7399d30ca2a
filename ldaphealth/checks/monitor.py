"""Ratios and rates of the server's operation counters (slapd-monitor(5)), such as modify to search.

Only differences between reads are judged, not the totals since the start of slapd. Operations that
were initiated and not completed are requests in flight. A single read shows what happens to be in
progress; some are stuck, or the server is slow, if there are more than on the other servers in each
of several reads. slapd begins no more than it has threads (`olcThreads`, 16 by default).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import le
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.check import Check, View
from ldaphealth.checks.monitor_access import MonitorAccess, no_monitor_finding, search_monitor
from ldaphealth.judging.quantile import median
from ldaphealth.judging.thresholds import NOT_NEGATIVE, Range, Thresholds
from ldaphealth.model import Finding, Observation, State, Trust
from ldaphealth.text.quantity import plural_of, quantity
from ldaphealth.text.suggestion import suggestion

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

BASE = "cn=Operations,cn=Monitor"
COMPLETED, INITIATED = "monitorOpCompleted", "monitorOpInitiated"
LASTING = 3  # reads in a row
MOST_SESSIONS = 9  # that one of the older reads stands for: they span some 60 rounds together
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
        raise ValueError(
            f"{min(unknown)!r} is not an operation{suggestion(min(unknown), sorted(OPERATIONS))}"
        )


class Params(Struct, frozen=True):
    """Settings of the check."""

    ratios: Annotated[tuple[Ratio, ...], Meta(description="the ratios to judge")] = (
        Ratio("modify", "search"),
    )
    rates: Annotated[tuple[Rate, ...], Meta(description="the rates to judge")] = ()
    in_flight: Annotated[
        Thresholds,
        Meta(
            description="requests of one kind in flight, in three reads in a row, beyond the "
            "median of the other servers",
            extra=NOT_NEGATIVE,
        ),
    ] = Thresholds(warning=Range(end=8))


class Facts(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The operations that slapd completed since it started, and those of this session, by kind.

    `completed` is empty if cn=Monitor cannot be read; `access` is why. `in_flight` are those that
    slapd initiated and did not complete, without the search that read them; kinds without any are
    left out.

    If older reads were merged, `own` is of several `sessions`, and `first` has the counters of the
    first read.
    """

    completed: Mapping[str, int] = {}
    own: Mapping[str, int] = {}
    access: MonitorAccess = "read"
    in_flight: Mapping[str, int] = {}
    sessions: int = 1
    first: Mapping[str, int] = {}


def observe(session: Session, _: Params) -> Facts:
    """Read the counters of operations."""
    own = {name: session.counts.get(name, 0) for name in OPERATIONS}
    access, found = search_monitor(
        session, BASE, "one", "(objectClass=monitorOperation)", (COMPLETED, INITIATED)
    )
    entries = {dn.partition(",")[0].partition("=")[2].lower(): entry for dn, entry in found}
    if not entries:
        return Facts(access=access)
    completed, initiated = (
        {kind: _counter(entry.get(name.lower(), ())) for kind, entry in entries.items()}
        for name in (COMPLETED, INITIATED)
    )
    return Facts(completed=completed, own=own, in_flight=_in_flight(initiated, completed))


def _counter(values: tuple[str, ...]) -> int:
    """Parse a counter; 0 for more digits than 64 bits have."""
    text = values[0] if values and len(values[0]) <= MAX_DIGITS else ""
    return int(text) if text.isascii() and text.isdigit() else 0


def _in_flight(initiated: Mapping[str, int], completed: Mapping[str, int]) -> Mapping[str, int]:
    """Return the requests in flight by kind, without the search that reads the counters."""
    found = {kind: initiated[kind] - completed[kind] for kind in OPERATIONS & initiated.keys()}
    found["search"] = found.get("search", 0) - 1
    return {kind: count for kind, count in sorted(found.items()) if count > 0}


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the requests in flight, and each ratio and rate over the time that was observed."""
    if not view.facts.completed:
        yield no_monitor_finding(view, view.facts.access)
        return
    yield from _judge_in_flight(view, params.in_flight)
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


def _judge_in_flight(view: View[Facts], limits: Thresholds) -> Iterator[Finding]:
    """Yield a finding for each kind of request of which more than elsewhere stay in flight."""
    own = _staying(view.own)
    others = [each for seen in view.others.values() if (each := _staying(seen)) is not None]
    for kind, count in sorted((own or {}).items()):
        usual = median([each.get(kind, 0) for each in others]) if others else 0.0
        state = limits.state(max(0, count - usual))
        if state is not State.OK:
            metric = limits.metric("requests_in_flight", count, kind)
            requests = quantity(count, f"{kind} request")
            verb = plural_of(count, "was", "were")
            summary = f"at least {requests} {verb} in flight in {LASTING} reads in a row"
            beside = f", {usual:g} at the median of the other servers" if others else ""
            yield view.finding(state, "stuck", summary + beside, (metric,), Trust.INFORMATIVE)


def _staying(seen: Sequence[Observation[Facts]]) -> Mapping[str, int] | None:
    """Return the least requests in flight in the newest reads, by kind; None with too few reads."""
    reads = [
        facts.in_flight
        for each in seen[-LASTING:]
        if (facts := each.facts) is not None and facts.completed
    ]
    if len(reads) < LASTING:
        return None
    return {kind: min(each.get(kind, 0) for each in reads) for kind in reads[-1]}


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
    after = name in AFTER
    own = sum(read.own.get(name, 0) + after * read.sessions for read in reads[1:] if read.own)
    return max(0, total - own)


def merged_reads(earlier: Facts, later: Facts) -> Facts | None:
    """Return the later read, which stands for the earlier one, too; None if it cannot.

    A read without counters is left out. After a restart of slapd the counters begin again.
    """
    if not later.completed:
        return earlier
    if not earlier.completed:
        return later
    if not _grew(earlier, later):
        return None
    sessions = earlier.sessions + later.sessions
    if sessions > MOST_SESSIONS:
        return None
    own = {name: count + earlier.own.get(name, 0) for name, count in later.own.items()}
    first = earlier.first or earlier.completed
    return replace(later, own=own, sessions=sessions, first=first)


def _since_restart(reads: Sequence[Facts]) -> Sequence[Facts]:
    """Return the newest reads between which no counter decreased: slapd was not restarted."""
    first = len(reads) - 1
    while first and _grew(reads[first - 1], reads[first]):
        first -= 1
    return reads[first:]


def _grew(earlier: Facts, later: Facts) -> bool:
    """Return whether no counter decreased."""
    before, after = earlier.completed, later.first or later.completed
    if [*before] == [*after]:
        return all(map(le, before.values(), after.values()))
    return all(before.get(name, 0) <= after.get(name, 0) for name in OPERATIONS)


def _judge_ratio(view: View[Facts], ratio: Ratio, of: int, to: int) -> Finding:
    name = f"{ratio.of}_to_{ratio.to}_ratio"
    if to < max(1, ratio.min_operations):
        return view.finding(
            State.OK, "idle", f"only {quantity(to, f'{ratio.to} operation')}: {name} not judged"
        )
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
    newest=LASTING,
    judges_older_times=False,
    merged=merged_reads,
    judged_settings=("ratios", "rates", "in_flight"),
    bound_because="it leaves out the operations of each session",
)
