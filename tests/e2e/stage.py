"""Everything that runs in the guest, and what can be done with it."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from demo import wait
from demo.cluster import Cluster
from demo.node import Node
from tests.e2e import balancer
from tests.e2e.balancer import (
    AGENT,
    CHECKED_BY_LDAP,
    CHECKED_BY_TCP,
    WEIGHT,
    Processes,
    Syslog,
    Weights,
)
from tests.e2e.traffic import Client

LDAPHEALTH, TCP_CHECK = "ldaphealth", "TCP_CHECK"
SERVICES = {LDAPHEALTH: CHECKED_BY_LDAP, TCP_CHECK: CHECKED_BY_TCP}
# Long enough for a check that began just before the fault, one that fails after its deadline, its
# retry, and one that had no answer in time because the guest is slow.
OUT_SECONDS = 40.0
BACK_SECONDS = 25.0
EXPIRED_SECONDS = 15.0
WORD_SECONDS = "10m"
HOLDING_PAUSE_SECONDS = 0.2
# Between the moment at which the agent answers and the one at which its answer is read.
EVEN_SECONDS = 3.0

# By check, the servers that must be out, and how.
Out = Mapping[str, Mapping[str, str]]


@dataclass(eq=False, slots=True)
class Stage:
    """What runs; `slowness` is 1 for a guest that has a CPU for itself."""

    cluster: Cluster
    weights: Weights
    clients: dict[str, Client]
    syslog: Syslog
    processes: Processes
    delay_loop: int
    slowness: float
    _moments: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def node(self, name: str) -> Node:
        """Return a node by its name."""
        return next(node for node in self.cluster.nodes if node.name == name)

    def port(self, name: str) -> int:
        """Return where a node listens."""
        return balancer.port(self.node(name).uri)

    @property
    def full(self) -> dict[str, int]:
        """Return the weights when all is well."""
        return {node.name: WEIGHT for node in self.cluster.nodes}

    def all_in(self) -> bool:
        """Say whether every server has its full weight in both virtual servers."""
        return all(self.weights.at(address) == self.full for address in SERVICES.values())

    def wait_until_out(self, out: Out) -> None:
        """Wait until no new connection goes to these servers."""
        wait.until(
            lambda: (
                not any(
                    self.weights.at(SERVICES[check]).get(server)
                    for check, servers in out.items()
                    for server in servers
                )
            ),
            self.slowness * OUT_SECONDS,
            "not every check took it out",
        )

    def wait_until_all_in(self) -> None:
        """Wait until everybody is back."""
        wait.until(self.all_in, self.slowness * BACK_SECONDS, "not every server is back")

    def drain(self, name: str) -> None:
        """Say that a server is to be drained."""
        balancer.ldaphealth("drain", f"example/{name}", "--for", WORD_SECONDS, "--reason", "test")

    def undrain(self, name: str) -> None:
        """Take it back."""
        balancer.ldaphealth("undrain", f"example/{name}")

    def stop_daemons(self) -> None:
        """Let them hang, and wait until what they said holds no more."""
        for daemon in self.processes.daemons:
            daemon.send(signal.SIGSTOP)
        wait.until(
            lambda: not balancer.holding(self.cluster),
            self.slowness * EXPIRED_SECONDS,
            "the verdicts do not expire",
        )

    def force_in(self, name: str) -> None:
        """Say what changes nothing while all is well, and note what the agent knows."""
        balancer.ldaphealth("force-in", f"example/{name}", "--for", WORD_SECONDS, "--reason", "t")
        self.note_status()

    def note_status(self) -> None:
        """Note the durations that the agent knows, and when, on a clock that does not step."""
        self._moments.append((time.monotonic(), _durations(balancer.status())))

    def step_clock(self, seconds: float) -> None:
        """Step the time of day and watch the verdicts until every check has had its turn.

        AssertionError: one did not hold all the time, or had another weight.
        """
        began = time.monotonic()
        balancer.step_clock(seconds)
        while time.monotonic() < began + self.delay_loop + 1:
            assert balancer.holding(self.cluster) == len(self.cluster.nodes)
            time.sleep(HOLDING_PAUSE_SECONDS)
        assert [weights for _, weights in self.weights.since(AGENT, began)] == [self.full]
        self.note_status()

    def assert_time_went_evenly(self) -> None:
        """Raise AssertionError if between notes a duration of the agent's grew unlike time did."""
        for (began, before), (ended, after) in pairwise(self._moments):
            assert len(before) == len(after) == len(self.cluster.nodes) + 2
            spent = {name: after[name] - before[name] for name in before}
            assert all(abs(each - (ended - began)) < EVEN_SECONDS for each in spent.values()), spent

    def continue_daemons(self) -> None:
        """Let them go on where they were stopped."""
        for daemon in self.processes.daemons:
            daemon.send(signal.SIGCONT)

    def kill_daemons(self) -> None:
        """End them."""
        for daemon in self.processes.daemons:
            daemon.kill()

    def reload_keepalived(self) -> None:
        """Let it read its configuration again, which is the same."""
        self.processes.keepalived.send(signal.SIGHUP)


def _durations(status: Any) -> dict[str, float]:
    """Return what must grow as time does: how long verdicts, the agent and words have lasted."""
    lasted = {each["server"]: each["lasted_seconds"] for each in status["verdicts"]}
    words = {f"word on {of}": -each["left_seconds"] for of, each in status["overrides"].items()}
    return lasted | words | {"agent": status["agent"]["up_seconds"]}
