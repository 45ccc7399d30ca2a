"""Where each server stands in replication, compared with what was seen of the others.

A dead provider is the provider's finding; a consumer is judged only by what others were seen to
have (docs/replication.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, Facts
from ldaphealth.csn import ATTRIBUTE, CSNError, Sighting, Vector, assess, lacks, parse_vector
from ldaphealth.model import Effect, Finding, Metric, Observation, State, Trust
from ldaphealth.thresholds import Range, Thresholds, at_most

if TYPE_CHECKING:
    from ldaphealth.history import View
    from ldaphealth.session import Session


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


def observe(session: Session, params: Params) -> Facts:
    """Read the position of every server ID."""
    entry = session.read(params.base or session.server.suffix, (ATTRIBUTE,))
    return {ATTRIBUTE: entry.get(ATTRIBUTE.lower(), ())}


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
    standing = assess(_reads(view), retired, _tolerance_seconds(limits))[view.server.id]
    metrics = tuple(_metrics(limits, standing.behind_seconds, standing.csn_gap_seconds))
    found = [
        (limits.state(max(times.values())), code, _sentence(code, times), believed)
        for code, times, believed in (
            ("behind", standing.behind_seconds, Trust.SOFT),
            ("isolated", standing.isolated_seconds, Trust.SOFT),
            ("split", standing.split_seconds, Trust.TOLD),
        )
        if times
    ]
    wrong = [each for each in found if each[0] is not State.OK]
    for state, code, summary, believed in wrong:
        yield view.finding(state, code, summary, metrics, believed)
    if not wrong:
        yield view.finding(State.OK, "ok", "has what the others have", metrics)


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


SENTENCES = {
    "behind": "has not received changes of server ID {sids} for {seconds:.1f} s; most others have",
    "isolated": "has changes of server ID {sids} that most others have not had for {seconds:.1f} s",
    "split": "one half of the cluster lacks changes of server ID {sids} for {seconds:.1f} s, and "
    "the other half lacks others; nobody is removed for it",
}


def _sentence(code: str, times: Mapping[int, float]) -> str:
    sids = ", ".join(f"{sid:03x}" for sid in sorted(times))
    return SENTENCES[code].format(sids=sids, seconds=max(times.values()))


CHECK = Check("replication", Params, observe, judge, Effect.OUT, second_look)
