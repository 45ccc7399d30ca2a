"""An override in words: what was ordered, by whom, until when and why; the same in all output.

The argument is the document of an override, as in JSON: its `action`, `by`, `until`, `reason`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ldaphealth.text.printable import printable

ORDERS = {"drain": "drained", "in": "forced in", "out": "forced out"}


def override_words(override: Mapping[str, Any]) -> str:
    """Return one line: `drained by alice until 2026-11-27T05:00:00Z: new kernel`."""
    by = f" by {printable(override['by'])}" if override["by"] else ""
    until = f" until {without_fraction(override['until'])}" if override["until"] else ""
    reason = f": {printable(override['reason'])}" if override["reason"] else ""
    return f"{ORDERS[override['action']]}{by}{until}{reason}"


def ended_override_words(override: Mapping[str, Any]) -> str:
    """Return an override that has ended, and who took it back, if somebody did."""
    back = override["taken_back_by"]
    end = f"override taken back by {printable(back)}" if back else "override ended"
    return f"{end}: {override_words(override)}"


def without_fraction(moment: str) -> str:
    """Return a time of RFC 3339 without the fraction of a second."""
    head, point, fraction = moment.partition(".")
    return head + fraction.lstrip("0123456789") if point else moment
