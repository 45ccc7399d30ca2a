"""What every answer reads from: the latest verdicts, the settings of now, the agent in numbers.

agent/assembly.py makes the one that there is. Nothing here waits, looks at a server or changes any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec import Struct

from ldaphealth.clocks import BootSeconds, boot_seconds
from ldaphealth.guard.memory import Override
from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import Server, Verdict
from ldaphealth.settings import Cluster, Settings
from ldaphealth.text.suggestion import suggestion

LONGEST_NAME = 64  # of a cluster or a server: config/shape.py
MOST_TO_HINT = 100  # names that a wrong one is compared with: 2 ms
NOT_YET = "not looked at yet"
STALE = "no fresh verdict: the agent is late or hangs"


class UnknownNameError(LookupError):
    """The configuration has no such cluster or server; one line with what was probably meant."""


class BadRequestError(ValueError):
    """A query that means nothing; one line for people."""


class Source(Struct, frozen=True, kw_only=True):
    """All callables may be called from any thread; times are seconds since the boot."""

    board: LiveState
    settings: Callable[[], Settings]  # follows reloads
    health: Callable[[], AgentHealth]
    overrides: Callable[[], Mapping[str, Override]]
    ticked_at: Callable[[], BootSeconds]  # when the agent's loop came round last
    now: Callable[[], BootSeconds] = boot_seconds
    listens: Mapping[str, str] = {}  # where it is asked by TCP; a reload changes no port

    def cluster(self, name: str) -> Cluster:
        """Return a cluster; UnknownNameError when there is none."""
        clusters = self.settings().clusters
        if name not in clusters:
            raise UnknownNameError(
                f"no cluster {name[:LONGEST_NAME]!r}{_suggestion(name, clusters)}"
            )
        return clusters[name]

    def server(self, cluster: str, name: str) -> Server:
        """Return a server; UnknownNameError when there is none."""
        servers = {each.name: each for each in self.cluster(cluster).servers}
        if name not in servers:
            wrong = f"{cluster}/{name[:LONGEST_NAME]}"
            raise UnknownNameError(f"no server {wrong!r}{_suggestion(name, servers)}")
        return servers[name]

    def servers(self) -> Iterable[Server]:
        """Yield all servers in the order of the configuration."""
        for cluster in self.settings().clusters.values():
            yield from cluster.servers

    def verdict(self, server: Server) -> Verdict | None:
        """Return what may be told of a server; None: nothing, and `silence` says why."""
        known = self.board.view.clusters.get(server.cluster, {}).get(server.id)
        return None if known is None or known.is_stale(self.now()) else known.verdict

    def valid_seconds(self, server: Server) -> float:
        """Return for how long the verdict still holds; 0: there is none that does."""
        known = self.board.view.clusters.get(server.cluster, {}).get(server.id)
        return max(0.0, known.valid_until - self.now()) if known else 0.0

    def silence(self, server: Server) -> str:
        """Say why there is no verdict."""
        known = self.board.view.clusters.get(server.cluster, {}).get(server.id)
        return NOT_YET if known is None else STALE


def _suggestion(name: str, known: Collection[str]) -> str:
    """Look for what was meant only where that is cheap: strangers may ask."""
    return (
        suggestion(name, known) if len(name) <= LONGEST_NAME and len(known) <= MOST_TO_HINT else ""
    )
