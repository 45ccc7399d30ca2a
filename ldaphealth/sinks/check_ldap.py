"""The answer of check_ldaphealth: that of check_ldap, of one server or of many, with the reasons.

Pure; cli/check_ldaphealth.py calls it with what it saw, or with what the agent did. Thresholds on
the response time are check_ldap's `-w` and `-c`, on the entries its `-W` and `-C`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.judging.thresholds import Thresholds
from ldaphealth.model import (
    CheckEffect,
    Finding,
    Metric,
    Reason,
    Snapshot,
    State,
    Trust,
    Verdict,
    worst,
)
from ldaphealth.sinks import SinkOptions, SinkOutput
from ldaphealth.sinks.nagios import PluginExtras, answer
from ldaphealth.sinks.summary import STALE, nagios_state, names

# What check_ldap's clock runs over; unbind waits for nobody.
STEPS = ("connect_seconds", "bind_seconds", "search_seconds")
TIME = "time"


class PluginOptions(Struct, frozen=True):
    """How to judge. `entries` is None where they are not counted; no `checks`: all decide."""

    seconds: Thresholds = Thresholds()
    entries: Thresholds | None = None
    checks: frozenset[str] = frozenset()
    verbose: bool = False
    notes: tuple[str, ...] = ()


def render(snapshot: Snapshot, asked: PluginOptions) -> SinkOutput:
    """Return the plugin's answer; LookupError when none of the checks that decide was seen."""
    times = {v.server: t for v in snapshot.verdicts if (t := response_seconds(v)) is not None}
    counted = _total(snapshot, "search_entries") if asked.entries is not None else None
    judged = replace(
        snapshot,
        verdicts=tuple(
            _timed(_blaming(each), times.get(each.server), asked.seconds)
            for each in snapshot.verdicts
        ),
    )
    shown, missed = _only(judged, asked.checks)
    missing = [f"{', '.join(missed)}: not reached by the checks asked for"] if missed else []
    extra = PluginExtras(
        dict(_first(times, counted, asked)),
        _summary(shown, times, counted),
        (*asked.notes, *missing),
        _finding_state if asked.checks else nagios_state,
    )
    return answer(shown, SinkOptions(verbose=asked.verbose), extra)


def response_seconds(verdict: Verdict) -> float | None:
    """Return the time from resolving the name to the end of the search; None: not all was done."""
    found = _metrics(verdict)
    return sum(found[step] for step in STEPS) if all(step in found for step in STEPS) else None


def stale(snapshot: Snapshot, valid_seconds: Mapping[str, float]) -> Snapshot:
    """Return what holds: a verdict past its time says nothing of the server any more."""
    return replace(
        snapshot,
        verdicts=tuple(
            each if (left := valid_seconds.get(each.server, 0.0)) > 0 else _stale(each, -left)
            for each in snapshot.verdicts
        ),
    )


def _stale(verdict: Verdict, late_seconds: float) -> Verdict:
    summary = f"the agent looks no more: its verdict is {late_seconds:.0f} s past its time"
    finding = Finding(
        server=verdict.server,
        check="agent",
        state=State.UNKNOWN,
        code="stale",
        summary=summary,
        trust=Trust.LOCAL,
    )
    reason = Reason(STALE, summary, State.UNKNOWN, CheckEffect.WATCH, removes=False)
    return Verdict(
        server=verdict.server,
        state=State.UNKNOWN,
        in_service=True,
        weight=0,
        reasons=(reason,),
        findings=(finding,),
    )


def _finding_state(verdict: Verdict) -> State:
    return verdict.state


def _blaming(verdict: Verdict) -> Verdict:
    """Return the verdict with a name that does not resolve as CRITICAL.

    To a verdict it is our own trouble, which removes nobody; the plugin guidelines want no UNKNOWN
    for it ("return codes"), because somebody must mend it.
    """
    bad = {each.reason for each in verdict.findings if each.code == "resolve"}
    if not bad:
        return verdict
    critical = State.CRITICAL
    return replace(
        verdict,
        state=critical,
        findings=tuple(
            replace(each, state=critical) if each.reason in bad else each
            for each in verdict.findings
        ),
        reasons=tuple(
            replace(each, state=critical) if each.code in bad else each for each in verdict.reasons
        ),
    )


