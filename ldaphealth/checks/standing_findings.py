"""The findings of the replication check on a standing, with their texts.

replication.py calls this; nothing here reads a server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from ldaphealth.csn import (
    CSN,
    ClusterRegression,
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
from ldaphealth.text.listed import listed
from ldaphealth.text.moment import utc_text

MOST_NAMES = 8  # of servers on one side of a split
FindingParts = tuple[State, str, str, tuple[Metric, ...], Trust]  # the arguments of View.finding


class StandingContext(Struct, frozen=True, kw_only=True):
    """The thresholds, the reference and the naming context of a standing.

    `base` is empty if there is only one naming context, which is then not named in findings. Times
    of a server that polls count beyond `poll_interval_seconds`. `one_shot`: the times began with
    this process, so they are the least that they can be. `writers` returns names by server ID.
    """

    limits: Thresholds
    reference: Reference
    base: str = ""
    poll_interval_seconds: float = 0.0
    one_shot: bool = False
    writers: Callable[[], Mapping[int, str]] = dict

    @property
    def poll_text(self) -> str:
        """Return the end of a sentence on a server that polls, "" of another one."""
        if not self.poll_interval_seconds:
            return ""
        return f"; its poll interval of {self.poll_interval_seconds:g} s is not counted"

    def lasting(self, seconds: Iterable[float]) -> str:
        """Return the longest of these times; in a process without memory since when it counts."""
        text = f"{max(seconds):.1f} s"
        return f"at least {text} (as long as this command has watched)" if self.one_shot else text

    def server_ids(self, sids: Iterable[int]) -> str:
        """Return server IDs as slapd prints them, with the name of the server where it is known."""
        names = self.writers()
        known = {sid: f" ({names[sid]})" for sid in names}
        return ", ".join(f"{sid:03x}{known.get(sid, '')}" for sid in sorted(sids))

    def label(self, sid: int) -> str:
        """Return what distinguishes the metrics of the same name."""
        return f"{sid:03x} {self.base}".rstrip()

    def prefixed(self, summary: str) -> str:
        """Return the summary, with the naming context before it if there are several."""
        return f"{self.base}: {summary}" if self.base else summary


class Acceptance(Struct, frozen=True):
    """How what most servers of a cluster went back to is accepted: after this time of agreement."""

    cluster: str
    wait_seconds: float


def standing_metrics(context: StandingContext, standing: Standing) -> Iterator[Metric]:
    """Yield for how long and by how much a server lacks changes, for each server ID.

    In a split it is behind in what the other side has. The times of an isolated server and of a
    split have a metric while they are more than 0.
    """
    gaps, isolated, split = (
        standing.csn_gap_seconds,
        standing.isolated_seconds,
        standing.split_seconds,
    )
    behind = {sid: seconds for sid, seconds in split.items() if gaps.get(sid) != 0}
    behind |= standing.behind_seconds
    for sid in sorted({*behind, *gaps, *isolated, *split}):
        label = context.label(sid)
        yield context.limits.metric("behind_seconds", behind.get(sid, 0.0), label)
        for name, seconds in (("isolated_seconds", isolated), ("split_seconds", split)):
            if sid in seconds:
                yield context.limits.metric(name, seconds[sid], label)
        if sid in gaps:
            yield Metric("csn_gap_seconds", gaps[sid], label=label)


OK_SUMMARIES = {
    ReferenceMode.MAJORITY: "has the changes that most others have",
    ReferenceMode.NEWEST: "has the newest changes",
    ReferenceMode.SERVER: "has the changes that {} has",
}
HOLDERS = {
    ReferenceMode.MAJORITY: "most others have",
    ReferenceMode.NEWEST: "another server has",
    ReferenceMode.SERVER: "{} has",
}


def standing_findings(
    context: StandingContext,
    standing: Standing,
    metrics: tuple[Metric, ...],
    own: Sequence[VectorRead],
) -> Iterator[FindingParts]:
    """Yield that a server is behind, isolated, or part of a split."""
    limits, behind = context.limits, standing.behind_seconds
    isolated, split = standing.isolated_seconds, standing.split_seconds
    holders = HOLDERS[context.reference.mode].format(reference_name(context.reference))
    if behind:
        summary = f"{_behind_summary(context, behind, never_shown(own, behind))}; {holders}"
        summary += context.poll_text
        yield limits.state(max(behind.values())), "behind", summary, metrics, Trust.SOFT
    if isolated:
        summary = (
            f"has changes of server ID {context.server_ids(isolated)} that {holders} lacked for "
            f"{context.lasting(isolated.values())}"
        )
        yield limits.state(max(isolated.values())), "isolated", summary, metrics, Trust.SOFT
    if split:
        lacked = [sid for sid in split if standing.csn_gap_seconds.get(sid) != 0]
        what = f"changes of server ID {context.server_ids(lacked or split)}"
        summary = (
            f"split for {context.lasting(split.values())}: {sides_text(standing.sides)}; "
            f"{'this server lacks' if lacked else 'this server lacks none, others lack its'} "
            f"{what}; no server is removed for a split"
        )
        yield limits.state(max(split.values())), "split", summary, metrics, Trust.INFORMATIVE


def sides_text(sides: Iterable[Sequence[str]]) -> str:
    """Return the sides of a split, with the names of at most MOST_NAMES servers of each."""
    return " | ".join(_names(side) for side in sides)


def _names(servers: Sequence[str]) -> str:
    return listed([each.partition("/")[2] or each for each in servers], MOST_NAMES)


def _behind_summary(
    context: StandingContext, behind: Mapping[int, float], never: frozenset[int]
) -> str:
    parts = []
    old = behind.keys() - never
    if old:
        lasting = context.lasting(behind[sid] for sid in old)
        parts.append(
            f"has not received changes of server ID {context.server_ids(old)} for {lasting}"
        )
    if never:
        lasting = context.lasting(behind[sid] for sid in never)
        sids = context.server_ids(never)
        parts.append(f"has never received changes of server ID {sids}, missing for {lasting}")
    return " and ".join(parts)


def regression_findings(
    found: Mapping[int, Regression],
    of_cluster: Mapping[int, ClusterRegression],
    acceptance: Acceptance,
    metrics: tuple[Metric, ...],
) -> Iterator[FindingParts]:
    """Yield that a server lacks changes that it had.

    If most servers went back to the same position, no server is removed for it.
    """
    if not found:
        return
    same = [each for sid, each in of_cluster.items() if sid in found and each.has_same(found[sid])]
    command = f"`ldaphealth baseline {acceptance.cluster}`"
    head, trust = "lacks changes that it had", Trust.SOFT
    if len(same) == len(found) and all(each.is_majority for each in same):
        trust = Trust.INFORMATIVE
        head += (
            ", as most servers do, so none is removed for it; "
            f"{_acceptance(same, acceptance.wait_seconds)} with {command}"
        )
    elif len(same) == len(found) and all(each.can_be_accepted for each in same):
        head += f" and that no server that can be read has ({command} accepts it)"
    summary = (
        f"{head}: {moves_text(found)}; possible causes are a restored backup, or that slapd ended "
        "without a checkpoint"
    )
    yield State.CRITICAL, "regressed", summary, metrics, trust


def _acceptance(same: Sequence[ClusterRegression], wait_seconds: float) -> str:
    """Return when what most servers show now is accepted."""
    ahead = sorted({server for each in same for server in each.ahead})
    if ahead:
        return f"accepted once {_names(ahead)} shows the same, or at once"
    left = max(wait_seconds - each.agreed_seconds for each in same)
    return f"accepted in {max(0.0, left):.0f} s, or at once"


def moves_text(found: Mapping[int, Regression]) -> str:
    """Return from where to where the positions went back."""
    return "; ".join(f"server ID {sid:03x} {_move(each)}" for sid, each in found.items())


def _move(each: Regression) -> str:
    if each.has is None:
        return f"went from {_time(each.had)} to nothing"
    had, has = _time(each.had), _time(each.has)
    if had == has:  # within a second
        had, has = str(each.had), str(each.has)
    return f"went back from {had} to {has}"


def future_findings(
    context: StandingContext,
    own: Vector,
    observed_epoch_seconds: float | None,
    limits: Thresholds,
    retired: Collection[int],
) -> Iterator[FindingParts]:
    """Yield that positions are later than the time of the read, if that is known."""
    if observed_epoch_seconds is None:
        return
    ahead = {
        sid: max(0.0, position.time.timestamp() - observed_epoch_seconds)
        for sid, position in sorted(own.items())
        if sid not in retired
    }
    bad = [sid for sid, seconds in ahead.items() if limits.state(seconds) is not State.OK]
    if bad:
        worst = max(bad, key=lambda sid: ahead[sid])
        summary = (
            f"has a change of server ID {context.server_ids(bad)} that is dated "
            f"{_time(own[worst])}, {ahead[worst]:.0f} s in the future: the clock of the server "
            "that made it is wrong, or the clock of this host"
        )
        metrics = tuple(
            limits.metric("future_seconds", ahead[sid], context.label(sid)) for sid in bad
        )
        yield limits.state(ahead[worst]), "future", summary, metrics, Trust.INFORMATIVE


def _time(position: CSN) -> str:
    return utc_text(position.time)


def reference_name(reference: Reference) -> str:
    """Return the name of the server that is the reference."""
    return reference.server.partition("/")[2]
