"""The output for keepalived's MISC_CHECK: one line whose first word is the exit status.

The command line and the script in keepalived/ use it. Source: keepalived's check_misc.c
(misc_check_child_thread). 0 is success, 1 is failure; with misc_dynamic 2 to 255 is success and
sets the weight to the status minus 2, so 2 drains, while 0 restores the configured weight.
"""

from __future__ import annotations

from ldaphealth.model import Snapshot, Verdict
from ldaphealth.sinks import SinkOptions, SinkOutput
from ldaphealth.sinks.summary import cause_codes
from ldaphealth.text.ascii_line import ascii_line

OUT = 1
DRAINED = 2  # weight 0: open connections continue
MAX_WEIGHT = 253


def render(snapshot: Snapshot, options: SinkOptions) -> SinkOutput:
    """Format the verdict of the snapshot; ValueError if there is not exactly one."""
    if len(snapshot.verdicts) != 1:
        raise ValueError(f"MISC_CHECK checks one server, not {len(snapshot.verdicts)}")
    verdict = snapshot.verdicts[0]
    status = misc_check_status(verdict, dynamic=options.dynamic)
    return SinkOutput(ascii_line(f"{status} {verdict.server} {verdict_words(verdict)}"), status)


def verdict_words(verdict: Verdict) -> str:
    """Return the verdict for people: the side, the rule that holds it, and the codes."""
    side = "in service" if verdict.in_service else "out of service"
    held = f", held by {verdict.held_by}" if verdict.held_by else ""
    codes = cause_codes(verdict)
    return f"{side}{held}{': ' if codes else ''}{codes}"


def misc_check_status(verdict: Verdict, *, dynamic: bool) -> int:
    """Return the exit status that stands for this verdict in keepalived, 0 to 255.

    Without misc_dynamic there is no weight: a server in service with the weight 0 is a success.
    """
    if not verdict.in_service:
        return DRAINED if dynamic and verdict.draining else OUT
    return min(max(verdict.weight, 0), MAX_WEIGHT) + 2 if dynamic else 0
