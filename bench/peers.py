"""The same questions answered by ldaphealth and by its peers, in turn, on the same two servers.

`make bench` runs it. For each server and round: the CPU of the program, the CPU of slapd, and the
operations and connections that slapd counted (slapd-monitor(5)), without those of the counting.
What a peer does not answer is in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from msgspec import Struct

from bench import slapdcheck
from bench.cpu import CHECK_LDAP, process_seconds, running_seconds
from demo import wait
from demo.cluster import Cluster
from demo.node import Node
from demo.programs import find
from demo.tree import CANARIES, CHECK_DN, CHECK_PASSWORD, PEOPLE, PEOPLE_COUNT, SUFFIX
from ldaphealth.checks.canary import canary_dn, canary_entry
from ldaphealth.checks.monitor_access import number
from ldaphealth.clocks import boot_seconds
from ldaphealth.config import load
from ldaphealth.guard import Memory, decide
from ldaphealth.judging.judge import judge
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import Session, open_session
from ldaphealth.model import BindMethod, Credentials, Secret, Server, State
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster as Servers

SERVERS = 2
TURNS, ROUNDS = 15, 3
WHOLE_SECONDS, ROUND_SECONDS = 3600.0, 5.0
BUDGET_BYTES = 2**28  # of all answers to the counting; the default is for one round
CLOSED_SECONDS = 10.0
# Within it slapd has ended the last connection of a round, which is part of what the round costs.
AFTERWARDS_SECONDS = 0.02
BASIS = "ldapsearch"
AGENT = "bench"

SESSION = "1. bind, one search, unbind"
LEVEL = "2. contextCSN of two servers compared"
COUNTERS = "3. counters of cn=Monitor"
ALL = "4. all of it, and what else each can do"

OFF = dict.fromkeys(("search", "replication", "consumer", "resources", "monitor"), "off")
OFF |= {"entry_count": "off"}
ENTRIES = {"base": PEOPLE, "scope": "one", "entries": {"critical": f"{PEOPLE_COUNT}:"}}
CHECKS: Mapping[str, Mapping[str, Any]] = {
    SESSION: OFF | {"search": {"base": PEOPLE, "scope": "base"}},
    LEVEL: OFF | {"replication": {}},
    COUNTERS: OFF | {"counters": {}},
    ALL: {
        "search": ENTRIES,
        "counters": {},
        "write": {"container": CANARIES, "agent": AGENT},
    },
}
SERVERS_ASKED = {SESSION: 1, LEVEL: SERVERS, COUNTERS: 1, ALL: SERVERS}
NOT_PACKAGED = ("LDAP Tool Box's plugins", "Telegraf", "an OpenLDAP exporter")


class Way(Struct, frozen=True, kw_only=True, eq=False):
    """How one program answers one question; `measure` does it once and returns its CPU seconds."""

    question: str
    program: str
    servers: int
    measure: Callable[[], float]


class Counted(Struct, frozen=True):
    """What all servers have counted since they started; the same offset is in each."""

    operations: int
    connections: int


class Cost(Struct, frozen=True, kw_only=True):
    """Of one server and round."""

    prober_seconds: float
    slapd_seconds: float
    operations: float
    connections: float


class Counting:
    """Reads the counters of the servers, on one session with each that stays open."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._pids = [node.pid for node in nodes if node.pid is not None]
        deadline = Deadline.after(WHOLE_SECONDS)
        self._sessions = [open_session(_server(node), deadline, BUDGET_BYTES) for node in nodes]
        self._searches = 0
        self._idle = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()

    def slapd_seconds(self) -> float:
        """Return the CPU seconds of all slapds."""
        return sum(running_seconds(pid) for pid in self._pids)

    def counted(self) -> Counted:
        """Wait until only the sessions of the counting are open; return the counters."""
        wait.until(lambda: self._open() <= self._idle, CLOSED_SECONDS, "a connection is still open")
        # A search counts itself when it begins, and the next ones are counted by the next reading.
        operations = self._sum("cn=Operations", "monitorOpInitiated") - self._searches
        return Counted(operations, self._sum("cn=Total,cn=Connections", "monitorCounter"))

    def _open(self) -> int:
        return self._sum("cn=Current,cn=Connections", "monitorCounter")

    def _sum(self, rdns: str, attribute: str) -> int:
        self._searches += len(self._sessions)
        return sum(_counter(each, f"{rdns},cn=Monitor", attribute) for each in self._sessions)


