"""Parts of the journal in which other settings would have decided nothing else. Pure.

In a steady part all servers were in service and no verdict changed. Other settings decide the
same there if no check of theirs finds what the check of that time did not. That is certain for a
check whose settings are the same, and for other thresholds of metrics whose extremes are known
(`Check.judged_metrics`), unless servers have settings of their own. All else must be judged again.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ldaphealth.agent.journal_summary import PartSummary, metrics_of
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
    for each in observed.checks:
        judged = of_other.get(each.name)
        if judged is None:  # finds nothing any longer
            if each.name in part.bad:
                return False
        elif not _finds_the_same(each, judged, part):
            return False
    return _settles_alike(part, observed, other)


def _settles_alike(part: PartSummary, observed: Cluster, other: Cluster) -> bool:
    """Return whether the rules have nothing to settle, or settle the same."""
    same = (observed.settle, observed.min_in_service) == (other.settle, other.min_in_service)
    return same or not part.bad


def _finds_the_same(observed: ConfiguredCheck, other: ConfiguredCheck, part: PartSummary) -> bool:
    own = {*observed.own_params, *other.own_params}
    if any(
        observed.own_params.get(server, observed.params)
        != other.own_params.get(server, other.params)
        for server in own
    ):
        return False  # what one server tolerates may matter to the others
    changed = _changed(observed.params, other.params)
    if not changed and observed.effect is other.effect:
        return True
    if (
        observed.name in part.bad
        or own
        or not changed.keys() <= observed.check.judged_metrics.keys()
    ):
        return False
    numbers = part.numbers.get(observed.name, {})  # those that findings of the time had
    return not any(
        _may_alert(limits, *numbers[metric])
        for key, limits in changed.items()
        for metric in metrics_of(observed, key)
        if metric in numbers
    )


def _changed(observed: Struct, other: Struct) -> dict[str, Any]:
    """Return the settings that differ, with their other values."""
    return {
        key: getattr(other, name)
        for key, name in attribute_names(type(observed)).items()
        if getattr(observed, name) != getattr(other, name)
    }


def _may_alert(limits: Thresholds, least: float, most: float) -> bool:
    """Return whether a number between two others may alert."""
    ranges = [each for each in (limits.warning, limits.critical) if each is not None]
    return any(_may_be_alerting(each, least, most) for each in ranges)


def _may_be_alerting(limits: Range, least: float, most: float) -> bool:
    if limits.inside_alerts:
        return least <= limits.end and most >= limits.start
    return limits.alerts(least) or limits.alerts(most)
