"""The codes that the tables produce are the codes that docs/verdicts.md lists, and no others.

A reason code is part of the product: one that is not written down cannot be relied upon, and one
that nothing produces is a promise that nobody keeps.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ldaphealth.checks import BUILT_IN
from ldaphealth.judging.judge import judge
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.model import CheckEffect, State
from tests.checks import (
    test_certificate,
    test_compare,
    test_consumer,
    test_content,
    test_duration,
    test_latency,
    test_monitor,
    test_propagation,
    test_replication,
    test_resources,
    test_search,
    test_session,
    test_write,
)
from tests.checks.seen import Case, cluster, judged, planned, saw
from tests.judging import test_judge

DOCUMENT = Path(__file__).parents[2] / "docs" / "verdicts.md"
TABLES: tuple[dict[str, Case], ...] = (
    test_duration.CASES,
    test_search.CASES,
    test_compare.CASES,
    test_write.CASES,
    test_monitor.CASES,
    test_replication.CASES,
    test_latency.CASES,
    test_consumer.CASES,
    test_content.CASES,
    test_resources.CASES,
    test_certificate.CASES,
    test_propagation.CASES,
    test_session.CASES,
)
# RFC 4511 4.1.9, and what codec.py calls a number that has no name there.
RESULT_CODE = re.compile(
    "busy|unavailable|invalidCredentials|noSuchObject|protocolError|insufficientAccessRights"
    "|unwillingToPerform|resultCode[0-9]+"
)


def documented() -> set[str]:
    """Return the codes of the table: all that is quoted in its rows."""
    _, table = DOCUMENT.read_text(encoding="utf-8").split("## Reason codes")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    return {quoted for row in rows for quoted in re.findall(r"`([^`]+)`", row)}


def of_checks() -> set[str]:
    """Return the codes of the checks' own judges."""
    cases = [case for table in TABLES for case in table.values()]
    return {finding.code for case in cases for finding in judged(case.view, case.params)}


def of_failures() -> set[str]:
    """Return the codes of the judge of failures."""
    codes = set()
    for row in test_judge.FAILURES.values():
        recent = RecentObservations()
        recent.add(saw(row.check, failure=row.failure))
        one = cluster(planned(row.check, params=object(), effect=CheckEffect.OUT))
        codes |= {finding.code for finding in judge(one, recent, one_shot=True)}
    return codes


def test_every_code_that_can_be_told_is_documented() -> None:
    told = of_checks() | {code for code in of_failures() if not RESULT_CODE.fullmatch(code)}

    assert told - {"ok"} - documented() == set()


def test_every_documented_code_is_told_by_something() -> None:
    assert documented() - of_checks() - of_failures() == set()


def test_the_documented_codes_are_found_in_the_table() -> None:
    some = {"timeout", "slow", "split", "no_access", "collecting", "idle", "compareFalse"}

    assert some <= documented()
    assert len(documented()) > 25


@pytest.mark.parametrize("check", BUILT_IN)
def test_the_tables_judge_every_built_in_check(check: str) -> None:
    assert check in {case.view.check for table in TABLES for case in table.values()}


def test_ok_is_the_code_of_what_is_well_and_of_nothing_else() -> None:
    cases = [case for table in TABLES for case in table.values()]
    found = [finding for case in cases for finding in judged(case.view, case.params)]
    codes_when_well = {finding.code for finding in found if finding.state is State.OK}

    assert codes_when_well == {"ok", "collecting", "idle", "not_applicable"}
    assert {finding.state for finding in found if finding.code == "ok"} == {State.OK}
