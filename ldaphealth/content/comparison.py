"""The comparison of all servers of a cluster, slice by slice; servers are read in parallel.

`ldaphealth content diff` and the check `content` call it, one `step` at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.content.difference import (
    Difference,
    Digests,
    EntryVersion,
    EntryVersions,
    absent_attributes,
    differing,
    differing_attributes,
    differs_in_values,
    is_within,
    recheck,
)
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.reader import SliceEntries
from ldaphealth.content.slices import Cursor, Slice
from ldaphealth.csn import Vector, counted, lacks, newest_positions
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import Failure, FailureKind, Server, consumers

ATTEMPTS = 3
# Failures after which another attempt is made; a refused bind is not, because it may lock accounts.
RETRIED_KINDS = frozenset({FailureKind.CONNECT, FailureKind.TIMEOUT})
PAUSE_SECONDS = 1.0  # an entry can be read before contextCSN includes its change
MOST_RECHECKS = 5
RECHECK_ENTRIES = 2000  # in one recheck
VALUES_ENTRIES = 20  # whose attributes are read together
FEWEST = 2

T = TypeVar("T")


class TooFewError(Exception):
    """Fewer than two servers can be compared; `ComparisonProgress.not_compared` has the reasons."""


class EntryReader(Protocol):
    """Reads one server; `Reader` in reader.py implements it."""

    server: Server
    attributes: set[str]

    def shows_entries(self) -> bool:
        """Return whether there are entries below the suffix."""

    def vector(self) -> Vector:
        """Return the positions by server ID."""

    def part(self, wanted: Slice, most: int) -> SliceEntries:
        """Return the entries of a slice."""

    def versions(self, dns: Iterable[str]) -> dict[str, EntryVersion]:
        """Return the versions of the entries at these DNs."""

    def digests(self, dns: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the digests of the values of the entries at these DNs, by DN and attribute."""

    def unreadable(self, wanted: Iterable[tuple[str, str]]) -> set[str]:
        """Return the attributes that cannot be read, of pairs of a DN and an attribute."""

    def exclude(self, names: Iterable[str]) -> None:
        """Compare the values of these attributes no longer."""


class ComparisonLimits(Struct, frozen=True):
    """`wait_seconds`: a server that has not received a change by then is not compared."""

    wait_seconds: float = 30.0
    retired_server_ids: tuple[int, ...] = ()


