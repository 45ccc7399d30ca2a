"""Files for keepalived's track_file: FILE_CHECK for servers, and VRRP for the balancer.

From keepalived's track_file.c: the number at the start of the file counts, a missing file counts as
0, and keepalived reads a file only after a write or a rename. So every file is written in every
round. keepalived/README.md explains when to use them, and what happens when the agent dies.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ldaphealth.clocks import BootSeconds, boot_seconds
from ldaphealth.files.atomic_file import write
from ldaphealth.model import Trust, Verdict
from ldaphealth.publishers.publication import Publication, renewed
from ldaphealth.publishers.server_files import ServerFiles
from ldaphealth.publishers.verdict_file import MAGIC
from ldaphealth.text.quantity import plural_of, quantity

# The weight of a real_server in keepalived.conf; the files have the difference. 0 breaks quorum.
CONFIGURED_WEIGHT = 100


class TrackFiles(ServerFiles):
    """Two files for each server: `NAME.weight` to add to its weight, `NAME.fault` to remove it.

    They remain when the agent ends: without them every server would be in service.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, _numbers)


def _numbers(verdict: Verdict, _: BootSeconds) -> dict[str, str]:
    return {".weight": f"{weight(verdict)}\n", ".fault": f"{fault(verdict)}\n"}


def weight(verdict: Verdict) -> int:
    """Return the number to add to the configured weight; -100 gives 0, which drains."""
    return verdict.weight - CONFIGURED_WEIGHT


def fault(verdict: Verdict) -> int:
    """Return 1 to remove a server, else 0. A drained one is not removed: it keeps connections."""
    return int(not verdict.in_service and not verdict.draining)


class BalancerFile:
    """One file that states whether this balancer reaches a server that answers.

    A balancer that reaches none while its peer reaches some should not hold the virtual address.
    It is written when its line changes, so about once a second while rounds end.
    """

    def __init__(self, path: Path, clock: Callable[[], BootSeconds] = boot_seconds) -> None:
        self._path, self._clock = path, clock
        self._answering: dict[str, set[str]] = {}  # servers by cluster
        self._until: dict[str, BootSeconds] = {}  # by cluster
        self._written = (b"", -1)  # the line, and the time in it

    def publish(self, decided: Publication) -> None:
        """Write `0` or `1`, the end of validity in seconds since the boot, and a message."""
        until = self._until.get(decided.cluster, 0.0)
        until = max(until, *decided.due.values(), 0.0)  # a decision without a round renews nothing
        self._until[decided.cluster] = until
        is_another_number = self._note_answering(decided)
        if int(until) == self._written[1] and not is_another_number:
            return
        now = self._clock()  # a cluster that a reload removed is not renewed
        answering = sum(
            len(servers) for name, servers in self._answering.items() if self._until[name] > now
        )
        line = balancer_line(answering, int(until))
        if line != self._written[0]:
            self._write(line)
            self._written = line, int(until)

    def _write(self, line: bytes) -> None:
        write(self._path, line)

    def _note_answering(self, decided: Publication) -> bool:
        """Note which servers of the cluster answer. Return whether that is another number."""
        known = self._answering.setdefault(decided.cluster, set())
        before = len(known)
        for server in renewed(decided):
            if _answers(decided.verdicts[server]):
                known.add(server)
            else:
                known.discard(server)
        if not known <= decided.verdicts.keys():  # a reload removed some
            known &= decided.verdicts.keys()
        return len(known) != before

    def close(self) -> None:
        """Remove the file, so that ldaphealth-fit reports at once that no agent runs."""
        self._path.unlink(missing_ok=True)


def balancer_line(answering: int, until: int) -> bytes:
    """Return the line of the file (docs/keepalived-contract.md)."""
    servers = f"{quantity(answering, 'server')} {plural_of(answering, 'answers', 'answer')}"
    return f"{int(not answering)} {until} {MAGIC} {servers}\n".encode()


def _answers(verdict: Verdict) -> bool:
    return bool(verdict.findings) and not any(
        finding.trust is Trust.HARD or (finding.trust is Trust.LOCAL and finding.check == "connect")
        for finding in verdict.findings
    )
