"""Which requests travel together: neighbours that may do the same, each request once, in order."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.check import Check
from ldaphealth.checks import BUILT_IN
from ldaphealth.ldap.codec import Attributes
from ldaphealth.ldap.flight import Flight, Request, SearchRequest
from ldaphealth.ldap.session import Session
from ldaphealth.model import CheckEffect, Credentials, Server
from ldaphealth.rounds.flights import MOST_REQUESTS, flights
from ldaphealth.settings import ConfiguredCheck
from tests.checks.seen import Nothing, planned, server

WATCH, OUT = CheckEffect.WATCH, CheckEffect.OUT


def read(name: str) -> Request:
    return SearchRequest.read(f"cn={name}", ("cn",))


def stating(*stated: str, effect: CheckEffect = WATCH, **more: object) -> ConfiguredCheck:
    """Return a check that states a flight for each text: a request for each letter."""

    def requests(_: Server, __: Nothing) -> Iterable[Flight]:
        return [tuple(map(read, each)) for each in stated]

    check = Check(
        name="stating",
        params=Nothing,
        facts=Nothing,
        requests=requests,
        observe=lambda _, __: Nothing(),
        judge=lambda _, __: (),
    )
    return ConfiguredCheck(check, Nothing(), effect, **more)  # type: ignore[arg-type]


SILENT = planned("search")


def of(*checks: ConfiguredCheck) -> list[str]:
    """Return the flights of these checks, as they were stated."""
    found = flights(checks, server())
    return ["".join(str(each).partition("cn=")[2][0] for each in flight) for flight in found]


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        pytest.param([stating("ab"), stating("cd")], ["abcd"], id="neighbours share one"),
        pytest.param([stating("ab"), stating("ba", "b")], ["ab"], id="each request travels once"),
        pytest.param([stating("a", "b"), stating("c")], ["a", "bc"], id="what depends is later"),
        pytest.param([stating("a"), stating("b", "c"), stating("d")], ["ab", "cd"], id="joined"),
        pytest.param(
            [stating("a"), SILENT, stating("b", "c")], ["a", "b", "c"], id="one that states nothing"
        ),
        pytest.param(
            [stating("a"), SILENT, stating("b"), stating("a", "c")],
            ["a", "bc"],
            id="what it depends on is in an earlier one",
        ),
        pytest.param(
            [stating("a"), stating("b", effect=OUT), stating("c", effect=OUT)],
            ["a", "bc"],
            id="one that may remove the server",
        ),
        pytest.param([stating("a", every=2), stating("b")], ["b"], id="not in each round"),
        pytest.param([stating("a", servers=("s0",)), stating("b")], ["b"], id="not on each server"),
        pytest.param(
            [stating("a"), stating("b", credentials=Credentials(dn="cn=other")), stating("c")],
            ["a", "c"],
            id="on another session",
        ),
        pytest.param([stating("", "a"), stating("b")], ["ab"], id="an empty one"),
        pytest.param([], [], id="no check"),
    ],
)
def test_requests_that_do_not_depend_on_each_other_travel_together(
    checks: Sequence[ConfiguredCheck], expected: list[str]
) -> None:
    assert of(*checks) == expected


def test_no_flight_is_larger_than_a_server_takes() -> None:
    many = stating("".join(map(chr, range(1000, 1000 + 2 * MOST_REQUESTS + 1))))

    assert [*map(len, of(many))] == [MOST_REQUESTS, MOST_REQUESTS, 1]


@pytest.mark.parametrize("wrong", [lambda: 1 / 0, lambda: [read("a")], lambda: [([],)]])
def test_a_check_that_cannot_state_its_requests_makes_them_as_it_goes(
    wrong: object, caplog: pytest.LogCaptureFixture
) -> None:
    check = stating().check
    broken = Check(
        name="broken",
        params=Nothing,
        facts=Nothing,
        requests=lambda _, __: wrong(),  # type: ignore[operator]
        observe=check.observe,
        judge=check.judge,
    )
    with caplog.at_level(logging.CRITICAL, "ldaphealth.rounds.flights"):
        found = of(ConfiguredCheck(broken, Nothing(), WATCH), stating("a"))

    assert found == ["a"]


def test_only_a_check_that_observes_can_state_requests() -> None:
    with pytest.raises(TypeError, match="states requests, which needs observe"):
        Check(
            name="x",
            params=Nothing,
            facts=Nothing,
            requests=lambda _, __: (),
            summarize=lambda _, __: None,
            judge=lambda _, __: (),
        )


CHECKS = st.builds(
    lambda stated, effect, every: stating(*stated, effect=effect, every=every),
    st.lists(st.text("abcdefgh", max_size=4), max_size=3),
    st.sampled_from(CheckEffect),
    st.sampled_from((1, 1, 1, 2)),
)


@given(st.lists(CHECKS, max_size=6))
def test_each_request_is_once_on_its_way_and_after_what_it_depends_on(
    checks: list[ConfiguredCheck],
) -> None:
    found = flights(checks, server())

    travelling = [each for flight in found for each in flight]
    assert len({*travelling}) == len(travelling)
    assert all(found)
    placed: set[Request] = set()
    for configured in checks:
        state = configured.check.requests
        stated = [*state(server(), Nothing())] if state and not configured.is_occasional else []
        assert {each for flight in stated for each in flight} <= {*travelling}
        last = -1
        for flight in stated:
            places = [
                number
                for number, one in enumerate(found)
                for each in flight
                if each in one and each not in placed
            ]
            assert min(places, default=last + 1) > last
            last = max(places, default=last)
            placed |= {*flight}


class Noting:
    """A session that notes each request, and answers with empty entries."""

    known_root_dse = None

    def __init__(self, at: Server) -> None:
        self.server = at
        self.noted: list[tuple[object, ...]] = []

    def search_once(self, *request: object) -> list[tuple[object, Attributes]]:
        """Note a search."""
        self.noted.append((*request, 0))
        return [(request[0], Attributes({}))]

    def read_once(self, dn: str, attributes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Note a read, and answer it, so that nothing else is asked for in its place."""
        self.noted.append((dn, "base", "(objectClass=*)", attributes, 0))
        return {"contextcsn": ("20261123101500.123456Z#000000#001#000000",)}

    def once(self, _: object, read: object) -> object:
        """Read."""
        return read()  # type: ignore[operator]

    def root_dse(self) -> dict[str, tuple[str, ...]]:
        """Say that there is a monitor database."""
        return {"monitorcontext": ("cn=Monitor",)}