class Comparison:
    """One pass over the tree. After StoppedError, `progress` is at the last complete slice."""

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
        for reader in self._readers.values():
            reader.exclude(progress.unreadable)

    def begin(self) -> None:
        """Leave out servers that cannot be read or show no entries; TooFewError."""
        shows = self._read_all(lambda reader: reader.shows_entries())
        self._read_all(lambda reader: reader.vector())
        if any(shows.values()):
            for server in [server for server, has_entries in shows.items() if not has_entries]:
                self._leave_out(server, "no entry below the suffix: empty, or no right to read it")
        self._check_enough()

    def step(self) -> None:
        """Compare the next slice, or make it narrower; TooFewError, StoppedError."""
        cursor, wanted = self.progress.cursor, self.progress.cursor.slice
        most = 2 * cursor.wanted
        parts = self._read_all(lambda reader: reader.part(wanted, most))
        narrower = self._narrower(cursor, parts)
        self._check_enough()
        if narrower is not None:
            self.progress.cursor = narrower
            return
        parts = {server: part for server, part in parts.items() if server in self._readers}
        counts = {server: len(part.entries) for server, part in parts.items()}
        suspects = differing({server: part.entries for server, part in parts.items()})
        del parts  # frees most of the memory before a wait that may be long
        values = [dn for dn, versions in suspects.items() if differs_in_values(versions)]
        attributes = self._differing_attributes(values)
        if attributes is None:  # this slice is read again, without what cannot be read everywhere
            return
        self._recheck(suspects, wanted, attributes)
        self.progress.add_entries(counts)
        self.progress.attributes.update(*(reader.attributes for reader in self._readers.values()))
        self.progress.cursor = cursor.after(max(counts.values()))

    def _narrower(self, cursor: Cursor, parts: Mapping[str, SliceEntries]) -> Cursor | None:
        """Return the narrowest cursor that a server needs, None if all sent the whole slice."""
        needed: list[Cursor] = []
        for server, part in parts.items():
            if not part.is_whole:
                try:
                    needed.append(cursor.narrower([*part.entries]))
                except ValueError as error:
                    self._leave_out(server, str(error))
        return min(needed, key=lambda each: (each.width, each.wanted), default=None)

    def _differing_attributes(self, dns: Sequence[str]) -> Mapping[str, tuple[str, ...]] | None:
        """Return the attributes whose values differ, by DN; None if some are now excluded.

        An attribute that one server does not show is excluded if the account may not read it there.
        """
        found: dict[str, tuple[str, ...]] = {}
        for start in range(0, len(dns), VALUES_ENTRIES):
            shown, unreadable = self._read_values(dns[start : start + VALUES_ENTRIES])
            if any(unreadable.values()):
                self._exclude(unreadable)
                return None
            found |= differing_attributes(shown)
        return found

    def _read_values(self, dns: Sequence[str]) -> tuple[Digests, Mapping[str, set[str]]]:
        """Return the digests of each attribute, and the attributes that are unreadable, by server.

        TooFewError if fewer than two servers are left.
        """
        shown = self._read_all(lambda reader: reader.digests(dns))
        absent = {server: absent_attributes(server, shown) for server in shown}
        wanted = [server for server, pairs in absent.items() if pairs]
        unreadable = self._read_all(
            lambda reader: reader.unreadable(absent[reader.server.id]), wanted
        )
        self._check_enough()
        return shown, unreadable

    def _exclude(self, unreadable: Mapping[str, set[str]]) -> None:
        """Compare the values of these attributes, by server, on no server."""
        for name in set().union(*unreadable.values()):
            servers = tuple(server for server, names in unreadable.items() if name in names)
            self.progress.unreadable[name] = servers
        for reader in self._readers.values():
            reader.exclude(self.progress.unreadable)

    def _recheck(
        self,
        suspects: Mapping[str, EntryVersions],
        of: Slice,
        attributes: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Recheck entries that differed; those that changed in each recheck stay unsettled."""
        different: list[Difference] = []
        unsettled, dns = 0, [*suspects]
        for start in range(0, len(dns), RECHECK_ENTRIES):
            moving = {dn: suspects[dn] for dn in dns[start : start + RECHECK_ENTRIES]}
            for _ in range(MOST_RECHECKS):
                if not moving:
                    break
                self._wait_until_level()
                result = recheck(moving, self.versions([*moving]))
                different += result.different
                moving = dict(result.moving)
            unsettled += len(moving)
        self.progress.add_differences(
            replace(each, attributes=attributes.get(each.dn, ()))
            for each in different
            if is_within(each, of.low, of.high)
        )
        self.progress.unsettled += unsettled

    def versions(self, dns: list[str]) -> dict[str, dict[str, EntryVersion]]:
        """Return the current versions of these entries, by server ID and DN; TooFewError."""
        versions = self._read_all(lambda reader: reader.versions(dns))
        self._check_enough()
        return versions

    def _wait_until_level(self) -> None:
        """Wait until every server has received the changes that any of them has now."""
        self._pause(PAUSE_SECONDS)
        vectors = self._read_all(lambda reader: reader.vector())
        servers = [reader.server for reader in self._readers.values()]
        goal = newest_positions(counted(vectors, consumers(servers)).values())
        give_up_at = self._now() + self._limits.wait_seconds
        while behind := self._behind(vectors, goal):
            if self._now() >= give_up_at:
                for server in behind:
                    self._leave_out(
                        server,
                        f"did not receive within {self._limits.wait_seconds:g} s the changes that "
                        "other servers have: see `ldaphealth csn watch`",
                    )
                break
            self._pause(PAUSE_SECONDS)
            vectors |= self._read_all(lambda reader: reader.vector(), behind)
        self._check_enough()

    def _behind(self, vectors: Mapping[str, Vector], goal: Vector) -> list[str]:
        return [
            server
            for server, vector in vectors.items()
            if server in self._readers and lacks(vector, goal, self._limits.retired_server_ids)
        ]

    def _read_all(
        self, read: Callable[[EntryReader], T], servers: Iterable[str] | None = None
    ) -> dict[str, T]:
        """Read servers, by default all, in parallel; leave out those where all attempts fail."""
        names = [*(self._readers if servers is None else servers)]
        with ThreadPoolExecutor(max(1, len(names)), "content") as pool:
            results = pool.map(lambda name: self._with_retries(read, self._readers[name]), names)
            by_server = dict(zip(names, results, strict=True))
        values: dict[str, T] = {}
        for server, result in by_server.items():
            if isinstance(result, Failure):
                self._leave_out(server, result.detail)
            else:
                values[server] = result
        return values

    def _with_retries(self, read: Callable[[EntryReader], T], reader: EntryReader) -> T | Failure:
        failure: Failure | None = None
        for _ in range(ATTEMPTS):
            if failure is not None:
                self._pause(PAUSE_SECONDS)
            try:
                return read(reader)
            except SessionError as error:
                failure = error.failure
                if failure.kind not in RETRIED_KINDS:
                    break
        assert failure is not None, "there is at least one attempt"
        return failure

    def _leave_out(self, server: str, why: str) -> None:
        del self._readers[server]
        self.progress.not_compared[server] = why

    def _check_enough(self) -> None:
        if len(self._readers) < FEWEST:
            raise TooFewError
