"""The shadows of clusters: pools with other settings that get the same events and decide nothing.

`Shadows` follows the pools. It is a publisher too, the last one: the events of a decision are
judged again when the decision has been published, so a shadow delays no verdict.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import (
    Began,
    Ended,
    PoolEvent,
    PoolState,
    Reconfigured,
)
from ldaphealth.agent.shadow_pool import apply_to_shadow, shadow_pool
from ldaphealth.publishers.publication import Publication
from ldaphealth.publishers.shadow_publication import (
    ShadowChange,
    ShadowPublication,
    ShadowReceiver,
    ShadowVerdict,
    beside,
)
from ldaphealth.settings import Cluster

log = logging.getLogger(__name__)


class Shadow:
    """The shadow of one cluster, with the events that it has not judged yet."""

    def __init__(self, state: PoolState, settings: Cluster) -> None:
        self.cluster = state.cluster
        self.pool = shadow_pool(state, settings)
        self.verdicts: Mapping[str, ShadowVerdict] = {}
        self.waiting: list[PoolEvent] = []

    def decide(self, decided: Publication) -> list[ShadowChange]:
        """Judge the events since the last decision, and return the changes."""
        waiting, self.waiting = self.waiting, []
        for event in waiting:
            self.pool = apply_to_shadow(self.pool, event)
        before = {server: _sides(each) for server, each in self.verdicts.items()}
        self.verdicts = {
            server: beside(verdict, self.pool.verdicts[server])
            for server, verdict in decided.verdicts.items()
            if server in self.pool.verdicts
        }
        return [
            ShadowChange(after)
            for server, after in self.verdicts.items()
            if _sides(after) != before.get(server, (decided.verdicts[server].in_service, True))
        ]


def _sides(shadow: ShadowVerdict) -> tuple[bool, bool]:
    """Return whether the server would be in service, and whether the verdict is the same.

    A shadow begins on the side of the verdicts.
    """
    return shadow.in_service, shadow.agrees


class Shadows:
    """The shadows of all clusters that have one: a follower of their pools, and a publisher.

    `receivers` get what they decide. Only the agent's thread calls it.
    """

    def __init__(self, receivers: Sequence[ShadowReceiver] = ()) -> None:
        self._receivers = receivers
        self._shadows: dict[str, Shadow] = {}

    def note(self, pool: Pool, event: PoolEvent) -> None:
        """Receive an event of a pool."""
        known = self._shadows.get(pool.cluster.name)
        if isinstance(event, Began | Reconfigured | Ended):
            self._begin(pool, known, event)
        elif known is not None:
            known.waiting.append(event)

    def publish(self, decided: Publication) -> None:
        """Judge what the decision is based on, and publish what the shadow decides."""
        shadow = self._shadows.get(decided.cluster)
        if shadow is None:
            return
        try:
            changes = shadow.decide(decided)
        except Exception:  # a defect of a shadow is none of the publishing of verdicts
            log.exception("the shadow of cluster %s failed", decided.cluster)
            shadow.verdicts, changes = {}, []  # what it decided before is no longer current
        for change in changes:
            _log_change(change)
        self._publish(
            ShadowPublication(cluster=decided.cluster, verdicts=shadow.verdicts, changes=changes)
        )

    def close(self) -> None:
        """End. A shadow keeps nothing."""

    def of(self, cluster: str) -> Shadow | None:
        """Return the shadow of a cluster, None if it has none."""
        return self._shadows.get(cluster)

    def verdicts(self) -> dict[str, ShadowVerdict]:
        """Return what the shadows decided last, by server ID."""
        return {
            server: verdict
            for shadow in self._shadows.values()
            for server, verdict in shadow.verdicts.items()
        }

    def _begin(self, pool: Pool, known: Shadow | None, event: PoolEvent) -> None:
        """Begin a shadow, go on with it, or end it.

        After a reload it begins anew, unless neither the cluster nor the shadow has changed.
        """
        cluster = pool.cluster
        if isinstance(event, Reconfigured) and known is not None and known.cluster == cluster:
            return
        if self._shadows.pop(cluster.name, None) is not None:
            self._publish(ShadowPublication(cluster=cluster.name))
        if cluster.shadow is not None and not isinstance(event, Ended):
            state = event.state if isinstance(event, Began) else pool.state()
            self._shadows[cluster.name] = Shadow(state, cluster.shadow)

    def _publish(self, decided: ShadowPublication) -> None:
        for receiver in self._receivers:
            try:
                receiver.publish_shadow(decided)
            except Exception:
                log.exception(
                    "cannot publish a shadow", extra={"receiver": type(receiver).__name__}
                )


def _log_change(change: ShadowChange) -> None:
    after = change.after
    log.info(
        "shadow",
        extra={
            "server": after.server,
            "would_be_in_service": after.in_service,
            "agrees_with_verdict": after.agrees,
            "would_be_held_by": after.held_by,
            "reasons": ",".join(each.code for each in after.reasons),
        },
    )
