"""What a segment of the journal shows as a whole, so that a backtest can leave out calm ones.

Pure. The writer of a segment makes it, and `ldaphealth/backtest/calm.py` reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from zlib import crc32

import msgspec
from msgspec import Struct

from ldaphealth.agent.journal_cluster import cluster_document
from ldaphealth.clocks import EpochSeconds
from ldaphealth.model import State, Verdict
from ldaphealth.publishers.publication import differs
from ldaphealth.settings import Cluster

Numbers = Mapping[str, tuple[float, float]]  # by metric: the least and the most


class SegmentSummary(Struct, frozen=True, kw_only=True):
    """One segment: its decisions from `since` to `until`, and what was found in it.

    `settings` identifies the settings of the cluster, and `is_steady` says that these and all
    verdicts remained as they were at its beginning, with all servers in service by plain verdicts.
    `bad` names the checks with findings that were not OK, and `numbers` has the metrics by which
    thresholds alone decide (`Check.judged_metrics`), by check, over all servers.
    """

    settings: int
    since: EpochSeconds
    until: EpochSeconds
    decisions: int
    is_steady: bool
    bad: tuple[str, ...]
    numbers: Mapping[str, Numbers]


def settings_digest(cluster: Cluster) -> int:
    """Return what `SegmentSummary.settings` is for a cluster."""
    return crc32(msgspec.msgpack.encode(cluster_document(cluster), order="deterministic"))


class Summary:
    """The summary of a segment that is being written."""

    def __init__(self, cluster: Cluster, verdicts: Mapping[str, Verdict]) -> None:
        self._settings = settings_digest(cluster)
        self._judged = judged_metrics(cluster)
        self._verdicts = verdicts
        self._is_steady = all(map(_is_plainly_in, verdicts.values()))
        self._since = self._until = 0.0
        self._decisions = 0
        self._bad: set[str] = set()
        self._numbers: dict[str, dict[str, tuple[float, float]]] = {}
        self._add_findings(verdicts.values())

    def change(self) -> None:
        """Note that something else than a decision changed the pool."""
        self._is_steady = False

    def decide(
        self, verdicts: Mapping[str, Verdict], changed: Collection[str], now: EpochSeconds
    ) -> None:
        """Add a decision; `changed` names the servers of which something is new."""
        self._since = self._since or now
        self._until = now
        self._decisions += 1
        if self._is_steady:
            self._is_steady = len(verdicts) == len(self._verdicts) and not any(
                each not in self._verdicts or differs(self._verdicts[each], verdicts[each])
                for each in changed
            )
        self._verdicts = verdicts
        self._add_findings([verdicts[each] for each in changed])

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

    def so_far(self) -> SegmentSummary:
        """Return the summary of what was added."""
        return SegmentSummary(
            settings=self._settings,
            since=self._since,
            until=self._until,
            decisions=self._decisions,
            is_steady=self._is_steady,
            bad=tuple(sorted(self._bad)),
            numbers=self._numbers,
        )


def judged_metrics(cluster: Cluster) -> dict[str, dict[str, str]]:
    """Return by check the metrics by which thresholds alone decide, and the key of each one."""
    return {
        each.name: {
            metric.format(check=each.name): key for key, metric in each.check.judged_metrics.items()
        }
        for each in cluster.checks
        if each.check.judged_metrics
    }


def _is_plainly_in(verdict: Verdict) -> bool:
    return verdict.in_service and not verdict.held_by and verdict.override is None
