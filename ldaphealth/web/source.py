"""The data for all answers: the live state, the current settings, the health of the agent.

agent/assembly.py creates it. Nothing here blocks, probes a server or changes state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from ldaphealth.clocks import BootSeconds, boot_seconds
from ldaphealth.guard.memory import Override
from ldaphealth.live.broken_floor import BrokenFloor, broken_floors
from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import Server, Verdict
from ldaphealth.publishers.shadow_publication import ShadowVerdict
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import Probe
from ldaphealth.settings import Cluster, Settings
from ldaphealth.text.suggestion import suggestion

LONGEST_NAME = 64  # of a cluster or a server: config/shape.py
MOST_TO_HINT = 100  # names that a wrong one is compared with: 2 ms
NOT_YET = "not probed yet"
STALE = "no fresh verdict: the agent is late or hangs"


class UnknownNameError(LookupError):
    """There is no such cluster or server. The message is one line, with a similar name if any."""


class UnreadableError(Exception):
    """The history cannot be read, or not in time. The message is one line with the next step."""


class BadRequestError(ValueError):
    """A query is invalid. The message is one line for people."""


class Source(Struct, frozen=True, kw_only=True):
    """The data for all answers. Any thread may call the callables. Times are since the boot."""

    live_state: LiveState
    settings: Callable[[], Settings]  # follows reloads
    health: Callable[[], AgentHealth]
    overrides: Callable[[], Mapping[str, Override]]
    ticked_at: Callable[[], BootSeconds]  # when the agent's main loop ran last
    now: Callable[[], BootSeconds] = boot_seconds
    probe: Probe = probe_server  # that of the agent, which limits how often it binds
    history: Path | None = None  # its file; None: the agent keeps none
    listens: Mapping[str, str] = {}  # set by the web server; a reload changes none

    def cluster(self, name: str) -> Cluster:
        """Return a cluster; UnknownNameError if there is none."""
        clusters = self.settings().clusters
        if name not in clusters:
            raise UnknownNameError(
                f"no cluster {name[:LONGEST_NAME]!r}{_suggestion(name, clusters)}"
            )
        return clusters[name]

    def server(self, cluster: str, name: str) -> Server:
        """Return a server; UnknownNameError if there is none."""
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
        """Return the fresh verdict on a server; None without one (see `missing_reason`)."""
        known = self.live_state.view.clusters.get(server.cluster, {}).get(server.id)
        return None if known is None or known.is_stale(self.now()) else known.verdict

    def shadows(self) -> Sequence[ShadowVerdict]:
        """Return what shadows decided beside the fresh verdicts."""
        now = self.now()
        return tuple(
            known.shadow
            for _, known in self.live_state.view.servers()
            if known.shadow is not None and not known.is_stale(now)
        )

    def broken_floors(self) -> Sequence[BrokenFloor]:
        """Return the clusters with fewer servers in service than their `min_in_service`."""
        known = ((each.id, self.verdict(each)) for each in self.servers())
        verdicts = {server: verdict for server, verdict in known if verdict is not None}
        return tuple(broken_floors(self.settings().clusters.values(), verdicts))

    def valid_seconds(self, server: Server) -> float:
        """Return for how many seconds the verdict is valid; 0 without a fresh one."""
        known = self.live_state.view.clusters.get(server.cluster, {}).get(server.id)
        return max(0.0, known.valid_until - self.now()) if known else 0.0

    def missing_reason(self, server: Server) -> str:
        """Return the reason why there is no fresh verdict."""
        known = self.live_state.view.clusters.get(server.cluster, {}).get(server.id)
        return NOT_YET if known is None else STALE


def _suggestion(name: str, known: Collection[str]) -> str:
    """Return a hint to a similar name, empty if the search would be expensive for any client."""
    return (
        suggestion(name, known) if len(name) <= LONGEST_NAME and len(known) <= MOST_TO_HINT else ""
    )
