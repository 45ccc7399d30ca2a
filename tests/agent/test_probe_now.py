"""Servers are probed at once only if a silent server is held until another one answers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.agent.pool import Pool
from ldaphealth.check import AnyView
from ldaphealth.checks import BUILT_IN
from ldaphealth.guard import Memory, Override, RoundPeriod
from ldaphealth.model import (
    AnyObservation,
    Basis,
    CheckEffect,
    Failure,
    FailureKind,
    Finding,
    Observation,
    Server,
    State,
)
from ldaphealth.settings import Cluster, ConfiguredCheck

PLAN = tuple(
    ConfiguredCheck(BUILT_IN[name], BUILT_IN[name].params(), CheckEffect.OUT)
    for name in ("connect",)
)
SERVERS = tuple(Server(cluster="c", name=name, uri="ldap://127.0.0.1") for name in ("a", "b"))
GOOD = None
SOFT = Failure(FailureKind.BIND, "refused", "invalidCredentials")
SLOW = Failure(FailureKind.RESULT, "took too long", "timeLimitExceeded")
HARD = Failure(FailureKind.CONNECT, "refused")
OURS = Failure(FailureKind.RESOLVE, "no name", is_local=True)


@pytest.fixture
def pool() -> Pool:
    pool = Pool(Cluster(name="c", servers=SERVERS, checks=PLAN, min_in_service=1), Memory())
    land(pool, "a", GOOD, 1000.0)
    land(pool, "b", GOOD, 1000.1)
    return pool


def land(pool: Pool, name: str, failure: Failure | None, now: float) -> list[str]:
    seen: list[AnyObservation] = [
        Observation(
            server=f"c/{name}",
            check="connect",
            started_at=now,
            duration_seconds=0.01,
            timings={"connect": 0.01},
            failure=failure,
        )
    ]
    pool.add_round(f"c/{name}", seen, RoundPeriod(began=now, ended=now + 0.01))
    pool.decide(now + 0.01)
    return pool.servers_to_probe_now()


def test_a_silence_asks_for_a_witness(pool: Pool) -> None:
    assert land(pool, "a", HARD, 1005.0) == ["c/b"]
    assert land(pool, "b", GOOD, 1005.1) == ["c/a"]  # it may have been the network meanwhile
    assert land(pool, "a", HARD, 1005.2) == []
    assert not pool.verdicts["c/a"].in_service


def test_a_soft_failure_asks_those_that_were_not_probed_since_it_began(pool: Pool) -> None:
    assert land(pool, "a", SLOW, 1005.0) == []
    assert land(pool, "a", SLOW, 1005.5) == []
    assert land(pool, "a", SLOW, 1006.0) == ["c/b"]
    assert pool.verdicts["c/a"].in_service
    assert land(pool, "b", GOOD, 1006.1) == []
    assert not pool.verdicts["c/a"].in_service


def test_a_silence_that_ends_asks_no_more(pool: Pool) -> None:
    land(pool, "a", HARD, 1005.0)
    land(pool, "b", GOOD, 1005.1)
    assert land(pool, "a", GOOD, 1005.2) == []
    assert pool.verdicts["c/a"].in_service


def test_a_failure_that_all_share_asks_for_nobody(pool: Pool) -> None:
    land(pool, "a", SOFT, 1005.0)
    assert land(pool, "b", SOFT, 1005.1) == []
    assert {each.held_by for each in pool.verdicts.values()} == {"blind"}


def test_a_witness_that_learns_nothing_is_asked_once(pool: Pool) -> None:
    assert land(pool, "a", HARD, 1005.0) == ["c/b"]
    assert land(pool, "b", OURS, 1005.1) == []


def test_a_server_is_in_doubt_until_enough_rounds_say_the_same(pool: Pool) -> None:
    seen: list[set[str]] = []
    for failure in (SLOW, SLOW, SLOW, SLOW, GOOD, GOOD, GOOD):
        land(pool, "a", failure, 1010.0 + 10 * len(seen))
        seen.append(pool.in_doubt({"c/a"}))

    assert seen == [{"c/a"}, {"c/a"}, set(), set(), {"c/a"}, set(), set()]
    assert pool.verdicts["c/a"].in_service


def test_a_server_with_an_override_is_in_no_doubt(pool: Pool) -> None:
    pool.override("c/a", Override("in", 2000.0))
    land(pool, "a", SLOW, 1010.0)

    assert pool.in_doubt({"c/a"}) == set()


def test_a_restarted_server_is_confirmed_within_its_round_and_not_hurried(pool: Pool) -> None:
    land(pool, "a", HARD, 1010.0)

    assert pool.in_doubt({"c/a"}) == set()


def test_the_last_server_in_service(pool: Pool) -> None:
    assert not pool.is_last("c/a")
    pool.override("c/b", Override("drain", 2000.0))
    land(pool, "b", GOOD, 1001.0)

    assert pool.is_last("c/a")
    assert not pool.is_last("c/b")


def doubtful(basis: Basis, names: str) -> Pool:
    """Return a pool in which a check of each probe says so of each server."""

    def judge(view: AnyView, _: object) -> list[Finding]:
        return [
            Finding(
                server=view.server.id,
                check="connect",
                state=State.WARNING,
                code="slow",
                summary="",
                basis=basis,
            )
        ]

    check = replace(BUILT_IN["connect"], judge=judge)
    plan = (ConfiguredCheck(check, BUILT_IN["connect"].params(), CheckEffect.OUT),)
    servers = tuple(Server(cluster="c", name=name, uri="ldap://127.0.0.1") for name in names)
    pool = Pool(Cluster(name="c", servers=servers, checks=plan, min_in_service=1), Memory())
    for name in names:
        land(pool, name, GOOD, 1000.0)
    return pool


@pytest.mark.parametrize(
    ("basis", "wanted"),
    [
        pytest.param(Basis.ROUND, "", id="nothing"),
        pytest.param(Basis.WINDOW, "", id="it is proven"),
        pytest.param(Basis.DOUBT, "b", id="itself"),
        pytest.param(Basis.COMPARISON, "bcdef", id="itself, and four to compare it with"),
    ],
)
def test_what_a_check_cannot_tell_yet_is_probed_soon(basis: Basis, wanted: str) -> None:
    assert doubtful(basis, "abcdefgh").in_doubt({"c/b"}) == {f"c/{name}" for name in wanted}


def test_silent_servers_are_compared_with_none() -> None:
    pool = doubtful(Basis.COMPARISON, "abcd")
    land(pool, "b", HARD, 1005.0)

    assert pool.in_doubt({"c/d"}) == {"c/a", "c/c", "c/d"}
