"""`judged_metrics`: a threshold finds nothing unless it alerts for a metric of other findings."""

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


def any_limits(random: Random, key: str) -> Thresholds:
    """Return limits that alert for much, or never; those of `behind` do not alert for nothing."""
    end = random.choice((random.uniform(0, 1), random.uniform(0, 10), random.uniform(0, 1000)))
    inside = random.random() < 0.2 and key != "behind"
    never = random.random() < 0.2
    return Thresholds() if never else Thresholds(warning=Range(end=end, inside_alerts=inside))


def cases(check: str) -> list[Case]:
    """Return the rows of all tables of judges that are of this check in the agent."""
    every = [case for table in TABLES for case in table.values() if not case.view.one_shot]
    return [each for each in every if isinstance(each.params, BUILT_IN[check].params)]


@pytest.mark.parametrize("name", CHECKS)
def test_a_threshold_that_alerts_for_no_metric_finds_nothing(name: str) -> None:
    check, random, alerted = BUILT_IN[name], Random(1), 0  # noqa: S311  not for a secret
    found = cases(name)
    assert found
    for case in found:
        for key, patterns in check.judged_metrics.items():
            metrics = [each.format(check=case.view.check) for each in patterns]
            for _ in range(40):
                before, limits = (any_limits(random, key) for _ in range(2))
                seen = [*check.judge(case.view, replace(case.params, **{key: before}))]
                if any(each.state is not State.OK for each in seen):
                    continue
                findings = [*check.judge(case.view, replace(case.params, **{key: limits}))]
                values = [
                    each.value for one in seen for each in one.metrics if each.name in metrics
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
