"""The service of servers and clusters in a period, as JSON and as a table."""

from __future__ import annotations

import pytest

from ldaphealth.history.availability import ServiceChange
from ldaphealth.history.availability_document import availability_document
from ldaphealth.tables.availability_table import render_availability
from ldaphealth.tables.terminal import as_text
from ldaphealth.text.number import percent

SINCE = 1_800_000_000.0  # 2027-01-15T08:00:00Z
UNTIL = SINCE + 86400
CHANGES = {
    "a/ldap1": [ServiceChange(SINCE - 50, True)],
    "a/ldap2": [
        ServiceChange(SINCE, True),
        ServiceChange(SINCE + 100, False, ("search.timeout",)),
        ServiceChange(SINCE + 160, True),
        ServiceChange(UNTIL - 30, False, ("operator",)),
    ],
    "b/ldap1": [ServiceChange(SINCE + 43200, True)],
    "gone/ldap1": [ServiceChange(SINCE, False, ("connect.connect",))],
}
FOUND = availability_document(CHANGES, {"a": 2, "b": 1, "new": 1}, SINCE, UNTIL)


def test_servers_and_the_clusters_that_are_configured() -> None:
    assert [each["server"] for each in FOUND["servers"]] == sorted(CHANGES)
    assert [each["cluster"] for each in FOUND["clusters"]] == ["a", "b"]
    assert (FOUND["since"], FOUND["until"]) == ("2027-01-15T08:00:00Z", "2027-01-16T08:00:00Z")
    assert FOUND["servers"][1] == {
        "server": "a/ldap2",
        "known_seconds": 86400.0,
        "in_service_ratio": pytest.approx(1 - 90 / 86400),
        "out_seconds": 90.0,
        "outages": 2,
        "longest_outage": {
            "began": "2027-01-15T08:01:40Z",
            "seconds": 60.0,
            "causes": ["search.timeout"],
            "has_ended": True,
        },
        "removals": {"operator": 1, "search.timeout": 1},
    }
    assert FOUND["clusters"][0]["out_seconds"] == 90
    assert FOUND["servers"][0]["longest_outage"] is None


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "-"),
        (1.0, "100 %"),
        (0.999999999, "99.999 %"),
        (0.5, "50 %"),
        (0.0, "0 %"),
    ],
)
def test_a_share_is_never_rounded_up(ratio: float | None, text: str) -> None:
    assert percent(ratio) == text


def test_the_table_fits_in_80_columns() -> None:
    lines = as_text(render_availability(FOUND), width=80, colour=False).splitlines()

    assert lines[0] == "2027-01-15T08:00:00Z to 2027-01-16T08:00:00Z"
    assert [" ".join(line.split()) for line in lines[2:9]] == [
        "IN SERVICE OUT FOR OUTAGES LONGEST",
        "a/ldap1 100 % - 0 -",
        "a/ldap2 99.895 % 1 min 30 s 2 1 min",
        "longest: out since 2027-01-15T08:01:40Z (search.timeout)",
        "removed by: operator 1, search.timeout 1",
        "b/ldap1 100 % - 0 -",
        "gone/ldap1 0 % 1 d 1 1 d",
    ]
    assert max(map(len, lines)) <= 80
    assert "the history has no verdict of this period" in as_text(
        render_availability(availability_document({}, {}, SINCE, UNTIL)), width=80, colour=False
    )
