"""The real cluster of the tests: one a worker, healed before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.slapd_cluster import SlapdCluster


@pytest.fixture(scope="session")
def _running() -> Iterator[SlapdCluster]:
    with SlapdCluster() as cluster:
        yield cluster


@pytest.fixture
def slapds(_running: SlapdCluster) -> Iterator[SlapdCluster]:
    """Return four healthy nodes."""
    yield _running
    _running.heal()
