"""The events of a period in one order, and what is left out of too many."""

from __future__ import annotations

from ldaphealth.history.incident import Incident
from ldaphealth.report.timeline import LEFT_OUT, Rank, timeline
from tests.report.changes import DRAIN, SINCE, change, gathered, reason

SLOW = reason("search.slow", "0.4 s", removes=False, state="WARNING")
BASELINE = {
    "at": "2027-01-15T08:00:50.000Z",
    "baseline": {
        "cluster": "c",
        "check": "replication",
        "accepted_by": "operator",
        "summary": "restored",
    },
}
SHADOW = {
    "at": "2027-01-15T08:00:51.000Z",
    "shadow": {"server": "c/a", "agrees": False, "would": "would be out of service"},
}
START = {
    "at": "2027-01-15T08:00:05Z",
    "clusters": ["c", "d"],
    "program": "0.2",
    "is_start": True,
    "silent_seconds": 75.0,
}


def test_all_kinds_of_events_are_in_one_order() -> None:
    incident = Incident(id=3, target="c", began=SINCE - 5, ended=SINCE + 55, note="slow")
    found = timeline(
        gathered(
            [
                change(10, "c/a", was_in_service=None),
                change(20, "c/a", SLOW),
                change(30, "c/a", reason("bind.timeout")),
                change(40, "c/a", in_service=False, override_in_force=DRAIN, held_by="override"),
                BASELINE,
                SHADOW,
            ],
            incidents=[incident],
            starts=[START],
        ),
        100,
    )

    words = [(each.subject, each.what, each.why) for each in found.events]
    assert words == [
        (
            "",
            "the agent began to watch c and d",
            "ldaphealth 0.2; nothing was recorded for 1 min 15 s before",
        ),
        ("c/a", "first verdict: in service, OK", ""),
        ("c/a", "still in service, WARNING", "`search.slow`: 0.4 s"),
        ("c/a", "out of service, CRITICAL", "`bind.timeout`: no answer within 2 s"),
        ("c/a", "out of service, OK", "drained by alice until 2027-01-15T12:00:00Z: new kernel"),
        ("c", "new baseline of replication, by an operator", "restored"),
        ("c/a", "shadow: would be out of service", ""),
        ("c", "incident 3 ended", "slow"),
    ]
    assert found.left_out == {}


def test_what_matters_least_and_is_oldest_is_left_out_first() -> None:
    removal = change(1, "c/a", reason("bind.timeout"))
    noise = [change(10 + at, "c/b", SLOW) for at in range(9)]
    found = timeline(gathered([removal, *noise]), 4)

    assert [each.subject for each in found.events] == ["c/a", "c/b", "c/b", "c/b"]
    assert found.events[-1].at == SINCE + 18
    assert found.left_out == {Rank.STATE: 6}
    assert found.document()["left_out"] == {LEFT_OUT[Rank.STATE]: 6}


def test_a_hold_that_only_waited_for_the_others_is_no_event() -> None:
    timeout = reason("bind.timeout")
    held = change(10, "c/a", timeout, in_service=True, held_by="blind")
    found = timeline(gathered([held, change(10.4, "c/a", timeout)]), 10)

    assert [each.what for each in found.events] == ["out of service, CRITICAL"]


def test_a_restart_of_the_agent_is_no_change_of_service_of_its_servers() -> None:
    before = {"c/a": change(-90, "c/a"), "c/b": change(-90, "c/b", reason("bind.timeout"))}
    restarted = [change(10, name, was_in_service=None) for name in before]
    found = timeline(gathered(restarted, before=before), 10)

    assert [(each.subject, each.what, each.rank) for each in found.events] == [
        ("c/a", "first verdict: in service, OK", Rank.STATE),
        ("c/b", "first verdict: in service, OK", Rank.SERVICE),
    ]
