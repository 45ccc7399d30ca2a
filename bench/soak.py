"""Thirty minutes of healthy load with rolling restarts: no server may go out that was not down.

`make soak-healthy` runs it twice, the second time with all CPUs busy. The agent has its default
settings. It prints a row for each removal, and exits with 1 if one was false.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from bench.busy import busy_cpus
from bench.faults.checkers import Agent
from bench.faults.scoring import Change
from demo.client import LdapError
from demo.cluster import Cluster
from demo.node import Node
from demo.tree import CHECK_DN, PEOPLE, SUFFIX
from ldaphealth.settings import Settle

CONFIRM_SECONDS = Settle().confirm_seconds
QUICK_SECONDS, LONG_SECONDS = 0.4, 12.0  # between stop and start
QUIET_SECONDS = 4.0  # between two restarts
WRITES, WRITE_PAUSE_SECONDS, READ_PAUSE_SECONDS = 10, 0.5, 0.25
LATE_SECONDS = 2.0  # after the server is back, a removal may still be published
BUSY_PER_CPU = 2


class Kind(Enum):
    """What is done to a server in turn."""

    QUICK = "restart"
    LONG = "long restart"
    DRAINED = "drained restart"


# Nine, so that each of four servers gets each kind in time.
TURNS = (*[Kind.QUICK] * 4, Kind.DRAINED, *[Kind.QUICK] * 3, Kind.LONG)


@dataclass(frozen=True, slots=True)
class Restart:
    """One restart. Moments are monotonic seconds: of the drain or stop, and of being back."""

    kind: Kind
    server: int
    began: float
    ended: float
    away_seconds: float

    @property
    def may_remove(self) -> bool:
        """Return whether it is right that the server goes out."""
        return self.kind is not Kind.QUICK or self.away_seconds >= CONFIRM_SECONDS

    def covers(self, change: Change) -> bool:
        """Return whether a change of a verdict is its consequence."""
        is_then = self.began <= change.at <= self.ended + LATE_SECONDS
        return self.server == change.server and is_then


@dataclass(frozen=True, slots=True)
class Removal:
    """A server that went out, and the restart that explains it; without one it is false."""

    change: Change
    restart: Restart | None


def removals(changes: Sequence[Change], restarts: Sequence[Restart]) -> list[Removal]:
    """Return each removal with the restart that explains it."""
    right = [each for each in restarts if each.may_remove]
    return [
        Removal(change, next((each for each in right if each.covers(change)), None))
        for change in changes
        if not change.in_service
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.soak", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--busy", action="store_true", help=f"{BUSY_PER_CPU} busy processes a CPU")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(Cluster())
        agent = stack.enter_context(Agent(directory / "agent", document(cluster, directory)))
        if options.busy:
            stack.enter_context(busy_cpus(BUSY_PER_CPU))
        _load(stack, cluster)
        began = time.monotonic()
        restarts = list(_restarts(cluster, agent, began + 60 * options.minutes))
        found = removals(agent.changes, restarts)
        print(_report(began, restarts, found, agent.health()))
    sys.exit(1 if any(each.restart is None for each in found) else 0)


def document(cluster: Cluster, directory: Path) -> dict[str, Any]:
    """Return a configuration with default settings, and directories below `directory`."""
    password_file = str(cluster.accounts.check.password_file)
    return {
        "agent": {
            "runtime_directory": str(directory / "agent" / "run"),
            "state_directory": str(directory / "agent" / "state"),
        },
        "credentials": {"probe": {"dn": CHECK_DN, "password_file": password_file}},
        "clusters": {
            "c": {
                "suffix": SUFFIX,
                "credentials": "probe",
                "servers": {node.name: node.uri for node in cluster.nodes},
            }
        },
    }


def _load(stack: contextlib.ExitStack, cluster: Cluster) -> None:
    """Write to and read from every server until the stack is closed."""
    done = threading.Event()

    def repeat(step: Callable[[], object], pause_seconds: float) -> None:
        while not done.wait(pause_seconds):
            with contextlib.suppress(LdapError):  # it is being restarted
                step()

    for node in cluster.nodes:
        for step, pause_seconds in (
            (lambda node=node: node.write(WRITES), WRITE_PAUSE_SECONDS),
            (lambda node=node: node.check.search(PEOPLE, "(uid=*)"), READ_PAUSE_SECONDS),
        ):
            thread = threading.Thread(target=repeat, args=(step, pause_seconds))
            thread.start()
            stack.callback(thread.join)
    stack.callback(done.set)


def _restarts(cluster: Cluster, agent: Agent, until: float) -> Iterator[Restart]:
    """Restart one server after the other until then."""
    numbered = itertools.cycle(enumerate(cluster.nodes, 1))
    for kind, (server, node) in zip(itertools.cycle(TURNS), numbered, strict=False):
        time.sleep(QUIET_SECONDS)
        if time.monotonic() > until:
            return
        yield _restart(kind, server, node, agent)


def _restart(kind: Kind, server: int, node: Node, agent: Agent) -> Restart:
    began = time.monotonic()
    if kind is Kind.DRAINED:
        agent.command("drain", f"c/{node.name}", "--for", "10m", "--reason", "a new kernel")
    stopped = time.monotonic()
    node.stop()
    time.sleep(QUICK_SECONDS if kind is Kind.QUICK else LONG_SECONDS)
    node.start()
    away_seconds = time.monotonic() - stopped
    if kind is Kind.DRAINED:
        agent.command("undrain", f"c/{node.name}")
    return Restart(kind, server, began, time.monotonic(), away_seconds)


def _report(
    began: float, restarts: Sequence[Restart], found: Sequence[Removal], health: dict[str, Any]
) -> str:
    rows = [
        f"{each.change.at - began:7.1f} s  ldap{each.change.server}  {_why(each):32} "
        f"{each.change.text}"
        for each in found
    ]
    count = Counter(each.kind for each in restarts)
    late = [each for each in restarts if each.kind is Kind.QUICK and each.may_remove]
    quick = [each.away_seconds for each in restarts if not each.may_remove]
    seen = {id(each.restart) for each in found if each.restart is not None}
    long = [each for each in restarts if each.kind is Kind.LONG]
    false = sum(each.restart is None for each in found)
    numbers = (
        ", ".join(f"{number} {kind.value}s" for kind, number in count.items()),
        f"quick ones away for at most {max(quick, default=0.0):.2f} s",
        f"{len(late)} that should have been quick took {CONFIRM_SECONDS:g} s or longer",
        f"long ones that took the server out: {sum(id(each) in seen for each in long)}",
        f"rounds of the agent: {health['rounds']}, deadline misses: {health['deadline_misses']}",
        f"late: {health['late']} times, {health['late_seconds']:.1f} s together",
        f"removals: {len(found)}, false ones: {false}",
    )
    return "\n".join([*(rows or ["no removal"]), "", *numbers])


def _why(removal: Removal) -> str:
    if removal.restart is None:
        return "FALSE"
    return f"{removal.restart.kind.value}, away for {removal.restart.away_seconds:.1f} s"


if __name__ == "__main__":
    main()
