"""A simulated site: servers with random faults, and the pool of an agent that sees them.

No thread and no clock runs, so a day takes seconds. test_simulated_day.py states what must hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from random import Random

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import Follower
from ldaphealth.agent.schedule import Schedule
from ldaphealth.csn import ATTRIBUTE, CSN
from ldaphealth.guard import Memory, Override, RoundPeriod
from ldaphealth.model import AnyObservation, Failure, FailureKind, OverrideAction
from ldaphealth.rounds.round import failed_checks, last_probe, lost_at, silent_since
from ldaphealth.settings import Cluster
from tests.checks.seen import cluster, planned, saw

SERVERS = 6
FLOOR = 3
INTERVAL_SECONDS = 10.0
CONFIRM_SECONDS = 0.3
LONGEST_ROUND_SECONDS = 5.0
START = datetime(2026, 1, 1, tzinfo=UTC)
CHECKS = ("connect", "bind", "search", "replication", "latency", "unbind")
# The longest time out after flaps, and as many good probes as the check `session` wants.
WELL_SECONDS = 5.0 * 2**5 + 16 * INTERVAL_SECONDS + 60.0
ACTIONS: tuple[OverrideAction | None, ...] = ("drain", "in", "out", None)
CHANGE_SECONDS = 4.0  # between two changes that all servers receive; fills the caches soon


class Fault(Enum):
    """What is wrong with a server, or with the network of the agent for all of them."""

    DOWN = "down"
    SILENT = "silent"
    BUSY = "busy"
    LATE = "late"
    SLOW = "slow"
    EMPTY = "empty"
    REFUSED = "refused"
    BEHIND = "behind"
    UNRELIABLE = "unreliable"
    NO_NAME = "no name"


FAILURES: Mapping[Fault, tuple[str, Failure]] = {  # the check that fails, and how
    Fault.DOWN: ("connect", Failure(FailureKind.CONNECT, "refused")),
    Fault.SILENT: ("bind", Failure(FailureKind.TIMEOUT, "no answer within 5 s: bind")),
    Fault.BUSY: ("search", Failure(FailureKind.RESULT, "busy", "busy")),
    Fault.LATE: ("search", Failure(FailureKind.TIMEOUT, "no answer within 5 s", answered=True)),
    Fault.REFUSED: ("bind", Failure(FailureKind.BIND, "refused", "invalidCredentials")),
    Fault.UNRELIABLE: ("connect", Failure(FailureKind.CONNECT, "reset by peer")),
    Fault.NO_NAME: ("connect", Failure(FailureKind.RESOLVE, "no such name", is_local=True)),
}
HARD = frozenset({Fault.DOWN, Fault.SILENT, Fault.BUSY})
SOFT = (Fault.LATE, Fault.EMPTY, Fault.REFUSED, Fault.BEHIND)
SHARED = (Fault.SILENT, Fault.REFUSED, Fault.LATE, Fault.NO_NAME)  # what all may have at once


class Lately(Struct):
    """What was true of one server: since when, and how often in a row. Times are seconds."""

    good_since: float = 0.0
    quiet_since: float = 0.0  # without a hard or local failure, and without an override
    hard_rounds: int = 0


def site_cluster(servers: int = SERVERS) -> Cluster:
    """Return the settings with so many of the servers."""
    checks = [planned(name) for name in (*CHECKS, "session")]
    found = cluster(*checks, servers=servers, interval_seconds=INTERVAL_SECONDS)
    return replace(found, min_in_service=FLOOR)


class Site:
    """The servers, their faults, the pool, and the time since the start in `now`."""

    def __init__(self, seed: int, settings: Callable[[int], Cluster] = site_cluster) -> None:
        self.random = Random(seed)  # noqa: S311  not for cryptography
        self.now = 0.0
        self.settings = settings  # by the number of servers
        self.pool = Pool(settings(SERVERS), Memory())
        self.faults: dict[str, tuple[Fault, float]] = {}
        self.shared: tuple[Fault, float] | None = None
        self.well_before: set[str] = set()  # servers that were well before the shared fault
        self.lately = {each.id: Lately() for each in self.pool.cluster.servers}
        self.rounds = self.changes = 0
        self.followers: list[Follower] = []
        self._schedule = Schedule({}, 0.0, self.random.random)
        self._plan()

    def follow(self, follower: Follower) -> None:
        """Notify a follower of all that changes the pool, also that of a restarted agent."""
        self.followers.append(follower)
        self.pool.follow(follower)

    def step(self) -> None:
        """Go to the next round that is due, run it, and decide."""
        self.now = max(self.now, self._schedule.next_at())
        due = [*self._schedule.take(self.now), *self._schedule.take_hurried(self.now)]
        for server in dict.fromkeys(due):
            self._run_round(server)
        self._decide()
        for server in self.pool.servers_to_probe_now():
            self.now += 0.01
            self._run_round(server)
            self._decide()

    def fault_of(self, server: str) -> Fault | None:
        """Return the fault of a server now: that of all servers before its own."""
        if self.shared is not None and self.now < self.shared[1]:
            return self.shared[0]
        fault, until = self.faults.get(server, (None, 0.0))
        return fault if self.now < until else None

    def break_one(self) -> None:
        """Give one server a fault for a while."""
        server = self.random.choice([*self.lately])
        self.faults[server] = self.random.choice([*Fault]), self.now + self._while()

    def break_most(self) -> None:
        """Give most servers faults for a while that remove them softly, few of them the same."""
        until = self.now + self._while()
        for place, server in enumerate(self.random.sample([*self.lately], SERVERS - 1)):
            self.faults[server] = SOFT[place % len(SOFT)], until

    def break_all(self) -> None:
        """Give all servers the same fault for a while, after the rounds that have begun."""
        if self.shared is None or self.now > self.shared[1]:
            self.now += LONGEST_ROUND_SECONDS  # an answer that ends later would contradict it
            self.well_before = set(self.well())
            self.shared = self.random.choice(SHARED), self.now + self._while()

    def well(self) -> list[str]:
        """Return the servers whose probes are all good for WELL_SECONDS, without an override."""
        return [
            key
            for key in self.pool.verdicts
            if self.now - self.lately[key].good_since > WELL_SECONDS
        ]

    def suspend(self) -> None:
        """Let time pass without a round, as while the machine is suspended."""
        self.now += self.random.uniform(1.0, 120.0)

    def override(self) -> None:
        """Set an override on one server, or remove it."""
        server = self.random.choice([each.id for each in self.pool.cluster.servers])
        until = self.now + self._while()
        action = self.random.choice(ACTIONS)
        self.pool.override(server, Override(action, until) if action else None)
        self.well_before.discard(server)

    def reload(self) -> None:
        """Reload the configuration, now and then with a server less or more."""
        count = self.random.choice((SERVERS - 1, SERVERS, SERVERS))
        before = {each.id for each in self.pool.cluster.servers}
        self.well_before -= {each.id for each in self.pool.cluster.servers[count:]}
        self.pool.reconfigure(self.settings(count))
        for each in self.pool.cluster.servers:
            if each.id not in before:
                self.lately[each.id] = Lately(self.now, self.now)
        self._plan()

    def restart(self) -> None:
        """Restart the agent with what the state file keeps."""
        kept = msgspec.json.decode(msgspec.json.encode(self.pool.memory), type=Memory)
        self.pool = Pool(self.pool.cluster, kept)
        for follower in self.followers:
            self.pool.follow(follower)
        self._schedule = Schedule({}, self.now, self.random.random)
        self._plan()

    def _while(self) -> float:
        return self.random.choice((2.0, 15.0, 60.0, 600.0)) * self.random.uniform(0.5, 1.5)

    def _plan(self) -> None:
        servers = [each.id for each in self.pool.cluster.servers]
        self._schedule.plan(dict.fromkeys(servers, INTERVAL_SECONDS), self.now)

    def _run_round(self, server: str) -> None:
        if server not in {each.id for each in self.pool.cluster.servers}:
            return
        known, began = self.pool.known_failures(server), self.now
        seen = self._probe(server, began)
        if failed_checks(seen) - known:
            seen = [*seen, *self._probe(server, began + CONFIRM_SECONDS)]
        period = RoundPeriod(
            began=began,
            ended=seen[-1].ended_at,
            last_began=last_probe(seen),
            silent_since=silent_since(seen),
            lost_at=lost_at(seen),
        )
        self.pool.add_round(server, seen, period)
        self.rounds += 1

    def _probe(self, server: str, at: float) -> list[AnyObservation]:
        """Return what one probe observes, and note it."""
        fault = self.fault_of(server)
        if fault is Fault.UNRELIABLE and self.random.random() < 0.5:
            fault = None
        self._note(server, fault, at)
        seen: list[AnyObservation] = []
        name = server.partition("/")[2]
        for check in CHECKS:
            failing, failure = FAILURES.get(fault, ("", None)) if fault else ("", None)
            took = 2.0 if fault is Fault.SLOW and check == "search" else 0.005
            timings = {check: took} if check in {"connect", "bind", "search"} else {}
            facts = None if check == failing else self._facts(check, fault, seen)
            seen.append(
                saw(
                    check,
                    facts,
                    of=name,
                    at=at,
                    took=took,
                    timings=timings,
                    failure=failure if check == failing else None,
                )
            )
            at += took
            if check == failing:
                break
        return seen

    def _facts(
        self, check: str, fault: Fault | None, seen: Sequence[AnyObservation]
    ) -> Mapping[str, object] | None:
        if check == "search":
            return {"entries": 0 if fault is Fault.EMPTY else 10, "matching": 0}
        if check == "replication":
            until = self.now - 3600.0 if fault is Fault.BEHIND else self.now
            newest = until // CHANGE_SECONDS * CHANGE_SECONDS
            csn = str(CSN(START + timedelta(seconds=newest), 0, 1, 0))
            return {ATTRIBUTE: {"": (csn,)}}
        if check == "latency":
            seconds = {key: took for each in seen for key, took in each.timings.items()}
            return {"seconds": seconds}
        return None

    def _note(self, server: str, fault: Fault | None, at: float) -> None:
        lately = self.lately[server]
        if fault is not None:
            lately.good_since = at
        lately.hard_rounds = lately.hard_rounds + 1 if fault in HARD else 0
        if fault in HARD or fault in {Fault.NO_NAME, Fault.UNRELIABLE}:
            lately.quiet_since = at

    def _decide(self) -> None:
        for server, override in self.pool.memory.overrides.items():
            if server in self.lately:
                self.lately[server].quiet_since = max(self.now, override.until)
                self.lately[server].good_since = max(self.now, override.until)
        changes, fresh = self.pool.decide(self.now)
        self.changes += len(changes)
        for server in sorted(self.pool.in_doubt(fresh)):  # in the same order in each run
            self._schedule.hurry(server, self.now + 0.5)
