"""The status of the agent as one document: for `ldaphealth status` and `/api/v1/status`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ldaphealth.clocks import BootSeconds, epoch_seconds
from ldaphealth.guard import Override
from ldaphealth.live.health import AgentHealth
from ldaphealth.model import Snapshot, Verdict
from ldaphealth.sinks.json_document import snapshot_document


def status_document(
    verdicts: Iterable[Verdict],
    overrides: Mapping[str, Override],
    health: AgentHealth,
    now: BootSeconds,
) -> dict[str, Any]:
    """Return the document of `check --format json`, with the overrides and the agent."""
    whole = snapshot_document(Snapshot(epoch_seconds(), tuple(verdicts)))
    whole["overrides"] = {
        server: {
            "will": override.action,
            "left_seconds": max(0.0, override.until - now),
            "reason": override.reason,
        }
        for server, override in overrides.items()
    }
    whole["agent"] = msgspec.to_builtins(health)
    return whole
