"""How many servers are in service, and what is wrong, in one line; the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ldaphealth.model import State
from ldaphealth.text.listed import listed
from ldaphealth.text.quantity import quantity

WORST_FIRST = sorted(set(State) - {State.OK}, key=lambda state: -state.severity)
MOST_CODES = 4

# One server: whether it is in service, its state, and the codes of its reasons with their states.
ServerState = tuple[bool, str, Sequence[tuple[str, str]]]


def service_line(servers: Iterable[ServerState]) -> str:
    """Return one line: `4 of 4 servers in service, 4 critical: replication.split`."""
    every = [*servers]
    serving = sum(in_service for in_service, _, _ in every)
    counted = f"{serving} of {quantity(len(every), 'server')} in service"
    return ", ".join(filter(None, (counted, what_is_wrong(every))))


def what_is_wrong(servers: Iterable[ServerState]) -> str:
    """Return how many servers have each state that is not OK, with its codes; "" if none has."""
    every = [*servers]
    names = [state.name for state in WORST_FIRST]
    bad = (_alike(name, [each for each in every if each[1] == name]) for name in names)
    return "; ".join(filter(None, bad))


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
