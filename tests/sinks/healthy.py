"""Views as an agent has them, made by LiveState; tests and bench/scrape.py share them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ldaphealth.checks import bind, certificate, counters, entry_count, monitor, resources
from ldaphealth.checks.links import Facts, Link
from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_state import LiveState, LiveView
from ldaphealth.model import AnyObservation, Finding, Metric, Observation, State, Verdict
from ldaphealth.publishers.publication import Publication

NOW = 1_000.0  # seconds since the boot
UNTIL = 1_016.0
HEALTH = AgentHealth(
    version="1.2.3",
    up_seconds=600.0,
    servers=4,
    rounds=480,
    overruns=1,
    deadline_misses=5,
    in_flight=2,
    waiting=3,
    publish_errors=0,
    history_errors=0,
    history_lost=0,
    history_lost_points=0,
    history_cuts={"minute": 0, "hour": 0, "day": 0, "change": 0},
    history_oldest_age_seconds={"minute": 259200.0, "hour": 5184000.0, "day": 5184000.0},
    late=0,
    late_seconds=0.0,
    loop_age_seconds=0.5,
)
OPERATIONS = ("bind", "unbind", "search", "compare", "modify", "modrdn", "add", "delete", "abandon")
TIMINGS = {
    "connect": {"resolve": 0.00001, "connect": 0.0004},
    "bind": {"bind": 0.0021},
    "search": {"search": 0.0034},
    "write": {"search": 0.001, "modify": 0.012, "compare": 0.0009},
    "replication": {"search": 0.0008},
    "consumer": {"search": 0.0011},
    "entry_count": {"search": 0.0009},
    "resources": {},
    "counters": {"search": 0.0013},
    "monitor": {"search": 0.0012},
    "certificate": {},
    "latency": {},
    "unbind": {"unbind": 0.00002},
}


def observations(server: str, nodes: int = 4) -> Iterable[AnyObservation]:
    """Yield the observations of one round of a healthy server with so many server IDs."""
    shown = tuple(
        Link(
            dn=f"cn=Consumer 00{each},cn=Database 1,cn=Databases,cn=Monitor",
            started="20261124000000Z",
            name=f"ldap://192.0.2.{10 + each}",
            connected=True,
            phase="Persist",
            connect="20261124000001Z",
            contact="20261124000002Z",
        )
        for each in range(nodes - 1)
    )
    counted = {name: 100 + place for place, name in enumerate(OPERATIONS)} | {"extended": 0}
    facts: dict[str, Struct] = {
        "monitor": monitor.Facts(completed=counted, own={"search": 3}, in_flight={"search": 2}),
        "counters": counters.Facts(
            values={entry: 7 for each in counters.MEASURES for entry in each.entries.values()},
            version="OpenLDAP: slapd 2.6.10",
            started_epoch_seconds=1.7e9,
            clock_ahead_seconds=-1.0,
            databases=(counters.ShownDatabase("dc=example,dc=com", False, True, ("syncprov",)),),
        ),
        "entry_count": entry_count.Facts(entries={"dc=example,dc=com": 25}, changes=3),
        "resources": resources.Facts(0.02, 0, (resources.Database("dc=example,dc=com", 0.4, 0.1),)),
        "certificate": certificate.Facts(
            "verified", expires_epoch_seconds=1.8e9, client_expires_epoch_seconds=1.7e9
        ),
        "bind": bind.Facts(expires_epoch_seconds=1.9e9, observed_epoch_seconds=1.8e9),
        "consumer": Facts(nodes - 1, shown),
    }
    for place, (check, timings) in enumerate(TIMINGS.items()):
        began = NOW - 1 + place / 100
        yield Observation(
            server=server,
            check=check,
            started_at=began,
            duration_seconds=0.005,
            facts=facts.get(check),
            timings=timings,
        )


def findings(server: str, nodes: int = 4) -> tuple[Finding, ...]:
    """Return the findings on it, all OK."""
    metrics: dict[str, tuple[Metric, ...]] = {
        "replication": tuple(
            metric
            for sid in range(1, nodes + 1)
            for metric in (
                Metric("behind_seconds", 0.0, "10", "60", f"{sid:03x}"),
                Metric("csn_gap_seconds", 0.25 * sid, label=f"{sid:03x}"),
            )
        ),
        "consumer": tuple(
            Metric("silent_seconds", 12.5, label=f"ldap://192.0.2.{10 + each}")
            for each in range(nodes - 1)
        ),
        "session": (Metric("session_failed_ratio", 0.0, "0.05", "0.15"),),
    }
    return tuple(
        Finding(
            server=server,
            check=check,
            state=State.OK,
            code="ok",
            summary="all is well",
            metrics=metrics.get(check, ()),
        )
        for check in (*TIMINGS, "session")
    )


def healthy(server: str) -> Verdict:
    """Return the verdict on a healthy server."""
    return Verdict(
        server=server,
        state=State.OK,
        in_service=True,
        weight=100,
        findings=findings(server),
        lasted_seconds=3600.0,
    )


def view(*verdicts: Verdict, until: float = UNTIL, rounds: int = 1) -> LiveView:
    """Return the view after so many rounds of healthy sessions with these verdicts."""
    live_state = LiveState(clock=lambda: 0.0)
    for _ in range(rounds):
        for cluster in dict.fromkeys(each.server.partition("/")[0] for each in verdicts):
            of = {v.server: v for v in verdicts if v.server.partition("/")[0] == cluster}
            seen = [each for server in of for each in observations(server)]
            live_state.publish(
                Publication(
                    cluster=cluster,
                    verdicts=of,
                    due=dict.fromkeys(of, until),
                    changes=(),
                    seen=seen,
                )
            )
    return live_state.view


def cluster(servers: int = 4, name: str = "example") -> LiveView:
    """Return the view of one healthy cluster."""
    return view(*(healthy(f"{name}/ldap{number}") for number in range(1, servers + 1)))
