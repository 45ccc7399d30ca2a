"""A floor that is broken is named with its numbers, and why the floor does not hold."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from ldaphealth.live.broken_floor import broken_floors
from ldaphealth.model import Finding, State, Trust, Verdict
from tests.checks.seen import cluster

IN = Verdict(server="c/s0", state=State.OK, in_service=True, weight=100)
OUT = Verdict(server="c/s0", state=State.CRITICAL, in_service=False, weight=0)
DEAD = Finding(
    server="c/s0",
    check="connect",
    state=State.CRITICAL,
    code="connect",
    summary="",
    trust=Trust.HARD,
)
COUNTED = "c: 1 of 4 servers in service, fewer than min_in_service (2)"
CODE, NOT_KNOWN = "connect.connect", "out, and nothing new is known"
KINDS: Mapping[str, Verdict] = {
    "in": IN,
    "dead": replace(OUT, findings=(DEAD,)),
    "drained": replace(OUT, held_by="override", draining=True),
    "forced": replace(OUT, held_by="override", findings=(DEAD,)),
    "unknown": OUT,
}


@pytest.mark.parametrize(
    ("kinds", "line"),
    [
        (["in", "in", "dead", "drained"], ""),
        (["in", "", "", ""], ""),
        (["in", "", "dead", "dead"], ""),
        (
            ["in", "dead", "drained", "forced"],
            f"{COUNTED}; out by override: s2 (drain), s3 (force-out); no LDAP service: s1 ({CODE})",
        ),
        (
            ["unknown", "dead", "dead", "in"],
            f"{COUNTED}; no LDAP service: s1 ({CODE}), s2 ({CODE}); {NOT_KNOWN}: s0",
        ),
    ],
)
def test_it_is_broken_if_too_many_are_out(kinds: list[str], line: str) -> None:
    pool = replace(cluster(servers=4), min_in_service=2)
    verdicts = {
        f"c/s{number}": replace(KINDS[kind], server=f"c/s{number}")
        for number, kind in enumerate(kinds)
        if kind
    }

    assert [each.summary for each in broken_floors([pool], verdicts)] == ([line] if line else [])


def test_the_line_is_bounded() -> None:
    pool = replace(cluster(servers=300), min_in_service=150)
    verdicts = {each.id: replace(KINDS["dead"], server=each.id) for each in pool.servers}

    (broken,) = broken_floors([pool], verdicts)

    assert (broken.cluster, broken.in_service, broken.min_in_service) == ("c", 0, 150)
    assert broken.summary.endswith("and 292 more")
    assert len(broken.summary) < 400
