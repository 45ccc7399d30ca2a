"""From what checkers did in trials to numbers; pure. `bench/faults/report.py` shows them.

A trial is one fault, on a cluster of its own. All moments are on one clock (CLOCK_MONOTONIC).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SERVERS = (1, 2, 3, 4)
NO_SERVERS: Mapping[int, float] = {}


@dataclass(frozen=True, slots=True)
class Change:
    """A checker has taken a server out, or back; `text` is its own."""

    at: float
    server: int
    in_service: bool
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One fault from before it was injected until long after it was undone.

    `changes` are those of each checker, by time; before `began` every server was in service.
    `not_shown` has the servers at which the control probe did not see the fault; such a trial
    counts for nothing. `reasons` are those that an agent reported just before its end.
    """

    fault: str
    began: float
    undone: float
    ended: float
    changes: Mapping[str, Sequence[Change]]
    not_shown: Mapping[int, str]
    reasons: Mapping[str, Mapping[int, str]]


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one checker made of one trial.

    Seconds to detect count from the beginning of the fault of that server, seconds to recover from
    the beginning of the undoing; a server that was not found, or did not come back, has none.
    """

    found: tuple[int, ...] = ()
    missed: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    removed_falsely: tuple[int, ...] = ()
    detect_seconds: tuple[float, ...] = ()
    recover_seconds: tuple[float, ...] = ()
    not_back: tuple[int, ...] = ()
    emptied_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Total:
    """What one checker made of many trials; None where there was nothing to measure."""

    trials: int
    must_go: int
    found: int
    must_stay: int
    kept: int
    trials_with_false_removal: int
    detect_median_seconds: float | None
    detect_p90_seconds: float | None
    recover_median_seconds: float | None
    recover_p90_seconds: float | None
    not_back: int
    emptied_seconds: float

    @property
    def sensitivity(self) -> float | None:
        """The share of servers that had to go out and did."""
        return self.found / self.must_go if self.must_go else None

    @property
    def specificity(self) -> float | None:
        """The share of servers that had to stay and did."""
        return self.kept / self.must_stay if self.must_stay else None


def score(
    trial: Trial,
    checker: str,
    out: Sequence[int],
    undecided: Sequence[int] = (),
    later_seconds: Mapping[int, float] = NO_SERVERS,
) -> Score:
    """Compare what a checker did in a trial with the truth.

    `later_seconds` are those after the beginning of the trial when the fault of a server began.
    A server is found if it was taken out while the fault was in. One that had to stay was removed
    falsely if it was out at any time until the end, also after the fault was undone.
    """
    changes = trial.changes[checker]
    must_stay = [each for each in SERVERS if each not in out and each not in undecided]
    first = {each: _first_out(changes, each, trial.began, trial.undone) for each in out}
    found = {each: at for each, at in first.items() if at is not None}
    falsely = [
        each
        for each in must_stay
        if _first_out(changes, each, trial.began, trial.ended) is not None
    ]
    back = {each: _back(changes, each) for each in found}
    return Score(
        found=tuple(found),
        missed=tuple(each for each in out if each not in found),
        kept=tuple(each for each in must_stay if each not in falsely),
        removed_falsely=tuple(falsely),
        detect_seconds=tuple(
            max(0.0, at - trial.began - later_seconds.get(each, 0.0)) for each, at in found.items()
        ),
        recover_seconds=tuple(
            max(0.0, at - trial.undone) for at in back.values() if at is not None
        ),
        not_back=tuple(each for each, at in back.items() if at is None),
        emptied_seconds=emptied_seconds(changes, trial.began, trial.ended),
    )


def total(scores: Iterable[Score]) -> Total:
    """Sum up."""
    each = list(scores)
    detect = [seconds for score in each for seconds in score.detect_seconds]
    recover = [seconds for score in each for seconds in score.recover_seconds]
    return Total(
        trials=len(each),
        must_go=sum(len(score.found) + len(score.missed) for score in each),
        found=sum(len(score.found) for score in each),
        must_stay=sum(len(score.kept) + len(score.removed_falsely) for score in each),
        kept=sum(len(score.kept) for score in each),
        trials_with_false_removal=sum(bool(score.removed_falsely) for score in each),
        detect_median_seconds=quantile(detect, 0.5),
        detect_p90_seconds=quantile(detect, 0.9),
        recover_median_seconds=quantile(recover, 0.5),
        recover_p90_seconds=quantile(recover, 0.9),
        not_back=sum(len(score.not_back) for score in each),
        emptied_seconds=sum(score.emptied_seconds for score in each),
    )


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that so large a share of all does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def emptied_seconds(changes: Sequence[Change], began: float, ended: float) -> float:
    """Return for how long no server was in service; all are in service before the first change."""
    out: set[int] = set()
    seconds, since = 0.0, began
    for change in sorted(changes, key=lambda change: change.at):
        at = min(max(change.at, began), ended)
        seconds += at - since if len(out) == len(SERVERS) else 0.0
        since = at
        (out.discard if change.in_service else out.add)(change.server)
    return seconds + (ended - since if len(out) == len(SERVERS) else 0.0)


def _first_out(changes: Sequence[Change], server: int, began: float, ended: float) -> float | None:
    moments = [
        change.at
        for change in changes
        if change.server == server and not change.in_service and began <= change.at <= ended
    ]
    return min(moments, default=None)


def _back(changes: Sequence[Change], server: int) -> float | None:
    """Return when a server came back for the last time, or None if it is out at the end."""
    own = [change for change in changes if change.server == server]
    last = max(own, key=lambda change: change.at, default=None)
    return last.at if last and last.in_service else None
