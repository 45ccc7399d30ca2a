"""One small file per server for keepalived's script: the answer, and until when it holds.

The agent writes them after every round, also when nothing changed; keepalived/ldaphealth-check
reads them without a fork. docs/keepalived-contract.md has the format.
"""

from __future__ import annotations

from pathlib import Path

from ldaphealth.atomic_file import write
from ldaphealth.decided import Decided
from ldaphealth.model import Verdict
from ldaphealth.publish.ascii_line import ascii_line
from ldaphealth.publish.keepalived import misc_check_status

MAGIC = "ldaphealth1"
MAX_CHARACTERS = 500


def path_of(directory: Path, server: str) -> Path:
    """Return where the verdict on a server ID is; config.py lets no name lead elsewhere."""
    return directory / server


class VerdictFiles:
    """The files below one directory; servers that are looked at no more lose theirs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._written: dict[str, frozenset[str]] = {}

    def publish(self, decided: Decided) -> None:
        """Write the files that are due."""
        first: OSError | None = None
        for server, valid_until in decided.due.items():
            path = path_of(self._directory, server)
            try:
                _make_readable(path.parent)
                write(path, text(decided.verdicts[server], valid_until).encode())
            except OSError as error:  # the servers behind it are not to blame
                first = first or error
        here = frozenset(decided.verdicts)
        for server in self._written.get(decided.cluster, frozenset()) - here:
            path_of(self._directory, server).unlink(missing_ok=True)
        self._written[decided.cluster] = here
        if first is not None:
            raise first

    def close(self) -> None:
        """Leave the files: they hold until they expire, and then their reader asks for itself."""


def _make_readable(directory: Path) -> None:
    """Make the directory of a cluster, for the user of keepalived's script, whatever the umask."""
    if not directory.is_dir():
        directory.mkdir(parents=True)
        directory.chmod(0o755)


def text(verdict: Verdict, valid_until: float) -> str:
    """Return the line: magic, both exit statuses, the end of validity, and words for people."""
    plain = misc_check_status(verdict, dynamic=False)
    dynamic = misc_check_status(verdict, dynamic=True)
    words = "in service" if verdict.in_service else "out of service"
    held = f", held by {verdict.held_by}" if verdict.held_by else ""
    reasons = " ".join(reason.code for reason in verdict.reasons)
    line = f"{MAGIC} {plain} {dynamic} {int(valid_until)} {verdict.server} {words}{held} {reasons}"
    return ascii_line(line.rstrip(), MAX_CHARACTERS) + "\n"
