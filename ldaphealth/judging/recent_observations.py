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
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.check import AnyView, View
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.judging.kept_reads import GrowingReads, KeptReads
from ldaphealth.judging.retention import WHOLE, Retention
from ldaphealth.model import AnyObservation, Server


class Age(Struct, frozen=True):
    """How old an observation is that was not made in the newest session of its server.

    `is_before_return`: since then the sessions of its server failed, and the server came back.
    """

    seconds: float
    is_before_return: bool


class RecentState(Struct, frozen=True, kw_only=True):
    """All that is remembered of a cluster at one moment; the names of the fields are below."""

    seen: Mapping[str, Mapping[str, KeptReads]]
    sessions: Mapping[str, Sequence[AnyObservation]]
    surveys: Collection[str]
    returned: Mapping[str, MonotonicSeconds]


InView = Callable[[str, GrowingReads], Sequence[AnyObservation] | None]  # None: not in the view


class _InView(Mapping[str, Sequence[AnyObservation]]):
    """The observations of a view, by server: those of the others are found when a judge wants them.

    Most judges read only those of the server that is judged.
    """

    __slots__ = ("_found", "_in_view", "_seen", "_whole")

    def __init__(self, seen: Mapping[str, GrowingReads], in_view: InView) -> None:
        self._seen, self._in_view = seen, in_view
        self._found: dict[str, Sequence[AnyObservation]] = {}  # judges read their own often
        self._whole: dict[str, Sequence[AnyObservation]] | None = None

    def _all(self) -> dict[str, Sequence[AnyObservation]]:
        if self._whole is None:
            found = ((each, self._in_view(each, kept)) for each, kept in self._seen.items())
            self._whole = {each: reads for each, reads in found if reads is not None}
        return self._whole

    def __getitem__(self, server: str) -> Sequence[AnyObservation]:
        reads = self._found.get(server)
        if reads is None:
            reads = self._in_view(server, self._seen[server])
            if reads is None:
                raise KeyError(server)
            self._found[server] = reads
        return reads

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

    `retention` is what is kept, by the name of a check, `WHOLE` for others. Not thread-safe, except
    for `of_check`.
    """

    def __init__(self, retention: Mapping[str, Retention] = {}) -> None:
        self.retention = retention
        self._seen: dict[str, dict[str, GrowingReads]] = {}
        self._session: dict[str, list[AnyObservation]] = {}  # by server, of its newest session
        self._surveys: set[str] = set()  # checks whose observations belong to no session
        self._returned: dict[str, MonotonicSeconds] = {}  # by server, when it last came back

    def add(self, observation: AnyObservation) -> AnyObservation:
        """Add one observation, and drop those beyond the limits.

        Return it as it is kept: facts that are as before are the same object.
        """
        kept = self._keep(observation)
        if kept.check == "connect":  # every session begins with it
            self._session[kept.server] = []
        self._session.setdefault(kept.server, []).append(kept)
        del self._session[kept.server][1:-1]  # only the first and the last are needed
        return kept

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

    def _keep(self, observation: AnyObservation) -> AnyObservation:
        of_check = self._seen.get(observation.check)
        if of_check is None:
            of_check = self._seen[observation.check] = {}
        kept = of_check.get(observation.server)
        if kept is None:
            kept = of_check[observation.server] = GrowingReads()
        return kept.add(observation, self.retention.get(observation.check, WHOLE))

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
            check: {server: GrowingReads(of.reads, of.older) for server, of in seen.items()}
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
        covers, own = self.retention.get(check, WHOLE).covers, seen.get(server.id)
        return View(
            server,
            check,
            _InView(seen, in_view),
            one_shot=one_shot,
            servers=servers,
            is_growing=covers is not None and own is not None and own.grows(covers),
        )

    def _reads_in_view(self, server: str, kept: GrowingReads) -> Sequence[AnyObservation] | None:
        return kept.reads if self._is_reached(server, kept.reads[-1]) else None

    def _surveys_in_view(self, server: str, kept: GrowingReads) -> Sequence[AnyObservation] | None:
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
