"""Incidents: what was really wrong with a server or a cluster, as a person marked it. Pure.

A verdict says what the checks found. An incident says what users had to bear, and so it is what
verdicts, and other settings, are measured by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.text.moment import epoch_of, moment


class Incident(Struct, frozen=True, kw_only=True):
    """A time in which a target, CLUSTER or CLUSTER/SERVER, was really in trouble.

    `ended` is None as long as it lasts. `by` is who marked it, at `marked_at`; a file that a person
    wrote may have neither.
    """

    id: int
    target: str
    began: EpochSeconds
    ended: EpochSeconds | None
    note: str
    by: str = ""
    marked_at: EpochSeconds | None = None

    def has(self, at: EpochSeconds) -> bool:
        """Return whether it lasted at a moment; the end itself is no part of it."""
        return self.began <= at < (inf if self.ended is None else self.ended)

    def is_of(self, target: str) -> bool:
        """Return whether it concerns a target: the same, one of its servers, or its cluster.

        Each concerns the target "", which is all.
        """
        return (
            target in ("", self.target)
            or self.target.startswith(f"{target}/")
            or target.startswith(f"{self.target}/")
        )


def within_period(
    found: Iterable[Incident], target: str, since: EpochSeconds, until: EpochSeconds
) -> list[Incident]:
    """Return the incidents that concern a target and lasted in a period, by their beginning."""
    lasted = (
        each
        for each in found
        if each.is_of(target) and each.began < until and (each.ended is None or each.ended > since)
    )
    return sorted(lasted, key=lambda each: (each.began, each.id))


def incident_document(incident: Incident) -> dict[str, Any]:
    """Return it for JSON; the keys are those of the file (store/incident_file.py)."""
    return {
        "id": incident.id,
        "target": incident.target,
        "from": moment(incident.began),
        "to": None if incident.ended is None else moment(incident.ended),
        "note": incident.note,
        "by": incident.by,
        "marked": None if incident.marked_at is None else moment(incident.marked_at),
    }


def incident_of(document: Mapping[str, Any]) -> Incident:
    """Return the incident of a document; LookupError or ValueError if it is none."""
    return Incident(
        id=document["id"],
        target=document["target"],
        began=epoch_of(document["from"]),
        ended=None if document["to"] is None else epoch_of(document["to"]),
        note=document["note"],
        by=document["by"],
        marked_at=None if document["marked"] is None else epoch_of(document["marked"]),
    )
