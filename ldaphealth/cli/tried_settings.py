"""Read the journal for other settings: what `backtest`, and `config check` for a day, show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from ldaphealth.cli.progress import Counting, show_progress
from ldaphealth.text.duration import duration
from ldaphealth.text.quantity import quantity

if TYPE_CHECKING:
    from ldaphealth.agent.replay import TimeSpan
    from ldaphealth.history.incident import Incident
    from ldaphealth.settings import Cluster
    from ldaphealth.store.journal_files import Segment

    # Of the cluster with this name, the other settings by their labels.
    OthersOf = Callable[[str], Mapping[str, Cluster]]

PUBLISHED = "as it was"


class Trying(NamedTuple):
    """What is tried, by which incidents, and on which time; it ends by `deadline_seconds`.

    Each cluster has its share of that.
    """

    others: OthersOf
    incidents: Sequence[Incident]
    period: TimeSpan
    deadline_seconds: float | None = None


class _Progress(Counting):
    """The segments that were read."""

    def __rich__(self) -> str:
        """Return the line; called each time it is drawn."""
        of = quantity(self.count, "segment")
        if not self.done:
            return f"0 of {of} judged"
        left = self.seconds() * (self.count - self.done) / self.done
        return f"{self.done} of {of} judged, about {duration(left)} left"


def tried(journal: Mapping[str, Sequence[Segment]], trying: Trying) -> list[dict[str, Any]]:
    """Return a document for each cluster of the journal with something in the period.

    Where the time is up before the end of the period, `until` of the document is earlier.
    """
    from ldaphealth.agent.replay import within

    found = {name: within(of, trying.period) for name, of in journal.items()}
    progress = _Progress(sum(map(len, found.values())))
    with show_progress(progress):
        documents = [
            _of_cluster(name, of, trying, progress, _share(trying, progress, len(found) - number))
            for number, (name, of) in enumerate(found.items())
        ]
    return [each for each in documents if each]


def _share(trying: Trying, progress: _Progress, clusters: int) -> float:
    """Return when the next one of so many clusters must be done, in seconds since the begin."""
    if trying.deadline_seconds is None:
        return inf
    now = progress.seconds()
    return now + max(0.0, trying.deadline_seconds - now) / clusters


def _of_cluster(
    name: str, found: Sequence[Segment], trying: Trying, progress: _Progress, until_seconds: float
) -> dict[str, Any] | None:
    """Return what was decided on a cluster, and would have been.

    None: nothing in the period. `sides` is empty if its time was over before anything was judged.
    """
    from ldaphealth.agent.replay import TimeSpan
    from ldaphealth.backtest.backtest import Backtest
    from ldaphealth.backtest.document import Side, backtest_document
    from ldaphealth.backtest.trial import Trial
    from ldaphealth.checks import find

    trials = {label: Trial(cluster) for label, cluster in trying.others(name).items()}
    backtest = Backtest([*trials.values()], find, lambda: progress.seconds() > until_seconds)
    backtest.read(found, progress.note)
    published = backtest.published
    if backtest.is_cut and published.first is None:
        return {"cluster": name, "is_cut": True, "sides": []}
    if not trials or published.first is None or published.last is None:
        return None
    span = TimeSpan(
        max(trying.period.since, published.first), min(trying.period.until, published.last)
    )
    if span.since >= span.until:
        return None
    sides = [Side(PUBLISHED, published.course)]
    sides += [Side(label, of.course, tuple(of.left_out)) for label, of in trials.items()]
    return {
        **backtest_document(name, sides, trying.incidents, span),
        "segments": published.segments,
        "calm_segments": published.calm,
        "problems": published.problems,
        "is_cut": backtest.is_cut,
    }
