"""The sentences of the replication check: what is wrong with a standing, in the words of people.

`replication.py` decides what is asked; nothing here reads a server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from ldaphealth.csn import (
    CSN,
    Reference,
    ReferenceMode,
    Regression,
    Standing,
    Vector,
    VectorRead,
    never_shown,
)
from ldaphealth.judging.thresholds import Thresholds
from ldaphealth.model import Metric, State, Trust

FindingParts = tuple[State, str, str, tuple[Metric, ...], Trust]  # as View.finding takes it


class StandingContext(Struct, frozen=True):
    """What a standing is told of: the thresholds, the reference, and which naming context.

    `base` is empty where there is only one, and then nothing names it.
    """

    limits: Thresholds
    reference: Reference
    base: str = ""

    def label(self, sid: int) -> str:
        """Return what tells the metrics of one name apart."""
        return f"{sid:03x} {self.base}".rstrip()

    def sentence(self, text: str) -> str:
        """Return the sentence, with the naming context before it where there are several."""
        return f"{self.base}: {text}" if self.base else text


def standing_metrics(asked: StandingContext, standing: Standing) -> Iterator[Metric]:
    """Yield for how long and by how much a server lacks changes, by server ID."""
    behind, gaps = standing.behind_seconds, standing.csn_gap_seconds
    for sid in sorted({*behind, *gaps}):
        yield asked.limits.metric("behind_seconds", behind.get(sid, 0.0), asked.label(sid))
        if sid in gaps:
            yield Metric("csn_gap_seconds", gaps[sid], label=asked.label(sid))


FINE = {
    ReferenceMode.MAJORITY: "has what the others have",
    ReferenceMode.NEWEST: "has the newest that is known",
    ReferenceMode.SERVER: "has what {} has",
}
HAVE = {
    ReferenceMode.MAJORITY: "most others have",
    ReferenceMode.NEWEST: "another server has",
    ReferenceMode.SERVER: "{} has",
}


def standing_findings(
    asked: StandingContext,
    standing: Standing,
    metrics: tuple[Metric, ...],
    own: Sequence[VectorRead],
) -> Iterator[FindingParts]:
    """Yield that a server is behind, isolated, or one of a split."""
    limits, reference = asked.limits, asked.reference
    behind, isolated, split = (
        standing.behind_seconds,
        standing.isolated_seconds,
        standing.split_seconds,
    )
    if behind:
        summary = _behind_sentence(behind, never_shown(own, behind), reference)
        yield limits.state(max(behind.values())), "behind", summary, metrics, Trust.SOFT
    if isolated:
        who = HAVE[reference.mode].format(name(reference))
        summary = (
            f"has changes of server ID {_sids(isolated)} that {who} not had for "
            f"{max(isolated.values()):.1f} s"
        )
        yield limits.state(max(isolated.values())), "isolated", summary, metrics, Trust.SOFT
    if split:
        summary = (
            f"one half of the cluster lacks changes of server ID {_sids(split)} for "
            f"{max(split.values()):.1f} s, and the other half lacks others; nobody is removed for "
            "it"
        )
        yield limits.state(max(split.values())), "split", summary, metrics, Trust.INFORMATIVE


def _behind_sentence(
    behind: Mapping[int, float], never: frozenset[int], reference: Reference
) -> str:
    parts = []
    old = behind.keys() - never
    if old:
        seconds = max(behind[sid] for sid in old)
        parts.append(f"has not received changes of server ID {_sids(old)} for {seconds:.1f} s")
    if never:
        seconds = max(behind[sid] for sid in never)
        parts.append(
            f"has never received anything of server ID {_sids(never)}, missing for {seconds:.1f} s"
        )
    return f"{' and '.join(parts)}; {HAVE[reference.mode].format(name(reference))}"


def regression_findings(
    found: Mapping[int, Regression], metrics: tuple[Metric, ...]
) -> Iterator[FindingParts]:
    """Yield that a server lacks what it had."""
    if found:
        moves = "; ".join(f"server ID {sid:03x} {_move(each)}" for sid, each in found.items())
        summary = (
            f"lacks what it had: {moves}; was it restored from an old backup, or did slapd end "
            "without writing its checkpoint?"
        )
        yield State.CRITICAL, "regressed", summary, metrics, Trust.SOFT


def _move(each: Regression) -> str:
    if each.has is None:
        return f"went from {_when(each.had)} to nothing"
    was, now = _when(each.had), _when(each.has)
    if was == now:  # within a second
        was, now = str(each.had), str(each.has)
    return f"went back from {was} to {now}"


def future_findings(
    asked: StandingContext,
    mine: Vector,
    observed_epoch_seconds: float | None,
    limits: Thresholds,
    retired: Collection[int],
) -> Iterator[FindingParts]:
    """Compare each position with the time of day that the read carries; none carries no opinion."""
    if observed_epoch_seconds is None:
        return
    ahead = {
        sid: max(0.0, position.time.timestamp() - observed_epoch_seconds)
        for sid, position in sorted(mine.items())
        if sid not in retired
    }
    bad = [sid for sid, seconds in ahead.items() if limits.state(seconds) is not State.OK]
    if bad:
        worst = max(bad, key=lambda sid: ahead[sid])
        summary = (
            f"has a change of server ID {_sids(bad)} that was made at {_when(mine[worst])}, "
            f"{ahead[worst]:.0f} s from now: the clock of the server that made it is wrong, or "
            "the clock here"
        )
        metrics = tuple(
            limits.metric("future_seconds", ahead[sid], asked.label(sid)) for sid in bad
        )
        yield limits.state(ahead[worst]), "future", summary, metrics, Trust.INFORMATIVE


def _when(position: CSN) -> str:
    return f"{position.time.replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def _sids(sids: Iterable[int]) -> str:
    return ", ".join(f"{sid:03x}" for sid in sorted(sids))


def name(reference: Reference) -> str:
    """Return the name of the server that is the reference."""
    return reference.server.partition("/")[2]
