"""Whole sessions over a window: how many of them failed, and whether they are slow for long.

A failure that is gone on a fresh connection removes no server by itself. A server that loses every
other connection has such a failure again and again, and its clients do not probe twice. So the
probes of a window are judged together, those that confirm a failure as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.check import Check, View
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.judging.judge import code, trust
from ldaphealth.judging.quantile import median
from ldaphealth.judging.thresholds import Thresholds, at_most
from ldaphealth.model import (
    AnyObservation,
    Basis,
    CheckEffect,
    Failure,
    FailureKind,
    Finding,
    Observation,
    Role,
    State,
    Trust,
)
from ldaphealth.text.duration import duration
from ldaphealth.text.quantity import plural_of, quantity

FAILURES_TO_WARN = 2
LEAST_PROBES = 24  # in a window: with a long interval it reaches further back than its seconds
DOUBTED_PROBES = 8  # after a failure that its confirmation did not bear out
# A server that is out is probed quickly after so many good probes in a row, so that one that stays
# unreliable is not probed quickly all the time.
HURRIED_FROM = 3
# So many probes of so many other servers since its first failure show that they are better.
COMPARED_PROBES, COMPARED_SERVERS = 8, 3
SLOW_PROBES = 2
OPENING = ("connect", "bind")
CLIENT_STEPS = (*OPENING, "search")  # what every client of a server waits for


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check. Failures without a good probe between them count as one failure."""

    window_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="the length of the window; it has the newest 24 probes at least",
        ),
    ] = 30.0
    failed_ratio: Annotated[
        Thresholds,
        Meta(
            description="the share of the probes in the window that failed, those that confirm a "
            "failure included; failures without a good probe between them, as in a restart, count "
            "as one"
        ),
    ] = at_most(0.05, 0.15)
    min_failures: Annotated[
        int, Meta(ge=2, le=20, description="with fewer failures it is not CRITICAL")
    ] = 3
    lasting_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="it is not CRITICAL either before failures, or slow probes, have been seen "
            "for this long",
        ),
    ] = 8.0
    recovery_probes: Annotated[
        int,
        Meta(
            ge=1, le=48, description="so many good probes in a row show that it is reliable again"
        ),
    ] = 16
    slow_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="a probe is slow if connect, bind or search take longer than this, and "
            "also longer than those of the other servers, `slow_ratio` times",
        ),
    ] = 0.5
    slow_ratio: Annotated[
        float, Meta(ge=1, description="see `slow_seconds`; compared with the median of the others")
    ] = 10.0


class Facts(Struct, frozen=True):
    """How one probe went.

    `failed` is the code of the first failure that can remove the server, "" if there is none.
    `seconds` are those of its slowest step; None without LDAP service.
    """

    failed: str = ""
    seconds: float | None = None


class _Window(Struct, frozen=True):
    """The probes of a window: how many, and the codes and beginnings of those that failed.

    Of failures in a row only the first one is in `codes` and `began`. `good` counts the newest
    probes in a row that did not fail.
    """

    probes: int
    good_probes: int
    good: int
    codes: Sequence[str]
    began: Sequence[MonotonicSeconds]

    @property
    def ratio(self) -> float:
        """Return the share that failed."""
        return len(self.codes) / max(1, len(self.codes) + self.good_probes)

    @property
    def lasted_seconds(self) -> float:
        """Return the time from the first failure to the newest one."""
        return self.began[-1] - self.began[0] if self.began else 0.0


def summarize(seen: Sequence[AnyObservation], params: Params) -> Facts | None:
    """Return how a probe went; None if it did not get to the server, for a local failure."""
    failures = [(each.check, each.failure) for each in seen if each.failure is not None]
    if not seen or any(each.is_local and check in OPENING for check, each in failures):
        return None
    is_slow = any(_seconds(each) > params.slow_seconds for each in seen if each.failure is None)
    counted = [(check, each) for check, each in failures if _is_counted(each, is_slow=is_slow)]
    failed = f"{counted[0][0]}.{code(*counted[0])}" if counted else ""
    if any(_is_no_service(each) for _, each in failures):
        return Facts(failed)
    steps = [_seconds(each) for each in seen if each.check in CLIENT_STEPS]
    return Facts(failed, max(steps, default=None))


def _seconds(seen: AnyObservation) -> float:
    return sum(seen.timings.values())


def _is_counted(failure: Failure, *, is_slow: bool) -> bool:
    """Return whether a failure is one of the server: an expectation may be wrong at all servers.

    A server that answers slowly before it runs into the deadline is slow, and loses nothing.
    """
    if is_slow and failure.kind is FailureKind.TIMEOUT:
        return False
    return trust(failure) in (Trust.HARD, Trust.SOFT)


