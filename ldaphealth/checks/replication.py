"""Where each server stands in replication, compared with what was seen of the others.

A dead provider is the provider's finding; a consumer is judged only by what others were seen to
have (docs/replication.md).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, Facts
from ldaphealth.csn import (
    ATTRIBUTE,
    CSN,
    MAJORITY,
    CSNError,
    Mode,
    Reference,
    Regress,
    Sighting,
    Standing,
    Vector,
    assess,
    lacks,
    never_shown,
    parse_vector,
    regressed,
)
from ldaphealth.model import Effect, Finding, Metric, Observation, State, Trust
from ldaphealth.thresholds import Range, Thresholds, at_most
from ldaphealth.time_of_day import epoch_seconds

if TYPE_CHECKING:
    from ldaphealth.history import View
    from ldaphealth.session import Session

OBSERVED = "observed_epoch_seconds"  # the fact: the time of day here when the read was complete
SERVER = re.compile(r"server:([A-Za-z0-9_][A-Za-z0-9._-]{0,63})", re.ASCII)
Judged = tuple[State, str, str, tuple[Metric, ...], Trust]  # as View.finding takes it


class Params(Struct, frozen=True):
    """Settings of the check. A process without memory sees a server twice, a moment apart.

    It cannot wait for `behind`, so `behind_second_look` judges what is still missing then.
    """

    base: Annotated[str, Meta(description="the naming context; empty: the suffix")] = ""
    behind: Annotated[
        Thresholds, Meta(description="seconds for which a server lacks what most others have")
    ] = at_most(10, 60)
    behind_second_look: Annotated[
        Thresholds, Meta(description="the same in a process without memory, which sees twice")
    ] = Thresholds(critical=Range(end=0.5))
    retired_server_ids: Annotated[
        tuple[int, ...], Meta(description="server IDs that write no more and may be missing")
    ] = ()
    reference: Annotated[
        str,
        Meta(
            description="with what a server is compared: `majority` of the servers, the `newest` "
            "known change, or `server:NAME`"
        ),
    ] = "majority"
    future_seconds: Annotated[
        Thresholds, Meta(description="seconds by which a change is dated later than it is here")
    ] = at_most(60, 600)

    def __post_init__(self) -> None:
        if self.reference not in ("majority", "newest") and not SERVER.fullmatch(self.reference):
            raise ValueError(
                "reference is majority, newest, or server: and the name of a server, such as "
                f"server:ldap1; not {self.reference[:80]!a}"
            )

    def compared_with(self, cluster: str) -> Reference:
        """Return what `reference` says, for the servers of that cluster."""
        named = SERVER.fullmatch(self.reference)
        if named:
            return Reference(Mode.SERVER, f"{cluster}/{named[1]}")
        return MAJORITY if self.reference == "majority" else Reference(Mode.NEWEST)


def observe(session: Session, params: Params) -> Facts:
    """Read the position of every server ID."""
    entry = session.read(params.base or session.server.suffix, (ATTRIBUTE,))
    return {ATTRIBUTE: entry.get(ATTRIBUTE.lower(), ()), OBSERVED: epoch_seconds()}


def judge(view: View, params: Params) -> Iterable[Finding]:
    """Judge the standing of one server among all that could be read."""
    try:
        mine = _vector(view.latest)
    except CSNError as error:
        yield view.finding(State.WARNING, "bad_csn", str(error))
        return
    if not mine:
        summary = f"no {ATTRIBUTE} can be read: no replication, or no right to read it"
        yield view.finding(State.UNKNOWN, "no_csn", summary, trust=Trust.OURS)
        return
    limits = params.behind_second_look if view.one_shot else params.behind
    retired = frozenset(params.retired_server_ids)
    reference, reads = params.compared_with(view.server.cluster), _reads(view)
    standing = assess(reads, retired, _tolerance_seconds(limits), reference)[view.server.id]
    own = _own_reads(view)
    metrics = tuple(_metrics(limits, standing.behind_seconds, standing.csn_gap_seconds))
    told = [
        *_standing_told(standing, limits, metrics, own, reference),
        *_regress_told(regressed(own, retired), metrics),
        *_future_told(mine, view.latest.facts.get(OBSERVED), params.future_seconds, retired),
    ]
    if reference.mode is Mode.SERVER and reference.server not in reads:
        summary = (
            f"nothing to compare with: the reference server {_name(reference)} cannot be read, or "
            "is no server of this cluster"
        )
        told.append((State.UNKNOWN, "no_reference", summary, metrics, Trust.OURS))
    wrong = [each for each in told if each[0] is not State.OK]
    for each in wrong:
        yield view.finding(*each)
    if not wrong:
        yield view.finding(State.OK, "ok", FINE[reference.mode].format(_name(reference)), metrics)


def second_look(view: View, params: Params) -> bool:
    """Tell whether this server lacked anything that was seen of another."""
    reads = {server: seen[-1].vector for server, seen in _reads(view).items()}
    mine = reads.get(view.server.id)
    return mine is not None and any(
        lacks(mine, other, params.retired_server_ids) for other in reads.values()
    )


def _reads(view: View) -> dict[str, list[Sighting]]:
    """Return the reads of the servers that can be read now; another has no say any more."""
    latest = {
        server: sighting
        for server, seen in view.observations.items()
        if seen and (sighting := _sighting(seen[-1])) is not None
    }
    vectors = [sighting.vector for sighting in latest.values()]
    if all(vector == vectors[0] for vector in vectors):  # then nobody lacks anything, and mostly so
        return {server: [sighting] for server, sighting in latest.items()}
    return {
        server: [each for each in map(_sighting, view.observations[server]) if each is not None]
        for server in latest
    }


def _own_reads(view: View) -> list[Sighting]:
    """Return the reads of the judged server; the newest alone while they all show the same."""
    latest = view.latest.facts.get(ATTRIBUTE)
    same = all(seen.facts.get(ATTRIBUTE) == latest for seen in view.mine)
    seen = [view.latest] if same else view.mine
    return [sighting for sighting in map(_sighting, seen) if sighting is not None]


def _sighting(seen: Observation) -> Sighting | None:
    """Return a read as far as it is one: not a failure, nothing, or what is no CSN."""
    try:
        vector = _vector(seen)
    except CSNError:
        return None
    return Sighting(seen.ended_at, vector, seen.duration_seconds) if vector else None


def _vector(seen: Observation) -> Vector:
    values = seen.facts.get(ATTRIBUTE)
    return parse_vector(map(str, values)) if isinstance(values, tuple) else {}


def _tolerance_seconds(limits: Thresholds) -> float:
    """Return what ordinary replication may take: the lowest end of a range that alerts."""
    ends = [each.end for each in (limits.warning, limits.critical) if each is not None]
    return min(ends, default=0.0)


def _metrics(
    limits: Thresholds, behind: Mapping[int, float], gaps: Mapping[int, float]
) -> Iterator[Metric]:
    for sid in sorted({*behind, *gaps}):
        yield limits.metric("behind_seconds", behind.get(sid, 0.0), f"{sid:03x}")
        if sid in gaps:
            yield Metric("csn_gap_seconds", gaps[sid], label=f"{sid:03x}")


FINE = {
    Mode.MAJORITY: "has what the others have",
    Mode.NEWEST: "has the newest that is known",
    Mode.SERVER: "has what {} has",
}
HAVE = {
    Mode.MAJORITY: "most others have",
    Mode.NEWEST: "another server has",
    Mode.SERVER: "{} has",
}


def _standing_told(
    standing: Standing,
    limits: Thresholds,
    metrics: tuple[Metric, ...],
    own: Sequence[Sighting],
    reference: Reference,
) -> Iterator[Judged]:
    behind, isolated, split = (
        standing.behind_seconds,
        standing.isolated_seconds,
        standing.split_seconds,
    )
    if behind:
        summary = _behind_sentence(behind, never_shown(own, behind), reference)
        yield limits.state(max(behind.values())), "behind", summary, metrics, Trust.SOFT
    if isolated:
        who = HAVE[reference.mode].format(_name(reference))
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
        yield limits.state(max(split.values())), "split", summary, metrics, Trust.TOLD


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
    return f"{' and '.join(parts)}; {HAVE[reference.mode].format(_name(reference))}"


def _regress_told(found: Mapping[int, Regress], metrics: tuple[Metric, ...]) -> Iterator[Judged]:
    if found:
        moves = "; ".join(f"server ID {sid:03x} {_move(each)}" for sid, each in found.items())
        summary = (
            f"lacks what it had: {moves}; was it restored from an old backup, or did slapd end "
            "without writing its checkpoint?"
        )
        yield State.CRITICAL, "regressed", summary, metrics, Trust.SOFT


def _move(each: Regress) -> str:
    if each.has is None:
        return f"went from {_when(each.had)} to nothing"
    was, now = _when(each.had), _when(each.has)
    if was == now:  # within a second
        was, now = str(each.had), str(each.has)
    return f"went back from {was} to {now}"


def _future_told(
    mine: Vector, observed: object, limits: Thresholds, retired: Collection[int]
) -> Iterator[Judged]:
    """Compare each position with the time of day that the read carries; none carries no opinion."""
    if not isinstance(observed, float):
        return
    ahead = {
        sid: max(0.0, position.time.timestamp() - observed)
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
        metrics = tuple(limits.metric("future_seconds", ahead[sid], f"{sid:03x}") for sid in bad)
        yield limits.state(ahead[worst]), "future", summary, metrics, Trust.TOLD


def _when(position: CSN) -> str:
    return f"{position.time.replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def _sids(sids: Iterable[int]) -> str:
    return ", ".join(f"{sid:03x}" for sid in sorted(sids))


def _name(reference: Reference) -> str:
    return reference.server.partition("/")[2]


CHECK = Check("replication", Params, observe, judge, Effect.OUT, second_look)
