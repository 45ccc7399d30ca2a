"""Clocks are compared by intervals in which the difference is for certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.checks.write import Facts as WriteFacts
from ldaphealth.clocks import EpochSeconds
from ldaphealth.doctor import clock
from ldaphealth.doctor.clock import ClockReading
from ldaphealth.doctor.clocks import examine_clocks
from ldaphealth.doctor.facts import ClusterFacts
from ldaphealth.doctor.problem import Importance
from ldaphealth.model import Observation
from tests.doctor.facts_of import cluster_of, facts_of

AT = 1_700_000_000.0
SHOWN = "20231114221320Z"  # the same moment
CSN = "20231114221320.500000Z#000000#001#000000"


def written(at: float, token: str, found: str, csn: str) -> Observation[WriteFacts]:
    facts = WriteFacts(
        canary="ours", matched=True, token=token, found_token=found, found_csn=csn, forwarded=None
    )
    return Observation(
        server="c/ldap1", check="write", started_at=at, duration_seconds=0.01, facts=facts
    )


@pytest.mark.parametrize("ahead", [-3600.0, -1.5, 0.0, 0.4, 86_400.0])
def test_the_difference_is_within_the_reading_of_cn_monitor(ahead: float) -> None:
    now = AT + 0.25 - ahead
    reading = clock.of_monitor(SHOWN, now - 0.01, now)

    assert reading is not None
    assert reading.least_seconds <= ahead <= reading.most_seconds
    assert reading.uncertainty_seconds == pytest.approx(0.505)


@pytest.mark.parametrize("shown", ["", "yesterday", "20231314221320Z"])
def test_what_is_no_time_is_no_reading(shown: str) -> None:
    assert clock.of_monitor(shown, AT, AT) is None


@given(st.floats(-1e5, 1e5), st.floats(0, 1))
def test_a_server_is_apart_only_if_it_is_for_certain(ahead: float, round_trip: float) -> None:
    now: EpochSeconds = AT - ahead
    reading = clock.of_monitor(SHOWN, now - round_trip, now)

    assert reading is not None
    assert reading.apart_seconds() <= abs(ahead) + 1e-6


def test_a_write_shows_the_clock_by_its_csn() -> None:
    writes = [written(100.0, "a", "", ""), written(101.0, "b", "a", CSN)]

    reading = clock.of_writes(writes, AT - 100.0)

    assert reading is not None
    assert (reading.least_seconds, reading.most_seconds) == pytest.approx((0.49, 0.5))
    assert reading.basis == "the entryCSN of its own writes"


@pytest.mark.parametrize(
    "second",
    [
        written(101.0, "b", "of another agent", CSN),
        written(101.0, "b", "a", "no CSN"),
    ],
)
def test_the_write_of_another_agent_shows_nothing(second: Observation[WriteFacts]) -> None:
    assert clock.of_writes([written(100.0, "a", "", ""), second], AT) is None


def of(seconds: float, within: float = 0.01) -> ClockReading:
    return ClockReading(seconds - within, seconds + within, "a test")


@pytest.mark.parametrize(
    ("ahead", "codes", "where"),
    [
        ((0.0, 0.1, -0.1, 0.0), [], []),
        ((0.9, 0.0, 0.0, -0.9), [], []),
        ((5.0, 0.0, 0.0, 0.0), ["clocks.server"], [("c/ldap1",)]),
        ((5.0, 0.0, -5.0, 0.0), ["clocks.server"] * 2, [("c/ldap1",), ("c/ldap3",)]),
        (
            (5.0, 5.0, 5.0, 5.0),
            ["clocks.this_host"],
            [("c/ldap1", "c/ldap2", "c/ldap3", "c/ldap4")],
        ),
        (
            (-7.0, -7.0, -7.0, 0.0),
            ["clocks.this_host", "clocks.server"],
            [("c/ldap1", "c/ldap2", "c/ldap3"), ("c/ldap4",)],
        ),
        ((50.0, 10.0, -20.0, 90.0), ["clocks.server"] * 4, [(f"c/ldap{n}",) for n in (1, 2, 3, 4)]),
    ],
)
def test_most_servers_show_whose_clock_is_wrong(
    ahead: tuple[float, ...], codes: list[str], where: list[tuple[str, ...]]
) -> None:
    cluster = ClusterFacts(
        cluster=cluster_of(4),
        clocks={f"c/ldap{n}": of(seconds) for n, seconds in enumerate(ahead, 1)},
    )

    found = examine_clocks(facts_of(cluster)).problems

    assert ([each.code for each in found], [each.where for each in found]) == (codes, where)


@pytest.mark.parametrize(
    ("seconds", "importance"), [(30.0, Importance.MEND), (90.0, Importance.BREAKS)]
)
def test_a_clock_beyond_the_limit_of_the_check_replication_breaks_it(
    seconds: float, importance: Importance
) -> None:
    cluster = ClusterFacts(
        cluster=cluster_of(2, checks=("replication",)),
        clocks={"c/ldap1": of(seconds), "c/ldap2": of(0)},
    )

    (found,) = examine_clocks(facts_of(cluster)).problems

    assert found.importance is importance
    assert "give or take 10 ms, by a test" in found.what
