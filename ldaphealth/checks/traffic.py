"""What clients got lately: the operations in the log of slapo-accesslog(5), compared.

A server on which clients fail more often than on the others, or wait several times as long, is
named, also while the operations of the agent are well. The same is compared with what the server
itself did before. The log has ended operations alone; requests in flight are those of the check
monitor.

slapd counts the microseconds of `reqStart` and `reqEnd` up from the first operation of a second
(slap_op_time), so the time of one operation says little. The mean over many is right, because a
time that ends in the next second counts for the others. So means are judged and not quantiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.judging.quantile import median
from ldaphealth.judging.thresholds import NOT_NEGATIVE, SHARE, Range, Thresholds, at_most
from ldaphealth.ldap.names import DN
from ldaphealth.model import Finding, Metric, Observation, State, Trust
from ldaphealth.survey import SurveyContext, SurveyResult
from ldaphealth.text.quantity import quantity

if TYPE_CHECKING:
    from ldaphealth.clocks import EpochSeconds

MOST_CODES = 16  # result codes with a metric
ABANDONED = "abandoned"  # beside the names of result codes: the client gave up


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check. The account needs the right to read the log at `base`."""

    base: Annotated[DN, Meta(description="the suffix of the log, as in `cn=accesslog`")]
    except_accounts: Annotated[
        tuple[DN, ...],
        Meta(
            max_length=32,
            description="accounts that are no clients, such as that of replication: their "
            "operations are left out, as those of the agent's account always are",
        ),
    ] = ()
    interval_seconds: Annotated[
        float, Meta(ge=5, le=3600, description="the time between two reads of the log")
    ] = 30.0
    most_operations: Annotated[
        int,
        Meta(
            ge=50,
            le=20_000,
            description="of more operations in this time the first ones are read",
        ),
    ] = 1000
    window_seconds: Annotated[
        float, Meta(ge=5, le=3600, description="the operations of this time are judged together")
    ] = 120.0
    min_operations: Annotated[
        int, Meta(ge=1, le=100_000, description="fewer operations in this time are not judged")
    ] = 100
    failed_ratio: Annotated[
        Thresholds,
        Meta(
            description="the share of operations with one result code, beyond that of the others",
            extra=SHARE,
        ),
    ] = at_most(0.1, 0.5)
    to_others: Annotated[
        Thresholds,
        Meta(
            description="the mean time of one kind of operation divided by that of the others",
            extra=NOT_NEGATIVE,
        ),
    ] = Thresholds(warning=Range(end=5))
    quick_seconds: Annotated[
        float, Meta(gt=0, le=60, description="a mean time of the others below it counts as it")
    ] = 0.02

    @property
    def deadline_seconds(self) -> float:
        """Return the hard deadline of one survey."""
        return min(self.interval_seconds, 30.0)


class Counted(Struct, frozen=True):
    """Operations of one kind: how many, their seconds together, and how many failed by code."""

    operations: int = 0
    seconds: float = 0.0
    failed: Mapping[str, int] = {}


Traffic = Mapping[str, Counted]  # by kind of operation


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The operations of clients that one read of the log found.

    `is_limited`: there were more of them than are read. `unread` is why the log could not be read,
    else "".
    """

    traffic: Traffic = {}
    is_limited: bool = False
    unread: str = ""


def survey(
    context: SurveyContext[Params, Mapping[str, EpochSeconds]],
) -> SurveyResult[Facts, Mapping[str, EpochSeconds]]:
    """Read what is new in the log of each server (traffic_survey.py)."""
    from ldaphealth.checks.traffic_survey import read_what_is_new  # noqa: PLC0415  agent only

    return read_what_is_new(context)


class ComparedTraffic(Struct, frozen=True):
    """What the operations of a server are compared with: servers, or the same one before."""

    of: str
    traffic: tuple[Traffic, ...]
    trust: Trust

    def failed_ratio(self, code: str) -> float:
        """Return the median share of operations with that result code."""
        return median([_failed(each)[code] / _operations(each) for each in self.traffic])

    def mean_seconds(self, kind: str, least: int) -> float | None:
        """Return the median of the mean times, None if there were nowhere enough of the kind."""
        counted = [each.get(kind, NONE) for each in self.traffic]
        means = [each.seconds / each.operations for each in counted if each.operations >= least]
        return median(means) if means else None


NONE = Counted()


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Compare the operations of the newest window with those of the other servers, and before."""
    if view.facts.unread:
        summary = f"the log could not be read: {view.facts.unread}"
        yield view.finding(State.UNKNOWN, "no_log", summary, trust=Trust.LOCAL)
        return
    own = _recent(view.own, params)
    total = _operations(own)
    if total < params.min_operations:
        summary = f"{quantity(total, 'operation')} of clients in the log, too few to judge"
        yield view.finding(State.OK, "idle", summary)
        return
    references = _references(view, params)
    found = [
        *_failing(view, params, own, references),
        *_slower(view, params, own, references),
    ]
    yield from found
    if not found:
        failed = sum(_failed(own).values())
        summary = f"{quantity(total, 'operation')} of clients, {failed / total:.1%} of them failed"
        yield view.finding(State.OK, "ok", summary, _metrics(own))


