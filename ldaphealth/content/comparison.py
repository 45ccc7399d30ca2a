"""All servers of a cluster, compared slice by slice; the I/O of one slice is side by side.

`ldaphealth content diff` and the check `content` drive it, one `step` at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Protocol, TypeVar

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.content.difference import (
    Difference,
    EntryVersion,
    EntryVersions,
    belongs,
    differing,
    second_look,
)
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.reader import SliceEntries
from ldaphealth.content.slices import Cursor, Slice
from ldaphealth.csn import CSN, Vector, lacks
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import Failure, FailureKind, Server

ATTEMPTS = 3
PASSING = frozenset(
    {FailureKind.CONNECT, FailureKind.TIMEOUT}
)  # a refused bind is not tried again: it locks
PAUSE_SECONDS = 1.0  # what is read before the contextCSN that covers it can be seen
LOOKS = 5
LOOKED_AT = 2000  # entries at once
FEWEST = 2

T = TypeVar("T")


class TooFewError(Exception):
    """Fewer than two servers can be compared; `ComparisonProgress.not_compared` says why."""


class EntryReader(Protocol):
    """What is asked of one server; reader.py has it."""

    server: Server

    def shows_entries(self) -> bool:
        """Tell whether there is anything below the suffix."""

    def vector(self) -> Vector:
        """Return the newest change by server ID."""

    def part(self, wanted: Slice, most: int) -> SliceEntries:
        """Return the entries of a slice."""

    def versions(self, dns: Iterable[str]) -> dict[str, EntryVersion]:
        """Return what it has at these DNs."""


class ComparisonLimits(Struct, frozen=True):
    """`wait_seconds`: what a server has not received by then it is not blamed for, but left out."""

    wait_seconds: float = 30.0
    retired_server_ids: tuple[int, ...] = ()


class Comparison:
    """One pass over the tree. StoppedError leaves `progress` at the last whole slice."""

    def __init__(
        self,
        readers: Iterable[EntryReader],
        progress: ComparisonProgress,
        limits: ComparisonLimits,
        pause: Callable[[float], None],
        now: Callable[[], MonotonicSeconds] = monotonic,
    ) -> None:
        self.progress = progress
        self._readers = {reader.server.id: reader for reader in readers}
        self._limits, self._pause, self._now = limits, pause, now

    def begin(self) -> None:
        """Leave out the servers that cannot be read or show nothing; TooFewError."""
        shows = self._everywhere(lambda reader: reader.shows_entries())
        self._everywhere(lambda reader: reader.vector())
        if any(shows.values()):
            for server in [server for server, any_entry in shows.items() if not any_entry]:
                self._leave_out(server, "it shows no entry below the suffix: empty, or no right")
        self._check_enough()

    def step(self) -> None:
        """Compare the next slice, or find that it must be narrower; TooFewError, StoppedError."""
        cursor, wanted = self.progress.cursor, self.progress.cursor.slice
        most = 2 * cursor.wanted
        parts = self._everywhere(lambda reader: reader.part(wanted, most))
        narrower = self._narrower(cursor, parts)
        self._check_enough()
        if narrower is not None:
            self.progress.cursor = narrower
            return
        parts = {server: part for server, part in parts.items() if server in self._readers}
        counts = {server: len(part.entries) for server, part in parts.items()}
        suspects = differing({server: part.entries for server, part in parts.items()})
        del parts  # it is most of the memory, and waiting may take long
        self._look_again(suspects, wanted)
        self.progress.add_entries(counts)
        self.progress.cursor = cursor.after(max(counts.values()))

    def _narrower(self, cursor: Cursor, parts: Mapping[str, SliceEntries]) -> Cursor | None:
        """Return the narrowest cursor that the servers want, None if all showed the whole slice."""
        wanted: list[Cursor] = []
        for server, part in parts.items():
            if not part.is_whole:
                try:
                    wanted.append(cursor.narrower([*part.entries]))
                except ValueError as error:
                    self._leave_out(server, str(error))
        return min(wanted, key=lambda each: (each.width, each.wanted), default=None)

    def _look_again(self, suspects: Mapping[str, EntryVersions], of: Slice) -> None:
        """Judge what differed; what is left after LOOKS was in motion each time."""
        different: list[Difference] = []
        unsettled, dns = 0, [*suspects]
        for start in range(0, len(dns), LOOKED_AT):
            moving = {dn: suspects[dn] for dn in dns[start : start + LOOKED_AT]}
            for _ in range(LOOKS):
                if not moving:
                    break
                self._wait_until_level()
                outcome = second_look(moving, self.versions([*moving]))
                different += outcome.different
                moving = dict(outcome.moving)
            unsettled += len(moving)
        self.progress.add_differences(each for each in different if belongs(each, of.low, of.high))
        self.progress.unsettled += unsettled

    def versions(self, dns: list[str]) -> dict[str, dict[str, EntryVersion]]:
        """Return what the servers have at these DNs now, by server ID; TooFewError."""
        versions = self._everywhere(lambda reader: reader.versions(dns))
        self._check_enough()
        return versions

    def _wait_until_level(self) -> None:
        """Wait until every server has received what any of them has now."""
        self._pause(PAUSE_SECONDS)
        vectors = self._everywhere(lambda reader: reader.vector())
        goal = _newest(vectors.values())
        give_up_at = self._now() + self._limits.wait_seconds
        while behind := self._behind(vectors, goal):
            if self._now() >= give_up_at:
                for server in behind:
                    self._leave_out(
                        server,
                        f"it did not receive within {self._limits.wait_seconds:g} s what another "
                        "server has: see `ldaphealth csn watch`",
                    )
                break
            self._pause(PAUSE_SECONDS)
            vectors |= self._everywhere(lambda reader: reader.vector(), behind)
        self._check_enough()

    def _behind(self, vectors: Mapping[str, Vector], goal: Vector) -> list[str]:
        return [
            server
            for server, vector in vectors.items()
            if server in self._readers and lacks(vector, goal, self._limits.retired_server_ids)
        ]

    def _everywhere(
        self, ask: Callable[[EntryReader], T], servers: Iterable[str] | None = None
    ) -> dict[str, T]:
        """Ask servers, by default all, side by side; one that fails again and again is left out."""
        asked = [*(self._readers if servers is None else servers)]
        with ThreadPoolExecutor(max(1, len(asked)), "content") as pool:
            answers = pool.map(lambda server: self._patiently(ask, self._readers[server]), asked)
            answered = dict(zip(asked, answers, strict=True))
        brought: dict[str, T] = {}
        for server, answer in answered.items():
            if isinstance(answer, Failure):
                self._leave_out(server, answer.detail)
            else:
                brought[server] = answer
        return brought

    def _patiently(self, ask: Callable[[EntryReader], T], reader: EntryReader) -> T | Failure:
        failure: Failure | None = None
        for _ in range(ATTEMPTS):
            if failure is not None:
                self._pause(PAUSE_SECONDS)
            try:
                return ask(reader)
            except SessionError as error:
                failure = error.failure
                if failure.kind not in PASSING:
                    break
        assert failure is not None, "there is at least one attempt"
        return failure

    def _leave_out(self, server: str, why: str) -> None:
        del self._readers[server]
        self.progress.not_compared[server] = why

    def _check_enough(self) -> None:
        if len(self._readers) < FEWEST:
            raise TooFewError


def _newest(vectors: Iterable[Vector]) -> Vector:
    newest: dict[int, CSN] = {}
    for vector in vectors:
        for sid, position in vector.items():
            if sid not in newest or newest[sid] < position:
                newest[sid] = position
    return newest
