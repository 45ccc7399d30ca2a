"""A report with one of each. `example.md` has it as a whole; this module writes it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ldaphealth.history.incident import Incident
from ldaphealth.report.document import OutageDetail, period_document
from ldaphealth.report.markdown import markdown
from ldaphealth.report.outages import outages_of
from ldaphealth.text.moment import moment
from tests.report.changes import SINCE, UNTIL, change, gathered, reason

FILE = Path(__file__).with_name("example.md")
MINUTE = 60.0
BEGAN, ENDED = 36_000.0, 36_720.0  # ldap2 is out of service from 18:00 on for 12 minutes
TIMEOUT = reason(
    "bind.timeout",
    "no answer within 2 s to the bind as cn=ldaphealth,dc=example,dc=com",
    remedy="on ldap2: `systemctl status slapd`, `journalctl -u slapd -n 100`, and `uptime`",
)
SLOW = reason("latency.slow", "90% of search operations take at most 1.31 s", removes=False)
DRAIN = {
    "action": "drain",
    "by": "alice",
    "reason": "new kernel, ticket #4711",
    "until": "2027-01-15T12:00:00.000Z",
}
FLOOR = {
    "in_service": True,
    "held_by": "floor",
    "held": "held by floor (kept in: too few servers would remain)",
}
BASELINE = {
    "at": moment(SINCE + 50_000, "milliseconds"),
    "baseline": {
        "cluster": "c",
        "check": "replication",
        "accepted_by": "operator",
        "summary": "001 from 20270115100000Z to 20270115060000Z",
    },
}
CHANGES = [
    change(3600, "c/ldap1", in_service=False, override_in_force=DRAIN, held_by="override"),
    change(5400, "c/ldap1", override_ended=DRAIN | {"taken_back_by": "bob"}),
    change(BEGAN - 9, "c/ldap2", TIMEOUT, in_service=True, held_by="settle", held=""),
    change(BEGAN, "c/ldap2", TIMEOUT),
    change(BEGAN + 30, "c/ldap3", SLOW, **FLOOR),
    change(ENDED, "c/ldap2", was_in_service=False),
    change(ENDED + 20, "c/ldap3"),
    BASELINE,
    change(80_000, "c/ldap3", was_in_service=None),
]
SEEN: dict[str, Any] = {
    "server": "c/ldap2",
    "uri": "ldap://192.0.2.12",
    "seen": [
        {
            "check": "bind",
            "age_seconds": 0.4,
            "duration_seconds": 2.0,
            "timings": {},
            "facts": {},
            "failure": {"detail": TIMEOUT["summary"]},
        }
    ],
    "judged": [
        {
            "check": "bind",
            "code": "timeout",
            "state": "CRITICAL",
            "trust": "hard",
            "summary": TIMEOUT["summary"],
            "metrics": [],
            "remedy": TIMEOUT["remedy"],
            "effect": "out",
        }
    ],
    "guarded": {
        "in_service": False,
        "since_seconds": 0.0,
        "good_rounds": 0,
        "bad_rounds": 3,
        "went_out_lately": 1,
        "weight_share": 1.0,
        "leaning_rounds": 0,
        "leaning_to_share": 1.0,
        "failing_checks": ["bind"],
        "silent_seconds": 5.0,
        "settle": {},
        "held_by": "",
    },
    "held": None,
}


def periods(first: float, heights: str) -> list[dict[str, Any]]:
    """Return a period of five minutes for each digit, in tenths of a second."""
    return [
        {
            "start": moment(SINCE + first + at * 5 * MINUTE),
            "seconds": 5 * MINUTE,
            "quantile_seconds": int(digit) / 10,
        }
        for at, digit in enumerate(heights)
    ]


def binds() -> dict[str, Any]:
    """Return how long binds took around the outage."""
    return {
        "check": "bind",
        "quantile": 0.99,
        "since": moment(SINCE + BEGAN - 60 * MINUTE),
        "until": moment(SINCE + ENDED + 60 * MINUTE),
        "by_seconds": 300,
        "servers": [
            {
                "server": server,
                "quantile_seconds": max(map(int, heights)) / 10,
                "count": 1234,
                "periods": periods(BEGAN - 60 * MINUTE, heights),
            }
            for server, heights in (
                ("c/ldap1", "11111111111112111111111111"),
                ("c/ldap2", "11111111112399921111111111"),
                ("c/ldap3", "11111111111123332211111111"),
            )
        ],
    }


def text() -> str:
    """Return the report."""
    incident = Incident(
        id=3,
        target="c/ldap2",
        began=SINCE + BEGAN - 95,
        ended=SINCE + ENDED,
        note="logins hung, ticket #4712",
        by="carol",
    )
    start = {
        "at": moment(SINCE + 80_000),
        "clusters": ["c"],
        "program": "0.2.0",
        "is_start": True,
        "silent_seconds": 75.0,
    }
    first = {f"c/ldap{number}": change(-600, f"c/ldap{number}") for number in (1, 2, 3)}
    found = gathered(CHANGES, before=first, incidents=[incident], times=[binds()], starts=[start])
    outages = outages_of(found)
    around = {"by_seconds": 300, "periods": periods(BEGAN - 30 * MINUTE, "112399921111")}
    times = {"before": 0.1, "during": 1.9, "after": 0.1, "around": around}
    verdict = CHANGES[3]["verdict"]
    detail = OutageDetail(seen=SEEN | {"verdict": verdict}, check="bind", times=times)
    details = [(each, OutageDetail() if each.is_ordered else detail) for each in outages]
    assert found.until == UNTIL
    return markdown(period_document(found, outages, details))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
