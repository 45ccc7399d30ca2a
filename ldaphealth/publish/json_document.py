"""The snapshot as one JSON document, versioned.

For programs; `version` changes when a key changes its meaning or goes away.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

from ldaphealth.model import Snapshot, Verdict
from ldaphealth.publish import Options, Told, exit_status

VERSION = 1


def tell(snapshot: Snapshot, _: Options) -> Told:
    """Format the snapshot; times are RFC 3339 in UTC, numbers in the unit that ends their name."""
    document = {
        "version": VERSION,
        "taken_at": datetime.fromtimestamp(snapshot.taken_at, UTC).isoformat(),
        "verdicts": [_verdict(verdict) for verdict in snapshot.verdicts],
    }
    return Told(json.dumps(document, indent=2, allow_nan=False), exit_status(snapshot))


def _verdict(verdict: Verdict) -> dict[str, object]:
    return {
        "server": verdict.server,
        "state": verdict.state.name,
        "in_service": verdict.in_service,
        "weight": verdict.weight,
        "held_by": verdict.held_by,
        "reasons": [
            {"code": r.code, "summary": r.summary, "state": r.state.name, "effect": r.effect.value}
            for r in verdict.reasons
        ],
        "findings": [
            {
                "check": finding.check,
                "code": finding.code,
                "state": finding.state.name,
                "trust": finding.trust.value,
                "summary": finding.summary,
                "metrics": [asdict(metric) for metric in finding.metrics],
            }
            for finding in verdict.findings
        ],
    }
