"""One small file per server for keepalived's script: the exit statuses, and their validity.

The agent writes them after every round, even if nothing changed. keepalived/ldaphealth-check reads
them without a fork. docs/keepalived-contract.md has the format.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from ldaphealth.clocks import BootSeconds
from ldaphealth.model import Verdict
from ldaphealth.publishers.server_files import ServerFiles
from ldaphealth.sinks.keepalived import MAX_WEIGHT, OUT, misc_check_status, verdict_words
from ldaphealth.text.ascii_line import ascii_line

MAGIC = "ldaphealth1"
MAX_CHARACTERS = 500


class VerdictLine(Struct, frozen=True):
    """The fields of a file: both exit statuses, the end of validity, the server, and a text."""

    plain: int
    dynamic: int
    until: int
    server: str
    rest: str


class VerdictFiles(ServerFiles):
    """The files below one directory. After they expire their reader runs a check by itself."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, lambda verdict, until: {"": text(verdict, until)})


def text(verdict: Verdict, valid_until: BootSeconds) -> str:
    """Return the line: magic, both exit statuses, the end of validity, and a text for people."""
    plain = misc_check_status(verdict, dynamic=False)
    dynamic = misc_check_status(verdict, dynamic=True)
    until = int(valid_until)
    line = f"{MAGIC} {plain} {dynamic} {until} {verdict.server} {verdict_words(verdict)}"
    return ascii_line(line, MAX_CHARACTERS) + "\n"


def parse_line(line: str) -> VerdictLine:
    """Return the fields of a line that `text` made; ValueError if it is another one."""
    magic, plain, dynamic, until, server, rest = line.removesuffix("\n").split(" ", 5)
    if magic != MAGIC:
        raise ValueError(f"not a line of the format {MAGIC}")
    found = VerdictLine(int(plain), int(dynamic), int(until), server, rest)
    if found.plain not in (0, OUT) or not OUT <= found.dynamic <= MAX_WEIGHT + 2:
        raise ValueError("no exit status for keepalived")
    return found
