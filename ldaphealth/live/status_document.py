"""The status of the agent as one document: for `ldaphealth status` and `/api/v1/status`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ldaphealth.clocks import BootSeconds, epoch_seconds
from ldaphealth.guard import Override
from ldaphealth.live.broken_floor import BrokenFloor
from ldaphealth.live.health import AgentHealth
from ldaphealth.model import Snapshot, Verdict
from ldaphealth.publishers.shadow_publication import ShadowVerdict, shadow_document
from ldaphealth.sinks.json_document import snapshot_document


def status_document(  # noqa: PLR0913  the parts of the document
    verdicts: Iterable[Verdict],
    overrides: Mapping[str, Override],
    health: AgentHealth,
    now: BootSeconds,
    floors: Iterable[BrokenFloor],
    *,
    shadows: Iterable[ShadowVerdict] = (),
) -> dict[str, Any]:
    """Return the document of `check --format json`, with overrides, broken floors and the agent.

    `shadows` is what shadows decided; it is apart from the verdicts.
    """
    whole = snapshot_document(Snapshot(epoch_seconds(), tuple(verdicts)))
    whole["overrides"] = {
        server: {
            "will": override.action,
            "left_seconds": max(0.0, override.until - now),
            "reason": override.reason,
        }
        for server, override in overrides.items()
    }
    whole["below_floor"] = [msgspec.to_builtins(each) for each in floors]
    whole["shadow"] = {each.server: shadow_document(each) for each in shadows}
    whole["agent"] = msgspec.to_builtins(health)
    return whole
