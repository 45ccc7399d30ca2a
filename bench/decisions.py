"""CPU of the agent without probing, by the number of servers, and rounds a second of a replay.

Rounds of simulated servers go through the main loop, the publishers, the history and the journal.
`python -m bench.decisions --other CHECKOUT` measures another checkout in turn, and prints both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from time import process_time, sleep, thread_time

import psutil
from msgspec.structs import replace

from ldaphealth.agent.agent import Agent, RoundEnded
from ldaphealth.agent.journal import Journal
from ldaphealth.agent.replay import Compared, Replayed, replay
from ldaphealth.checks import find
from ldaphealth.guard import RoundPeriod
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import AnyObservation, Server
from ldaphealth.publishers.publication import Publisher
from ldaphealth.publishers.track_file import BalancerFile
from ldaphealth.publishers.verdict_file import VerdictFiles
from ldaphealth.settings import AgentSettings, Cluster, HistorySettings, JournalSettings, Settings
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.journal_files import segments_by_cluster
from ldaphealth.store.levels import bounds_of
from tests.agent import simulated_site
from tests.agent.recorded import Recording
from tests.checks.seen import saw

SIZES = ((100, 4), (1000, 4), (1000, 100))  # servers, and how many of them are in a cluster
INTERVAL_SECONDS = 5.0
READ_SECONDS = 15.0  # between two requests for the page or the metrics
ROUNDS = 6000
MOST_WAITING = 200  # rounds: those of a second, in which the history writes once
WARM_UP = 2  # rounds of each server before it is measured
REPLAYED_SERVERS = 20
REPLAYED_SECONDS = 1800.0
FAULT_SECONDS = {"calm": 7200.0, "a fault every 10 minutes": 600.0}
PAIRS = 5
IN_MEMORY = "/dev/shm"  # noqa: S108  as /run is
MICROSECONDS, MEBIBYTES, RATE = "us CPU a round", "MiB", "rounds a second"


class Fleet:
    """An agent with simulated servers, all of them well, and the time."""

    def __init__(self, servers: int, in_a_cluster: int, directory: Path) -> None:
        self.now, self._random = 1000.0, Random(1)  # noqa: S311  not for cryptography
        clusters = [_cluster(number, in_a_cluster) for number in range(servers // in_a_cluster)]
        self._targets = [each for cluster in clusters for each in cluster.servers]
        self.live_state = LiveState()
        self._history = HistoryDatabase(
            directory / "history", bounds_of(HistorySettings()), write_seconds=0.01
        )
        self._journal = Journal(directory / "journal", JournalSettings(), "bench")
        publishers: list[Publisher] = [
            VerdictFiles(directory / "verdicts"),
            BalancerFile(directory / "balancer", lambda: self.now),
            self._history,
            self.live_state,
        ]
        settings = Settings({each.name: each for each in clusters}, AgentSettings())
        self._agent = Agent(settings, publishers, probe=lambda *_: [], clock=lambda: self.now)
        self._agent.follow(self._journal.follow)
        self._shown_at = self.now
        self.simulation_seconds = 0.0  # of CPU, which are none of the agent's

    def run(self, rounds: int) -> None:
        """Handle so many rounds, evenly in time, and read the live state now and then."""
        step = INTERVAL_SECONDS / len(self._targets)
        for number in range(rounds):
            self.now = round(self.now + step, 6)
            self._agent._handle_rounds([self._round(number)])  # noqa: SLF001
            if self.now >= self._shown_at:
                self._shown_at = self.now + READ_SECONDS
                assert self.live_state.view.clusters
            while len(self._history._waiting) > MOST_WAITING:  # noqa: SLF001
                sleep(0.001)  # as the time between rounds would

    def _round(self, number: int) -> RoundEnded:
        server = self._targets[number % len(self._targets)]
        began = thread_time()
        seen = _seen(server, self.now, self._random)
        self.simulation_seconds += thread_time() - began
        return RoundEnded(server, RoundPeriod(began=self.now, ended=self.now + 0.01), seen)

    def close(self) -> None:
        """Write all, and end the threads."""
        self._agent.stop()
        self._agent.run()
        self._journal.close(60.0)


def _cluster(number: int, servers: int) -> Cluster:
    found = simulated_site.site_cluster(servers)
    name = f"c{number}"
    own = tuple(replace(each, cluster=name) for each in found.servers)
    return replace(found, name=name, servers=own, interval_seconds=INTERVAL_SECONDS)


def _seen(server: Server, at: float, random: Random) -> list[AnyObservation]:
    """Return a good round, in which each operation takes another time."""
    site = simulated_site.Site.__new__(simulated_site.Site)  # its facts need the time only
    site.now = at
    seen: list[AnyObservation] = []
    for check in simulated_site.CHECKS:
        took = round(random.uniform(0.0005, 0.003), 6)
        timings = {check: took} if check in {"connect", "bind", "search"} else {}
        facts = site._facts(check, None, seen)  # noqa: SLF001
        found = saw(check, facts, at=at, took=took, timings=timings)
        seen.append(replace(found, server=server.id))
        at = round(at + took, 6)
    return seen


def agent_numbers(servers: int, in_a_cluster: int) -> dict[str, float]:
    """Return CPU and memory of an agent with so many servers, with all of its threads."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        fleet = Fleet(servers, in_a_cluster, Path(directory))
        fleet.run(WARM_UP * servers)
        sleep(2.0)  # until what is queued is written
        began = process_time() - fleet.simulation_seconds
        fleet.run(ROUNDS)
        fleet.close()
        spent = process_time() - fleet.simulation_seconds - began
    return {
        MICROSECONDS: spent / ROUNDS * 1e6,
        MEBIBYTES: psutil.Process().memory_info().rss / 2**20,
    }


