"""The output of check_ldaphealth: that of check_ldap for one or more servers, with the reasons.

Pure; cli/check_ldaphealth.py calls it with its own snapshot or with that of the agent. The
thresholds on the response time are check_ldap's `-w` and `-c`, on the entries its `-W` and `-C`.
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
from ldaphealth.sinks.nagios import PluginExtras, plugin_output
from ldaphealth.sinks.summary import STALE, first_cause, nagios_state, names
from ldaphealth.text.quantity import quantity

# The steps that check_ldap measures; an unbind has no response (RFC 4511 4.3).
STEPS = ("connect_seconds", "bind_seconds", "search_seconds")
TIME = "time"


class PluginOptions(Struct, frozen=True):
    """How to judge. `entries` is None if they are not counted; no `checks` means all."""

    seconds: Thresholds = Thresholds()
    entries: Thresholds | None = None
    checks: frozenset[str] = frozenset()
    verbose: bool = False
    notes: tuple[str, ...] = ()


def render(snapshot: Snapshot, options: PluginOptions) -> SinkOutput:
    """Return the output of the plugin; LookupError if no finding is of the `checks`."""
    times = {v.server: t for v in snapshot.verdicts if (t := response_seconds(v)) is not None}
    counted = _total(snapshot, "search_entries") if options.entries is not None else None
    judged = replace(
        snapshot,
        verdicts=tuple(
            _with_time(_with_resolve_critical(each), times.get(each.server), options.seconds)
            for each in snapshot.verdicts
        ),
    )
    shown, missing = _restricted(judged, options.checks)
    note = [f"{', '.join(missing)}: not reached by the requested checks"] if missing else []
    extras = PluginExtras(
        dict(_perfdata(times, counted, options)),
        _summary(shown, times, counted),
        (*options.notes, *note),
        _finding_state if options.checks else nagios_state,
    )
    return plugin_output(shown, SinkOptions(verbose=options.verbose), extras)


def response_seconds(verdict: Verdict) -> float | None:
    """Return the seconds from name resolution to the end of the search; None without all steps."""
    found = _metrics(verdict)
    return sum(found[step] for step in STEPS) if all(step in found for step in STEPS) else None


def stale(snapshot: Snapshot, valid_seconds: Mapping[str, float]) -> Snapshot:
    """Return the snapshot with each expired verdict replaced by one that is UNKNOWN."""
    return replace(
        snapshot,
        verdicts=tuple(
            each if (left := valid_seconds.get(each.server, 0.0)) > 0 else _expired(each, -left)
            for each in snapshot.verdicts
        ),
    )


def _expired(verdict: Verdict, late_seconds: float) -> Verdict:
    summary = f"the verdict of the agent expired {late_seconds:.0f} s ago and was not renewed"
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


def _with_resolve_critical(verdict: Verdict) -> Verdict:
    """Return the verdict with a name that does not resolve as CRITICAL.

    The agent treats it as a local failure, which removes no server. The plugin guidelines ("return
    codes") do not want UNKNOWN for it, because an administrator must correct it.
    """
    failed = {each.reason for each in verdict.findings if each.code == "resolve"}
    if not failed:
        return verdict
    critical = State.CRITICAL
    return replace(
        verdict,
        state=critical,
        findings=tuple(
            replace(each, state=critical) if each.reason in failed else each
            for each in verdict.findings
        ),
        reasons=tuple(
            replace(each, state=critical) if each.code in failed else each
            for each in verdict.reasons
        ),
    )


def _with_time(verdict: Verdict, seconds: float | None, thresholds: Thresholds) -> Verdict:
    """Return the verdict with a finding on the response time, if there are thresholds for it."""
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


def _restricted(snapshot: Snapshot, checks: frozenset[str]) -> tuple[Snapshot, list[str]]:
    """Return the snapshot with these checks only, and the names of servers without any of them."""
    if not checks:
        return snapshot, []
    kept = [_restricted_verdict(checks, each) for each in snapshot.verdicts]
    checked = tuple(each for each in kept if {found.check for found in each.findings} - {TIME})
    if snapshot.verdicts and not checked:
        known = {found.check for each in snapshot.verdicts for found in each.findings} - {TIME}
        wanted = ", ".join(sorted(checks))
        raise LookupError(
            f"no finding of {wanted}; there are findings of {', '.join(sorted(known))}"
        )
    found = {each.server for each in checked}
    missing = [name for server, name in names(snapshot).items() if server not in found]
    return replace(snapshot, verdicts=checked), missing


def _restricted_verdict(checks: frozenset[str], verdict: Verdict) -> Verdict:
    shown = checks | {TIME, "agent"}
    findings = tuple(each for each in verdict.findings if each.check in shown)
    codes = {each.reason for each in findings}
    return replace(
        verdict,
        state=worst(each.state for each in findings),
        findings=findings,
        reasons=tuple(each for each in verdict.reasons if each.code in codes),
    )


def _summary(shown: Snapshot, times: Mapping[str, float], counted: float | None) -> str:
    """Return check_ldap's text on one server, or what is wrong with it; "" for several servers."""
    if len(shown.verdicts) != 1:
        return ""
    verdict = shown.verdicts[0]
    seconds = times.get(verdict.server)
    cause = first_cause(verdict)
    if cause is not None and cause.state is not State.OK and not cause.code.startswith(f"{TIME}."):
        return cause.summary
    if seconds is None:
        return ""
    if counted is not None:
        return f"found {quantity(counted, 'entry', 'entries')} in {seconds:.3f} seconds"
    return f"{seconds:.3f} seconds response time"


def _perfdata(
    times: Mapping[str, float], counted: float | None, options: PluginOptions
) -> Iterable[tuple[str, Metric]]:
    """Yield the perfdata of check_ldap, with its labels; of several servers the longest time."""
    if times:
        yield TIME, options.seconds.metric("response_seconds", max(times.values()))
    if counted is not None and options.entries is not None:
        yield "entries", options.entries.metric("entries", counted)


def _total(snapshot: Snapshot, name: str) -> float | None:
    found = [values[name] for each in snapshot.verdicts if name in (values := _metrics(each))]
    return sum(found) if found else None


def _metrics(verdict: Verdict) -> Mapping[str, float]:
    metrics: Iterable[Metric] = (m for each in verdict.findings for m in each.metrics)
    return {metric.name: metric.value for metric in metrics}
