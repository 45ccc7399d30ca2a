"""Three faults behind a real keepalived and the kernel's IPVS, and what clients notice of them.

`tests/e2e/test_keepalived.py` runs it in the guest of `tests/e2e/guest.py`. It leaves
`measurements.json`, `table.txt` and `syslog` in the directory of results.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from demo import wait
from demo.cluster import Cluster
from demo.node import Node
from tests.e2e import balancer
from tests.e2e.balancer import CHECKED_BY_LDAP, CHECKED_BY_TCP, PORT, WEIGHT, Setup, Syslog, Weights
from tests.e2e.traffic import ERROR, STALE, Client, repeating

SERVICES = {"ldaphealth": CHECKED_BY_LDAP, "TCP_CHECK": CHECKED_BY_TCP}
SAMPLE_SECONDS = 0.05
SEARCH_PAUSE_SECONDS = 0.1
WRITE_PAUSE_SECONDS = 0.8
ONE_SHOT_SECONDS = 1.2  # what a check takes in a guest that has a CPU for itself
START_SECONDS = 15.0
# keepalived waits a second and a random part of delay_loop; then a check may take this long.
FIRST_CHECK_SECONDS = 3.0
# Long enough for a check that began just before the fault, one that fails after its deadline, its
# retry, and one that had no answer in time because the guest is slow.
OUT_SECONDS = 40.0
BACK_SECONDS = 25.0
# Clients are watched for at least so long after the fault, and for so long after the change.
WATCH_SECONDS = 10.0
WATCH_AFTER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to which server; `shows_in` names the checks that must take it out."""

    name: str
    server: str
    strike: Callable[[Node], None]
    shows_in: frozenset[str]


FAULTS = (
    Fault("crash", "ldap2", Node.kill, frozenset(SERVICES)),
    Fault("freeze", "ldap3", Node.freeze, frozenset({"ldaphealth"})),
    Fault("cut", "ldap4", lambda node: node.cut_replication(), frozenset({"ldaphealth"})),
)
# Where daemons are part of the check, they are killed before this one.
WITHOUT_DAEMONS = Fault("no daemon", "ldap2", Node.kill, frozenset(SERVICES))


@dataclass(frozen=True, slots=True)
class Measurement:
    """One fault as one virtual server saw it.

    `weights` are in seconds since the fault. Out is a server that is not in the kernel's table or
    has weight 0, back one with any weight, full one with all of it. `searches` are those from fault
    to cure; `bad_after_out` are the errors and stale answers among those that began when the server
    was out. `unchecked` counts how often the script had no answer and kept a server in.
    """

    fault: str
    server: str
    check: str
    out_after_seconds: float | None
    cured_after_seconds: float
    back_after_seconds: float | None
    full_after_seconds: float | None
    searches: int
    errors: int
    stale: int
    bad_after_out: int
    unchecked: int
    others_touched: list[str]
    weights: list[tuple[float, dict[str, int]]]


