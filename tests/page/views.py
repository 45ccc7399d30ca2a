"""Views for the page of an agent; the tests of the page and its benchmark share them.

Nothing here checks anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from msgspec import convert
from msgspec.structs import replace

from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import LiveState, LiveView
from ldaphealth.model import (
    AnyObservation,
    CheckEffect,
    Failure,
    FailureKind,
    Finding,
    Metric,
    Observation,
    Reason,
    State,
    Trust,
    Verdict,
)
from ldaphealth.page.server_card import CardOverride
from ldaphealth.publishers.publication import Publication, VerdictChange

EPOCH = 1_795_400_000.25  # 2026-11-23T02:13:20.250Z
BOOT = 500_000.0
ROUND_SECONDS = 20.0
HOUR_SECONDS = 3_600.0
HOLDS_SECONDS = 16.0
CHECKS = {"connect": 0.0004, "bind": 0.0011, "search": 0.0017, "write": 0.0042}
TIMEOUT = Failure(FailureKind.TIMEOUT, "no answer within 5 s to the bind as cn=check")
SLOW_SINCE_SECONDS = 900.0  # before the end, on the one that is slow

HEALTH = convert(
    dict.fromkeys(AgentHealth.__struct_fields__, 0)
    | {
        "reload_failure": "",
        "version": "0.1.0",
        "up_seconds": 273_300.0,
        "servers": 6,
        "rounds": 81_422,
        "in_flight": 4,
        "history_cuts": {},
        "history_oldest_age_seconds": {},
    },
    AgentHealth,
)
AILING = replace(HEALTH, overruns=12, publish_errors=3, history_errors=1, history_lost=2)
OVERRIDES = {"example/ldap3": CardOverride("drain", 4_325.0, "new kernel")}


def fine(
    server: str, lasted: float = 273_000.0, gaps: Mapping[str, float] | None = None
) -> Verdict:
    """Return the verdict on a healthy server; `gaps` by server ID in seconds."""
    replication = tuple(
        metric
        for sid, gap in (gaps or {"001": 0.0, "002": 0.0, "003": 0.0}).items()
        for metric in (
            Metric("behind_seconds", 0.0, "10", "60", sid),
            Metric("csn_gap_seconds", gap, label=sid),
        )
    )
    findings = (
        *(
            Finding(
                server=server,
                check=check,
                state=State.OK,
                code="ok",
                summary=f"{check} took {seconds:.4f} s",
            )
            for check, seconds in CHECKS.items()
        ),
        Finding(
            server=server,
            check="replication",
            state=State.OK,
            code="ok",
            summary="has the changes that most others have",
            metrics=replication,
        ),
    )
    return Verdict(
        server=server,
        state=State.OK,
        in_service=True,
        weight=100,
        findings=findings,
        lasted_seconds=lasted,
    )


def with_finding(
    verdict: Verdict, finding: Finding, effect: CheckEffect = CheckEffect.OUT
) -> Verdict:
    """Return the verdict with that finding in place of the earlier one of its check."""
    removes = finding.state is State.CRITICAL and effect is CheckEffect.OUT
    reason = Reason(finding.reason, finding.summary, finding.state, effect, removes)
    kept = tuple(each for each in verdict.findings if each.check != finding.check)
    return replace(
        verdict,
        state=finding.state,
        reasons=(*verdict.reasons, reason),
        findings=(*kept, finding),
        plain=verdict.plain and not removes,
    )


def silent(server: str) -> Verdict:
    """Return the verdict on a server that accepts connections and does not respond."""
    finding = Finding(
        server=server,
        check="bind",
        state=State.CRITICAL,
        code="timeout",
        summary="no answer within 5 s to the bind as cn=check",
        metrics=(),
        trust=Trust.HARD,
    )
    connected = Finding(
        server=server, check="connect", state=State.OK, code="ok", summary="connect took 0.0004 s"
    )
    bare = Verdict(
        server=server,
        state=State.OK,
        in_service=False,
        weight=0,
        findings=(connected,),
        lasted_seconds=252.0,
    )
    return with_finding(bare, finding)


def held(server: str) -> Verdict:
    """Return the verdict on a server that should be out, but too few would be left."""
    summary = "search below ou=people,dc=example,dc=com was answered with noSuchObject"
    finding = Finding(
        server=server, check="search", state=State.CRITICAL, code="noSuchObject", summary=summary
    )
    return replace(with_finding(fine(server, 88_000.0), finding), held_by="floor")


def draining(server: str) -> Verdict:
    """Return the verdict on a server that an operator drains."""
    return replace(
        fine(server, 2_875.0), in_service=False, weight=0, held_by="override", draining=True
    )


def behind(server: str) -> Verdict:
    """Return the verdict on a server that lacks changes, not for long enough to be removed."""
    metrics = (
        Metric("behind_seconds", 0.0, "10", "60", "001"),
        Metric("csn_gap_seconds", 0.0, label="001"),
        Metric("behind_seconds", 41.7, "10", "60", "002"),
        Metric("csn_gap_seconds", 3_912.4, label="002"),
        Metric("behind_seconds", 0.0, "10", "60", "003"),
        Metric("csn_gap_seconds", 0.4, label="003"),
    )
    summary = "has not received changes of server ID 002 for 41.7 s; most others have"
    finding = Finding(
        server=server,
        check="replication",
        state=State.WARNING,
        code="behind",
        summary=summary,
        metrics=metrics,
    )
    return with_finding(fine(server), finding)


def observations(
    server: str, at: float, random: Random, *, slow: float = 1.0, hangs: bool = False
) -> list[AnyObservation]:
    """Return what a round at that moment saw."""
    if hangs:
        took = CHECKS["connect"] * random.lognormvariate(0, 0.3)
        return [
            Observation(
                server=server,
                check="connect",
                started_at=at,
                duration_seconds=took,
                timings={"connect": took},
            ),
            Observation(
                server=server,
                check="bind",
                started_at=at,
                duration_seconds=5.0,
                timings={"bind": 5.0},
                failure=TIMEOUT,
            ),
        ]
    found: list[AnyObservation] = []
    for check, seconds in CHECKS.items():
        took = seconds * slow * random.lognormvariate(0, 0.35)
        took *= 8 if random.random() < 0.01 else 1
        found.append(
            Observation(
                server=server,
                check=check,
                started_at=at,
                duration_seconds=took,
                timings={check: took},
            )
        )
    return found


def realistic() -> LiveView:
    """Return two clusters of servers: out, drained and fine; stale, held and behind."""
    live_state = LiveState(clock=lambda: EPOCH - 252.0)
    last = {
        "example": [fine("example/ldap1"), silent("example/ldap2"), draining("example/ldap3")],
        "branch": [fine("branch/b1"), held("branch/b2"), behind("branch/b3")],
    }
    _an_hour(live_state, last, hung="example/ldap2", slow="branch/b2")
    changes: dict[str, list[tuple[float, Verdict | None, Verdict]]] = {
        "branch": [
            (86_400.0, None, fine("branch/b1")),
            (88_000.0, fine("branch/b2"), held("branch/b2")),
            (42.0, fine("branch/b3"), behind("branch/b3")),
        ],
        "example": [
            (2_875.0, fine("example/ldap3"), draining("example/ldap3")),
            (252.0, fine("example/ldap2"), silent("example/ldap2")),
        ],
    }
    return _with_changes(live_state.view, changes, stale="branch/b1")


def many(servers: int, *, healthy: bool = True) -> LiveView:
    """Return one large cluster after an hour; every tenth server, or all, have problems."""
    live_state = LiveState(clock=lambda: EPOCH)
    kinds = (silent, held, behind, draining)
    ids = [f"example/ldap{number:03d}" for number in range(1, servers + 1)]
    verdicts = [
        kinds[(number // 10) % 4](id_) if number % 10 == 3 or not healthy else fine(id_)
        for number, id_ in enumerate(ids)
    ]
    _an_hour(live_state, {"example": verdicts}, hung=ids[min(3, servers - 1)])
    return live_state.view


def _an_hour(
    live_state: LiveState, last: Mapping[str, Sequence[Verdict]], hung: str, slow: str = ""
) -> None:
    random = Random(20261123)  # noqa: S311  the same picture each time
    at = BOOT - HOUR_SECONDS
    while at < BOOT:
        for cluster, verdicts in last.items():
            seen = [
                each
                for verdict in verdicts
                for each in observations(
                    verdict.server,
                    at,
                    random,
                    slow=30.0 if verdict.server == slow and BOOT - at < SLOW_SINCE_SECONDS else 1.0,
                    hangs=verdict.server == hung and BOOT - at < 252.0,
                )
            ]
            by_server = {verdict.server: verdict for verdict in verdicts}
            due = dict.fromkeys(by_server, at + ROUND_SECONDS + HOLDS_SECONDS)
            live_state.publish(
                Publication(cluster=cluster, verdicts=by_server, due=due, changes=(), seen=seen)
            )
        at += ROUND_SECONDS


def _with_changes(
    view: LiveView,
    changes: Mapping[str, Sequence[tuple[float, Verdict | None, Verdict]]],
    stale: str,
) -> LiveView:
    moment = [EPOCH]
    live_state = LiveState(clock=lambda: moment[0])
    dated = sorted(
        (
            (ago, cluster, VerdictChange(before, after))
            for cluster, each in changes.items()
            for ago, before, after in each
        ),
        key=lambda each: -each[0],
    )
    for ago, cluster, change in dated:
        moment[0] = EPOCH - ago
        live_state.publish(
            Publication(cluster=cluster, verdicts={}, due={}, changes=[change], seen=())
        )
    clusters = {
        name: {
            server: replace(known, valid_until=BOOT - 73.0) if server == stale else known
            for server, known in servers.items()
        }
        for name, servers in view.clusters.items()
    }
    return LiveView(clusters, live_state.view.changes)


def known(verdict: Verdict) -> LiveServer:
    """Return a fresh verdict, and nothing more that is known."""
    return LiveServer(verdict=verdict, valid_until=BOOT + HOLDS_SECONDS)
