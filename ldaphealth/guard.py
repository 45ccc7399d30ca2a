"""From findings to verdicts, knowing the whole pool: what is believed, and what is held back.

Pure. `decide` is called once per evaluation by the one-shot command. The rules that override a
plain reading stand in one tuple, in their order; a verdict names the one that held it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.check import Cluster
from ldaphealth.model import Effect, Finding, Reason, Server, State, Trust, Verdict, worst

# The share of its weight that a server keeps with a finding of a check whose effect is `weight`.
WEIGHT_SHARE = {State.WARNING: 0.5, State.CRITICAL: 0.25}

REMOVING = (Trust.HARD, Trust.SOFT)


class Reading(Struct, frozen=True):
    """One server's findings and what they would do if nobody held them."""

    server: Server
    findings: tuple[Finding, ...]
    effects: Mapping[str, Effect]  # by check
    excused: frozenset[str] = frozenset()  # reasons that blame an expectation, not the server
    held_by: str = ""
    held_in: bool = False

    @property
    def removing(self) -> tuple[Finding, ...]:
        """Return the findings that would take the server out."""
        return tuple(
            finding
            for finding in self.findings
            if finding.state is State.CRITICAL
            and finding.trust in REMOVING
            and self.effects.get(finding.check) is Effect.OUT
        )

    @property
    def is_hard(self) -> bool:
        """Tell whether there is no usable LDAP service."""
        return any(finding.trust is Trust.HARD for finding in self.removing)

    @property
    def in_service(self) -> bool:
        """Tell the reading after the rules so far."""
        blamed = [finding for finding in self.removing if finding.reason not in self.excused]
        return self.held_in or not blamed


Rule = Callable[[Cluster, Sequence[Reading]], Sequence[Reading]]


def blind(_: Cluster, readings: Sequence[Reading]) -> Sequence[Reading]:
    """Blame the expectation for a soft failure that every answering server has, not the servers.

    An expired password of ours or a deleted test entry looks like this. It needs two servers to
    compare; for one alone the floor decides.
    """
    answering = [reading for reading in readings if not reading.is_hard]
    if len(answering) < 2:  # noqa: PLR2004  nothing to compare with
        return readings
    common = frozenset.intersection(
        *(frozenset(finding.reason for finding in reading.removing) for reading in answering)
    )
    if not common:
        return readings
    excused = [replace(r, excused=common) if not r.is_hard else r for r in readings]
    return [
        replace(now, held_by="blind") if now.in_service and not before.in_service else now
        for before, now in zip(readings, excused, strict=True)
    ]


def floor(cluster: Cluster, readings: Sequence[Reading]) -> Sequence[Reading]:
    """Keep the least bad in, so that soft failures leave `min_in_service` servers."""
    missing = cluster.min_in_service - sum(reading.in_service for reading in readings)
    soft = [r for r in readings if not r.in_service and not r.is_hard]
    least_bad = sorted(soft, key=lambda reading: len(reading.removing))[: max(0, missing)]
    kept = {reading.server.id for reading in least_bad}
    return [
        replace(r, held_in=True, held_by="floor") if r.server.id in kept else r for r in readings
    ]


RULES: tuple[Rule, ...] = (blind, floor)


def decide(cluster: Cluster, findings: Iterable[Finding]) -> tuple[Verdict, ...]:
    """Return one verdict per server, in the order of the cluster.

    UNKNOWN alone never removes a server: it says that nothing is known against it.
    """
    effects = {planned.check.name: planned.effect for planned in cluster.checks}
    by_server: dict[str, list[Finding]] = {server.id: [] for server in cluster.servers}
    for finding in findings:
        by_server[finding.server].append(finding)
    readings: Sequence[Reading] = [
        Reading(server, tuple(by_server[server.id]), effects) for server in cluster.servers
    ]
    for rule in RULES:
        readings = rule(cluster, readings)
    return tuple(map(_verdict, readings))


def _verdict(reading: Reading) -> Verdict:
    reasons = tuple(
        Reason(finding.reason, finding.summary, finding.state, reading.effects[finding.check])
        for finding in sorted(reading.findings, key=lambda finding: -finding.state.severity)
        if finding.state is not State.OK
    )
    return Verdict(
        server=reading.server.id,
        state=worst(finding.state for finding in reading.findings),
        in_service=reading.in_service,
        weight=weight(reading) if reading.in_service else 0,
        reasons=reasons,
        held_by=reading.held_by,
        findings=reading.findings,
    )


def weight(reading: Reading) -> int:
    """Return the weight of a server in service, at least 1 unless it is configured as 0."""
    shares = [
        WEIGHT_SHARE.get(finding.state, 1.0)
        for finding in reading.findings
        if reading.effects.get(finding.check) is Effect.WEIGHT
    ]
    full = reading.server.weight
    return max(min(full, 1), round(full * min(shares, default=1.0)))
