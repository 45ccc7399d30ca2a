"""Parts of the journal in which other settings would have decided nothing else. Pure.

In a steady part all servers were in service and no verdict changed. Other settings decide the
same there if no check of theirs finds what the check of that time did not. That is certain for a
check whose settings are the same, and for other thresholds of a metric whose extremes are known
(`Check.judged_metrics`). All else must be judged again.
"""

from __future__ import annotations

from typing import Any

from ldaphealth.agent.journal_summary import Numbers, PartSummary, judged_metrics
from ldaphealth.config.shadow import attribute_names
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.settings import Cluster, ConfiguredCheck


def changes_nothing(part: PartSummary, observed: Cluster, other: Cluster) -> bool:
    """Return whether the verdicts of both settings are surely the same: all servers in service.

    `other` are the observed servers and probes with other settings.
    """
    if not part.is_steady:
        return False
    if len(observed.servers) != len(other.servers):
        return False  # one matters to the others
    of_other = {each.name: each for each in other.checks}
    metrics = judged_metrics(observed)
    for each in observed.checks:
        judged = of_other.get(each.name)
        if judged is None:  # finds nothing any longer
            if each.name in part.bad:
                return False
        elif not _finds_the_same(
            each, judged, part, metrics.get(each.name, {}), part.numbers.get(each.name, {})
        ):
            return False
    return _settles_alike(part, observed, other)


def _settles_alike(part: PartSummary, observed: Cluster, other: Cluster) -> bool:
    """Return whether the rules have nothing to settle, or settle the same."""
    same = (observed.settle, observed.min_in_service) == (other.settle, other.min_in_service)
    return same or not part.bad


def _finds_the_same(
    observed: ConfiguredCheck,
    other: ConfiguredCheck,
    part: PartSummary,
    metrics: dict[str, str],
    numbers: Numbers,
) -> bool:
    changed = _changed(observed, other)
    if not changed and observed.effect is other.effect:
        return True
    if observed.name in part.bad:
        return False
    by_key = {key: metric for metric, key in metrics.items()}
    for key, thresholds in changed.items():
        if key not in by_key:
            return False
        span = numbers.get(by_key[key])  # None: no finding of the time had it
        if span is not None and any(_may_alert(each, *span) for each in thresholds):
            return False
    return True


def _changed(observed: ConfiguredCheck, other: ConfiguredCheck) -> dict[str, list[Any]]:
    """Return the settings that differ, with the other values of all servers."""
    pairs = [(observed.params, other.params)] + [
        (
            observed.own_params.get(server, observed.params),
            other.own_params.get(server, other.params),
        )
        for server in {*observed.own_params, *other.own_params}
    ]
    changed: dict[str, list[Any]] = {}
    for key, name in attribute_names(observed.check.params).items():
        for before, after in pairs:
            if getattr(before, name) != getattr(after, name):
                changed.setdefault(key, []).append(getattr(after, name))
    return changed


def _may_alert(limits: Thresholds, least: float, most: float) -> bool:
    """Return whether a number between two others may alert."""
    ranges = [each for each in (limits.warning, limits.critical) if each is not None]
    return any(_may_be_alerting(each, least, most) for each in ranges)


def _may_be_alerting(limits: Range, least: float, most: float) -> bool:
    if limits.inside_alerts:
        return least <= limits.end and most >= limits.start
    return limits.alerts(least) or limits.alerts(most)
