"""The judgement of the time that a check's operations took, which many checks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldaphealth.check import View
from ldaphealth.judging.thresholds import Thresholds
from ldaphealth.model import Finding, Metric, State

if TYPE_CHECKING:
    from ldaphealth.model import F


SECONDS_METRIC = "{check}_seconds"


def judge_seconds(
    view: View[F], thresholds: Thresholds, what: str = "", besides: tuple[Metric, ...] = ()
) -> list[Finding]:
    """Return one finding on the total time of all operations of the newest observation.

    `what` is appended to the summary of an OK finding. `besides` are more metrics of the finding.
    """
    seconds = sum(view.latest.timings.values())
    metrics = (*besides, thresholds.metric(SECONDS_METRIC.format(check=view.check), seconds))
    state = thresholds.state(seconds)
    took = f"{view.check} took {seconds:.3f} s"
    if state is State.OK:
        return [view.finding(state, "ok", f"{took}{what}", metrics)]
    limit = thresholds.critical if state is State.CRITICAL else thresholds.warning
    return [view.finding(state, "slow", f"{took}, more than {limit} s", metrics)]