def _counter(session: Session, dn: str, attribute: str) -> int:
    found = number(session.read(dn, (attribute,)), attribute.lower())
    if found is None:
        raise RuntimeError(f"{dn} has no {attribute}")
    return found


def _server(node: Node) -> Server:
    account = Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(CHECK_PASSWORD))
    return Server(cluster="bench", name=node.name, uri=node.uri, suffix=SUFFIX, credentials=account)


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.peers", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, help="of all (default: %(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="of each in a turn (default: %(default)s)"
    )
    options = parser.parse_args()
    with Cluster(SERVERS, tls=True) as cluster, tempfile.TemporaryDirectory() as made:
        ways = [*_ways(cluster, Path(made))]
        with Counting(cluster.nodes) as counting:
            costs = _measured(ways, counting, options.turns, options.rounds)
    for question in CHECKS:
        of_question = {way.program: costs[way] for way in ways if way.question == question}
        print()
        show(question, of_question)


def _ways(cluster: Cluster, directory: Path) -> Iterator[Way]:
    """Yield every way to answer; instead of a peer that is missing it prints a line."""
    print(f"without {', '.join(NOT_PACKAGED)}: Debian has no package of them")
    yield from _check_ldap(cluster.nodes[0])
    yield from _slapdcheck(cluster.nodes, directory)
    password_file = cluster.accounts.check.password_file
    for question, checks in CHECKS.items():
        nodes = cluster.nodes[: SERVERS_ASKED[question]]
        config = _configuration(directory, nodes, password_file, checks)
        servers = load(config).clusters["c"]
        if question == ALL:
            _add_canaries(cluster, servers)
        programs = {BASIS: _ldapsearch(question, nodes, password_file)}
        programs |= _ldaphealth(question, nodes[0], password_file, config)
        way = partial(Way, question=question, servers=len(nodes))
        for name, command in programs.items():
            yield way(program=name, measure=partial(process_seconds, command))
        yield way(program="ldaphealth, in process", measure=Rounds(servers).measure)


def _configuration(
    directory: Path, nodes: Sequence[Node], password_file: Path, checks: Mapping[str, Any]
) -> Path:
    """Write the configuration of ldaphealth that answers one question; return its file."""
    own = Path(tempfile.mkdtemp(dir=directory))
    config = own / "ldaphealth.yaml"
    content = {
        "agent": {"runtime_directory": f"{own}/run", "state_directory": f"{own}/state"},
        "credentials": {"probe": {"dn": CHECK_DN, "password_file": str(password_file)}},
        "clusters": {
            "c": {
                "suffix": SUFFIX,
                "credentials": "probe",
                "servers": {node.name: node.uri for node in nodes},
                "checks": checks,
            }
        },
    }
    config.write_text(json.dumps(content))
    return config


def _add_canaries(cluster: Cluster, servers: Servers) -> None:
    """Add the entries to which the check `write` writes."""
    for server in servers.servers:
        entry = canary_entry(AGENT, server)
        lines = "\n".join(f"{name}: {each}" for name, values in entry.items() for each in values)
        cluster.nodes[0].root.add(canary_dn(CANARIES, AGENT, server), lines)
    cluster.wait_until_level()


def _ldaphealth(
    question: str, node: Node, password_file: Path, config: Path
) -> dict[str, list[str]]:
    program, plugin = (
        str(Path(sys.executable).with_name(name)) for name in ("ldaphealth", "check_ldaphealth")
    )
    account = ["-D", CHECK_DN, "--password-file", str(password_file)]
    one_server = [*_host_options(node), "-b", PEOPLE, *account]
    configured = ["--config", str(config)]
    return {
        "ldaphealth check": [program, "check", *configured, "--format", "nagios"],
        "check_ldaphealth": [plugin, *(one_server if question == SESSION else configured)],
    }


def _check_ldap(node: Node) -> Iterator[Way]:
    """Yield what monitoring-plugins answers, if they are installed."""
    if not Path(CHECK_LDAP).exists():
        print("without check_ldap: scripts/install-packages monitoring-plugins-standard")
        return
    command = [CHECK_LDAP, *_host_options(node), "-b", PEOPLE, "-3"]
    command += ["-D", CHECK_DN, "-P", CHECK_PASSWORD]
    counting = [*command, "-C", f"{PEOPLE_COUNT}:"]
    for question, each in ((SESSION, command), (ALL, counting)):
        yield Way(
            question=question,
            program="check_ldap",
            servers=1,
            measure=partial(process_seconds, each),
        )


def _slapdcheck(nodes: Sequence[Node], directory: Path) -> Iterator[Way]:
    """Yield what slapdcheck answers, if it can be installed: all at once."""
    try:
        programs = slapdcheck.install(directory / "slapdcheck")
        command = slapdcheck.command(programs, nodes, directory)
    except (slapdcheck.UnavailableError, FileNotFoundError) as error:
        print(f"without {slapdcheck.RELEASE}: {error}")
        return
    yield Way(
        question=ALL,
        program="slapdcheck",
        servers=len(nodes),
        measure=partial(process_seconds, command),
    )


def _host_options(node: Node) -> list[str]:
    host, _, port = node.uri.removeprefix("ldap://").rpartition(":")
    return ["-H", host, "-p", port]


def _ldapsearch(question: str, nodes: Sequence[Node], password_file: Path) -> list[str]:
    """Return one process, or a script where the answer takes several and a comparison."""
    program, account = str(find("ldapsearch")), ["-D", CHECK_DN, "-y", str(password_file)]
    searches = {
        SESSION: ["-b", PEOPLE, "-s", "base"],
        LEVEL: ["-b", SUFFIX, "-s", "base", "(objectClass=*)", "contextCSN"],
        COUNTERS: ["-b", "cn=Monitor", "(objectClass=*)", "*", "+"],
    }

    def search(node: Node, what: str) -> list[str]:
        return [program, "-x", "-LLL", "-H", node.uri, *account, *searches[what]]

    if question in {SESSION, COUNTERS}:
        return search(nodes[0], question)
    each = [search(node, what) for node in nodes for what in (SESSION, COUNTERS)]
    first, second = (shlex.join(search(node, LEVEL)) for node in nodes)
    script = [shlex.join(command) for command in each] if question == ALL else []
    script.append(f'[ "$({first})" = "$({second})" ]')
    return ["/bin/sh", "-c", " && ".join(script)]


class Rounds:
    """Rounds of all servers in this process: probes, judges and decisions, as an agent has them."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._recent = RecentObservations()
        self._memory = Memory()

    def measure(self) -> float:
        """Do one round; return its CPU seconds. RuntimeError if not all is well."""
        started = time.process_time()
        for server in self._servers.servers:
            checks = self._servers.round_checks_of(server)
            for seen in probe_server(server, checks, Deadline.after(ROUND_SECONDS)):
                self._recent.add(seen)
        findings = judge(self._servers, self._recent, one_shot=False)
        decision = decide(self._servers, findings, self._memory, boot_seconds())
        spent = time.process_time() - started
        self._memory = decision.memory
        wrong = [
            f"{each.server}: {each.summary}" for each in findings if each.state is not State.OK
        ]
        if wrong:
            raise RuntimeError(f"not all is well, so it is not measured: {'; '.join(wrong)}")
        return spent


def _measured(
    ways: Sequence[Way], counting: Counting, turns: int, rounds: int
) -> Mapping[Way, Sequence[Cost]]:
    costs: dict[Way, list[Cost]] = {way: [] for way in ways}
    for way in ways:
        way.measure()  # writes the bytecode
    for _ in range(turns):
        for way in ways:
            costs[way].append(_one_turn(way, counting, rounds))
    return costs


def _one_turn(way: Way, counting: Counting, rounds: int) -> Cost:
    before, slapd_before = counting.counted(), counting.slapd_seconds()
    seconds = sum(way.measure() for _ in range(rounds))
    time.sleep(AFTERWARDS_SECONDS)
    slapd = counting.slapd_seconds() - slapd_before
    after = counting.counted()
    times = rounds * way.servers
    return Cost(
        prober_seconds=seconds / times,
        slapd_seconds=slapd / times,
        operations=(after.operations - before.operations) / times,
        connections=(after.connections - before.connections) / times,
    )


def show(question: str, costs: Mapping[str, Sequence[Cost]]) -> None:
    """Print the medians of each program, and its CPU against that of ldapsearch over the turns."""
    print(f"{question:40} {'CPU':>10} {'ratio':>6} {'of slapd':>10} {'operations':>10} connections")
    basis = costs[BASIS]
    for program, turns in costs.items():
        ratios = [a.prober_seconds / b.prober_seconds for a, b in zip(turns, basis, strict=True)]
        own, slapd, operations, connections = (
            statistics.median(getattr(each, name) for each in turns)
            for name in Cost.__struct_fields__
        )
        print(
            f"  {program:38} {own * 1e3:7.2f} ms {statistics.median(ratios):6.2f} "
            f"{slapd * 1e3:7.2f} ms {operations:10.1f} {connections:11.1f}"
        )


if __name__ == "__main__":
    main()
