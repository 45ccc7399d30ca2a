"""What a configuration would have decided in the last day, for `ldaphealth config check`.

Only the clusters whose settings differ from those in the journal are judged again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ldaphealth.cli.tried_settings import Trying, tried
from ldaphealth.clocks import DAY_SECONDS, EpochSeconds, epoch_seconds
from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.listed import listed
from ldaphealth.text.quantity import quantity

if TYPE_CHECKING:
    from ldaphealth.settings import Cluster, Settings
    from ldaphealth.store.journal_files import Segment

DEADLINE_SECONDS = 20.0  # a person waits for it; docs/configuration.md has it
MOST_CAUSES = 4
LABEL = "with these settings"


def last_day(
    settings: Settings, now: EpochSeconds | None = None
) -> dict[str, Mapping[str, Any] | None]:
    """Return by cluster the document of a backtest of the last day; OSError.

    None: the time was over before anything of the cluster was judged. Clusters are left out whose
    settings judge as those of the journal, or of which it has nothing in that day.
    """
    from ldaphealth.agent.replay import TimeSpan
    from ldaphealth.store.journal_files import segments_of_all

    journal = segments_of_all(settings.agent.state_directory)
    changed = {
        name: cluster
        for name, cluster in settings.clusters.items()
        if name in journal and _judges_otherwise(cluster, journal[name])
    }
    until = epoch_seconds() if now is None else now
    trying = Trying(
        lambda name: {LABEL: changed[name]},
        (),
        TimeSpan(until - DAY_SECONDS, until),
        DEADLINE_SECONDS,
    )
    documents = tried({name: journal[name] for name in changed}, trying)
    return {each["cluster"]: each if each["sides"] else None for each in documents}


def last_day_line(document: Mapping[str, Any] | None) -> str:
    """Return one line, such as `the last day, with these settings: 3 removals for 1 h 2 min`."""
    if document is None:
        return f"the last day, {LABEL}: not judged, the time for it was over"
    before, after = (each["out_of_service"] for each in document["sides"])
    until = (
        f" until {document['until']}, then the time for it was over" if is_part(document) else ""
    )
    left_out = document["sides"][1]["left_out"]
    unknown = f"; not judged: {listed(left_out, MOST_CAUSES)}" if left_out else ""
    return f"the last day{until}, {LABEL}: {_words(after)}; as it was: {_words(before)}{unknown}"


def is_part(document: Mapping[str, Any] | None) -> bool:
    """Return whether a part of the day was not judged, because the time was over."""
    return document is None or bool(document["is_cut"])


def _words(found: Mapping[str, Any]) -> str:
    if not found["outages"]:
        return "no removal"
    causes = [f"{cause} {count}" for cause, count in found["causes"].items()]
    removals, time = quantity(found["outages"], "removal"), rounded_duration(found["seconds"])
    return f"{removals} for {time} in all ({listed(causes, MOST_CAUSES)})"


def _judges_otherwise(cluster: Cluster, found: Sequence[Segment]) -> bool:
    """Return whether the settings would judge otherwise than the newest ones in the journal."""
    from ldaphealth.agent.journal_segment import SegmentReader
    from ldaphealth.backtest.other_settings import with_other_settings
    from ldaphealth.checks import find
    from ldaphealth.store.journal_files import DamagedError

    for segment in reversed(found):
        try:
            began = SegmentReader(segment.path, find).began()
        except DamagedError:
            continue
        if began is not None:
            observed = began.state.cluster
            return with_other_settings(observed, cluster).cluster != observed
    return False