def _is_no_service(failure: Failure) -> bool:
    """Return whether the time of the session says nothing: other checks report it."""
    return trust(failure) is Trust.HARD


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the share that failed, and the time."""
    yield _reliability(view, params)
    yield from _pace(view, params)


def _reliability(view: View[Facts], params: Params) -> Finding:
    window = _window(_newest(view.own, params))
    state = _state(window, params)
    is_alike = _is_alike(view, window) if state is not State.OK else False
    summary = _counted(window)
    if state is State.OK and window.codes and not window.good:
        summary = f"does not come and go: {summary}"  # other checks have the failure
    if is_alike:
        summary += "; most other servers lose probes too: the network of this host may be the cause"
    found = view.finding(
        state,
        "ok" if state is State.OK else "unreliable",
        summary,
        (params.failed_ratio.metric("session_failed_ratio", window.ratio),),
        Trust.INFORMATIVE if is_alike else Trust.SOFT,
    )
    return replace(found, basis=_basis(window, state, is_alike))


def _newest(seen: Sequence[Observation[Facts]], params: Params) -> Sequence[Observation[Facts]]:
    """Return the probes of the window."""
    since = seen[-1].ended_at - params.window_seconds
    first = max(0, len(seen) - LEAST_PROBES)
    while first and seen[first - 1].ended_at >= since:
        first -= 1
    return seen[first:]


def _window(seen: Sequence[Observation[Facts]]) -> _Window:
    codes: list[str] = []
    began: list[MonotonicSeconds] = []
    good_probes, good, is_good = 0, 0, True
    for each in seen:
        failed = each.facts.failed if each.facts is not None else ""
        if failed and is_good:
            codes.append(failed)
            began.append(each.started_at)
        is_good = not failed
        good = good + 1 if is_good else 0
        good_probes += is_good
    return _Window(len(seen), good_probes, good, codes, began)


def _state(window: _Window, params: Params) -> State:
    """Return the state: one failure, or several in a short time, are not CRITICAL."""
    state = params.failed_ratio.state(window.ratio)
    if len(window.codes) < FAILURES_TO_WARN:
        return State.OK
    is_proven = (
        len(window.codes) >= params.min_failures
        and window.lasted_seconds >= params.lasting_seconds
        and window.good < params.recovery_probes
    )
    return State.WARNING if state is State.CRITICAL and not is_proven else state


def _is_alike(view: View[Facts], window: _Window) -> bool | None:
    """Return whether most other servers lose probes as well; None: too few probes to tell.

    Those without service since before are not compared: their failures are no losses.
    """
    since = [
        _window([each for each in seen if each.started_at >= window.began[0]])
        for seen in _others(view)
    ]
    others = [each for each in since if each.good_probes or not each.probes]
    compared = [each for each in others if each.probes >= COMPARED_PROBES or each.codes]
    if len(compared) < min(len(others), COMPARED_SERVERS):
        return None
    return 2 * sum(bool(each.codes) for each in compared) > len(compared)


def _others(view: View[Facts]) -> list[Sequence[Observation[Facts]]]:
    """Return what was seen of each other server; a balancer is compared with none."""
    if view.server.role is Role.BALANCER:
        return []
    return [seen for seen in view.others.values() if seen]


def _basis(window: _Window, state: State, is_alike: bool | None) -> Basis:
    """Return DOUBT while good probes that follow a failure are too few to tell."""
    if is_alike or not window.codes:
        return Basis.ROUND
    if is_alike is None:
        return Basis.COMPARISON
    if state is State.CRITICAL:
        return Basis.DOUBT if window.good >= HURRIED_FROM else Basis.WINDOW
    return Basis.DOUBT if 0 < window.good < DOUBTED_PROBES else Basis.ROUND


def _counted(window: _Window) -> str:
    if not window.codes:
        return f"none of the newest {quantity(window.probes, 'probe')} failed"
    listed = ", ".join(f"{number} {each}" for each, number in Counter(window.codes).most_common(3))
    times = "once" if len(window.codes) == 1 else quantity(len(window.codes), "time")
    failed = f"failed {times} in the newest {quantity(window.probes, 'probe')} ({listed})"
    if not window.good:
        return f"{failed}, and still fails"
    return f"{failed}; {window.good} {plural_of(window.good, 'has', 'have')} succeeded since"


def _pace(view: View[Facts], params: Params) -> Iterator[Finding]:
    """Yield a finding if the newest probes were much slower than those of the other servers."""
    if not _is_slower(view.latest, params.slow_seconds):
        return
    since = view.latest.ended_at - params.lasting_seconds
    usual = [slowest for each in _others(view) if (slowest := _slowest(each, since)) is not None]
    if not usual:
        return
    limit = max(params.slow_seconds, params.slow_ratio * median(usual))
    slow = list(takewhile(lambda each: _is_slower(each, limit), reversed(view.own)))
    if not slow:
        return
    lasted = slow[0].ended_at - slow[-1].started_at
    is_proven = len(slow) >= SLOW_PROBES and lasted >= params.lasting_seconds
    seconds = max(0.0, view.facts.seconds or 0.0)
    summary = (
        f"connect, bind or search took {seconds:.3f} s, those of most other servers "
        f"{median(usual):.3f} s, for {duration(lasted)}"
    )
    state = State.CRITICAL if is_proven else State.WARNING
    found = view.finding(state, "slower_than_pool", summary)
    yield replace(found, basis=Basis.WINDOW if is_proven else Basis.DOUBT)


def _slowest(seen: Sequence[Observation[Facts]], since: MonotonicSeconds) -> float | None:
    """Return the seconds of the slowest probe since then, the newest one at least.

    When a slowness of all servers ends, those that are probed again first are not the measure of
    the others.
    """
    recent = [each.facts for each in seen if each.ended_at >= since or each is seen[-1]]
    known = (each.seconds for each in recent if each is not None and each.seconds is not None)
    return max(known, default=None)


def _is_slower(seen: Observation[Facts], limit: float) -> bool:
    return seen.facts is not None and (seen.facts.seconds or 0.0) > limit


CHECK = Check(
    name="session",
    params=Params,
    facts=Facts,
    summarize=summarize,
    judges_older_times=False,
    judge=judge,
    judged_metrics={"failed_ratio": ("session_failed_ratio",)},
    effect=CheckEffect.OUT,
    judged_settings=Params.__struct_encode_fields__,
    single_because="it judges whole probes",
)
