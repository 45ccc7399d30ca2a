"""What a server may not do to a comparison of its contents, and what cannot be read of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast
from uuid import UUID

import pytest

from ldaphealth.content.reader import LONGEST_DN, Reader, ReaderAccess
from ldaphealth.content.slices import Cursor
from ldaphealth.ldap.codec import OctetsEntry
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from tests.checks.seen import server


class Showing:
    """A session with a server that shows one entry."""

    def __init__(self, dn: str) -> None:
        self._entry: OctetsEntry = (
            dn,
            {"entryuuid": (str(UUID(int=1)).encode(),), "entrycsn": (b"csn",)},
        )

    def renew(self, deadline: Deadline) -> None:
        """Take any."""

    def pages(self, *request: object) -> Iterator[tuple[object, ...]]:
        """Show all on one page."""
        reduced = cast("Callable[[OctetsEntry], object]", request[-1])
        yield (reduced(self._entry),)

    def close(self) -> None:
        """Do nothing."""


def reader(dn: str) -> Reader:
    return reader_in(cast("Session", Showing(dn)))


def reader_in(session: Session) -> Reader:
    access = ReaderAccess(
        opening=lambda *_: session,
        deadline_seconds=1.0,
        deadline=Deadline.after,
        pause=lambda _: None,
        entries_per_second=1000.0,
    )
    return Reader(server(), access)


def test_a_dn_is_no_longer_than_that_of_any_server() -> None:
    first = Cursor(10).slice

    assert reader("x" * LONGEST_DN).part(first, 10).entries == {1: ("csn", "x" * LONGEST_DN, "")}
    with pytest.raises(SessionError, match="a DN of 8193 characters"):
        reader("x" * (LONGEST_DN + 1)).part(first, 10)


class Hiding(Showing):
    """A session with a server where an entry has, or has not, an attribute that may be hidden."""

    def __init__(self, *, may_search: bool, shown_later: bool) -> None:
        super().__init__("cn=a")
        self._may_search, self._shown_later = may_search, shown_later

    def pages(self, *request: object) -> Iterator[tuple[object, ...]]:
        """Show it as slapd does: without a right a negative filter matches nothing."""
        _, _, filter_text, attributes, _, reduced = request
        found: OctetsEntry = ("cn=a", {"title": (b"x",)} if self._shown_later else {})
        if filter_text == "(!(title=*))" and not self._may_search:
            return
        assert attributes in (("1.1",), ("title",))
        yield (cast("Callable[[OctetsEntry], object]", reduced)(found),)


@pytest.mark.parametrize(
    ("may_search", "shown_later", "expected"),
    [
        pytest.param(True, False, set(), id="it has none"),
        pytest.param(False, False, {"title"}, id="no right"),
        pytest.param(False, True, set(), id="it was added meanwhile"),
    ],
)
def test_an_attribute_is_unreadable_only_without_the_right(
    may_search: bool, shown_later: bool, expected: set[str]
) -> None:
    session = cast("Session", Hiding(may_search=may_search, shown_later=shown_later))

    assert reader_in(session).unreadable([("cn=a", "title")]) == expected


def test_a_name_that_is_none_is_in_no_filter() -> None:
    session = cast("Session", Hiding(may_search=False, shown_later=False))

    assert reader_in(session).unreadable([("cn=a", "x=*)(y")]) == set()
