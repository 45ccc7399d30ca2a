"""The recent observations of a cluster, bounded, and the views of them that judges get.

The agent and the one-shot command add observations; checks read them through `View`.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Container,
    ItemsView,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    ValuesView,
)
from itertools import pairwise
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.check import MOST_NEWEST, AnyView, View
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.judging.shared_facts import sharing
from ldaphealth.model import AnyObservation, Server

Covers = Callable[[Any, Any], bool]  # Check.covers of any check; it never gets None

LARGEST_GAP = 0.25  # between two older reads, as a part of their age


class Age(Struct, frozen=True):
    """How old an observation is that was not made in the newest session of its server.

    `is_before_return`: since then the sessions of its server failed, and the server came back.
    """

    seconds: float
    is_before_return: bool


class KeptReads(Struct, frozen=True):
    """The observations of one server and check: `reads`, of which the first `older` are older."""

    reads: Sequence[AnyObservation]
    older: int


class RecentState(Struct, frozen=True, kw_only=True):
    """All that is remembered of a cluster at one moment; the names of the fields are below."""

    seen: Mapping[str, Mapping[str, KeptReads]]
    sessions: Mapping[str, Sequence[AnyObservation]]
    surveys: Collection[str]
    returned: Mapping[str, MonotonicSeconds]


class _Kept:
    """The same while the agent runs.

    `is_growing`: each one with facts covers the one with facts before it; None: that is not known.
    """

    __slots__ = ("is_growing", "older", "reads")

    def __init__(self, reads: Sequence[AnyObservation] = (), older: int = 0) -> None:
        self.reads: list[AnyObservation] = [*reads]
        self.older = older
        self.is_growing: bool | None = None

    def grows(self, covers: Covers) -> bool:
        """Return whether each one with facts covers the one with facts before it."""
        if self.is_growing is None:
            found = [each for each in self.reads if each.facts is not None]
            self.is_growing = all(_covers(covers, *pair) for pair in pairwise(found))
        return self.is_growing

    def note_next(self, covers: Covers, seen: AnyObservation) -> None:
        """Note an observation that is to follow."""
        if not self.is_growing or seen.facts is None:
            return
        before = next((each for each in reversed(self.reads) if each.facts is not None), None)
        self.is_growing = before is None or _covers(covers, before, seen)


InView = Callable[[str, _Kept], Sequence[AnyObservation] | None]  # None: not in the view


class _InView(Mapping[str, Sequence[AnyObservation]]):
    """The observations of a view, by server: those of the others are found when a judge wants them.

    Most judges read only those of the server that is judged.
    """

    __slots__ = ("_in_view", "_seen", "_whole")

    def __init__(self, seen: Mapping[str, _Kept], in_view: InView) -> None:
        self._seen, self._in_view = seen, in_view
        self._whole: dict[str, Sequence[AnyObservation]] | None = None

    def _all(self) -> dict[str, Sequence[AnyObservation]]:
        if self._whole is None:
            found = ((each, self._in_view(each, kept)) for each, kept in self._seen.items())
            self._whole = {each: reads for each, reads in found if reads is not None}
        return self._whole

    def __getitem__(self, server: str) -> Sequence[AnyObservation]:
        if self._whole is None:
            reads = self._in_view(server, self._seen[server])
            if reads is None:
                raise KeyError(server)
            return reads
        return self._whole[server]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def items(self) -> ItemsView[str, Sequence[AnyObservation]]:
        """Return the pairs of a dict, which are faster."""
        return self._all().items()

    def values(self) -> ValuesView[Sequence[AnyObservation]]:
        """Return the values of a dict, likewise."""
        return self._all().values()


class RecentObservations:
    """The newest observations of every server and check of one cluster, in memory.

    `keep` limits the newest ones of a server and check, `newest` those of some checks. `older`
    limits those before them, which are kept only for the checks in `covers`. Not thread-safe,
    except for `of_check`.
    """

    def __init__(
        self,
        keep: int = MOST_NEWEST,
        covers: Mapping[str, Covers] = {},
        older: int = 64,
        newest: Mapping[str, int] = {},
    ) -> None:
        self.keep, self.covers, self.older, self.newest = keep, covers, older, newest
        self._seen: dict[str, dict[str, _Kept]] = {}
        self._session: dict[str, list[AnyObservation]] = {}  # by server, of its newest session
        self._surveys: set[str] = set()  # checks whose observations belong to no session
        self._returned: dict[str, MonotonicSeconds] = {}  # by server, when it last came back

    def add(self, observation: AnyObservation) -> None:
        """Add one observation, and drop those beyond the limits."""
        self._keep(observation)
        if observation.check == "connect":  # every session begins with it
            self._session[observation.server] = []
        self._session.setdefault(observation.server, []).append(observation)
        del self._session[observation.server][1:-1]  # only the first and the last are needed

    def add_surveyed(self, observation: AnyObservation) -> None:
        """Add an observation of a survey, which belongs to no session."""
        self._surveys.add(observation.check)
        self._keep(observation)

    def add_summary(self, observation: AnyObservation) -> None:
        """Add what a check made of a whole probe, whose own observations were added before."""
        self._keep(observation)

    def note_return(self, server: str, at: MonotonicSeconds) -> None:
        """Note that a server whose sessions failed has had a complete one, which began then.

        Newer surveys replace all that were begun before.
        """
        self._returned[server] = at

    def age(self, server: str, seen: AnyObservation) -> Age:
        """Return how old an observation was in the newest session of its server."""
        session = self._session.get(server)
        now = session[-1].ended_at if session else seen.ended_at
        is_before = seen.started_at < self._returned.get(server, seen.started_at)
        return Age(max(0.0, now - seen.ended_at), is_before)

    def _keep(self, observation: AnyObservation) -> None:
        of_check = self._seen.get(observation.check)
        if of_check is None:
            of_check = self._seen[observation.check] = {}
        kept = of_check.get(observation.server)
        if kept is None:
            kept = of_check[observation.server] = _Kept()
        covers = self.covers.get(observation.check)
        if covers is not None:
            kept.note_next(covers, observation)
        kept.reads.append(sharing(observation, kept.reads[-1]) if kept.reads else observation)
        while len(kept.reads) - kept.older > self.newest.get(observation.check, self.keep):
            self._age(kept, covers)

    def recall(self, observations: Iterable[AnyObservation], *, current: bool) -> None:
        """Add the observations of an earlier process, oldest first.

        Unless they are `current`, a server is in no view until it is probed again.
        """
        for each in observations:
            self.add(each)
            if current:
                self._session[each.server] = [each]
            else:
                del self._session[each.server]

    def state(self) -> RecentState:
        """Return a copy of all that is remembered."""
        return RecentState(
            seen={
                check: {server: KeptReads((*of.reads,), of.older) for server, of in seen.items()}
                for check, seen in self._seen.items()
            },
            sessions={server: (*of,) for server, of in self._session.items()},
            surveys=frozenset(self._surveys),
            returned=dict(self._returned),
        )

    def restore(self, state: RecentState) -> None:
        """Remember this, and nothing else."""
        self._seen = {
            check: {server: _Kept(of.reads, of.older) for server, of in seen.items()}
            for check, seen in state.seen.items()
        }
        self._session = {server: [*of] for server, of in state.sessions.items()}
        self._surveys = {*state.surveys}
        self._returned = {**state.returned}

    def of_check(self, check: str) -> dict[str, Sequence[AnyObservation]]:
        """Return a copy of the observations of a check, by server; any thread may call it.

        list() of a dict and tuple() of a list are atomic for other threads.
        """
        seen = list(self._seen.get(check, {}).items())
        return {server: tuple(kept.reads) for server, kept in seen}

    def recount(self, check: str, counted: Callable[[str, Any], Any]) -> None:
        """Replace the facts of a check that are remembered by what they count as from now on.

        `counted` gets a server ID and facts.
        """
        for server, kept in self._seen.get(check, {}).items():
            kept.is_growing = None
            kept.reads[:] = [
                each if each.facts is None else replace(each, facts=counted(server, each.facts))
                for each in kept.reads
            ]

    def forget_checks(self, checks: Container[str]) -> None:
        """Drop the observations of all checks but these, by their names."""
        for check in [each for each in self._seen if each not in checks]:
            del self._seen[check]
            self._surveys.discard(check)

    def forget(self, servers: Container[str]) -> None:
        """Drop the observations of all servers but these."""
        for of_check in self._seen.values():
            for server in [each for each in of_check if each not in servers]:
                del of_check[server]
        for by_server in (self._session, self._returned):
            for server in [each for each in by_server if each not in servers]:
                del by_server[server]

    def view(
        self, server: Server, check: str, *, one_shot: bool, servers: Sequence[Server] = ()
    ) -> AnyView:
        """Return the view for the judge of one check of one server; it must not be kept.

        `servers` are all of the cluster.

        A server whose newest session failed before it reached this check is not in the view: older
        observations prove nothing of it now. Nor are the observations of surveys of such a server,
        and after it came back those of new surveys replace the earlier ones.
        """
        seen = self._seen.get(check, {})
        in_view = self._surveys_in_view if check in self._surveys else self._reads_in_view
        covers, own = self.covers.get(check), seen.get(server.id)
        return View(
            server,
            check,
            _InView(seen, in_view),
            one_shot=one_shot,
            servers=servers,
            is_growing=covers is not None and own is not None and own.grows(covers),
        )

    def _reads_in_view(self, server: str, kept: _Kept) -> Sequence[AnyObservation] | None:
        return kept.reads if self._is_reached(server, kept.reads[-1]) else None

    def _surveys_in_view(self, server: str, kept: _Kept) -> Sequence[AnyObservation] | None:
        return self._since_return(server, kept.reads) if self.is_complete(server) else None

    def _since_return(self, server: str, reads: list[AnyObservation]) -> list[AnyObservation]:
        """Return the surveys that began after the server came back; all if there is none yet."""
        returned = self._returned.get(server)
        if returned is None or reads[0].started_at >= returned:
            return reads
        return [each for each in reads if each.started_at >= returned] or reads

    def is_complete(self, server: str) -> bool:
        """Return whether the newest session of a server has not failed."""
        return server in self._session and self._session[server][-1].failure is None

    def _is_reached(self, server: str, last: AnyObservation) -> bool:
        session = self._session.get(server)
        if not session:
            return False
        return session[-1].failure is None or last.started_at >= session[0].started_at

    def _age(self, kept: _Kept, covers: Covers | None) -> None:
        """Move the oldest of the newest observations to the older ones, or drop it."""
        kept.is_growing = kept.is_growing or None  # what did not grow may be dropped
        reads, at = kept.reads, kept.older
        if covers is None or reads[at].facts is None:
            del reads[at]
            return
        if at > 1 and _is_run(covers, reads[at - 2 : at + 1]):
            del reads[at - 1]  # of a run of equal ones the first and the last suffice
            return
        kept.older += 1
        if kept.older > self.older:
            thin = _thinned(covers, reads[: kept.older], reads[-1].started_at)
            del thin[: -self.older * 3 // 4]  # if too few could be dropped
            reads[: kept.older] = thin
            kept.older = len(thin)


def _is_run(covers: Covers, reads: Sequence[AnyObservation]) -> bool:
    return all(
        _covers(covers, one, other) and _covers(covers, other, one)
        for one, other in pairwise(reads)
    )


def _covers(covers: Covers, earlier: AnyObservation, later: AnyObservation) -> bool:
    """Return whether the later observation covers the earlier one, and neither failed."""
    if earlier.facts is None or later.facts is None:
        return False
    return covers(earlier.facts, later.facts)


def _thinned(
    covers: Covers, reads: Sequence[AnyObservation], now: MonotonicSeconds
) -> list[AnyObservation]:
    """Drop covered observations, as long as the gap is a small part of their age."""
    kept = [reads[0]]
    for each, after in pairwise(reads[1:]):
        gap, age = after.started_at - kept[-1].started_at, now - after.started_at
        small = gap <= LARGEST_GAP * age
        if not (small and _covers(covers, kept[-1], each) and _covers(covers, each, after)):
            kept.append(each)
    return [*kept, reads[-1]]
