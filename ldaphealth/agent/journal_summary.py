"""What a segment of the journal shows as a whole, so that a backtest can leave out calm ones.

Pure. The writer of a segment makes it, and `ldaphealth/backtest/calm.py` reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from zlib import crc32

import msgspec
from msgspec import Struct

from ldaphealth.agent.journal_cluster import cluster_document
from ldaphealth.agent.pool_events import PoolEvent, Reconfigured, RoundAdded, SurveyAdded
from ldaphealth.clocks import EpochSeconds
from ldaphealth.model import State, Verdict
from ldaphealth.settings import Cluster, ConfiguredCheck

PART_SECONDS = 300.0
Numbers = Mapping[str, tuple[float, float]]  # by metric: the least and the most


class PartSummary(Struct, frozen=True, kw_only=True):
    """The next `decisions` of a segment, and what was found in them.

    `is_steady`: nothing but rounds and surveys changed the pool, and all verdicts remained as they
    were, with all servers in service by plain verdicts. `critical` are the servers whose state was
    CRITICAL at its beginning. `bad` names the checks with findings that were not OK, and `numbers`
    has the metrics by which thresholds alone decide (`Check.judged_metrics`), by check, over all
    servers.
    """

    decisions: int
    is_steady: bool
    critical: tuple[str, ...]
    bad: tuple[str, ...]
    numbers: Mapping[str, Numbers]


class SegmentSummary(Struct, frozen=True, kw_only=True):
    """One segment: its decisions from `since` to `until`, in parts of some minutes.

    `settings` identifies the settings of the cluster at its beginning, and `judged` the metrics of
    which its parts have numbers (`judged_digest`): another version may know others.
    """

    settings: int
    judged: int = 0
    since: EpochSeconds
    until: EpochSeconds
    parts: tuple[PartSummary, ...]


def settings_digest(cluster: Cluster) -> int:
    """Return what `SegmentSummary.settings` is for a cluster."""
    return crc32(msgspec.msgpack.encode(cluster_document(cluster), order="deterministic"))


def judged_digest(cluster: Cluster) -> int:
    """Return what `SegmentSummary.judged` is for a cluster."""
    names = {check: sorted(metrics) for check, metrics in _judged_metrics(cluster).items()}
    return crc32(msgspec.msgpack.encode(names, order="deterministic"))


class Summary:
    """The summary of a segment that is being written."""

    def __init__(self, cluster: Cluster, verdicts: Mapping[str, Verdict]) -> None:
        self._settings, self._digest = settings_digest(cluster), judged_digest(cluster)
        self._judged = _judged_metrics(cluster)
        self._verdicts = verdicts
        self._since = self._until = 0.0
        self._parts: list[PartSummary] = []
        self._has_settings = True  # those of the beginning
        self._begin(0.0)

    def _begin(self, now: EpochSeconds) -> None:
        """Begin a part with the verdicts as they are."""
        self._began, self._decisions = now, 0
        self._is_steady = self._has_settings and all(map(_is_plainly_in, self._verdicts.values()))
        critical = (key for key, of in self._verdicts.items() if of.state is State.CRITICAL)
        self._critical = tuple(sorted(critical))
        self._bad: set[str] = set()
        self._numbers: dict[str, dict[str, tuple[float, float]]] = {}
        self._add_findings(self._verdicts.values())

    def change(self, event: PoolEvent) -> None:
        """Note an event that is no decision."""
        if isinstance(event, Reconfigured):
            self._has_settings = False
        if not isinstance(event, RoundAdded | SurveyAdded):
            self._is_steady = False

    def decide(
        self,
        verdicts: Mapping[str, Verdict],
        new: Collection[str],
        now: EpochSeconds,
        *,
        same: bool,
    ) -> None:
        """Add a decision; `new` names the servers with something new, which is no change if `same`.

        Changes are what `publication.differs` says.
        """
        self._since, self._until = self._since or now, now
        self._began = self._began or now
        self._decisions += 1
        self._is_steady = self._is_steady and same
        self._verdicts = verdicts
        self._add_findings([verdicts[each] for each in new])
        if now - self._began >= PART_SECONDS:
            self._parts.append(self._part())
            self._begin(now)

    def _add_findings(self, verdicts: Collection[Verdict]) -> None:
        for verdict in verdicts:
            for finding in verdict.findings:
                if finding.state is not State.OK:
                    self._bad.add(finding.check)
                judged = self._judged.get(finding.check)
                if judged is None:
                    continue
                numbers = self._numbers.setdefault(finding.check, {})
                for each in finding.metrics:
                    if each.name in judged:
                        least, most = numbers.get(each.name, (each.value, each.value))
                        numbers[each.name] = min(least, each.value), max(most, each.value)

    def _part(self) -> PartSummary:
        return PartSummary(
            decisions=self._decisions,
            is_steady=self._is_steady,
            critical=self._critical,
            bad=tuple(sorted(self._bad)),
            numbers=self._numbers,
        )

    def so_far(self) -> SegmentSummary:
        """Return the summary of what was added."""
        return SegmentSummary(
            settings=self._settings,
            judged=self._digest,
            since=self._since,
            until=self._until,
            parts=(*self._parts, self._part()),
        )


def _judged_metrics(cluster: Cluster) -> dict[str, set[str]]:
    """Return by check the metrics by which thresholds alone decide."""
    return {
        each.name: {metric for key in each.check.judged_metrics for metric in metrics_of(each, key)}
        for each in cluster.checks
        if each.check.judged_metrics
    }


def metrics_of(configured: ConfiguredCheck, key: str) -> tuple[str, ...]:
    """Return the metrics by which the thresholds `key` of a check decide; KeyError if unknown."""
    metrics = configured.check.judged_metrics[key]
    return tuple(each.format(check=configured.name) for each in metrics)


def _is_plainly_in(verdict: Verdict) -> bool:
    return verdict.in_service and not verdict.held_by and verdict.override is None
