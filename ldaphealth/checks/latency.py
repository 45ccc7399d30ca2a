"""The time of operations over a window, compared with thresholds and with the other servers.

It uses the times of the operations of the session, and sends nothing itself. A quantile over the
window is judged: one slow operation changes nothing, a server that stays slow loses weight.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.judging.quantile import median, quantile
from ldaphealth.judging.thresholds import (
    NOT_NEGATIVE,
    SECONDS_OF_A_ROUND,
    Range,
    Thresholds,
    at_most,
)
from ldaphealth.model import CheckEffect, Finding, State
from ldaphealth.text.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldaphealth.ldap.session import Session
    from ldaphealth.model import Observation

ENDED = attrgetter("ended_at")


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check."""

    operations: Annotated[tuple[str, ...], Meta(description="the operations to judge")] = (
        "bind",
        "search",
    )
    quantile: Annotated[
        float, Meta(gt=0, lt=1, description="the share of operations that must be fast enough")
    ] = 0.9
    window_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="the length of the window")
    ] = 60.0
    min_operations: Annotated[
        int, Meta(ge=1, le=64, description="fewer operations in the window are not judged")
    ] = 10
    seconds: Annotated[Thresholds, Meta(description="the quantile", extra=SECONDS_OF_A_ROUND)] = (
        at_most(0.3, 1.5)
    )
    to_pool: Annotated[
        Thresholds,
        Meta(
            description="the quantile divided by the median of the other servers' quantiles",
            extra=NOT_NEGATIVE,
        ),
    ] = Thresholds(warning=Range(end=5))
    quick_seconds: Annotated[
        float, Meta(ge=0, description="a quantile up to this is OK, whatever that of the others")
    ] = 0.05


class Facts(Struct, frozen=True):
    """The seconds that the session spent on each operation."""

    seconds: Mapping[str, float]


def observe(session: Session, params: Params) -> Facts:
    """Return the times of the session's operations so far."""
    totals = session.totals
    return Facts({each: totals[each] for each in params.operations if each in totals})


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge each operation over the window."""
    recent = _recent(view.own, params)
    for operation in params.operations:
        times = _times(recent, operation)
        seconds = _quantile(times, params)
        if seconds is None:
            count = len(times)
            summary = f"{operation}: {quantity(count, 'time')} in the window, too few to judge"
            yield view.finding(State.OK, "collecting", summary)
        else:
            yield from _judge_one(view, params, operation, seconds)


def _judge_one(
    view: View[Facts], params: Params, operation: str, seconds: float
) -> Iterator[Finding]:
    share = f"{params.quantile:.0%} of {operation} operations take at most {seconds:.3f} s"
    metrics = [params.seconds.metric("latency_seconds", seconds, operation)]
    state = params.seconds.state(seconds)
    code, summary = ("ok" if state is State.OK else "slow"), share
    ratio = _to_pool(view, params, operation, seconds) if seconds > params.quick_seconds else None
    if ratio is not None:
        metrics.append(params.to_pool.metric("latency_to_pool_ratio", ratio, operation))
        if state is State.OK and params.to_pool.state(ratio) is not State.OK:
            state, code = params.to_pool.state(ratio), "slower_than_pool"
            summary = f"{share}, {ratio:.1f} times the median of the other servers"
    yield view.finding(state, code, summary, metrics)


def _to_pool(view: View[Facts], params: Params, operation: str, seconds: float) -> float | None:
    others = [
        each
        for seen in view.others.values()
        if (each := _quantile(_times(_recent(seen, params), operation), params)) is not None
    ]
    return seconds / median(others) if others and median(others) > 0 else None


def _quantile(times: Sequence[float], params: Params) -> float | None:
    return None if len(times) < params.min_operations else quantile(times, params.quantile)


def _recent(seen: Sequence[Observation[Facts]], params: Params) -> list[Mapping[str, float]]:
    """Return the seconds of the observations in the window, by operation; the oldest first.

    Of two probes of a round at the edge of the window one may be left out.
    """
    if not seen:
        return []
    since = seen[-1].ended_at - params.window_seconds
    window = seen[bisect_left(seen, since, key=ENDED) :]
    return [facts.seconds for each in window if (facts := each.facts) is not None]


def _times(recent: Sequence[Mapping[str, float]], operation: str) -> list[float]:
    return [seconds[operation] for seconds in recent if operation in seconds]


CHECK = Check(
    name="latency",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    judged_metrics={"seconds": ("latency_seconds",), "to_pool": ("latency_to_pool_ratio",)},
    judges_older_times=False,
    effect=CheckEffect.WEIGHT,
    judged_settings=(
        "quantile",
        "window_seconds",
        "min_operations",
        "seconds",
        "to_pool",
        "quick_seconds",
    ),
    bound_because="it judges the times of each session",
)
