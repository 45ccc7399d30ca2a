"""The outages of a report are those of the availability, with the verdicts in them."""

from __future__ import annotations

from ldaphealth.history.incident import Incident
from ldaphealth.report.holds import held_verdicts, overrides
from ldaphealth.report.incident_times import incident_entry
from ldaphealth.report.outages import most_important, outages_of
from tests.report.changes import DRAIN, SINCE, UNTIL, change, gathered, reason

TIMEOUT = reason("bind.timeout")
CHANGES = [
    change(0, "c/a", was_in_service=None),
    change(100, "c/a", TIMEOUT),
    change(130, "c/a", TIMEOUT, reason("search.timeout")),
    change(160, "c/a"),
    change(1000, "c/a", in_service=False, override_in_force=DRAIN, held_by="override"),
    change(9000, "c/a", override_ended=DRAIN | {"taken_back_by": "bob"}),
]


def test_an_outage_has_all_verdicts_in_it() -> None:
    first, second = outages_of(gathered(CHANGES))

    assert (first.outage.began - SINCE, first.outage.seconds) == (100, 60)
    assert [each["verdict"]["reasons"][0]["code"] for each in first.changes] == [
        "bind.timeout",
        "bind.timeout",
    ]
    assert (first.is_ordered, second.is_ordered) == (False, True)


def test_an_outage_of_before_has_the_verdict_of_before() -> None:
    (found,) = outages_of(gathered([], before={"c/a": change(-500, "c/a", TIMEOUT)}))

    assert (found.outage.has_begun, found.outage.has_ended) == (False, False)
    assert found.outage.seconds == UNTIL - SINCE
    assert found.changes[0]["verdict"]["reasons"][0]["code"] == "bind.timeout"


def test_the_shortest_and_ordered_ones_are_left_out_first() -> None:
    outages = outages_of(gathered(CHANGES))

    assert most_important(outages, 1) == outages[:1]
    assert most_important(outages, 5) == outages


def test_an_override_has_its_beginning_its_end_and_who_ended_it() -> None:
    (found,) = overrides(gathered(CHANGES))

    assert (found["server"], found["by"], found["reason"]) == ("c/a", "alice", "new kernel")
    assert found["began"] == "2027-01-15T08:16:40.000Z"
    assert (found["ended"], found["taken_back_by"]) == ("2027-01-15T10:30:00.000Z", "bob")


def test_holds_of_one_rule_are_added_up() -> None:
    slow = reason("search.slow", removes=False)
    held = {"in_service": True, "held_by": "floor", "held": "held by floor (kept in: x)"}
    found = held_verdicts(
        gathered(
            [
                change(0, "c/a", slow, **held),
                change(60, "c/a"),
                change(100, "c/a", slow, **held),
                change(100.5, "c/a", slow),
                change(200, "c/a", slow, **held),
                change(230, "c/a"),
            ]
        )
    )

    assert [(each["rule"], each["times"], each["seconds"]) for each in found] == [("floor", 2, 90)]
    assert (found[0]["words"], found[0]["codes"]) == ("held by floor (kept in: x)", ["search.slow"])


def test_an_incident_says_who_was_out_in_it_and_how_soon() -> None:
    outages = outages_of(gathered(CHANGES))
    whole = Incident(id=1, target="c", began=SINCE + 90, ended=SINCE + 130, note="slow")
    other = Incident(id=2, target="c/b", began=SINCE + 90, ended=None, note="slow")

    found = incident_entry(whole, outages, UNTIL)
    assert (found["out_seconds"], found["found_after_seconds"]) == ({"c/a": 30.0}, 10.0)
    none = incident_entry(other, outages, UNTIL)
    assert (none["out_seconds"], none["found_after_seconds"]) == ({}, None)