@pytest.mark.parametrize(
    "name", [name for name, check in BUILT_IN.items() if check.requests is not None]
)
def test_a_built_in_check_makes_every_request_that_it_states(name: str) -> None:
    """One that it does not make would be sent in each round for nothing."""
    at, check = server(suffix="dc=x"), BUILT_IN[name]
    session = Noting(at)
    assert check.observe is not None
    assert check.requests is not None
    check.observe(cast(Session, session), check.params())

    stated = [each for flight in check.requests(at, check.params()) for each in flight]
    assert stated
    for each in stated:
        fields = tuple(getattr(each, field) for field in each.__struct_fields__)
        assert fields in [
            (*noted[:3], tuple(cast(Sequence[str], noted[3])), 0) for noted in session.noted
        ]


def test_a_session_of_the_built_in_checks_has_these_flights() -> None:
    """The searches whose time is judged, and those that count operations, are in none of them."""
    names = (name for name, check in BUILT_IN.items() if check.is_in_rounds)
    checks = [planned(name) for name in names if name not in {"compare", "write", "login"}]

    found = flights(checks, server(suffix="dc=x"))

    assert [[each.base for each in flight if hasattr(each, "base")] for flight in found] == [
        ["dc=x"],
        [
            "cn=Databases,cn=Monitor",
            "cn=Databases,cn=Monitor",
            "cn=Operations,cn=Monitor",
            "cn=Current,cn=Connections,cn=Monitor",
            "cn=Max File Descriptors,cn=Connections,cn=Monitor",
            "cn=Monitor",
            "cn=Current,cn=Connections,cn=Monitor",
            "cn=Total,cn=Connections,cn=Monitor",
            "cn=Max File Descriptors,cn=Connections,cn=Monitor",
            "cn=Statistics,cn=Monitor",
            "cn=Waiters,cn=Monitor",
            "cn=Databases,cn=Monitor",
        ],
    ]
