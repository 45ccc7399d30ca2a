"""The shadow of one cluster: what it would have done, with what it begins, and who receives it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from msgspec.structs import replace

import ldaphealth
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.shadow_pool import shadow_state
from ldaphealth.agent.shadows import Shadow
from ldaphealth.checks import search, session
from ldaphealth.guard import Memory, Override, RoundPeriod
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import AnyObservation, CheckEffect
from ldaphealth.publishers.shadow_publication import ShadowPublication, ShadowVerdict
from ldaphealth.publishers.shared_verdicts import SharedVerdicts
from ldaphealth.publishers.track_file import BalancerFile, TrackFiles
from ldaphealth.publishers.verdict_file import VerdictFiles
from ldaphealth.settings import Cluster, Settle
from ldaphealth.store.history import HistoryDatabase
from tests.agent.test_shadows import Followed
from tests.checks.seen import cluster, planned, saw

PACKAGE = Path(ldaphealth.__file__).parent
SLOW_SECONDS = 1.0


def with_search(seconds: float, *, every: int = 1, settle: Settle | None = None) -> Cluster:
    """Return a cluster of two servers whose searches are critical above that."""
    configured = planned("search", search.Params(seconds=Thresholds(critical=Range(end=seconds))))
    checks = planned("connect"), replace(configured, every=every), planned("unbind")
    return replace(cluster(*checks, servers=2), settle=settle or Settle())


def on_trial(found: Cluster, *, every: int = 1, settle: Settle | None = None) -> Cluster:
    """Return the cluster with a shadow that has another threshold of the search."""
    return replace(found, shadow=with_search(0.5, every=every, settle=settle))


def observed(server: str, at: float, took: float | None) -> list[AnyObservation]:
    """Return the observations of a round; without a search if it did not run."""
    middle = [] if took is None else [searched(server, at, took)]
    return [saw("connect", of=server, at=at), *middle, saw("unbind", of=server, at=at + 4)]


def searched(server: str, at: float, took: float) -> AnyObservation:
    facts = {"entries": 1, "matching": 0}
    return saw("search", facts, of=server, at=at, took=took, timings={"search": took})


def rounds(pool: Pool, since: float, *took: float | None) -> None:
    """Add rounds of both servers, of which the search of one takes that long."""
    for number, seconds in enumerate(took):
        at = since + 10.0 * number
        for server, each in (("s0", 0.01), ("s1", seconds)):
            pool.add_round(
                f"c/{server}", observed(server, at, each), RoundPeriod(began=at, ended=at + 5)
            )
        pool.decide(at + 6)


def followed(found: Cluster) -> tuple[Pool, Followed]:
    pool, of = Pool(found, Memory()), Followed()
    pool.follow(of.note)
    return pool, of


def last(of: Followed) -> ShadowVerdict:
    return of.received.publications[-1].verdicts["c/s1"]


def changes(of: Followed) -> list[str]:
    return [each.after.would for one in of.received.publications for each in one.changes]


REMOVED = "would have removed s1 (search.slow)"


def test_a_shadow_would_have_removed_a_slow_server() -> None:
    pool, of = followed(on_trial(with_search(2.0)))
    rounds(pool, 0.0, 0.01, *[SLOW_SECONDS] * 3)

    assert pool.verdicts["c/s1"].in_service
    assert (last(of).in_service, last(of).weight, last(of).would) == (False, 0, REMOVED)
    rounds(pool, 100.0, *[0.01] * 8)
    assert last(of).would == ""
    assert changes(of) == [REMOVED, "would have given s1 the weight 10 in place of 100"]


def test_a_shadow_would_have_kept_a_server_in_service() -> None:
    found = replace(with_search(0.5), shadow=with_search(2.0))
    pool, of = followed(found)
    rounds(pool, 0.0, 0.01, *[SLOW_SECONDS] * 3)

    assert not pool.verdicts["c/s1"].in_service
    assert last(of).would == "would have kept s1 in service"
    assert changes(of) == ["would have kept s1 in service"]
    rounds(pool, 100.0, *[0.01] * 8)
    assert (last(of).agrees, len(changes(of))) == (True, 2)


def test_a_shadow_that_only_calls_a_server_otherwise() -> None:
    lax = replace(with_search(2.0), settle=Settle(fall_soft=9))
    pool, of = followed(replace(lax, shadow=replace(with_search(0.5), settle=lax.settle)))
    rounds(pool, 0.0, 0.01, SLOW_SECONDS)

    assert last(of).would == (
        "would have called s1 CRITICAL in place of OK (search.slow; held by settle)"
    )


def test_an_override_is_one_of_the_shadow_too() -> None:
    pool, of = followed(on_trial(with_search(2.0)))
    rounds(pool, 0.0, 0.01)
    pool.override("c/s1", Override("drain", 60.0, "kernel", "alice"))
    rounds(pool, 10.0, 0.01)
    assert (last(of).in_service, last(of).would) == (False, "")
    rounds(pool, 60.0, 0.01)
    assert (last(of).in_service, last(of).would) == (True, "")


def test_an_observation_that_stands_counts_once() -> None:
    """The cluster runs the check in each fourth round, because its own result is OK."""
    pool, of = followed(on_trial(with_search(2.0, every=4), every=4))
    rounds(pool, 0.0, 0.01, SLOW_SECONDS, None, None, None, SLOW_SECONDS, None, None, None)
    assert last(of).in_service
    rounds(pool, 90.0, SLOW_SECONDS)
    assert last(of).would == REMOVED


def test_a_reload_adds_changes_and_removes_a_shadow() -> None:
    plain = with_search(2.0)
    pool, of = followed(plain)
    rounds(pool, 0.0, *[SLOW_SECONDS] * 4)
    assert of.received.publications == []

    pool.reconfigure(on_trial(plain))
    rounds(pool, 50.0, *[SLOW_SECONDS] * 2)
    assert last(of).in_service  # it counts rounds anew
    rounds(pool, 70.0, SLOW_SECONDS)
    assert last(of).would == REMOVED

    pool.reconfigure(on_trial(plain))  # nothing has changed
    rounds(pool, 80.0, SLOW_SECONDS)
    assert last(of).would == REMOVED

    pool.reconfigure(on_trial(plain, settle=Settle(fall_soft=1)))
    rounds(pool, 90.0, SLOW_SECONDS)
    assert changes(of) == [REMOVED, REMOVED]

    pool.reconfigure(plain)
    rounds(pool, 100.0, SLOW_SECONDS)
    assert of.received.publications[-1] == ShadowPublication(cluster="c")
    assert (of.shadows.of("c"), of.shadows.verdicts()) == (None, {})


def test_a_shadow_begins_with_what_is_remembered_of_the_cluster() -> None:
    pool = Pool(with_search(2.0), Memory())
    rounds(pool, 0.0, 0.01, *[SLOW_SECONDS] * 3)
    pool.override("c/s0", Override("in", 900.0))
    state = pool.state()
    begun = Shadow(state, with_search(0.5)).pool

    assert begun.recent.state() == state.recent
    assert begun.memory.overrides == pool.memory.overrides
    past, usual = begun.memory.servers["c/s1"], pool.memory.servers["c/s1"]
    assert (past.in_service, past.since, past.answers) == (True, usual.since, usual.answers)
    assert (past.good, past.bad, past.blamed) == (0, 0, 0)
    codes = {each.code for each in begun.state().findings["c/s1"] if each.check == "search"}
    assert codes == {"slow"}  # judged by its own threshold


def test_summaries_are_remembered_if_the_shadow_makes_the_same_ones() -> None:
    def settings(slow: float, effect: CheckEffect = CheckEffect.OUT) -> Cluster:
        whole = planned("session", session.Params(slow_seconds=slow))
        return cluster(planned("connect"), replace(planned("search"), effect=effect), whole)

    pool = Pool(settings(1.0), Memory())
    rounds(pool, 0.0, 0.01)
    kept = [
        "session" in shadow_state(pool.state(), other).recent.seen
        for other in (settings(1.0), settings(0.5), settings(1.0, CheckEffect.WATCH))
    ]
    assert kept == [True, False, False]


def test_a_defect_of_a_shadow_disturbs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    pool, of = followed(on_trial(with_search(2.0)))
    rounds(pool, 0.0, 0.01)
    shadow = of.shadows.of("c")
    assert shadow is not None
    del shadow.pool.recent
    with caplog.at_level(logging.ERROR):
        rounds(pool, 10.0, 0.01, 0.01)

    assert pool.verdicts["c/s1"].in_service
    assert "the shadow of cluster c failed" in caplog.text
    assert of.received.publications[-1].verdicts == {}


def test_only_the_history_and_the_live_state_receive_what_a_shadow_decides() -> None:
    """No file and no answer for a balancer can: they have no method for it."""
    publishers = (VerdictFiles, BalancerFile, TrackFiles, SharedVerdicts)
    assert not [each for each in publishers if hasattr(each, "publish_shadow")]
    assert all(hasattr(each, "publish_shadow") for each in (HistoryDatabase, LiveState))
    readers = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "shadow" in path.read_text() and path.parts[-2] in ("publishers", "sinks", "web")
    ]
    assert sorted(readers) == [
        "publishers/shadow_publication.py",
        "web/answers.py",
        "web/source.py",
    ]
