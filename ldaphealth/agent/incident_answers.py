"""The answers to requests on incidents. They concern no verdict, so they need no other thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ldaphealth.control.requests import (
    AddIncidentRequest,
    EndIncidentRequest,
    IncidentsRequest,
    RemoveIncidentRequest,
)
from ldaphealth.history.incident import Incident, incident_document
from ldaphealth.store.incident_file import IncidentFile, incident_path

log = logging.getLogger(__name__)


class IncidentAnswers:
    """What the agent keeps of incidents. The methods raise IncidentError.

    `refuse_unknown` raises if a target is neither configured nor in the history. What changed is
    also in the log, so that what is removed is not lost.
    """

    def __init__(self, state_directory: Path, refuse_unknown: Callable[[str], None]) -> None:
        self._file = IncidentFile(incident_path(state_directory))
        self._refuse_unknown = refuse_unknown

    def read(self, request: IncidentsRequest) -> dict[str, Any]:
        """Return the incidents that were marked."""
        found = [each for each in self._file.read() if each.is_of(request.target)]
        if not found:
            self._refuse_unknown(request.target)
        return {"incidents": [incident_document(each) for each in found]}

    def add(self, request: AddIncidentRequest) -> dict[str, Any]:
        """Mark an incident."""
        self._refuse_unknown(request.target)
        added = self._file.add(
            request.target, request.from_epoch, request.to_epoch, request.note, request.by
        )
        return _changed("incident marked", request.by, added)

    def end(self, request: EndIncidentRequest) -> dict[str, Any]:
        """Set the end of an incident."""
        return _changed(
            "end of an incident marked", request.by, self._file.end(request.id, request.to_epoch)
        )

    def remove(self, request: RemoveIncidentRequest) -> dict[str, Any]:
        """Remove an incident."""
        return _changed("incident removed", request.by, self._file.remove(request.id))


def _changed(message: str, by: str, incident: Incident) -> dict[str, Any]:
    document = incident_document(incident)
    shown = {key: document[key] for key in ("target", "from", "to", "note")}
    log.info(message, extra={"by": by, "incident": incident.id, **shown})
    return {"incident": document}
