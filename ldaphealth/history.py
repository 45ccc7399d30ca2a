"""What was seen lately, bounded, and the view of it that a judge gets.

The agent and the one-shot command add observations here; checks read them through `View`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from msgspec import Struct

from ldaphealth.model import Finding, Metric, Observation, Server, State, Trust


class View(Struct, frozen=True):
    """All that one judge may look at: its check's observations of the whole cluster.

    `one_shot` says that nothing was remembered before this process: two reads a moment apart are
    all there is. Observations are oldest first, failed ones included.
    """

    server: Server
    check: str
    observations: Mapping[str, Sequence[Observation]]  # by server ID; all servers of the cluster
    one_shot: bool = False

    @property
    def mine(self) -> Sequence[Observation]:
        """Return the observations of the server that is judged, oldest first."""
        return self.observations.get(self.server.id, ())

    @property
    def latest(self) -> Observation:
        """Return the newest observation of the server; a judge runs only when there is one."""
        return self.mine[-1]

    def finding(
        self,
        state: State,
        code: str,
        summary: str,
        metrics: Iterable[Metric] = (),
        trust: Trust = Trust.SOFT,
    ) -> Finding:
        """Return an opinion on the server that is judged."""
        return Finding(self.server.id, self.check, state, code, summary, tuple(metrics), trust)


class History:
    """The newest observations of every server and check of one cluster, in memory.

    `keep` bounds the observations of one server and check. Not for several threads.
    """

    def __init__(self, keep: int = 64) -> None:
        self.keep = keep
        self._seen: dict[str, dict[str, list[Observation]]] = {}
        self._session: dict[str, list[Observation]] = {}  # by server, of its newest session
        self._surveys: set[str] = set()  # checks whose observations belong to no session

    def add(self, observation: Observation) -> None:
        """Remember one observation, and forget the oldest beyond the bound."""
        self._keep(observation)
        if observation.check == "connect":  # every session begins with it
            self._session[observation.server] = []
        self._session.setdefault(observation.server, []).append(observation)
        del self._session[observation.server][1:-1]  # its first and its latest are enough

    def add_surveyed(self, observation: Observation) -> None:
        """Remember what a survey saw, which belongs to no session."""
        self._surveys.add(observation.check)
        self._keep(observation)

    def _keep(self, observation: Observation) -> None:
        seen = self._seen.setdefault(observation.check, {}).setdefault(observation.server, [])
        seen.append(observation)
        del seen[: -self.keep]

    def forget(self, servers: Container[str]) -> None:
        """Forget all but these servers."""
        for of_check in self._seen.values():
            for server in [each for each in of_check if each not in servers]:
                del of_check[server]
        for server in [each for each in self._session if each not in servers]:
            del self._session[server]

    def view(self, server: Server, check: str, *, one_shot: bool) -> View:
        """Return what the judge of one check of one server may see; it must not keep it.

        A server whose newest session failed before it reached this check is not in it: what it
        said before says nothing of it now. Nor is what a survey saw of it, however new.
        """
        seen = self._seen.get(check, {})
        if check in self._surveys:
            reached = {each: of for each, of in seen.items() if self._ran_through(each)}
        else:
            reached = {each: of for each, of in seen.items() if self._is_reached(each, of[-1])}
        return View(server, check, reached, one_shot)

    def _ran_through(self, server: str) -> bool:
        return server in self._session and self._session[server][-1].failure is None

    def _is_reached(self, server: str, last: Observation) -> bool:
        first, latest = self._session[server][0], self._session[server][-1]
        return latest.failure is None or last.started_at >= first.started_at
