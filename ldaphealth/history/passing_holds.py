"""Holds that only waited for the probes of the other servers: nothing that people need to read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

SHORTEST_HOLD = timedelta(seconds=1)


def is_passing_hold(change: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether a rule held a verdict for less than a second, with the same reasons after it.

    Both are changes of one server as in the history, `after` is the next one.
    """
    held = change["verdict"]["held_by"]
    if not held or change["verdict"].get("override_in_force") or after.get("override_ended"):
        return False
    lasted = datetime.fromisoformat(after["at"]) - datetime.fromisoformat(change["at"])
    codes, next_codes = ({r["code"] for r in c["verdict"]["reasons"]} for c in (change, after))
    return codes == next_codes and lasted < SHORTEST_HOLD
