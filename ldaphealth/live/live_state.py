"""The newest verdicts and observations of all clusters in memory, for readers such as HTTP.

The agent's thread publishes into it, which costs what has landed. Any thread may read `view`. It is
immutable, and costs what has changed since it was read last.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.live.live_server import GrowingServer, LiveServer
from ldaphealth.model import AnyObservation, Verdict
from ldaphealth.publishers.publication import Publication, VerdictChange
from ldaphealth.publishers.shadow_publication import ShadowPublication

KEPT_CHANGES = 100


class DatedChange(Struct, frozen=True):
    """A change of a verdict, and its time in seconds since the epoch."""

    epoch_seconds: EpochSeconds
    change: VerdictChange


class LiveView(Struct, frozen=True):
    """The live state at one moment: servers by ID in clusters by name; newest changes first."""

    clusters: Mapping[str, Mapping[str, LiveServer]] = {}
    changes: tuple[DatedChange, ...] = ()

    def servers(self) -> Iterable[tuple[str, LiveServer]]:
        """Yield the servers of all clusters, in order."""
        for servers in self.clusters.values():
            yield from servers.items()


class _Cluster:
    """The servers of a cluster, and the verdicts of its newest publication."""

    __slots__ = ("servers", "verdicts")

    def __init__(self) -> None:
        self.servers: dict[str, GrowingServer] = {}
        self.verdicts: Mapping[str, Verdict] = {}

    def add(self, decided: Publication) -> None:
        """Add a decision, and forget servers without a verdict."""
        self.verdicts, known = decided.verdicts, self.servers
        if known.keys() != decided.verdicts.keys():
            self.servers = {each: known.get(each) or GrowingServer() for each in decided.verdicts}
        seen: dict[str, list[AnyObservation]] = {}
        for observation in decided.seen:
            seen.setdefault(observation.server, []).append(observation)
        for server, valid_until in decided.due.items():
            self.servers[server].renew(valid_until)
        for server, of in seen.items():
            if server in self.servers:
                self.servers[server].add(of)

    def so_far(self) -> Mapping[str, LiveServer]:
        """Return the live state of its servers, in the order of the verdicts."""
        return {
            server: self.servers[server].so_far(verdict)
            for server, verdict in self.verdicts.items()
        }


class LiveState:
    """A publisher that keeps the newest state. Its size is bounded by the number of servers."""

    def __init__(self, clock: Callable[[], EpochSeconds] = epoch_seconds) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # held while one cluster is changed or read, not for longer
        self._reading = threading.Lock()  # held while a view is made
        self._clusters: dict[str, _Cluster] = {}
        self._changed: dict[str, None] = {}  # clusters since the view was made
        self._changes: deque[DatedChange] = deque(maxlen=KEPT_CHANGES)
        self._view = LiveView()

    @property
    def view(self) -> LiveView:
        """Return the state now, the same object while nothing changes."""
        with self._reading:
            with self._lock:
                changed, self._changed = self._changed, {}
                changes = tuple(self._changes) if changed else ()
            if changed:
                clusters = {**self._view.clusters}
                for name in changed:
                    with self._lock:
                        cluster = self._clusters.get(name)
                        clusters[name] = {} if cluster is None else cluster.so_far()
                    if cluster is None:
                        del clusters[name]
                self._view = LiveView(clusters, changes)
            return self._view

    def publish(self, decided: Publication) -> None:
        """Add a decision on one cluster."""
        with self._lock:
            self._changed[decided.cluster] = None
            now = self._clock()
            self._changes.extendleft(DatedChange(now, change) for change in decided.changes)
            if not decided.verdicts:  # a reload removed the cluster
                self._clusters.pop(decided.cluster, None)
                return
            if decided.cluster not in self._clusters:
                self._clusters[decided.cluster] = _Cluster()
            self._clusters[decided.cluster].add(decided)

    def publish_shadow(self, decided: ShadowPublication) -> None:
        """Add what a shadow decided beside the newest decision."""
        with self._lock:
            cluster = self._clusters.get(decided.cluster)
            if cluster is None:
                return
            self._changed[decided.cluster] = None
            for server, each in cluster.servers.items():
                each.judge_in_shadow(decided.verdicts.get(server), cluster.verdicts[server])

    def close(self) -> None:
        """Keep everything: a verdict is valid until it expires."""
