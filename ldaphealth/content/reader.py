"""Reads from one server: its contextCSN, the entries of a slice, and entries by DN.

comparison.py has one `Reader` for each server, and calls it in a thread. Errors are raised as
SessionError; StoppedError of `pause` passes through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.content.context_csn import read_context_csn
from ldaphealth.content.difference import EntryVersion
from ldaphealth.content.slices import Slice
from ldaphealth.content.values import (
    DESCRIPTION,
    IDENTITY,
    NO_VALUES,
    ValueSelection,
    digest,
    digests,
)
from ldaphealth.csn import ATTRIBUTE, CSNError, Vector, parse_vector
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.names import ALL_ENTRIES
from ldaphealth.model import Failure, FailureKind, Server
from ldaphealth.text.printable import printable

if TYPE_CHECKING:  # importing it would import ldap3
    from ldaphealth.ldap.codec import OctetsEntry
    from ldaphealth.ldap.session import Session

# Of one page. An entry takes about 170 bytes, more with a long DN; with values it may have
# photographs, or a hundred thousand members.
BUDGET_BYTES, VALUES_BUDGET_BYTES = 1 << 20, 16 << 20
MOST_ON_A_PAGE, MOST_WITH_VALUES = 500, 50
FEWER_ON_A_PAGE = 8  # times, if a page has more bytes
MOST_ATTRIBUTES = 1000  # names to be remembered
PAGE_SECONDS = 30.0  # for a slice slapd examines all of its entries, a million in 0.6 s
LONGEST_CSN = 80
LONGEST_DN = 8192  # the limit of slapd (SLAP_LDAPDN_MAXLEN); known differences have DNs
LONG_DN = 400  # characters on average; with more a slice is too large for memory

T = TypeVar("T")
Row = tuple[int, str, str, str]  # entryUUID, entryCSN, DN, digest of the values


class ReaderAccess(Struct, frozen=True, kw_only=True):
    """How a reader opens sessions, and how fast it may read.

    `opening` returns a session that is connected and bound, within `deadline_seconds`. `deadline`
    returns a deadline that many seconds from now. `pause` waits for some seconds, or raises
    StoppedError.
    """

    opening: Callable[[Server, Deadline, int], Session]
    deadline_seconds: float
    deadline: Callable[[float], Deadline]
    pause: Callable[[float], None]
    entries_per_second: float
    now: Callable[[], MonotonicSeconds] = monotonic


class SliceEntries(Struct, frozen=True):
    """entryCSN, DN and digest by entryUUID of a slice; only a part of it, unless `is_whole`."""

    entries: Mapping[int, tuple[str, str, str]]
    is_whole: bool = True


class Reduced(Struct, frozen=True):
    """What is kept of an entry that arrived; `attributes` are those whose values are compared."""

    dn: str
    uuids: Sequence[bytes]
    csns: Sequence[bytes]
    attributes: Collection[str]
    values: str


class Reader:
    """Reads from one server, at most `entries_per_second`: the entries at and below `base`.

    `rows` counts those that were read. `attributes` are those whose values were shown.
    """

    def __init__(
        self,
        server: Server,
        access: ReaderAccess,
        base: str = "",
        values: ValueSelection = NO_VALUES,
    ) -> None:
        self.server = server
        self._base = base or server.suffix
        self._access = access
        self._values = values
        most = MOST_WITH_VALUES if values.is_on else MOST_ON_A_PAGE
        self._page_size = max(1, min(most, int(access.entries_per_second)))
        self.rows = 0
        self.attributes: set[str] = set()

    def exclude(self, names: Iterable[str]) -> None:
        """Compare the values of these attributes no longer."""
        self._values = self._values.without(names)
        self.attributes = {*self._values.of(dict.fromkeys(self.attributes, ()))}

    def shows_entries(self) -> bool:
        """Return whether there are entries below the base; SessionError if it cannot be read."""
        base = self._base
        with closing(self._open()) as session:
            if base:  # at the empty suffix is the root DSE, which has neither
                found = self._at(session, base, ALL_ENTRIES, IDENTITY, self._reduced)
                if not found:
                    raise _unreadable(f"{printable(base)}: no such entry, or no right to read it")
                self._row(found[0])
            return bool(session.search(base, "one", ALL_ENTRIES, ("1.1",), size_limit=1))

    def vector(self) -> Vector:
        """Return the positions by server ID; SessionError if none can be read."""
        with closing(self._open()) as session:
            values = read_context_csn(session, self._base)
        try:
            vector = parse_vector(values)
        except CSNError as error:
            raise _unreadable(str(error)) from error
        if not vector:
            hint = "" if self._base else "; is the suffix of the cluster empty?"
            raise _unreadable(
                f"no {ATTRIBUTE} can be read: no replication, no right to read it, or it is at a "
                f"superior suffix, which is then to be set as `base`{hint}"
            )
        return vector

    def part(self, wanted: Slice, most: int) -> SliceEntries:
        """Return the entries of a slice; stop if there are more than `most`, or very long DNs."""
        entries: dict[int, tuple[str, str, str]] = {}
        count = characters = 0
        try:
            for uuid, csn, dn, values in self._rows(wanted.filter_text):
                if not wanted.low <= uuid <= wanted.high:
                    raise _outside()
                entries[uuid] = csn, dn, values
                count += 1
                characters += len(dn)
                if count > most or characters > most * LONG_DN:
                    return SliceEntries(entries, is_whole=False)
        except SessionError as error:
            if error.failure.kind is FailureKind.TOO_LARGE and self._page_size > 1:
                self._page_size = max(1, self._page_size // FEWER_ON_A_PAGE)
                return self.part(wanted, most)
            if error.failure.result_code != "sizeLimitExceeded" or not entries:
                raise
            return SliceEntries(entries, is_whole=False)
        return SliceEntries(entries)

    def versions(self, dns: Iterable[str]) -> dict[str, EntryVersion]:
        """Return the versions of these entries, by DN; without those that the server lacks."""
        found: dict[str, EntryVersion] = {}
        with closing(self._open()) as session:
            for dn in dns:
                for each in self._at(
                    session, dn, ALL_ENTRIES, self._values.requested, self._reduced
                ):
                    uuid, csn, _, values = self._row(each)
                    found[dn] = EntryVersion(str(UUID(int=uuid)), csn, values)
        return found

    def digests(self, dns: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return a digest of the values of each attribute of these entries, by DN."""
        found: dict[str, dict[str, str]] = {}
        with closing(self._open()) as session:
            for dn in dns:
                requested = self._values.requested
                for each in self._at(session, dn, ALL_ENTRIES, requested, self._digests):
                    found[dn] = each
        return found

    def unreadable(self, wanted: Iterable[tuple[str, str]]) -> set[str]:
        """Return the attributes that the account may not read, of pairs of a DN and an attribute.

        They are returned without options. The server showed none of these. If the account may
        search for the attribute and the entry has none, the filter `(!(attribute=*))` is true;
        without the right it is Undefined (RFC 4511 4.5.1.7, slapd.access(5)).
        """
        found: set[str] = set()
        with closing(self._open()) as session:
            for dn, name in wanted:
                if name.partition(";")[0] in found or not DESCRIPTION.fullmatch(name):
                    continue
                if self._at(session, dn, f"(!({name}=*))", ("1.1",), _nothing):
                    continue
                now = self._at(session, dn, ALL_ENTRIES, (name,), lambda entry: bool(entry[1]))
                if now == [False]:  # else it was added or the entry deleted meanwhile
                    found.add(name.partition(";")[0])
        return found

    def _open(self) -> Session:
        access = self._access
        deadline = access.deadline(access.deadline_seconds)
        budget = VALUES_BUDGET_BYTES if self._values.is_on else BUDGET_BYTES
        return access.opening(self.server, deadline, budget)

    def _at(
        self,
        session: Session,
        dn: str,
        filter_text: str,
        attributes: Sequence[str],
        reduced: Callable[[OctetsEntry], T],
    ) -> list[T]:
        """Return what is kept of the entry at a DN, nothing if it does not match the filter."""
        began = self._access.now()
        session.renew(self._access.deadline(self._access.deadline_seconds))
        found: list[T] = []
        try:
            for page in session.pages(dn, "base", filter_text, attributes, 1, reduced):
                found += page
        except SessionError as error:
            if error.failure.result_code != "noSuchObject":
                raise
        self._keep_pace(began, 1)
        return found

    def _reduced(self, entry: OctetsEntry) -> Reduced:
        dn, attributes = entry
        values = self._values.of(attributes)
        return Reduced(
            dn,
            attributes.get("entryuuid", ()),
            attributes.get("entrycsn", ()),
            (*values,),
            digest(values),
        )

    def _digests(self, entry: OctetsEntry) -> dict[str, str]:
        return digests(self._values.of(entry[1]))

    def _rows(self, filter_text: str) -> Iterator[Row]:
        access = self._access
        with closing(self._open()) as session:
            session.renew(access.deadline(PAGE_SECONDS))
            began = access.now()
            pages = session.pages(
                self._base,
                "sub",
                filter_text,
                self._values.requested,
                self._page_size,
                self._reduced,
            )
            for page in pages:
                # The entry of the empty suffix cannot be read by its DN: that is the root DSE.
                yield from (self._row(each) for each in page if each.dn)
                self.rows += len(page)
                self._keep_pace(began, len(page))
                began = access.now()
                session.renew(access.deadline(PAGE_SECONDS))

    def _row(self, entry: Reduced) -> Row:
        """Return the row of an entry; SessionError if entryUUID and entryCSN are not shown."""
        if len(entry.dn) > LONGEST_DN:
            detail = f"a DN of {len(entry.dn)} characters"
            raise SessionError(Failure(FailureKind.PROTOCOL, detail))
        if len(self.attributes) < MOST_ATTRIBUTES:
            self.attributes.update(entry.attributes)
        try:
            (uuid,), (csn,) = entry.uuids, entry.csns
            found = UUID(uuid.decode("ascii")).int
        except ValueError as error:
            raise _unreadable(
                f"the account cannot read {' and '.join(IDENTITY)} of {printable(entry.dn)}"
            ) from error
        return found, csn[:LONGEST_CSN].decode("utf-8", "replace"), entry.dn, entry.values

    def _keep_pace(self, began: MonotonicSeconds, entries: int) -> None:
        """Wait for the rest of the time that these entries must take."""
        access = self._access
        access.pause(began + entries / access.entries_per_second - access.now())


def _nothing(_: OctetsEntry) -> None:
    """Keep nothing of an entry."""


def _outside() -> SessionError:
    detail = "the server returned entries outside of the requested range"
    return SessionError(Failure(FailureKind.PROTOCOL, detail))


def _unreadable(detail: str) -> SessionError:
    return SessionError(Failure(FailureKind.RESULT, detail))
