"""The baseline of replication: what servers are known to have had, and when a new one replaces it.

replication.py calls this; nothing here reads a server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from ldaphealth.check import NewBaseline, ObservationsByServer
from ldaphealth.checks.standing_findings import moves_text
from ldaphealth.checks.vector_reads import Facts, own_reads, vector, vector_read
from ldaphealth.csn import CSN, ClusterRegression, CSNError, capped, cluster_regressions
from ldaphealth.model import Server

Accepted = Mapping[str, Mapping[int, ClusterRegression]]  # by naming context and server ID


def regressions_of(
    observations: ObservationsByServer[Facts],
    servers: Sequence[Server],
    base: str,
    retired: Iterable[int],
) -> dict[int, ClusterRegression]:
    """Return the regressions in one naming context, among the servers that can be read now."""
    reads = {
        server: own_reads(seen, base)
        for server, seen in observations.items()
        if seen and vector_read(seen[-1], base) is not None
    }
    holders = sum(each.holds(base) for each in servers)
    return cluster_regressions(reads, max(holders, len(reads)), frozenset(retired))


def baseline_of(accepted: Accepted) -> NewBaseline[Facts] | None:
    """Return the baseline that accepts these regressions, None without any."""
    found = {base: of for base, of in accepted.items() if of}
    if not found:
        return None
    moves = {
        base: moves_text({sid: each.regression for sid, each in of.items()})
        for base, of in found.items()
    }
    return NewBaseline(
        summary="; ".join(f"{base}: {text}" if base else text for base, text in moves.items()),
        replaced={
            base: {
                f"{sid:03x}": {
                    "had": str(each.regression.had),
                    "has": None if each.regression.has is None else str(each.regression.has),
                }
                for sid, each in of.items()
            }
            for base, of in found.items()
        },
        counted=partial(_counted, found),
    )


def _counted(accepted: Accepted, server: str, facts: Facts) -> Facts:
    """Return the facts without positions that are newer than the baseline.

    Those of a server that still has a newer position do not change.
    """
    changed = {
        base: values
        for base, of in accepted.items()
        if (values := _values(facts, base, _baseline(of, server))) is not None
    }
    return replace(facts, context_csn={**facts.context_csn, **changed}) if changed else facts


def _baseline(of: Mapping[int, ClusterRegression], server: str) -> dict[int, CSN | None]:
    return {sid: each.regression.has for sid, each in of.items() if server not in each.ahead}


def _values(facts: Facts, base: str, baseline: Mapping[int, CSN | None]) -> tuple[str, ...] | None:
    """Return the values of one naming context up to the baseline, None if that changes nothing."""
    try:
        had = vector(facts, base)
    except CSNError:
        return None
    has = capped(had, baseline)
    return None if has == had else tuple(str(has[sid]) for sid in sorted(has))
