"""Reads from one server: its contextCSN, the entries of a slice, and entries by DN.

comparison.py has one `Reader` for each server, and calls it in a thread. Errors are raised as
SessionError; StoppedError of `pause` passes through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.content.context_csn import read_context_csn
from ldaphealth.content.difference import EntryVersion
from ldaphealth.content.slices import Slice
from ldaphealth.csn import ATTRIBUTE, CSNError, Vector, parse_vector
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.model import Failure, FailureKind, Server
from ldaphealth.text.printable import printable

if TYPE_CHECKING:  # importing it would import ldap3
    from ldaphealth.ldap.session import Session

BUDGET_BYTES = 1 << 20  # of one page; an entry takes about 170 bytes, more with a long DN
MOST_ON_A_PAGE = 500
PAGE_SECONDS = 30.0  # for a slice slapd examines all of its entries, a million in 0.6 s
LONGEST_CSN = 80
LONGEST_DN = 8192  # the limit of slapd (SLAP_LDAPDN_MAXLEN); known differences have DNs
LONG_DN = 400  # characters on average; with more a slice is too large for memory
ATTRIBUTES = ("entryUUID", "entryCSN")
EVERYTHING = "(objectClass=*)"

Row = tuple[int, str, str]  # entryUUID, entryCSN, DN


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
    """entryCSN and DN of a slice by entryUUID; only a part of it, unless `is_whole`."""

    entries: Mapping[int, tuple[str, str]]
    is_whole: bool = True


class Reader:
    """Reads from one server, at most `entries_per_second`: the entries at and below `base`."""

    def __init__(self, server: Server, access: ReaderAccess, base: str = "") -> None:
        self.server = server
        self._base = base or server.suffix
        self._access = access
        self._page_size = max(1, min(MOST_ON_A_PAGE, int(access.entries_per_second)))
        self.rows = 0  # read so far, to show the progress

    def shows_entries(self) -> bool:
        """Return whether there are entries below the base; SessionError if it cannot be read."""
        base = self._base
        with closing(self._open()) as session:
            if base:  # at the empty suffix is the root DSE, which has neither
                _row((base, session.read(base, ATTRIBUTES)))
            return bool(session.search(base, "one", EVERYTHING, ("1.1",), size_limit=1))

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
        entries: dict[int, tuple[str, str]] = {}
        count = characters = 0
        try:
            for uuid, csn, dn in self._rows(wanted.filter_text):
                if not wanted.low <= uuid <= wanted.high:
                    raise _outside()
                entries[uuid] = csn, dn
                count += 1
                characters += len(dn)
                if count > most or characters > most * LONG_DN:
                    return SliceEntries(entries, is_whole=False)
        except SessionError as error:
            if error.failure.result_code != "sizeLimitExceeded" or not entries:
                raise
            return SliceEntries(entries, is_whole=False)
        return SliceEntries(entries)

    def versions(self, dns: Iterable[str]) -> dict[str, EntryVersion]:
        """Return the versions of these entries, by DN; without those that the server lacks."""
        found: dict[str, EntryVersion] = {}
        with closing(self._open()) as session:
            for dn in dns:
                began = self._access.now()
                session.renew(self._access.deadline(self._access.deadline_seconds))
                try:
                    for page in session.pages(dn, "base", EVERYTHING, ATTRIBUTES, 1):
                        for uuid, csn, _ in map(_row, page):
                            found[dn] = EntryVersion(str(UUID(int=uuid)), csn)
                except SessionError as error:
                    if error.failure.result_code != "noSuchObject":
                        raise
                self._keep_pace(began, 1)
        return found

    def _open(self) -> Session:
        access = self._access
        deadline = access.deadline(access.deadline_seconds)
        return access.opening(self.server, deadline, BUDGET_BYTES)

    def _rows(self, filter_text: str) -> Iterator[Row]:
        access = self._access
        with closing(self._open()) as session:
            session.renew(access.deadline(PAGE_SECONDS))
            began = access.now()
            for page in session.pages(self._base, "sub", filter_text, ATTRIBUTES, self._page_size):
                # The entry of the empty suffix cannot be read by its DN: that is the root DSE.
                yield from (_row(each) for each in page if each[0])
                self.rows += len(page)
                self._keep_pace(began, len(page))
                began = access.now()
                session.renew(access.deadline(PAGE_SECONDS))

    def _keep_pace(self, began: MonotonicSeconds, entries: int) -> None:
        """Wait for the rest of the time that these entries must take."""
        access = self._access
        access.pause(began + entries / access.entries_per_second - access.now())


def _row(entry: tuple[str, Mapping[str, Iterable[str]]]) -> Row:
    dn, attributes = entry
    if len(dn) > LONGEST_DN:
        raise SessionError(Failure(FailureKind.PROTOCOL, f"a DN of {len(dn)} characters"))
    try:
        (uuid,), (csn,) = attributes["entryuuid"], attributes["entrycsn"]
        return UUID(uuid).int, csn[:LONGEST_CSN], dn
    except (KeyError, ValueError) as error:
        raise _unreadable(
            f"the account cannot read {' and '.join(ATTRIBUTES)} of {printable(dn)}"
        ) from error


def _outside() -> SessionError:
    detail = "the server returned entries outside of the requested range"
    return SessionError(Failure(FailureKind.PROTOCOL, detail))


def _unreadable(detail: str) -> SessionError:
    return SessionError(Failure(FailureKind.RESULT, detail))
