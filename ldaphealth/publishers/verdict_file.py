"""One small file per server for keepalived's script: the exit statuses, and their validity.

The agent writes them after every round, even if nothing changed. keepalived/ldaphealth-check reads
them without a fork. docs/keepalived-contract.md has the format.
"""

from __future__ import annotations

from pathlib import Path

from ldaphealth.clocks import BootSeconds
from ldaphealth.model import Verdict
from ldaphealth.publishers.server_files import ServerFiles
from ldaphealth.sinks.keepalived import misc_check_status
from ldaphealth.text.ascii_line import ascii_line

MAGIC = "ldaphealth1"
MAX_CHARACTERS = 500


class VerdictFiles(ServerFiles):
    """The files below one directory. After they expire their reader runs a check by itself."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, lambda verdict, until: {"": text(verdict, until)})


def text(verdict: Verdict, valid_until: BootSeconds) -> str:
    """Return the line: magic, both exit statuses, the end of validity, and a text for people."""
    plain = misc_check_status(verdict, dynamic=False)
    dynamic = misc_check_status(verdict, dynamic=True)
    side = "in service" if verdict.in_service else "out of service"
    held = f", held by {verdict.held_by}" if verdict.held_by else ""
    reasons = " ".join(reason.code for reason in verdict.reasons)
    line = f"{MAGIC} {plain} {dynamic} {int(valid_until)} {verdict.server} {side}{held} {reasons}"
    return ascii_line(line.rstrip(), MAX_CHARACTERS) + "\n"
