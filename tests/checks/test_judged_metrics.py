"""`judged_metrics`: a threshold finds nothing unless it alerts for that metric of a finding."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.model import State
from tests.checks.seen import Case
from tests.checks.test_reason_codes import TABLES

CHECKS = sorted(name for name, each in BUILT_IN.items() if each.judged_metrics)
NEVER = Thresholds()


def cases(check: str) -> list[Case]:
    """Return the rows of all tables of judges that are of this check."""
    every = [case for table in TABLES for case in table.values()]
    return [each for each in every if isinstance(each.params, BUILT_IN[check].params)]


@pytest.mark.parametrize("name", CHECKS)
def test_a_threshold_that_alerts_for_no_metric_finds_nothing(name: str) -> None:
    check, random, alerted = BUILT_IN[name], Random(1), 0  # noqa: S311  not for a secret
    found = cases(name)
    assert found
    for case in found:
        for key, pattern in check.judged_metrics.items():
            metric = pattern.format(check=case.view.check)
            without = [*check.judge(case.view, replace(case.params, **{key: NEVER}))]
            if any(each.state is not State.OK for each in without):
                continue
            for _ in range(20):
                end = random.choice((random.uniform(0, 1), random.uniform(0, 10), 100.0))
                inside = random.random() < 0.2
                limits = Thresholds(warning=Range(end=end, inside_alerts=inside))
                findings = [*check.judge(case.view, replace(case.params, **{key: limits}))]
                values = [
                    each.value for one in findings for each in one.metrics if each.name == metric
                ]
                if any(limits.state(each) is not State.OK for each in values):
                    alerted += 1
                else:
                    assert all(each.state is State.OK for each in findings), (key, limits, findings)
    assert alerted or name == "session"


def test_all_are_thresholds_of_their_checks() -> None:
    for name in CHECKS:
        check = BUILT_IN[name]
        assert {*check.judged_metrics} <= {*check.params.__struct_encode_fields__}
