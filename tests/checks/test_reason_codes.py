"""The codes that the tables produce are the codes of the table of reason codes, and no others.

A reason code is part of the product: one that is not written down cannot be relied upon, and one
that nothing produces is a promise that nobody keeps.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ldap3.core.results import RESULT_CODES

from ldaphealth.checks import BUILT_IN
from ldaphealth.judging.judge import judge
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.model import CheckEffect, Finding, State
from ldaphealth.reason_codes import REASON_CODES, RESULT_CODE, ReasonCode
from tests.checks import (
    test_bind,
    test_certificate,
    test_compare,
    test_consumer,
    test_content,
    test_counters,
    test_duration,
    test_entry_count,
    test_forecast,
    test_latency,
    test_login,
    test_monitor,
    test_propagation,
    test_replication,
    test_resources,
    test_search,
    test_session,
    test_traffic,
    test_workload,
    test_write,
)
from tests.checks.seen import Case, cluster, judged, planned, saw
from tests.judging import test_judge

ROOT = Path(__file__).parents[2]
TABLES: tuple[dict[str, Case], ...] = (
    test_duration.CASES,
    test_search.CASES,
    test_compare.CASES,
    test_write.CASES,
    test_monitor.CASES,
    test_monitor.IN_FLIGHT_CASES,
    test_counters.CASES,
    test_replication.CASES,
    test_latency.CASES,
    test_login.CASES,
    test_consumer.CASES,
    test_content.CASES,
    test_resources.CASES,
    test_entry_count.CASES,
    test_certificate.CASES,
    test_bind.CASES,
    test_propagation.CASES,
    test_session.CASES,
    test_traffic.CASES,
    test_workload.CASES,
    test_forecast.CASES,
)
ROWS = {row.code: row for row in REASON_CODES}


def found_by_checks() -> list[Finding]:
    """Return the findings of the checks' own judges, but those that are well."""
    cases = [case for table in TABLES for case in table.values()]
    found = [each for case in cases for each in judged(case.view, case.params)]
    return [each for each in found if each.code != "ok"]


def found_of_failures() -> list[Finding]:
    """Return the findings of the judge of failures."""
    found = []
    for row in test_judge.FAILURES.values():
        recent = RecentObservations()
        recent.add(saw(row.check, failure=row.failure))
        one = cluster(planned(row.check, params=object(), effect=CheckEffect.OUT))
        found += judge(one, recent, one_shot=True)
    return found


def is_of_rfc_4511(code: str) -> bool:
    return code in RESULT_CODES.values() or code.startswith("resultCode")


@pytest.mark.parametrize("finding", found_by_checks(), ids=lambda each: f"{each.check}.{each.code}")
def test_a_finding_is_as_its_row_says(finding: Finding) -> None:
    row = ROWS[finding.code]

    assert finding.state in row.states
    assert not row.checks or finding.check in row.checks
    assert finding.state is State.OK or finding.trust in row.trusts


@pytest.mark.parametrize("finding", found_of_failures(), ids=lambda each: each.code)
def test_a_failure_is_as_its_row_says(finding: Finding) -> None:
    row = ROWS.get(finding.code)
    if row is None:
        assert is_of_rfc_4511(finding.code)
        row = RESULT_CODE

    assert finding.state in row.states
    assert finding.trust in row.trusts


def test_each_row_is_of_something_that_is_found() -> None:
    found = {each.code for each in (*found_by_checks(), *found_of_failures())}

    assert {code for code in ROWS if not is_of_rfc_4511(code)} <= found


@pytest.mark.parametrize("row", [*REASON_CODES, RESULT_CODE], ids=lambda each: each.code)
def test_a_row_is_complete(row: ReasonCode) -> None:
    assert {*row.checks} <= {*BUILT_IN}
    assert row.states
    assert bool(row.trusts) is (row.states != (State.OK,))
    assert row.remedy
    assert "|" not in row.means


def test_a_code_has_one_row() -> None:
    assert len(ROWS) == len(REASON_CODES) > 40


def test_the_document_is_up_to_date() -> None:
    script = ROOT / "scripts" / "reason_codes_reference.py"
    done = subprocess.run([sys.executable, script, "--check"], timeout=60, check=False)

    assert done.returncode == 0, "run `make docs`"


@pytest.mark.parametrize("check", BUILT_IN)
def test_the_tables_judge_every_built_in_check(check: str) -> None:
    assert check in {case.view.check for table in TABLES for case in table.values()}


def test_ok_is_the_code_of_what_is_well_and_of_nothing_else() -> None:
    cases = [case for table in TABLES for case in table.values()]
    found = [finding for case in cases for finding in judged(case.view, case.params)]
    codes_when_well = {finding.code for finding in found if finding.state is State.OK}

    assert codes_when_well == {"ok", "collecting", "idle", "not_applicable"}
    assert {finding.state for finding in found if finding.code == "ok"} == {State.OK}
