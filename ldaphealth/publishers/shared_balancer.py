"""The balancer file of shards: each writes a part of its own, and the one file of all parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from ldaphealth.clocks import BootSeconds, boot_seconds
from ldaphealth.files.atomic_file import write
from ldaphealth.publishers.track_file import BalancerFile, balancer_line

PART = "balancer"


class _Part(Struct, frozen=True):
    """What a shard has written: how many servers answer it, and until when that is valid."""

    answering: int
    until: int


class SharedBalancerFile(BalancerFile):
    """States whether any shard of this host reaches a server that answers.

    `own` is the directory of this shard, and `shards` those of all. A shard that has ended, or
    hangs, does not count once its part has expired.
    """

    def __init__(
        self,
        path: Path,
        own: Path,
        shards: Sequence[Path],
        clock: Callable[[], BootSeconds] = boot_seconds,
    ) -> None:
        super().__init__(own / PART, clock)
        self._whole, self._new, self._shards = path, own / "balancer-of-all", shards

    def _write(self, line: bytes) -> None:
        super()._write(line)
        self._write_whole()

    def close(self) -> None:
        """Remove the part, and the file with the last one."""
        super().close()
        self._write_whole()

    def _write_whole(self) -> None:
        parts = [*self._valid_parts()]
        if not parts:
            self._whole.unlink(missing_ok=True)
            return
        answering = sum(each.answering for each in parts)
        until = max(each.until for each in parts if bool(each.answering) == bool(answering))
        # Another shard may do the same now: each makes its file in a directory of its own.
        write(self._new, balancer_line(answering, until))
        self._new.replace(self._whole)

    def _valid_parts(self) -> Iterator[_Part]:
        now = self._clock()
        for directory in self._shards:
            try:
                _, until, _, answering, *_ = (directory / PART).read_text("ascii").split()
                part = _Part(int(answering), int(until))
            except (OSError, ValueError):  # it has not begun, or has no cluster
                continue
            if part.until > now:
                yield part
