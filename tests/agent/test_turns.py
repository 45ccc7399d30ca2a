"""A check with `every` runs in every n-th round, and in each one while its result may count."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.agent.pool import Pool
from ldaphealth.agent.turns import Turns
from ldaphealth.checks.search import Facts
from ldaphealth.guard import Memory, RoundPeriod, ServerMemory
from ldaphealth.model import AnyObservation, Failure, FailureKind
from ldaphealth.settings import Cluster, ConfiguredCheck, Settle
from tests.checks.seen import cluster, planned, saw

FOUND, EMPTY = Facts(1, 0), Facts(0, 0)
WELL = ServerMemory(in_service=True, since=0.0)
REFUSED = Failure(FailureKind.CONNECT, "connection refused")


def search(name: str, every: int) -> ConfiguredCheck:
    return replace(planned("search"), alias=name, every=every)


def site(every: int = 5, servers: int = 1) -> Cluster:
    checks = (planned("connect"), planned("search"), search("staff", every), planned("unbind"))
    return cluster(*checks, servers=servers, settle=Settle(fall_soft=2, rise=2, min_out_seconds=0))


class Rounds:
    """A pool whose rounds find what they are given, and what was due in each of them."""

    def __init__(self, of: Cluster) -> None:
        self.pool = Pool(of, Memory())
        self.due: list[list[str]] = []
        self.at = 0.0

    def run(self, staff: Facts = FOUND, *, refused: bool = False) -> bool:
        """Run one round; return whether `staff` was due."""
        self.at += 1.0
        server = self.pool.cluster.servers[0]
        names = [each.name for each in self.pool.due_checks(server)]
        seen: list[AnyObservation] = [
            replace(saw("search", staff if name == "staff" else FOUND, at=self.at), check=name)
            if name in ("search", "staff")
            else saw(name, at=self.at)
            for name in names
        ]
        if refused:
            seen = [saw("connect", failure=REFUSED, at=self.at)]
        self.pool.add_round(server.id, seen, RoundPeriod(began=self.at, ended=self.at + 0.1))
        self.pool.decide(self.at + 0.1)
        self.due.append(names)
        return "staff" in names

    def codes(self) -> list[str]:
        """Return the codes of the reasons of the verdict."""
        return [each.code for each in self.pool.verdicts["c/s0"].reasons]

    def in_service(self) -> bool:
        """Return whether the server is in service."""
        return self.pool.verdicts["c/s0"].in_service


def test_it_runs_in_the_first_round_and_then_in_every_fifth() -> None:
    rounds = Rounds(site())
    ran = [rounds.run() for _ in range(22)]

    assert ran[0]
    assert sum(ran[1:6]) == 1
    assert [number % 5 for number, each in enumerate(ran) if each][1:] == [
        ran.index(True, 1) % 5
    ] * (sum(ran) - 1)
    assert all(len(each) - each.count("staff") == 3 for each in rounds.due)


def test_servers_take_their_turns_in_different_rounds() -> None:
    of, turns = site(every=10, servers=100), Turns()
    due = []
    for server in of.servers:
        turns.note(server.id, {"staff"}, (), is_complete=True)
        due.append(len(turns.due(of, server, WELL)) == 4)

    assert 2 <= sum(due) <= 25


def test_while_it_does_not_run_its_newest_result_stands() -> None:
    rounds = Rounds(site())
    for _ in range(4):
        rounds.run()

    found = {each.check: each.code for each in rounds.pool.verdicts["c/s0"].findings}
    assert found["staff"] == "ok"


def test_one_failure_is_not_counted_again_in_rounds_without_it() -> None:
    rounds = Rounds(site())
    rounds.run()
    while not rounds.run(EMPTY):
        pass
    assert rounds.codes() == ["staff.entries"]

    assert rounds.run(), "it runs in the round after a failure"
    assert rounds.in_service()
    assert rounds.codes() == []


def test_it_runs_in_each_round_until_a_server_that_it_removed_is_back() -> None:
    rounds = Rounds(site())
    rounds.run()
    while rounds.in_service():
        rounds.run(EMPTY)

    ran = []
    while not rounds.in_service():
        ran.append(rounds.run())
    assert ran == [True, True]


def test_after_a_session_that_failed_it_is_due_again() -> None:
    rounds = Rounds(site(every=1000))
    rounds.run()
    assert not rounds.run()
    rounds.run(refused=True)

    assert rounds.run()


def test_after_a_reload_it_is_due_again() -> None:
    rounds = Rounds(site(every=1000))
    rounds.run()
    assert not rounds.run()
    rounds.pool.reconfigure(site(every=1000))

    assert rounds.run()


def test_a_name_with_another_kind_after_a_reload_has_no_past() -> None:
    rounds = Rounds(site())
    rounds.run(EMPTY)
    assert rounds.codes() == ["staff.entries"]
    compare = replace(planned("compare", BAD), alias="staff")
    rounds.pool.reconfigure(cluster(planned("connect"), compare, planned("unbind")))
    rounds.pool.decide(9.0)

    assert rounds.codes() == []


BAD = planned("search").params  # the settings do not matter: it is judged by what was seen


@pytest.mark.parametrize("name", ["staff", "search"])
def test_the_past_of_a_check_that_was_removed_is_dropped(name: str) -> None:
    rounds = Rounds(site())
    rounds.run()
    left = tuple(each for each in rounds.pool.cluster.checks if each.name != name)
    rounds.pool.reconfigure(replace(rounds.pool.cluster, checks=left))

    assert rounds.pool.recent.of_check(name) == {}
    assert rounds.pool.recent.of_check("connect")


def test_a_result_that_should_have_been_replaced_long_ago_is_not_believed() -> None:
    rounds = Rounds(site(every=2))
    rounds.run()
    rounds.at += 1000.0
    server = rounds.pool.cluster.servers[0]
    seen: Sequence[AnyObservation] = [saw("connect", at=rounds.at), saw("unbind", at=rounds.at)]
    rounds.pool.add_round(server.id, seen, RoundPeriod(began=rounds.at, ended=rounds.at))
    rounds.pool.decide(rounds.at)

    checks = {each.check for each in rounds.pool.verdicts["c/s0"].findings}
    assert "staff" not in checks
    assert "search" in checks, "it is due in each round, so its newest result is believed"


@given(
    st.integers(1, 12),
    st.lists(st.sampled_from(["found", "empty", "refused"]), min_size=1, max_size=40),
)
def test_it_never_waits_longer_than_its_turn_nor_after_a_bad_result(
    every: int, story: list[str]
) -> None:
    rounds = Rounds(site(every=every))
    waited, is_good = every, False
    for what in story:
        ran = rounds.run(EMPTY if what == "empty" else FOUND, refused=what == "refused")
        assert ran or (is_good and waited < every)
        waited = 0 if ran else waited + 1
        is_good = what == "found" if ran or what == "refused" else is_good


def test_equal_checks_of_two_rounds_are_the_same_object() -> None:
    """What is planned for them is kept (rounds/session_plans.py)."""
    rounds = Rounds(site())
    server = rounds.pool.cluster.servers[0]
    seen: dict[int, set[int]] = {3: set(), 4: set()}
    kept = []
    for _ in range(12):
        due = rounds.pool.due_checks(server)
        kept.append(due)  # else another one may have its id
        seen[len(due)].add(id(due))
        rounds.run()

    assert [len(each) for each in seen.values()] == [1, 1]