@dataclass(eq=False, slots=True)
class Scenario:
    """Everything that runs."""

    cluster: Cluster
    weights: Weights
    clients: dict[str, Client]
    syslog: Syslog
    slowness: float

    def all_in(self) -> bool:
        """Say whether every server has its full weight in both virtual servers."""
        full = {node.name: WEIGHT for node in self.cluster.nodes}
        return all(self.weights.at(address) == full for address in SERVICES.values())

    def measure(self, fault: Fault) -> list[Measurement]:
        """Strike, watch, cure, watch."""
        node = next(node for node in self.cluster.nodes if node.name == fault.server)
        struck = time.monotonic()
        fault.strike(node)
        with contextlib.suppress(TimeoutError):  # the measurement tells it
            wait.until(
                lambda: self._is_out(fault),
                self.slowness * OUT_SECONDS,
                "not every check took it out",
            )
        until = max(struck + WATCH_SECONDS, time.monotonic() + WATCH_AFTER_SECONDS)
        time.sleep(until - time.monotonic())
        cured = time.monotonic()
        node.heal()
        with contextlib.suppress(TimeoutError):
            wait.until(self.all_in, self.slowness * BACK_SECONDS, "not every server is back")
        return [self._measurement(fault, check, struck, cured) for check in SERVICES]

    def _is_out(self, fault: Fault) -> bool:
        return not any(
            self.weights.at(SERVICES[check]).get(fault.server) for check in fault.shows_in
        )

    def _measurement(self, fault: Fault, check: str, struck: float, cured: float) -> Measurement:
        history = self.weights.since(SERVICES[check], struck)
        out = next((when for when, now in history if not now.get(fault.server)), None)
        cure = [(when, now.get(fault.server, 0)) for when, now in history if when > cured]
        client = self.clients[check]
        outcomes = Counter(client.between(struck, cured))
        after_out = Counter(client.between(cured if out is None else out, cured))
        return Measurement(
            fault=fault.name,
            server=fault.server,
            check=check,
            out_after_seconds=None if out is None else round(out - struck, 2),
            cured_after_seconds=round(cured - struck, 2),
            back_after_seconds=next((round(t - cured, 2) for t, w in cure if w), None),
            full_after_seconds=next((round(t - cured, 2) for t, w in cure if w == WEIGHT), None),
            searches=outcomes.total(),
            errors=outcomes[ERROR],
            stale=outcomes[STALE],
            bad_after_out=after_out[ERROR] + after_out[STALE],
            unchecked=self.syslog.count("unchecked", struck, time.monotonic()),
            others_touched=[
                node.name
                for node in self.cluster.nodes
                if node.name != fault.server
                and any(now.get(node.name) != WEIGHT for _, now in history)
            ],
            weights=[(round(when - struck, 2), now) for when, now in history],
        )


def table(measurements: list[Measurement]) -> str:
    """Return the measurements as text."""
    head = (
        "fault", "check", "out after", "cured after", "back after", "full after",
        "searches", "errors", "stale", "when out", "unchecked",
    )  # fmt: skip
    rows = [
        (
            m.fault, m.check, _seconds(m.out_after_seconds), _seconds(m.cured_after_seconds),
            _seconds(m.back_after_seconds), _seconds(m.full_after_seconds),
            str(m.searches), str(m.errors), str(m.stale), str(m.bad_after_out),
            str(m.unchecked),
        )
        for m in measurements
    ]  # fmt: skip
    return "".join("".join(f"{cell:<12}" for cell in row).rstrip() + "\n" for row in (head, *rows))


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def run(setup: Setup, results: Path) -> list[Measurement]:
    """Start everything, and let every fault happen."""
    with contextlib.ExitStack() as running:
        cluster = running.enter_context(Cluster())
        # A guest on a busy host is slower, and checks must not take all of its time.
        slowness = max(1.0, balancer.install(cluster) / ONE_SHOT_SECONDS)
        setup = replace(setup, delay_loop=math.ceil(setup.delay_loop * slowness))
        scenario = Scenario(
            cluster,
            Weights({balancer.port(node.uri): node.name for node in cluster.nodes}),
            {check: Client((address, PORT)) for check, address in SERVICES.items()},
            Syslog(results / "syslog"),
            slowness,
        )
        daemons = balancer.start(cluster, setup, results)
        running.enter_context(repeating(scenario.weights.look, SAMPLE_SECONDS))
        running.enter_context(repeating(cluster.nodes[0].write, WRITE_PAUSE_SECONDS))
        for client in scenario.clients.values():
            running.enter_context(repeating(client.search, SEARCH_PAUSE_SECONDS))
        # Servers are in from the start; every check must have had its turn before the first fault.
        time.sleep(setup.delay_loop + FIRST_CHECK_SECONDS)
        wait.until(scenario.all_in, START_SECONDS, "not all servers are in service")
        measurements = [each for fault in FAULTS for each in scenario.measure(fault)]
        for daemon in daemons:
            daemon.kill()
        if daemons:
            measurements += scenario.measure(WITHOUT_DAEMONS)
        return measurements


def main() -> None:
    """Run in the guest; print and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--check", required=True)
    parser.add_argument("--daemon", action="append", default=[])
    parser.add_argument("--delay-loop", type=int, default=5)
    arguments = parser.parse_args()
    setup = Setup(arguments.check, tuple(arguments.daemon), arguments.delay_loop)
    measurements = run(setup, arguments.results)
    (arguments.results / "measurements.json").write_text(
        json.dumps([asdict(measurement) for measurement in measurements], indent=1)
    )
    text = table(measurements)
    (arguments.results / "table.txt").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
