"""The real cluster of the tests: one a process, started by the first test that asks for it.

With pytest-xdist each worker has its own. Every test that uses it leaves it healthy.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from demo.cluster import Cluster

# A busy machine takes long for one example now and then; how long is no property of the code.
settings.register_profile("ldaphealth", deadline=None)
settings.load_profile("ldaphealth")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make soak` run for long what the suite runs for a moment."""
    parser.addoption(
        "--soak-seconds", type=float, default=5.0, help="how long two balancers write (default: 5)"
    )
    parser.addoption(
        "--load-seconds", type=float, default=120.0, help="how long an agent sees a healthy load"
    )
    parser.addoption(
        "--kills", type=int, default=8, help="how often an agent is killed (default: 8)"
    )
    parser.addoption(
        "--kills-seed", type=int, default=1, help="another number: other moments (default: 1)"
    )
    parser.addoption(
        "--fuzz-minutes", type=float, default=0.0, help="how long random input is tried"
    )
    parser.addoption(
        "--reloads", type=int, default=300, help="how often an agent reloads (default: 300)"
    )
    parser.addoption(
        "--days", type=float, default=1.0, help="how long a simulated site is watched (default: 1)"
    )
    parser.addoption(
        "--history-servers", type=int, default=3, help="of a history of 400 days (default: 3)"
    )
    parser.addoption(
        "--traffic-seconds", type=float, default=20.0, help="how long clients read and probe"
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show how much random input was tried: the workers of pytest-xdist print nothing."""
    if not config.getoption("--fuzz-minutes"):
        return
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {value} {name}")


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[Cluster]:
    """Return a cluster that nobody heals; for fixtures with a wider scope than a test."""
    with Cluster(tls=True, ipv6=True) as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """Return four healthy nodes, linked and level; faults are healed after the test."""
    yield running_cluster
    running_cluster.heal()
