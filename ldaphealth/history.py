"""What was seen lately, bounded, and the view of it that a judge gets.

The agent and the one-shot command add observations here; checks read them through `View`.
"""

from __future__ import annotations

from collections import deque
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
        self._seen: dict[str, dict[str, deque[Observation]]] = {}

    def add(self, observation: Observation) -> None:
        """Remember one observation, and forget the oldest beyond the bound."""
        of_check = self._seen.setdefault(observation.check, {})
        if observation.server not in of_check:
            of_check[observation.server] = deque(maxlen=self.keep)
        of_check[observation.server].append(observation)

    def forget(self, servers: Container[str]) -> None:
        """Forget all but these servers."""
        for of_check in self._seen.values():
            for server in [each for each in of_check if each not in servers]:
                del of_check[server]

    def view(self, server: Server, check: str, *, one_shot: bool) -> View:
        """Return what the judge of one check of one server may see; it must not keep it."""
        return View(server, check, self._seen.get(check, {}), one_shot)
