"""What is kept of each check: as its row states, and by the largest window of its settings."""

from __future__ import annotations

import logging
from math import inf

import pytest
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.latency import Params as LatencyParams
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.retention import retentions
from ldaphealth.settings import ConfiguredCheck
from tests.checks.seen import planned, saw, server


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_window_is_a_setting_in_seconds(name: str) -> None:
    check = BUILT_IN[name]
    if check.window_setting:
        assert check.window_setting.endswith("_seconds")
        assert check.window_setting in check.params.__struct_fields__


def test_the_window_is_the_largest_of_those_of_the_servers() -> None:
    latency = planned("latency", LatencyParams(window_seconds=20.0))
    own = {"c/s0": LatencyParams(window_seconds=90.0), "c/s1": LatencyParams(window_seconds=5.0)}
    kept = retentions([latency, planned("session")])

    assert kept["latency"].window_seconds == 20.0
    assert retentions([replace(latency, own_params=own)])["latency"].window_seconds == 90.0
    assert kept["session"].window_seconds == inf


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


def test_a_window_that_is_no_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="'windows' is not one of its settings"):
        replace(BUILT_IN["latency"], window_setting="windows")
