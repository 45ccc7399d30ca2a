"""An incident in words, the same in all output.

The argument is the document of an incident, as in JSON: its `from`, `to`, `note`, `by`, `marked`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.printable import printable


def incident_line(incident: Mapping[str, Any]) -> str:
    """Return one line: `3  2026-11-23T03:12:00Z  28 min  example/ldap2  logins hung (by alice)`."""
    by = f" (by {printable(incident['by'])})" if incident["by"] else ""
    words = f"{printable(incident['target'])}  {printable(incident['note'])}{by}"
    return f"{incident['id']:<3}  {incident['from']}  {lasted_words(incident):9}  {words}"


def lasted_words(incident: Mapping[str, Any]) -> str:
    """Return how long it lasted, such as `28 min`, or `no end`."""
    if incident["to"] is None:
        return "no end"
    began, ended = (datetime.fromisoformat(incident[key]) for key in ("from", "to"))
    return rounded_duration((ended - began).total_seconds())