def _timed(verdict: Verdict, seconds: float | None, thresholds: Thresholds) -> Verdict:
    """Return the verdict with a finding on the response time, where that is judged."""
    if seconds is None or thresholds == Thresholds():
        return verdict
    state = thresholds.state(seconds)
    limit = thresholds.critical if state is State.CRITICAL else thresholds.warning
    slow = f", wanted is {limit}" if state is not State.OK else ""
    summary = f"{seconds:.3f} seconds response time{slow}"
    finding = Finding(
        server=verdict.server,
        check=TIME,
        state=state,
        code="slow" if slow else "ok",
        summary=summary,
    )
    reasons = verdict.reasons
    if slow:
        reason = Reason(finding.reason, summary, state, CheckEffect.WATCH, removes=False)
        reasons = tuple(sorted((*reasons, reason), key=lambda each: -each.state.severity))
    findings = (*verdict.findings, finding)
    return replace(verdict, state=worst((verdict.state, state)), findings=findings, reasons=reasons)


def _only(snapshot: Snapshot, checks: frozenset[str]) -> tuple[Snapshot, list[str]]:
    """Return the snapshot as these checks see it, and the names of servers that they did not."""
    if not checks:
        return snapshot, []
    kept = [_seen_by(checks, each) for each in snapshot.verdicts]
    seen = tuple(each for each in kept if {found.check for found in each.findings} - {TIME})
    if snapshot.verdicts and not seen:
        known = {found.check for each in snapshot.verdicts for found in each.findings} - {TIME}
        wanted = ", ".join(sorted(checks))
        raise LookupError(f"nothing was seen of {wanted}; seen were {', '.join(sorted(known))}")
    left = {each.server for each in seen}
    missed = [name for server, name in names(snapshot).items() if server not in left]
    return replace(snapshot, verdicts=seen), missed


def _seen_by(checks: frozenset[str], verdict: Verdict) -> Verdict:
    wanted = checks | {TIME, "agent"}
    findings = tuple(each for each in verdict.findings if each.check in wanted)
    codes = {each.reason for each in findings}
    return replace(
        verdict,
        state=worst(each.state for each in findings),
        findings=findings,
        reasons=tuple(each for each in verdict.reasons if each.code in codes),
    )


def _summary(shown: Snapshot, times: Mapping[str, float], counted: float | None) -> str:
    """Return check_ldap's words on one server, or why it has no time; nothing on many."""
    if len(shown.verdicts) != 1:
        return ""
    verdict = shown.verdicts[0]
    seconds = times.get(verdict.server)
    if seconds is None:
        return verdict.reasons[0].summary if verdict.reasons else ""
    if counted is not None:
        return f"found {counted:.0f} entries in {seconds:.3f} seconds"
    return f"{seconds:.3f} seconds response time"


def _first(
    times: Mapping[str, float], counted: float | None, asked: PluginOptions
) -> Iterable[tuple[str, Metric]]:
    """Yield check_ldap's perfdata, so that its graphs go on; of many servers the slowest counts."""
    if times:
        yield TIME, asked.seconds.metric("response_seconds", max(times.values()))
    if counted is not None and asked.entries is not None:
        yield "entries", asked.entries.metric("entries", counted)


def _total(snapshot: Snapshot, name: str) -> float | None:
    found = [values[name] for each in snapshot.verdicts if name in (values := _metrics(each))]
    return sum(found) if found else None


def _metrics(verdict: Verdict) -> Mapping[str, float]:
    metrics: Iterable[Metric] = (m for each in verdict.findings for m in each.metrics)
    return {metric.name: metric.value for metric in metrics}
