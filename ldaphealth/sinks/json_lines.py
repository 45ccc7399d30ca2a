"""One JSON object per line and server (NDJSON), for jq, vector and other readers of logs.

A line is a verdict of docs/json.md with the version and the time of its document.
"""

from __future__ import annotations

import json

from ldaphealth.model import Snapshot
from ldaphealth.sinks import SinkOptions, SinkOutput, exit_status
from ldaphealth.sinks.json_document import VERSION, rfc3339, verdict_document


def render(snapshot: Snapshot, _: SinkOptions) -> SinkOutput:
    """Format the snapshot; the text is empty if there is no server."""
    head = {"version": VERSION, "taken_at": rfc3339(snapshot.taken_at)}
    lines = (head | verdict_document(verdict) for verdict in snapshot.verdicts)
    text = "\n".join(json.dumps(line, allow_nan=False) for line in lines)
    return SinkOutput(text, exit_status(snapshot))
