"""What the verdicts said of an incident: who was out of service in it, and how soon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.incident import Incident, incident_document
from ldaphealth.report.outages import ServerOutage


def incident_entry(
    incident: Incident, outages: Sequence[ServerOutage], until: EpochSeconds
) -> dict[str, Any]:
    """Return the document of an incident, and the servers that were out of service in it.

    `found_after_seconds` is from its beginning until the first of them was out; None: none was.
    """
    end = until if incident.ended is None else incident.ended
    seconds: dict[str, float] = {}
    first: EpochSeconds | None = None
    for each in outages:
        began, ended = max(each.outage.began, incident.began), min(each.outage.ended, end)
        if ended <= began or not incident.is_of(each.server):
            continue
        seconds[each.server] = seconds.get(each.server, 0.0) + ended - began
        first = began if first is None else min(first, began)
    return incident_document(incident) | {
        "out_seconds": dict(sorted(seconds.items())),
        "found_after_seconds": None if first is None else first - incident.began,
    }
