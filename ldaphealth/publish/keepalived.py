"""The answer to keepalived's MISC_CHECK: one line whose first word is the exit status.

Read from keepalived's check_misc.c: 0 is success, 1 is failure; with misc_dynamic 2 to 255 is
success and sets the weight to the status minus 2.
"""

from __future__ import annotations

from ldaphealth.model import Snapshot, Verdict
from ldaphealth.printable import printable
from ldaphealth.publish import Options, Told

MAX_WEIGHT = 253


def tell(snapshot: Snapshot, options: Options) -> Told:
    """Format the only verdict of the snapshot; ValueError when there is not exactly one."""
    (verdict,) = snapshot.verdicts
    status = misc_check_status(verdict, dynamic=options.dynamic)
    reasons = " ".join(reason.code for reason in verdict.reasons)
    words = "in service" if verdict.in_service else "out of service"
    held = f" held by {verdict.held_by}" if verdict.held_by else ""
    return Told(printable(f"{status} {verdict.server} {words}{held} {reasons}").rstrip(), status)


def misc_check_status(verdict: Verdict, *, dynamic: bool) -> int:
    """Return the exit status that says this verdict to keepalived."""
    if not verdict.in_service:
        return 1
    return min(verdict.weight, MAX_WEIGHT) + 2 if dynamic else 0
