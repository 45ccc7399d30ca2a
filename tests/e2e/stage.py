"""Everything that runs in the guest, and what can be done with it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from demo import wait
from demo.cluster import Cluster
from demo.node import Node
from tests.e2e import balancer
from tests.e2e.balancer import CHECKED_BY_LDAP, CHECKED_BY_TCP, WEIGHT, Processes, Syslog, Weights
from tests.e2e.traffic import Client

LDAPHEALTH, TCP_CHECK = "ldaphealth", "TCP_CHECK"
SERVICES = {LDAPHEALTH: CHECKED_BY_LDAP, TCP_CHECK: CHECKED_BY_TCP}
# Long enough for a check that began just before the fault, one that fails after its deadline, its
# retry, and one that had no answer in time because the guest is slow.
OUT_SECONDS = 40.0
BACK_SECONDS = 25.0
EXPIRED_SECONDS = 15.0
WORD_SECONDS = "10m"

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

    def node(self, name: str) -> Node:
        """Return a node by its name."""
        return next(node for node in self.cluster.nodes if node.name == name)

    def port(self, name: str) -> int:
        """Return where a node listens."""
        return balancer.port(self.node(name).uri)

    def all_in(self) -> bool:
        """Say whether every server has its full weight in both virtual servers."""
        full = {node.name: WEIGHT for node in self.cluster.nodes}
        return all(self.weights.at(address) == full for address in SERVICES.values())

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
            daemon.send_signal(signal.SIGSTOP)
        wait.until(
            lambda: balancer.verdicts_have_expired(self.cluster),
            self.slowness * EXPIRED_SECONDS,
            "the verdicts do not expire",
        )

    def continue_daemons(self) -> None:
        """Let them go on where they were stopped."""
        for daemon in self.processes.daemons:
            daemon.send_signal(signal.SIGCONT)

    def kill_daemons(self) -> None:
        """End them."""
        for daemon in self.processes.daemons:
            daemon.kill()

    def reload_keepalived(self) -> None:
        """Let it read its configuration again, which is the same."""
        self.processes.keepalived.send_signal(signal.SIGHUP)
