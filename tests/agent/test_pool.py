"""A pool judges rounds and surveys. Errors in a third party's check do not end the agent."""

from __future__ import annotations

import logging

import pytest
from msgspec.structs import replace

from ldaphealth.agent.pool import Pool
from ldaphealth.check import AnyView
from ldaphealth.guard import Memory, Override, RoundPeriod
from ldaphealth.model import Finding, State
from ldaphealth.publishers.publication import VerdictChange, ended_override_document
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.survey import SurveyResult
from tests.agent.surveys import NAME, Facts, surveying, then
from tests.checks.seen import cluster, planned, saw


def stumbles(earlier: object, later: object) -> bool:
    raise KeyError(earlier, later)


@pytest.mark.parametrize(("function", "least", "most"), [("covers", 1, 128), ("merged", 9, 9)])
def test_a_check_that_cannot_compare_its_reads_ends_nothing(
    function: str, least: int, most: int, caplog: pytest.LogCaptureFixture
) -> None:
    connect = planned("connect")
    check = replace(connect.check, **{function: stumbles})
    wrong = ConfiguredCheck(check, connect.params, connect.effect)
    pool = Pool(cluster(wrong), Memory())
    with caplog.at_level(logging.ERROR):
        for at in range(200):
            pool.add_round("c/s0", [saw("connect", at=float(at))], RoundPeriod(began=at, ended=at))

    assert pool.decide(200.0)[1] == {"c/s0"}
    kept = [each.started_at for each in pool.recent.of_check("connect")["c/s0"]]
    assert kept == [float(at) for at in range(200 - len(kept), 200)]
    assert least <= len(kept) <= most
    assert "check connect cannot compare two reads" in caplog.text


def overridden(pool: Pool, override: Override | None, by: str = "") -> list[VerdictChange]:
    pool.override("c/s0", override, by)
    return pool.decide(3.0)[0]


def test_an_override_is_in_the_verdict_and_its_end_names_who_took_it_back() -> None:
    pool = Pool(cluster(planned("connect")), Memory())
    pool.add_round("c/s0", [saw("connect")], RoundPeriod(began=0.0, ended=0.0))
    pool.decide(1.0)
    drain = Override("drain", 90.0, "new kernel", "alice", 1_800_000_000.0)

    (set_,) = overridden(pool, drain)
    assert (set_.after.override, ended_override_document(set_)) == (drain.note, None)
    (later,) = overridden(pool, replace(drain, until=99.0, reason="still at it"))
    ended = ended_override_document(later)
    assert ended is not None
    assert (ended["reason"], ended["taken_back_by"]) == ("new kernel", "")
    (removed,) = overridden(pool, None, "bob")
    assert removed.after.override is None
    assert ended_override_document(removed) == {
        "action": "drain",
        "by": "alice",
        "reason": "still at it",
        "until": "2027-01-15T08:00:00.000Z",
        "taken_back_by": "bob",
    }


def test_an_override_that_expires_was_taken_back_by_nobody() -> None:
    pool = Pool(cluster(planned("connect")), Memory())
    pool.add_round("c/s0", [saw("connect")], RoundPeriod(began=0.0, ended=0.0))
    pool.override("c/s0", Override("drain", 5.0, "new kernel", "alice"))
    pool.decide(1.0)

    (change,) = pool.decide(6.0)[0]
    ended = ended_override_document(change)

    assert ended is not None
    assert (ended["by"], ended["taken_back_by"]) == ("alice", "")


def test_a_survey_that_lands_is_judged_alone_and_the_other_opinions_stay() -> None:
    judged: list[str] = []

    def judge(view: AnyView, _: object) -> list[Finding]:
        judged.append(view.server.id)
        return [view.finding(State.WARNING, "slow", "a sentence")]

    connect = planned("connect")
    noting = ConfiguredCheck(replace(connect.check, judge=judge), connect.params, connect.effect)
    asked = surveying(then(SurveyResult({})))
    pool = Pool(replace(asked, checks=(noting, *asked.surveys)), Memory())
    for name in ("c/s0", "c/s1"):
        pool.add_round(
            name, [replace(saw("connect"), server=name)], RoundPeriod(began=0.0, ended=0.0)
        )
    pool.decide(1.0)
    for bad in (True, False, True):
        pool.add_survey([saw(NAME, Facts(bad=bad))])
        pool.decide(2.0)

    assert judged == ["c/s0", "c/s1"]
    assert [reason.code for reason in pool.verdicts["c/s0"].reasons] == [
        f"{NAME}.bad",
        "connect.slow",
    ]
