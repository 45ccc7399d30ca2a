"""What is kept of each check, as its row states; an error in it ends nothing."""

from __future__ import annotations

import logging

import pytest
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.retention import retentions
from ldaphealth.settings import ConfiguredCheck
from tests.checks.seen import planned, saw, server


def stumbles(earlier: object, later: object) -> object:
    raise KeyError(earlier, later)


def test_a_check_that_cannot_merge_its_reads_keeps_the_newest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connect = planned("connect")
    wrong = ConfiguredCheck(replace(connect.check, merged=stumbles), connect.params, connect.effect)
    recent = RecentObservations(retentions([wrong]))
    with caplog.at_level(logging.ERROR):
        for at in range(20):
            recent.add(saw("connect", at=float(at)))
    own = recent.view(server(), "connect", one_shot=False).own

    assert [each.started_at for each in own] == [float(at) for at in range(11, 20)]
    assert "check connect cannot compare two reads" in caplog.text


def test_a_check_with_two_ways_to_keep_older_reads_is_refused() -> None:
    with pytest.raises(TypeError, match="has merged and covers"):
        replace(BUILT_IN["replication"], merged=stumbles)
