"""What a check of a third party may get wrong without an end of the agent."""

from __future__ import annotations

import logging

import pytest
from msgspec.structs import replace

from ldaphealth.check import Facts, Planned
from ldaphealth.guard import Memory, Round
from ldaphealth.pool import Pool
from tests.checks.seen import cluster, planned, saw


def stumbles(earlier: Facts, later: Facts) -> bool:
    raise KeyError(earlier["none"], later)


def test_a_check_that_cannot_compare_its_reads_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connect = planned("connect")
    wrong = Planned(replace(connect.check, covers=stumbles), connect.params, connect.effect)
    pool = Pool(cluster(wrong), Memory())
    with caplog.at_level(logging.ERROR):
        for at in range(200):
            pool.land("c/s0", [saw("connect", at=float(at))], Round(at, at))

    assert pool.decide(200.0)[1] == {"c/s0"}
    assert len(pool.history.of_check("connect")["c/s0"]) <= 128
    assert "check connect cannot compare two reads" in caplog.text
