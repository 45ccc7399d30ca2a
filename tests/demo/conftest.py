"""The cluster of these tests: one a worker, healed after each test that used it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.cluster import Cluster


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[Cluster]:
    """Return a cluster that nobody heals; for fixtures with a wider scope than a test."""
    with Cluster(tls=True, ipv6=True) as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """Return four healthy nodes, linked and level."""
    yield running_cluster
    running_cluster.heal()
