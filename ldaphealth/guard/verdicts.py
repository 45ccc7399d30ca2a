"""The verdicts on a cluster at one moment: some are new, the others only last longer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, KeysView, Mapping

from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard.memory import ServerMemory
from ldaphealth.model import Verdict

NO_MEMORY: Mapping[str, ServerMemory] = {}


class Verdicts(Mapping[str, Verdict]):
    """The verdicts of one decision, by server ID. Immutable, so any thread may read it.

    `lasted_seconds` of a verdict goes on with each decision on the cluster. It is computed when a
    verdict is read, so a decision makes only the verdicts with something else that is new:
    `renewed` names their servers. `as_decided` has all without that.
    """

    __slots__ = ("_decided_at", "_memory", "as_decided", "renewed")

    def __init__(
        self,
        as_decided: Mapping[str, Verdict] = {},
        memory: Mapping[str, ServerMemory] = NO_MEMORY,
        decided_at: BootSeconds = 0.0,
        renewed: Collection[str] = (),
    ) -> None:
        self.as_decided = as_decided
        self.renewed = renewed
        self._memory, self._decided_at = memory, decided_at

    def after(
        self,
        new: Iterable[Verdict],
        memory: Mapping[str, ServerMemory],
        decided_at: BootSeconds,
    ) -> Verdicts:
        """Return the verdicts after another decision, of which these are new."""
        renewed = {each.server: each for each in new}
        return Verdicts({**self.as_decided, **renewed}, memory, decided_at, renewed.keys())

    def of(self, servers: Collection[str]) -> Verdicts:
        """Return the verdicts on these servers."""
        left = {server: each for server, each in self.as_decided.items() if server in servers}
        return Verdicts(left, self._memory, self._decided_at, self.renewed & left.keys())

    def __getitem__(self, server: str) -> Verdict:
        verdict, past = self.as_decided[server], self._memory.get(server)
        if past is None:  # as another process kept it
            return verdict
        lasted_seconds = self._decided_at - past.since
        if verdict.lasted_seconds == lasted_seconds:
            return verdict
        return replace(verdict, lasted_seconds=lasted_seconds)

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_decided)

    def __len__(self) -> int:
        return len(self.as_decided)

    def keys(self) -> KeysView[str]:
        """Return the servers, as those of a dict, which are compared faster."""
        return self.as_decided.keys()

    def __contains__(self, server: object) -> bool:
        return server in self.as_decided
