"""Numbers in files for keepalived's track_file: FILE_CHECK for servers, and VRRP for the balancer.

Read from keepalived's track_file.c: the number at the start of the file counts, a missing file is
0, and only a write or a rename makes keepalived look; so every file is written in every round.
keepalived/README.md says when to use them, and what happens when the agent dies.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ldaphealth.clocks import BootSeconds, boot_seconds
from ldaphealth.files.atomic_file import write
from ldaphealth.model import Trust, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.publishers.server_files import ServerFiles
from ldaphealth.publishers.verdict_file import MAGIC

# What a real_server has in keepalived.conf: the files say the difference. 0 would break quorum.
CONFIGURED_WEIGHT = 100


class TrackFiles(ServerFiles):
    """Two files a server: `NAME.weight` to add to its weight, `NAME.fault` to remove it.

    They stay when the agent ends: without them every server is in, and with a fault in each none.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, _numbers)


def _numbers(verdict: Verdict, _: BootSeconds) -> dict[str, str]:
    return {".weight": f"{weight(verdict)}\n", ".fault": f"{fault(verdict)}\n"}


def weight(verdict: Verdict) -> int:
    """Return what to add to the configured weight; -100 leaves 0, which drains."""
    return verdict.weight - CONFIGURED_WEIGHT


def fault(verdict: Verdict) -> int:
    """Return 1 for a server to remove; one that is drained stays, so that its connections do."""
    return int(not verdict.in_service and not verdict.draining)


class BalancerFile:
    """One file that says whether this machine is fit to balance: it sees a server that answers.

    A machine that sees none while its peer sees some should not hold the virtual address.
    """

    def __init__(self, path: Path, clock: Callable[[], BootSeconds] = boot_seconds) -> None:
        self._path, self._clock = path, clock
        self._known: dict[str, tuple[int, BootSeconds]] = {}  # by cluster: how many, until when

    def publish(self, decided: Publication) -> None:
        """Write `0` or `1`, the end of validity in seconds since the boot, and words for people."""
        _, until = self._known.get(decided.cluster, (0, 0.0))
        until = max(until, *decided.due.values(), 0.0)  # a decision without a round renews nothing
        here = sum(map(_answers, decided.verdicts.values()))
        self._known[decided.cluster] = (here, until)
        now = self._clock()  # a cluster that is gone after a reload is renewed no more
        answering = sum(number for number, holds in self._known.values() if holds > now)
        words = f"{MAGIC} {answering} servers answer"
        write(self._path, f"{int(not answering)} {int(until)} {words}\n".encode())

    def close(self) -> None:
        """Remove the file, so that ldaphealth-fit says at once that nobody looks any more."""
        self._path.unlink(missing_ok=True)


def _answers(verdict: Verdict) -> bool:
    return bool(verdict.findings) and not any(
        finding.trust is Trust.HARD or (finding.trust is Trust.LOCAL and finding.check == "connect")
        for finding in verdict.findings
    )
