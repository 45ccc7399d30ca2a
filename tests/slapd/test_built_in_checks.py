"""Each check that is on by default sees in a healthy slapd what its judge takes for well."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.checks import BUILT_IN, OFF_WITHOUT_SETTINGS
from ldaphealth.config import load
from ldaphealth.judging.judge import judge
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.summaries import summaries
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import State
from ldaphealth.rounds.probe import probe_server

pytestmark = pytest.mark.slapd


def test_the_checks_that_are_on_by_default_find_nothing_in_a_healthy_cluster(config: Path) -> None:
    cluster = load(config).clusters["c"]
    recent = RecentObservations()
    seen = probe_server(cluster.servers[0], cluster.round_checks, Deadline.after(10.0))
    for each in seen:
        recent.add(each)
    summarized = [*summaries(cluster.checks, seen)]
    for each in summarized:
        recent.add_summary(each)

    surveys = {name for name, check in BUILT_IN.items() if check.survey is not None}
    on = {*BUILT_IN} - OFF_WITHOUT_SETTINGS - surveys
    assert {each.check for each in [*seen, *summarized]} == on
    assert [each for each in seen if each.failure is not None] == []
    assert [
        each for each in judge(cluster, recent, one_shot=True) if each.state is State.CRITICAL
    ] == []
