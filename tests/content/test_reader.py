"""What a server may not do to whoever compares its contents."""

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
    session = cast("Session", Showing(dn))
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
