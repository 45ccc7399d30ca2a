"""Snapshots as evaluations produce them.

The tests of the sinks share them; nothing here checks anything.
"""

from __future__ import annotations

from msgspec.structs import replace

from ldaphealth.model import CheckEffect, Finding, Metric, Reason, Snapshot, State, Trust, Verdict
from ldaphealth.reason_codes import remedy_of
from tests.sinks.nasty import NASTY, TAKEN_AT, nasty_snapshot

__all__ = ["NASTY", "TAKEN_AT", "nasty_snapshot"]


def seconds(name: str, value: float, warning: str = "0.5", critical: str = "2") -> Metric:
    return Metric(name, value, warning, critical)


def serving(server: str, bind: float = 0.0021, search: float = 0.0034) -> Verdict:
    """Return the verdict on a healthy server; times are in seconds."""
    findings = (
        Finding(
            server=server,
            check="bind",
            state=State.OK,
            code="ok",
            summary="bind took 0.002 s",
            metrics=(seconds("bind_seconds", bind),),
        ),
        Finding(
            server=server,
            check="search",
            state=State.OK,
            code="ok",
            summary="search took 0.003 s, 1 entries",
            metrics=(seconds("search_seconds", search),),
        ),
    )
    return Verdict(server=server, state=State.OK, in_service=True, weight=100, findings=findings)


def troubled(  # noqa: PLR0913
    verdict: Verdict,
    finding: Finding,
    *,
    effect: CheckEffect = CheckEffect.OUT,
    in_service: bool = False,
    weight: int = 0,
    held_by: str = "",
) -> Verdict:
    """Return the verdict with one finding in place of the earlier one of its check."""
    kept = tuple(each for each in verdict.findings if each.check != finding.check)
    is_bad = finding.state is State.CRITICAL and effect is CheckEffect.OUT
    removes = is_bad and finding.trust.can_remove
    return replace(
        verdict,
        state=finding.state,
        in_service=in_service,
        weight=weight,
        held_by=held_by,
        reasons=(Reason(finding.reason, finding.summary, finding.state, effect, removes),),
        findings=(*kept, finding),
        plain=not removes,
        remedies={finding.reason: remedy_of(finding.code)},
    )


def bind_timeout(server: str) -> Finding:
    summary = "no answer to the bind within 5 s: the deadline of the whole session has passed"
    metrics = (Metric("connect_seconds", 0.0004),)
    return Finding(
        server=server,
        check="bind",
        state=State.CRITICAL,
        code="timeout",
        summary=summary,
        metrics=metrics,
        trust=Trust.HARD,
    )


def silent(server: str) -> Verdict:
    """Return the verdict on a server that accepts connections and does not respond."""
    finding = bind_timeout(server)
    return troubled(replace(serving(server), findings=()), finding)


def no_entry(server: str) -> Finding:
    summary = "search below 'cn=test,dc=example,dc=com' was answered with noSuchObject"
    return Finding(
        server=server, check="search", state=State.CRITICAL, code="noSuchObject", summary=summary
    )


def unresolved(server: str) -> Finding:
    summary = "the name ldap1.example.com does not resolve: no answer from the DNS servers"
    return Finding(
        server=server,
        check="connect",
        state=State.UNKNOWN,
        code="resolve",
        summary=summary,
        trust=Trust.LOCAL,
    )


def slow(server: str) -> Finding:
    metrics = (seconds("search_seconds", 0.734),)
    return Finding(
        server=server,
        check="search",
        state=State.WARNING,
        code="slow",
        summary="search took 0.734 s",
        metrics=metrics,
    )


IDS = tuple(f"main/ldap{number}" for number in range(1, 9))

HEALTHY = Snapshot(TAKEN_AT, tuple(map(serving, IDS[:4])))
ONE_OUT = Snapshot(
    TAKEN_AT,
    (serving(IDS[0]), serving(IDS[1], 0.012, 0.118), silent(IDS[2]), serving(IDS[3])),
)
HELD_BY_FLOOR = Snapshot(
    TAKEN_AT,
    (
        troubled(serving(IDS[0]), no_entry(IDS[0]), in_service=True, weight=100, held_by="floor"),
        troubled(serving(IDS[1]), no_entry(IDS[1])),
    ),
)
UNKNOWN = Snapshot(
    TAKEN_AT,
    tuple(
        troubled(replace(serving(each), findings=()), unresolved(each), in_service=True, weight=100)
        for each in IDS[:2]
    ),
)
WARNED = Snapshot(
    TAKEN_AT,
    (troubled(serving(IDS[0]), slow(IDS[0]), in_service=True, weight=50), serving(IDS[1])),
)
EIGHT = Snapshot(
    TAKEN_AT,
    tuple(silent(each) if number in {2, 5} else serving(each) for number, each in enumerate(IDS)),
)
DRAINED = Snapshot(
    TAKEN_AT,
    (
        serving(IDS[0]),
        replace(serving(IDS[1]), in_service=False, weight=0, held_by="override", draining=True),
    ),
)
EMPTY = Snapshot(TAKEN_AT, ())

SNAPSHOTS = {
    "healthy": HEALTHY,
    "one_out": ONE_OUT,
    "held_by_floor": HELD_BY_FLOOR,
    "unknown": UNKNOWN,
    "warned": WARNED,
    "eight": EIGHT,
    "drained": DRAINED,
    "empty": EMPTY,
}
