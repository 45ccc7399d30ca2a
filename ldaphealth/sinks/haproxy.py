"""The response to HAProxy's agent-check: one line for one verdict.

web/agent_check.py sends it. Sources: HAProxy's configuration manual (agent-check) and tcpcheck.c
(tcpcheck_agent_expect_reply). The words may be in any order, `#` begins a description, and what a
line does not mention stays unchanged. So each line sets the health, and `up` also the weight.

`drain`, `maint` and `ready` are not used: they set the administrative state, and a `ready` every
two seconds would override the operator of HAProxy. A weight of 0 % has the same effect on new
connections as `drain`.
"""

from __future__ import annotations

from ldaphealth.model import Verdict
from ldaphealth.sinks.summary import cause_codes
from ldaphealth.text.ascii_line import ascii_line

MAX_CHARACTERS = 200


def line(verdict: Verdict, configured_weight: int) -> str:
    """Return the line with its line end; the weight is a percentage of the configured one.

    A server that is ramping up gets at least 1 %, because 0 % would drain it.
    """
    if verdict.draining:
        return "up 0%\n"
    if not verdict.in_service:
        why = cause_codes(verdict) or verdict.held_by
        return ascii_line(f"down #{why}", MAX_CHARACTERS) + "\n"
    if verdict.weight <= 0 or configured_weight <= 0:
        return "up 0%\n"
    return f"up {min(max(round(100 * verdict.weight / configured_weight), 1), 100)}%\n"
