"""Flights are made once for all sessions of a server, and for servers in use only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.agent.agent import Agent
from ldaphealth.check import Check
from ldaphealth.checks import BUILT_IN
from ldaphealth.ldap.encoded_flights import encoded_flights
from ldaphealth.ldap.flight import CompareRequest, Flight, SearchRequest
from ldaphealth.model import Server
from ldaphealth.rounds.flights import flights
from ldaphealth.rounds.session_plans import MOST_PLANS, SessionPlans
from ldaphealth.settings import AgentSettings, Cluster, ConfiguredCheck, Settings

NAMES = ("connect", "bind", "replication", "consumer", "entry_count", "unbind")
CHECKS = tuple(
    ConfiguredCheck(BUILT_IN[name], BUILT_IN[name].params(), BUILT_IN[name].effect)
    for name in NAMES
)
SERVER = Server(cluster="c", name="a", uri="ldap://127.0.0.1", suffix="dc=example")


class Params(Struct, frozen=True):
    """Settings, and facts, of a check of another package."""


def plans_of(*servers: Server) -> SessionPlans:
    plans = SessionPlans()
    plans.replace_servers(servers)
    return plans


def test_they_are_those_of_the_checks() -> None:
    expected = encoded_flights(flights(CHECKS, SERVER))
    assert len(expected) > 3

    assert plans_of(SERVER).flights(SERVER, CHECKS) == expected
    assert SessionPlans().flights(SERVER, CHECKS) == expected


def test_they_are_made_once_for_the_same_checks() -> None:
    plans = plans_of(SERVER)
    first = plans.flights(SERVER, CHECKS)

    assert plans.flights(SERVER, CHECKS) is first
    fewer = plans.flights(SERVER, CHECKS[:3])
    assert fewer == encoded_flights(flights(CHECKS[:3], SERVER)) != first
    assert plans.flights(SERVER, CHECKS) is first  # a confirmation has others between two rounds


def test_those_of_few_sessions_are_kept_of_each_server() -> None:
    plans = plans_of(SERVER)
    for _ in range(3 * MOST_PLANS):
        plans.flights(SERVER, (*CHECKS,))

    assert len(plans._in_use.plans[SERVER.id]) == MOST_PLANS


def test_servers_with_the_same_requests_share_them() -> None:
    other = replace(SERVER, name="b")
    plans = plans_of(SERVER, other)

    assert plans.flights(SERVER, CHECKS) is plans.flights(other, CHECKS)


def test_checks_of_other_packages_are_asked_in_each_session() -> None:
    """What they request may depend on the time, or on something that failed once."""
    asked: list[str] = []

    def requests(server: Server, _: object) -> list[Flight]:
        asked.append(server.id)
        if len(asked) == 1:
            raise OSError("not now")
        return [(SearchRequest.read(f"cn={len(asked)}", ("cn",)),)]

    foreign = Check(
        name="foreign",
        params=Params,
        facts=Params,
        judge=lambda *_: [],
        observe=lambda *_: Params(),
        requests=requests,
    )
    checks = (*CHECKS[:2], ConfiguredCheck(foreign, Params(), foreign.effect))
    plans = plans_of(SERVER)

    found = [[*plans.flights(SERVER, checks)] for _ in range(3)]
    assert [len(each) for each in found] == [0, 1, 1]
    assert found[1] != found[2]


def test_a_plan_that_comes_after_a_reload_is_not_kept() -> None:
    """The plan is made in the event loop while the main thread replaces the servers."""
    plans = plans_of(SERVER)

    class Checks(tuple[ConfiguredCheck, ...]):
        def __iter__(self) -> Iterator[ConfiguredCheck]:
            plans.replace_servers([])
            return super().__iter__()

    plans.flights(SERVER, Checks(CHECKS))
    assert plans._in_use.plans == {}


def test_a_server_that_is_not_in_use_has_its_own_and_leaves_nothing() -> None:
    """Another one with its name has its password, which a reload replaced."""
    plans = plans_of(SERVER)
    first = plans.flights(SERVER, CHECKS)
    other = replace(SERVER, suffix="dc=other")

    assert plans.flights(other, CHECKS) == encoded_flights(flights(CHECKS, other)) != first
    assert plans.flights(SERVER, CHECKS) is first
    plans.replace_servers([other])
    assert plans.flights(SERVER, CHECKS) is not first
    assert plans.flights(other, CHECKS) is plans.flights(other, CHECKS)


def test_a_server_that_takes_one_request_after_the_other_has_none() -> None:
    slow = replace(SERVER, pipeline=False)

    assert plans_of(slow).flights(slow, CHECKS) == {}


def test_an_agent_keeps_those_of_the_servers_in_use() -> None:
    def settings(*servers: Server) -> Settings:
        cluster = Cluster(name="c", servers=servers, checks=CHECKS, min_in_service=0)
        agent = AgentSettings(runtime_directory=Path("/x"), state_directory=Path("/x"))
        return Settings({"c": cluster}, agent)

    agent = Agent(settings(SERVER), [])
    plans = agent._session_plans
    checks = agent.pools["c"].due_checks(SERVER)
    assert agent.pools["c"].due_checks(SERVER) is checks
    first = plans.flights(SERVER, checks)
    assert plans.flights(SERVER, checks) is first

    other = replace(SERVER, name="b")
    agent.reconfigure(settings(other))
    assert plans.flights(SERVER, checks) is not plans.flights(SERVER, checks)
    assert plans.flights(other, CHECKS) is plans.flights(other, CHECKS)


def test_a_request_is_in_the_first_flight_that_has_it() -> None:
    one, two = SearchRequest.read("dc=x", ("cn",)), CompareRequest("dc=x", "cn", "x")
    wrong = SearchRequest("dc=x", "base", "(no filter", ("cn",))

    found = encoded_flights([(one, wrong), (one, two)])

    first, second = [*found.values()]
    assert [each.operation for each in first] == ["search"]  # what cannot be encoded is left out
    assert [each.operation for each in second] == ["search", "compare"]
