"""The answer to HAProxy's agent-check: one line that says a verdict.

web/agent_check.py sends it. Read from HAProxy's configuration manual (agent-check) and tcpcheck.c
(tcpcheck_agent_expect_reply): words in any order, a `#` begins a description, and what is not
mentioned stays as it is. So every line says health and weight, and undoes what any other one said.

`drain`, `maint` and `ready` are not used: they are the words of an operator of HAProxy, and a
`ready` every two seconds would take back his. A weight of 0 % does to new connections what `drain`
does.
"""

from __future__ import annotations

from ldaphealth.model import Verdict
from ldaphealth.text.ascii_line import ascii_line

MAX_CHARACTERS = 200


def line(verdict: Verdict, configured_weight: int) -> str:
    """Return the line with its end; a weight is a share of the one that is configured.

    A server that is ramping up gets at least 1 %: 0 % would drain it.
    """
    if verdict.draining:
        return "up 0%\n"
    if not verdict.in_service:
        why = ", ".join(reason.code for reason in verdict.reasons) or verdict.held_by
        return ascii_line(f"down #{why}", MAX_CHARACTERS) + "\n"
    if verdict.weight <= 0 or configured_weight <= 0:
        return "up 0%\n"
    return f"up {min(max(round(100 * verdict.weight / configured_weight), 1), 100)}%\n"