def _references(view: View[Facts], params: Params) -> tuple[ComparedTraffic, ...]:
    """Return what the server is compared with: those that have enough operations."""
    others = tuple(
        each
        for seen in view.others.values()
        if _operations(each := _recent(seen, params)) >= params.min_operations
    )
    before = _before(view.own, params)
    past = (before,) if _operations(before) >= params.min_operations else ()
    references = (
        ComparedTraffic("at the median of the other servers", others, Trust.SOFT),
        ComparedTraffic("on this server before", past, Trust.INFORMATIVE),
    )
    return tuple(each for each in references if each.traffic)


def _failing(
    view: View[Facts], params: Params, own: Traffic, references: Sequence[ComparedTraffic]
) -> Iterator[Finding]:
    """Yield a finding for each result code that is more frequent than usual."""
    total = _operations(own)
    for code, count in sorted(_failed(own).items()):
        share = count / total
        for reference in references:
            usual = reference.failed_ratio(code)
            state = params.failed_ratio.state(max(0.0, share - usual))
            if state is not State.OK:
                what = "were abandoned" if code == ABANDONED else f"got {code}"
                summary = (
                    f"{share:.1%} of {quantity(total, 'operation')} of clients {what}, "
                    f"{usual:.1%} {reference.of}"
                )
                yield view.finding(state, "failing", summary, _metrics(own), reference.trust)
                break


def _slower(
    view: View[Facts], params: Params, own: Traffic, references: Sequence[ComparedTraffic]
) -> Iterator[Finding]:
    """Yield a finding for each kind of operation that takes longer than usual."""
    for kind, done in sorted(own.items()):
        if done.operations < params.min_operations:
            continue
        mean = done.seconds / done.operations
        for reference in references:
            usual = reference.mean_seconds(kind, params.min_operations)
            if usual is None:
                continue
            state = params.to_others.state(mean / max(usual, params.quick_seconds))
            if state is not State.OK:
                summary = (
                    f"{quantity(done.operations, f'{kind} operation')} of clients took "
                    f"{mean:.3f} s on average, {usual:.3f} s {reference.of}"
                )
                yield view.finding(state, "slower", summary, _metrics(own), reference.trust)
                break


def _recent(seen: Sequence[Observation[Facts]], params: Params) -> Traffic:
    """Return the operations of the newest window together."""
    since = seen[-1].ended_at - params.window_seconds if seen else 0.0
    return sum_of_traffic(
        facts.traffic for each in seen if each.ended_at > since if (facts := each.facts)
    )


def _before(seen: Sequence[Observation[Facts]], params: Params) -> Traffic:
    """Return the operations of a server before the newest window together."""
    since = seen[-1].ended_at - params.window_seconds if seen else 0.0
    return sum_of_traffic(
        facts.traffic for each in seen if each.ended_at <= since if (facts := each.facts)
    )


def sum_of_traffic(traffic: Iterable[Traffic]) -> Traffic:
    """Return the sum of what was counted."""
    operations: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    failed: dict[str, Counter[str]] = {}
    for each in traffic:
        for kind, counted in each.items():
            operations[kind] += counted.operations
            seconds[kind] = seconds.get(kind, 0.0) + counted.seconds
            failed.setdefault(kind, Counter()).update(counted.failed)
    return {kind: Counted(operations[kind], seconds[kind], failed[kind]) for kind in operations}


def _operations(traffic: Traffic) -> int:
    return sum(each.operations for each in traffic.values())


def _failed(traffic: Traffic) -> Counter[str]:
    """Return the number of failed operations by result code, 0 for any other."""
    failed: Counter[str] = Counter()
    for each in traffic.values():
        failed.update(each.failed)
    return failed


def _metrics(own: Traffic) -> Iterator[Metric]:
    total = _operations(own)
    for kind, each in sorted(own.items()):
        yield Metric("traffic_operations", each.operations, label=kind)
        if each.operations:
            yield Metric("traffic_mean_seconds", each.seconds / each.operations, label=kind)
    for code, count in _failed(own).most_common(MOST_CODES):
        yield Metric("traffic_failed_ratio", count / total, label=code)


CHECK = Check(
    name="traffic",
    params=Params,
    facts=Facts,
    judge=judge,
    survey=survey,
    of_one_server=True,
    judged_settings=(
        "window_seconds",
        "min_operations",
        "failed_ratio",
        "to_others",
        "quick_seconds",
    ),
    single_because="it reads the one log of all clients",
)
