"""Summaries of whole probes: the observations of checks that judge a probe and not a step of it.

Pure. The agent makes them of each probe of a round, those that confirm a failure included.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from ldaphealth.model import AnyObservation, CheckEffect, Observation
from ldaphealth.settings import ConfiguredCheck

log = logging.getLogger(__name__)


def summaries(
    checks: Sequence[ConfiguredCheck], seen: Sequence[AnyObservation]
) -> Iterator[AnyObservation]:
    """Yield an observation of each check that summarizes, for each probe of a round, in order."""
    summarizing = [each for each in checks if each.check.summarize is not None]
    if not summarizing:
        return
    can_remove = {
        each.name for each in checks if each.effect is CheckEffect.OUT and each.credentials is None
    }
    for probe in probes(seen):
        counted = [each for each in probe if each.check in can_remove]
        for configured in summarizing:
            yield from _summary(configured, probe, counted)


def probes(seen: Iterable[AnyObservation]) -> list[list[AnyObservation]]:
    """Return the observations of a round, by probe. Every probe begins with the same check."""
    found: list[list[AnyObservation]] = []
    for each in seen:
        if not found or each.check == found[0][0].check:
            found.append([])
        found[-1].append(each)
    return found


def _summary(
    configured: ConfiguredCheck, probe: Sequence[AnyObservation], counted: Sequence[AnyObservation]
) -> Iterator[AnyObservation]:
    summarize = configured.check.summarize
    try:
        facts = None if summarize is None else summarize(counted, configured.params)
    except Exception:  # an error in a check of another package must remove no server
        log.exception("check %s cannot summarize a probe", configured.name)
        return
    if facts is not None:
        first, last = probe[0], probe[-1]
        yield Observation(
            server=first.server,
            check=configured.name,
            started_at=first.started_at,
            duration_seconds=last.ended_at - first.started_at,
            facts=facts,
        )
