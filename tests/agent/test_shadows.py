"""A shadow judges the same events by other settings, and changes nothing of what is published."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import Decided, PoolEvent
from ldaphealth.agent.shadows import Shadows
from ldaphealth.model import CheckEffect, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.publishers.shadow_publication import ShadowPublication
from ldaphealth.settings import Cluster
from tests.agent.simulated_site import Site, site_cluster

SECONDS = 1800.0
EVENTS: tuple[tuple[float, Callable[[Site], None]], ...] = (
    (60.0, Site.break_one),
    (400.0, Site.break_most),
    (400.0, Site.break_all),
    (200.0, Site.override),
    (400.0, Site.suspend),
)
RELOADS: tuple[tuple[float, Callable[[Site], None]], ...] = (
    (300.0, Site.reload),
    (400.0, Site.restart),
)


class Received:
    """What shadows publish."""

    def __init__(self) -> None:
        self.publications: list[ShadowPublication] = []

    def publish_shadow(self, decided: ShadowPublication) -> None:
        """Keep it."""
        self.publications.append(decided)


class Followed:
    """A pool with its shadows, and what is published of both, in order."""

    def __init__(self) -> None:
        self.received = Received()
        self.shadows = Shadows([self.received])
        self.verdicts: list[tuple[float, dict[str, Verdict]]] = []

    def note(self, pool: Pool, event: PoolEvent) -> None:
        """Follow the pool, and publish each decision as the agent does."""
        self.shadows.note(pool, event)
        if isinstance(event, Decided):
            self.verdicts.append((event.now, dict(pool.verdicts)))
            self.shadows.publish(
                Publication(
                    cluster=pool.cluster.name,
                    verdicts=dict(pool.verdicts),
                    due={},
                    changes=(),
                    seen=(),
                )
            )


def shadowed(change: Callable[[Cluster], Cluster]) -> Callable[[int], Cluster]:
    """Return the settings of the site with a shadow."""

    def settings(servers: int) -> Cluster:
        found = site_cluster(servers)
        return replace(found, shadow=change(found))

    return settings


def strict(found: Cluster) -> Cluster:
    checks = [
        replace(each, effect=CheckEffect.OUT) if each.name == "latency" else each
        for each in found.checks
    ]
    settle = replace(found.settle, fall_soft=1, believe_seconds=0.0)
    return replace(found, checks=tuple(checks), settle=settle, min_in_service=0)


def lax(found: Cluster) -> Cluster:
    return replace(found, settle=replace(found.settle, fall_hard=5, fall_soft=9, rise=5))


def run(
    site: Site, *, seconds: float, events: tuple[tuple[float, Callable[[Site], None]], ...]
) -> None:
    at = 0.0
    while site.now < seconds:
        passed, at = site.now - at, site.now
        for every, event in events:
            if site.random.random() < passed / every:
                event(site)
        site.step()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("change", [strict, lax])
def test_verdicts_and_probes_are_the_same_with_and_without_a_shadow(
    change: Callable[[Cluster], Cluster], seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    plain, other = Followed(), Followed()
    without, with_shadow = Site(seed), Site(seed, shadowed(change))
    for site, followed in ((without, plain), (with_shadow, other)):
        site.follow(followed.note)
        run(site, seconds=SECONDS, events=EVENTS + RELOADS)

    assert other.verdicts == plain.verdicts
    assert (with_shadow.rounds, with_shadow.now) == (without.rounds, without.now)
    assert with_shadow.pool.memory == without.pool.memory
    assert not plain.received.publications
    judged = other.received.publications
    assert sum(1 for each in judged for verdict in each.verdicts.values() if verdict.would) > 50
    assert not [each for each in caplog.records if each.exc_info]


@pytest.mark.parametrize("seed", [4, 5])
def test_a_shadow_with_the_same_settings_decides_the_same(seed: int) -> None:
    followed = Followed()
    site = Site(seed, shadowed(lambda found: found))
    site.follow(followed.note)
    run(site, seconds=SECONDS, events=EVENTS)

    assert site.changes > 50
    found = [
        verdict for each in followed.received.publications for verdict in each.verdicts.values()
    ]
    assert len(found) > 500
    assert {each.would for each in found} == {""}


@pytest.mark.parametrize("change", [strict, lax])
def test_nothing_is_kept_without_a_bound(change: Callable[[Cluster], Cluster]) -> None:
    followed = Followed()
    site = Site(6, shadowed(change))
    site.follow(followed.note)
    run(site, seconds=SECONDS, events=EVENTS)
    shadow = followed.shadows.of("c")

    assert shadow is not None
    assert not shadow.waiting
    for name, kept in vars(shadow.pool).items():
        if isinstance(kept, dict | list | set):
            assert len(kept) <= len(site.pool.cluster.servers), name
