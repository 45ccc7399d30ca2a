"""What was seen lately, bounded, and the view of it that a judge gets.

The agent and the one-shot command add observations here; checks read them through `View`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ldaphealth.check import AnyView, View
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.model import AnyObservation, Server

Covers = Callable[[Any, Any], bool]  # Check.covers of any check; it gets no None

LARGEST_GAP = 0.25  # between two older reads, as a part of their age


class _Kept:
    """What is remembered of one server and check: `reads`, of which so many are older ones."""

    __slots__ = ("older", "reads")

    def __init__(self) -> None:
        self.reads: list[AnyObservation] = []
        self.older = 0


class RecentObservations:
    """The newest observations of every server and check of one cluster, in memory.

    `keep` bounds the newest of one server and check, and `older` those before them, which there are
    for the checks in `covers` alone. Not for several threads.
    """

    def __init__(self, keep: int = 64, covers: Mapping[str, Covers] = {}, older: int = 64) -> None:
        self.keep, self.covers, self.older = keep, covers, older
        self._seen: dict[str, dict[str, _Kept]] = {}
        self._session: dict[str, list[AnyObservation]] = {}  # by server, of its newest session
        self._surveys: set[str] = set()  # checks whose observations belong to no session

    def add(self, observation: AnyObservation) -> None:
        """Remember one observation, and forget what is beyond the bounds."""
        self._keep(observation)
        if observation.check == "connect":  # every session begins with it
            self._session[observation.server] = []
        self._session.setdefault(observation.server, []).append(observation)
        del self._session[observation.server][1:-1]  # its first and its latest are enough

    def add_surveyed(self, observation: AnyObservation) -> None:
        """Remember what a survey saw, which belongs to no session."""
        self._surveys.add(observation.check)
        self._keep(observation)

    def _keep(self, observation: AnyObservation) -> None:
        kept = self._seen.setdefault(observation.check, {}).setdefault(observation.server, _Kept())
        kept.reads.append(observation)
        if len(kept.reads) - kept.older > self.keep:
            self._age(kept, self.covers.get(observation.check))

    def recall(self, observations: Iterable[AnyObservation], *, current: bool) -> None:
        """Take what an agent before this one remembered, oldest first.

        Unless it is `current`, a server is in no view until it is looked at again.
        """
        for each in observations:
            self.add(each)
            if current:
                self._session[each.server] = [each]
            else:
                del self._session[each.server]

    def of_check(self, check: str) -> dict[str, Sequence[AnyObservation]]:
        """Return a copy of what is remembered, by server; any thread may ask.

        list() of a dict and tuple() of a list are one step each for other threads.
        """
        seen = list(self._seen.get(check, {}).items())
        return {server: tuple(kept.reads) for server, kept in seen}

    def forget(self, servers: Container[str]) -> None:
        """Forget all but these servers."""
        for of_check in self._seen.values():
            for server in [each for each in of_check if each not in servers]:
                del of_check[server]
        for server in [each for each in self._session if each not in servers]:
            del self._session[server]

    def view(self, server: Server, check: str, *, one_shot: bool) -> AnyView:
        """Return what the judge of one check of one server may see; it must not keep it.

        A server whose newest session failed before it reached this check is not in it: what it
        said before says nothing of it now. Nor is what a survey saw of it, however new.
        """
        seen = self._seen.get(check, {})
        surveyed = check in self._surveys
        reached = {
            each: of.reads
            for each, of in seen.items()
            if (self._ran_through(each) if surveyed else self._is_reached(each, of.reads[-1]))
        }
        return View(server, check, reached, one_shot)

    def _ran_through(self, server: str) -> bool:
        return server in self._session and self._session[server][-1].failure is None

    def _is_reached(self, server: str, last: AnyObservation) -> bool:
        session = self._session.get(server)
        if not session:
            return False
        return session[-1].failure is None or last.started_at >= session[0].started_at

    def _age(self, kept: _Kept, covers: Covers | None) -> None:
        """Let the oldest of the newest become an older one, or forget it."""
        reads, at = kept.reads, kept.older
        if covers is None or reads[at].facts is None:
            del reads[at]
            return
        if at > 1 and _is_run(covers, reads[at - 2 : at + 1]):
            del reads[at - 1]  # of a run of equal ones the first and the last say all
            return
        kept.older += 1
        if kept.older > self.older:
            thin = _thinned(covers, reads[: kept.older], reads[-1].started_at)
            del thin[: -self.older * 3 // 4]  # if nothing could be spared
            reads[: kept.older] = thin
            kept.older = len(thin)


def _is_run(covers: Covers, reads: Sequence[AnyObservation]) -> bool:
    return all(
        _covers(covers, one, other) and _covers(covers, other, one)
        for one, other in pairwise(reads)
    )


def _covers(covers: Covers, earlier: AnyObservation, later: AnyObservation) -> bool:
    """Return whether the later observation says all that the earlier one does; none failed."""
    if earlier.facts is None or later.facts is None:
        return False
    return covers(earlier.facts, later.facts)


def _thinned(
    covers: Covers, reads: Sequence[AnyObservation], now: MonotonicSeconds
) -> list[AnyObservation]:
    """Forget what can be spared, as long as the gap that it leaves is a small part of its age."""
    kept = [reads[0]]
    for each, after in pairwise(reads[1:]):
        gap, age = after.started_at - kept[-1].started_at, now - after.started_at
        small = gap <= LARGEST_GAP * age
        if not (small and _covers(covers, kept[-1], each) and _covers(covers, each, after)):
            kept.append(each)
    return [*kept, reads[-1]]