def record(directory: Path, fault_seconds: float) -> None:
    """Write the journal of a simulated site."""
    simulated_site.SERVERS = REPLAYED_SERVERS
    site = simulated_site.Site(seed=1)
    recording = Recording(site, directory)
    at = 0.0
    while site.now < REPLAYED_SECONDS:
        passed, at = site.now - at, site.now
        if site.random.random() < passed / fault_seconds:
            site.break_one()
        site.step()
    recording.close()


def replay_numbers(directory: Path) -> dict[str, float]:
    """Return how fast a journal is replayed, on one core."""
    began, rounds = process_time(), 0
    for name, segments in segments_by_cluster(directory).items():
        result = Replayed(cluster=name)
        for segment in segments:
            replay(result, segment, find, Compared())
        assert not result.different
        assert not result.problems
        rounds += result.decisions  # one each
    return {RATE: rounds / (process_time() - began)}


def measured(checkout: Path, *what: object) -> dict[str, float]:
    """Return the numbers of a checkout, by a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, __file__, "--measure", *map(str, what)]
    done = subprocess.run(
        command, env=environment, cwd=checkout, check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout or "{}"))


def measure(what: str, *about: str) -> dict[str, float]:
    """Do what `measured` requests."""
    if what == "agent":
        return agent_numbers(*map(int, about))
    if what == "record":
        record(Path(about[0]), float(about[1]))
        return {}
    return replay_numbers(Path(about[0]))


def rows(directory: Path, recorder: Path) -> Iterator[tuple[str, Sequence[object]]]:
    """Yield what is measured: a title, and the arguments of `measured`."""
    for servers, in_a_cluster in SIZES:
        title = f"agent, {servers} servers in clusters of {in_a_cluster}"
        yield title, ("agent", servers, in_a_cluster)
    for name, seconds in FAULT_SECONDS.items():
        journal = directory / name
        journal.mkdir()
        measured(recorder, "record", journal, seconds)
        yield f"replay, {REPLAYED_SERVERS} servers, {name}", ("replay", journal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--other", type=Path, help="another checkout, to be compared")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    this = Path(__file__).parents[1]
    checkouts = [this] if options.other is None else [this, options.other]
    with tempfile.TemporaryDirectory() as directory:
        for title, what in rows(Path(directory), checkouts[-1]):
            found = [[measured(each, *what) for each in checkouts] for _ in range(options.pairs)]
            for number in found[0][0]:
                print(
                    _line(f"{title}: {number}", [[one[number] for one in pair] for pair in found])
                )


def _line(title: str, pairs: Sequence[Sequence[float]]) -> str:
    medians = [f"{statistics.median(each):9.1f}" for each in zip(*pairs, strict=True)]
    ratio = statistics.median(pair[0] / pair[-1] for pair in pairs)
    compared = f"   this/other {ratio:5.2f}" if len(medians) > 1 else ""
    return f"{title:60} {' '.join(medians)}{compared}"


if __name__ == "__main__":
    main()
