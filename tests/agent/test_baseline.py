"""A cluster that went back to an older state: who is removed, and when that is the new baseline."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ldaphealth.agent.pool import Pool
from ldaphealth.check import NewBaseline
from ldaphealth.checks.replication import Params
from ldaphealth.csn import ATTRIBUTE, CSN
from ldaphealth.guard import Memory, RoundPeriod
from ldaphealth.model import AnyObservation, Failure, FailureKind, Trust
from ldaphealth.publishers.publication import BaselineChange
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.store.kept_observations import kept_path, load_kept, save_kept
from tests.checks.seen import cluster, planned, saw

START = datetime(2026, 1, 1, tzinfo=UTC)
WAIT_SECONDS = 60.0
PARAMS = Params(baseline_seconds=WAIT_SECONDS)
NAMES = ("s0", "s1", "s2", "s3")
DOWN = Failure(FailureKind.CONNECT, "refused")


def csn(sid: int, after: float) -> str:
    return str(CSN(START + timedelta(seconds=after), 0, sid, 0))


OLD, NEW, OLDER = (csn(1, 10),), (csn(1, 20),), (csn(1, 5),)
Shown = Sequence[str] | None  # contextCSN; None: the server is down


def made(params: Params = PARAMS) -> Pool:
    """Return a pool of four servers that all had the same."""
    pool = Pool(cluster(planned("connect"), planned("replication", params), servers=4), Memory())
    return rounds(pool, dict.fromkeys(NAMES, NEW), 0.0)


def rounds(pool: Pool, shown: Mapping[str, Shown], *at: float) -> Pool:
    """Have the pool see a round of each of these servers, at each of these times."""
    for moment in at:
        for name, values in shown.items():
            seen: list[AnyObservation] = [saw("connect", of=name, at=moment)]
            if values is None:
                seen = [replace(seen[0], facts=None, failure=DOWN)]
            else:
                facts = {ATTRIBUTE: {"": tuple(values)}}
                seen.append(saw("replication", facts, of=name, at=moment))
            pool.add_round(f"c/{name}", seen, RoundPeriod(began=moment, ended=moment))
        pool.decide(moment)
    return pool


def regressed(pool: Pool) -> dict[str, Trust]:
    """Return the trust of the regression of each server that has one."""
    return {
        server.partition("/")[2]: each.trust
        for server, verdict in pool.verdicts.items()
        for each in verdict.findings
        if each.code == "regressed"
    }


def in_service(pool: Pool) -> set[str]:
    return {key.partition("/")[2] for key, each in pool.verdicts.items() if each.in_service}


TOLD = dict.fromkeys(NAMES, Trust.INFORMATIVE)
LEVEL = dict.fromkeys(NAMES, OLD)


def test_all_went_back_and_what_they_show_is_accepted_after_agreement() -> None:
    pool = rounds(made(), LEVEL, 10.0, 40.0, 69.0)
    assert regressed(pool) == TOLD
    assert in_service(pool) == {*NAMES}
    assert pool.take_baselines() == ()

    rounds(pool, LEVEL, 70.0)

    assert regressed(pool) == {}
    assert pool.take_baselines() == (
        BaselineChange(
            cluster="c",
            check="replication",
            accepted_by="agreement",
            summary="server ID 001 went back from 2026-01-01T00:00:20Z to 2026-01-01T00:00:10Z",
            replaced={"": {"001": {"had": NEW[0], "has": OLD[0]}}},
        ),
    )
    rounds(pool, LEVEL, 75.0, 80.0)
    assert (regressed(pool), pool.take_baselines()) == ({}, ())


@pytest.mark.parametrize(
    ("later", "code"),
    [
        pytest.param(OLD, "ok", id="it was restored as well"),
        pytest.param(OLDER, "regressed", id="it was restored from an older one"),
        pytest.param((csn(1, 30),), "ok", id="it has received what was written since"),
    ],
)
def test_a_server_that_was_down_is_compared_with_the_new_baseline(
    later: Sequence[str], code: str
) -> None:
    pool = rounds(made(), LEVEL | {"s3": None}, 10.0, 80.0)
    assert regressed(pool) == {}

    rounds(pool, {"s3": later}, 90.0)

    codes = {each.code for each in pool.verdicts["c/s3"].findings if each.check == "replication"}
    assert code in codes


@pytest.mark.parametrize(
    ("shown", "trust", "by_operator"),
    [
        pytest.param(
            {"s0": OLD, "s1": OLD, "s2": None, "s3": None},
            dict.fromkeys(["s0", "s1"], Trust.SOFT),
            True,
            id="no more than half of the servers, the others are down",
        ),
        pytest.param(
            {"s0": OLD, "s1": OLD, "s2": OLD, "s3": NEW},
            dict.fromkeys(["s0", "s1", "s2"], Trust.INFORMATIVE),
            True,
            id="most servers, and one still has what they lack",
        ),
        pytest.param(
            {"s0": OLD, "s1": NEW, "s2": NEW, "s3": NEW},
            {"s0": Trust.SOFT},
            False,
            id="one server alone",
        ),
        pytest.param(
            {"s0": OLD, "s1": OLD, "s2": NEW, "s3": NEW},
            dict.fromkeys(["s0", "s1"], Trust.SOFT),
            False,
            id="half of the servers",
        ),
        pytest.param(
            {"s0": OLD, "s1": OLD, "s2": OLDER, "s3": OLDER},
            dict.fromkeys(NAMES, Trust.SOFT),
            True,
            id="two halves to different positions",
        ),
    ],
)
def test_what_is_not_agreed_is_accepted_by_an_operator_only(
    shown: Mapping[str, Shown], trust: Mapping[str, Trust], by_operator: bool
) -> None:
    pool = rounds(made(), shown, 10.0, 80.0, 1000.0)
    assert regressed(pool) == trust
    assert pool.take_baselines() == ()

    accepted = pool.accept_baselines()
    pool.decide(1000.0)

    assert [each.accepted_by for each in accepted] == ["operator"] * by_operator
    assert pool.take_baselines() == tuple(accepted)
    at_old = {name for name, values in shown.items() if values == OLD}
    assert (not regressed(pool).keys() & at_old) is by_operator


def test_a_server_that_is_ahead_keeps_what_is_known_of_it() -> None:
    pool = rounds(made(), {"s0": OLD, "s1": OLD, "s2": OLD, "s3": NEW}, 10.0, 80.0)
    before = {each.server: each.findings for each in pool.verdicts.values()}
    pool.accept_baselines()
    pool.decide(80.0)

    assert before["c/s3"] == pool.verdicts["c/s3"].findings
    assert [each.code for each in before["c/s3"] if each.check == "replication"] == ["isolated"]


def test_the_time_of_agreement_begins_again_when_a_position_changes() -> None:
    pool = rounds(made(), dict.fromkeys(NAMES, OLDER), 10.0, 60.0)
    rounds(pool, LEVEL, 65.0, 100.0, 124.0)
    assert regressed(pool) == TOLD

    assert regressed(rounds(pool, LEVEL, 125.0)) == {}


def test_new_changes_of_other_servers_do_not_disturb_it() -> None:
    had = (csn(1, 20), csn(2, 20))
    pool = rounds(made(), dict.fromkeys(NAMES, had), 5.0)
    for at in range(10, 71, 10):
        rounds(pool, dict.fromkeys(NAMES, (csn(1, 10), csn(2, 100 + at))), float(at))

    assert regressed(pool) == {}
    [baseline] = pool.take_baselines()
    assert baseline.replaced == {"": {"001": {"had": csn(1, 20), "has": csn(1, 10)}}}


def test_a_server_id_that_is_gone_everywhere_is_accepted() -> None:
    had = (csn(1, 20), csn(2, 20))
    pool = rounds(made(), dict.fromkeys(NAMES, had), 5.0)
    rounds(pool, dict.fromkeys(NAMES, NEW), 10.0, 70.0)

    [baseline] = pool.take_baselines()
    assert baseline.replaced == {"": {"002": {"had": csn(2, 20), "has": None}}}
    assert regressed(rounds(pool, dict.fromkeys(NAMES, NEW), 80.0)) == {}


def test_each_naming_context_has_its_own_baseline() -> None:
    params = replace(PARAMS, bases=("dc=a", "dc=b"))
    pool = Pool(cluster(planned("connect"), planned("replication", params), servers=4), Memory())

    def round_at(at: float, shown: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> None:
        for name, (a, b) in shown.items():
            facts = {ATTRIBUTE: {"dc=a": tuple(a), "dc=b": tuple(b)}}
            seen = [saw("connect", of=name, at=at), saw("replication", facts, of=name, at=at)]
            pool.add_round(f"c/{name}", seen, RoundPeriod(began=at, ended=at))
        pool.decide(at)

    round_at(0.0, dict.fromkeys(NAMES, (NEW, NEW)))
    for at in (10.0, 40.0, 70.0):
        round_at(at, dict.fromkeys(NAMES[:3], (OLD, NEW)) | {"s3": (OLD, OLD)})

    [baseline] = pool.take_baselines()
    assert baseline.replaced.keys() == {"dc=a"}
    assert baseline.summary.startswith("dc=a: server ID 001 went back")
    assert regressed(pool) == {"s3": Trust.SOFT}


def restarted(pool: Pool, path: Path, at: float) -> Pool:
    """Return the pool of the next agent."""
    save_kept(path, [(pool.cluster, pool.select_kept())], lambda: at)
    again, kept = Pool(pool.cluster, Memory()), load_kept(path, lambda: at)
    again.recent.recall(kept.of(again.cluster), current=kept.current)
    return again


def test_a_restart_forgets_neither_the_wait_nor_the_new_baseline(tmp_path: Path) -> None:
    path = kept_path(tmp_path)
    pool = restarted(rounds(made(), LEVEL, 10.0, 40.0), path, 45.0)
    assert regressed(rounds(pool, LEVEL, 50.0)) == TOLD
    assert regressed(rounds(pool, LEVEL, 70.0)) == {}

    again = restarted(pool, path, 75.0)

    assert regressed(rounds(again, LEVEL, 80.0)) == {}
    assert again.take_baselines() == ()


def test_a_reload_forgets_neither() -> None:
    pool = rounds(made(), LEVEL, 10.0, 40.0)
    again: Cluster = replace(pool.cluster, interval_seconds=7.0)
    pool.reconfigure(again)
    rounds(pool, LEVEL, 70.0)
    assert (regressed(pool), len(pool.take_baselines())) == ({}, 1)

    pool.reconfigure(pool.cluster)

    assert regressed(rounds(pool, LEVEL, 80.0)) == {}


def test_retired_server_ids_are_not_accepted() -> None:
    pool = made(replace(PARAMS, retired_server_ids=(1,)))
    rounds(pool, LEVEL, 10.0, 80.0)

    assert (regressed(pool), pool.take_baselines()) == ({}, ())
    assert pool.accept_baselines() == []


def fails(*_: object) -> Any:
    raise KeyError("an error in a check")


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        pytest.param(fails, "cannot make a new baseline", id="making it"),
        pytest.param(
            lambda *_: NewBaseline[Any](summary="", replaced={}, counted=fails),
            "cannot count by its new baseline",
            id="counting by it",
        ),
    ],
)
def test_an_error_in_a_check_of_another_package_ends_nothing(
    hook: object, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    plain = planned("replication", PARAMS)
    broken = replace(plain.check, new_baseline=hook)
    wrong = ConfiguredCheck(broken, plain.params, plain.effect)
    pool = Pool(cluster(planned("connect"), wrong, servers=4), Memory())
    with caplog.at_level(logging.ERROR):
        rounds(pool, dict.fromkeys(NAMES, NEW), 0.0)
        rounds(pool, LEVEL, 10.0, 80.0)

    assert regressed(pool) == TOLD
    assert pool.take_baselines() == ()
    assert message in caplog.text
