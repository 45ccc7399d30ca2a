"""How many servers are in service, and what is wrong, in one line; the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ldaphealth.text.listed import listed
from ldaphealth.text.quantity import quantity

WORST_FIRST = ("CRITICAL", "UNKNOWN", "WARNING")
MOST_CODES = 4

# One server: whether it is in service, its state, and the codes of its reasons with their states.
ServerState = tuple[bool, str, Sequence[tuple[str, str]]]


def service_line(servers: Iterable[ServerState]) -> str:
    """Return one line: `4 of 4 servers in service, 4 critical: replication.split`."""
    listed = [*servers]
    serving = sum(in_service for in_service, _, _ in listed)
    bad = [_alike(state, [each for each in listed if each[1] == state]) for state in WORST_FIRST]
    wrong = "; ".join(filter(None, bad))
    return f"{serving} of {quantity(len(listed), 'server')} in service" + (
        f", {wrong}" if wrong else ""
    )


def _alike(state: str, servers: Sequence[ServerState]) -> str:
    """Return how many servers have this state, and the codes that made it so, commonest first."""
    if not servers:
        return ""
    codes = Counter(
        code
        for _, _, reasons in servers
        for code in {code for code, reason_state in reasons if reason_state == state}
    )
    ordered = sorted(codes, key=lambda code: (-codes[code], code))
    named = listed(ordered, MOST_CODES)
    return f"{len(servers)} {state.lower()}" + (f": {named}" if named else "")
