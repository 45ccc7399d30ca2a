"""How often a server polls its provider, by what slapd shows of its links.

The values are those of slapd 2.5.13 with `type=refreshOnly interval=00:00:00:06`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from ldaphealth.checks.links import NEVER, poll_intervals, read_links
from ldaphealth.ldap.codec import Entry, Scope
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import Failure, FailureKind
from tests.checks.seen import server

DATABASES = "cn=Databases,cn=Monitor"
DATA, CONFIG = f"cn=Database 1,{DATABASES}", f"cn=Database 0,{DATABASES}"
SUFFIXES: dict[str, tuple[str, ...]] = {CONFIG: ("cn=config",), DATA: ("dc=a", "dc=b")}


def link(connection: str, phase: str, connect: str, contact: str, following: str) -> Entry:
    """Return the entry of a link; times are minutes and seconds, or NEVER."""
    shown = (
        each if each == NEVER else f"2026112616{each}Z" for each in (connect, contact, following)
    )
    return f"cn=Consumer 001,{DATA}", {
        "createtimestamp": ("20261126160000Z",),
        "olmsrproviderurilist": ("ldap://192.0.2.1",),
        "olmsrconnection": (connection,),
        "olmsrsyncphase": (phase,),
        **dict(
            zip(
                ("olmsrlastconnect", "olmsrlastcontact", "olmsrnextconnect"),
                ((each,) for each in shown),
                strict=True,
            )
        ),
    }


ADDRESS = "IP=192.0.2.2:39208"
WAITS = link("", "Refresh", "4358", "4358", "4404")
WAITS_LONG = link("", "Refresh", "4358", "4359", "5358")
CONNECTS = link("", "Refresh", "4404", "4358", "4410")
POLLS = link(ADDRESS, "Refresh", "4404", "4404", NEVER)
LOST = link("", "Refresh", "4442", "4436", "4444")
REFUSED = link("", "Refresh", "4406", NEVER, "4408")
GIVEN_UP = link("", "Refresh", "4406", "4406", NEVER)
LASTS = link(ADDRESS, "Persist", "4404", "4410", NEVER)
NO_TIME = link("", "Refresh", "4358", "4358", "yesterday")
BEFORE = link("", "Refresh", "4358", "4358", "4350")
YEARS = ("cn=Consumer 001," + DATA, {**WAITS[1], "olmsrnextconnect": ("99991231000000Z",)})


class Showing(Session):
    """A session with a server that shows these links; the failure, if any, is that of a search."""

    def __init__(
        self,
        links: Sequence[Entry],
        suffixes: Mapping[str, tuple[str, ...]] = SUFFIXES,
        fails_at: Scope | None = None,
    ) -> None:
        super().__init__(server(), Deadline.after(1.0))
        self._links, self._suffixes, self._fails_at = links, suffixes, fails_at
        self.requested: list[str] = []

    def search(
        self,
        base: str,
        scope: Scope,
        filter_text: str,
        attributes: Sequence[str],
        size_limit: int = 0,
    ) -> tuple[Entry, ...]:
        """Return the links, or the databases with their suffixes; the base and scope are noted."""
        del filter_text, attributes, size_limit
        assert base == DATABASES
        self.requested.append(scope)
        if scope == self._fails_at:
            raise SessionError(Failure(FailureKind.TIMEOUT, "no"))
        if scope == "sub":
            return (*self._links,)
        return tuple((dn, {"namingcontexts": of}) for dn, of in self._suffixes.items())


def of_config(entry: Entry) -> Entry:
    return entry[0].replace(DATA, CONFIG), entry[1]


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        pytest.param([], {}, id="no links"),
        pytest.param([LASTS], {}, id="it lasts"),
        pytest.param([WAITS], {"dc=a": 6.0}, id="it waits for its next poll"),
        pytest.param([CONNECTS], {"dc=a": None}, id="it connects"),
        pytest.param([POLLS], {"dc=a": None}, id="it is polling, or catches up"),
        pytest.param([LOST], {"dc=a": None}, id="its provider is gone"),
        pytest.param([REFUSED], {"dc=a": None}, id="its provider refuses the bind"),
        pytest.param([GIVEN_UP], {}, id="given up: it will not be polled again"),
        pytest.param([WAITS, WAITS_LONG], {"dc=a": 600.0}, id="the longest of two"),
        pytest.param([LOST, WAITS], {"dc=a": 6.0}, id="one of two providers is gone"),
        pytest.param([LASTS, WAITS], {}, id="another link brings each change at once"),
        pytest.param([of_config(LASTS), WAITS], {"dc=a": 6.0}, id="that of another database lasts"),
        pytest.param([of_config(WAITS), LASTS], {}, id="another database is polled"),
        pytest.param([NO_TIME], {"dc=a": 0.0}, id="a time that is none"),
        pytest.param([BEFORE], {"dc=a": 0.0}, id="a time before the last poll"),
        pytest.param([YEARS], {"dc=a": 604_800.0}, id="in years: a week at most"),
    ],
)
def test_the_interval_is_that_of_a_link_that_waits(
    links: Sequence[Entry], expected: dict[str, float | None]
) -> None:
    assert poll_intervals(Showing(links), ("dc=a",)) == expected


@pytest.mark.parametrize(
    ("bases", "suffixes", "expected"),
    [
        pytest.param(("dc=A", "dc = b"), SUFFIXES, {"dc=A": 6.0, "dc = b": 6.0}, id="as DNs are"),
        pytest.param(("cn=ldapsync,dc=a",), SUFFIXES, {"cn=ldapsync,dc=a": 6.0}, id="below it"),
        pytest.param(("cn=config",), SUFFIXES, {}, id="of another database"),
        pytest.param(("dc=c",), SUFFIXES, {"dc=c": 6.0}, id="of none: of any"),
        pytest.param(("dc=a",), {}, {"dc=a": 6.0}, id="the account may not read them"),
        pytest.param(
            ("dc=x,dc=a",), {CONFIG: ("dc=x,dc=a",), DATA: ("dc=a",)}, {}, id="the nearest suffix"
        ),
        pytest.param(("dc=a",), {DATA: ("",)}, {"dc=a": 6.0}, id="the empty suffix"),
    ],
)
def test_a_naming_context_has_the_links_of_its_database(
    bases: Sequence[str], suffixes: dict[str, tuple[str, ...]], expected: dict[str, float | None]
) -> None:
    assert poll_intervals(Showing([WAITS], suffixes), bases) == expected


@pytest.mark.parametrize(("links", "requested"), [([LASTS], ["sub"]), ([WAITS], ["sub", "one"])])
def test_links_are_read_once_in_a_session(links: list[Entry], requested: list[str]) -> None:
    session = Showing(links)
    poll_intervals(session, ("dc=a",))
    read_links(session)

    assert session.requested == requested


@pytest.mark.parametrize("scope", ["sub", "one"])
def test_a_failure_is_no_failure_of_replication(scope: Scope) -> None:
    session = Showing([WAITS], fails_at=scope)

    assert poll_intervals(session, ("dc=a",)) == {"dc=a": None}


def test_the_check_that_judges_links_gets_the_failure_without_a_second_search() -> None:
    session = Showing([WAITS], fails_at="sub")
    poll_intervals(session, ("dc=a",))
    with pytest.raises(SessionError, match="no"):
        read_links(session)

    assert session.requested == ["sub"]
