"""CPU of a round by its parts, beside the raw floor: the same octets, and nothing decoded.

`make bench` runs it. All rows do 32 rounds at once in one thread with epoll(7), in turn:

- the floor of a client: a bind, three searches of the root DSE and unbind, one after another;
- the floor of a round: all requests of the checks that are on by default, in the same flights;
- the probe: the same by a session, with its deadline, budget, decoding, checks and observations;
- the round: the probe as an agent runs it, with what would confirm a failure;
- the round and its decision: what was seen is judged, and the verdict on the server is decided;
- the round by LDAPS: each with a whole handshake, as a new client does;
- the round by LDAPS of HAProxy before the server, with a whole handshake and with `resume_seconds`:
  HAProxy has OpenSSL, and slapd with GnuTLS resumes no TLS session.

The floors send octets that were recorded, and only count the messages that answer them.
"""

from __future__ import annotations

import itertools
import select
import socket
import statistics
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import process_time

from msgspec.structs import replace

from bench.rounds_at_once import (
    AT_ONCE,
    DEADLINE_SECONDS,
    PAIRS,
    run_rounds,
    usual_checks,
    usual_server,
)
from demo.certificates import Authority
from demo.cluster import Cluster as Servers
from demo.node import Node
from ldaphealth.agent.pool import Pool
from ldaphealth.event_loop import EventLoop
from ldaphealth.guard import Memory, RoundPeriod
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.ldap.session import Session
from ldaphealth.ldap.transport import CHUNK_BYTES, frame_bytes
from ldaphealth.model import AnyObservation, Server, Tls
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import RoundPlan, run_round
from ldaphealth.rounds.session_plans import SessionPlans
from ldaphealth.settings import Cluster, ConfiguredCheck
from tests.ldap.tls_proxy import HOST, TlsProxy

ROUNDS = 320
SEARCHES = 3

Flight = tuple[bytes, int]  # octets, and how many messages answer them


def main() -> None:
    with (
        Servers(size=1, tls=True) as cluster,
        tempfile.TemporaryDirectory() as directory,
        _tls_proxy(cluster.nodes[0], Path(directory)) as proxy,
    ):
        server, checks = usual_server(cluster), usual_checks()
        found: dict[str, list[float]] = {}
        whole = Tls(ca_file=str(proxy.authority.file))
        resumed = replace(whole, resume_seconds=3600)
        of_slapd = replace(
            server,
            name="ldaps",
            uri=str(cluster.nodes[0].ldaps_uri),
            tls=Tls(ca_file=str(cluster.ca_file)),
        )
        by_tls = {
            "the round by LDAPS": [of_slapd],
            "by LDAPS of HAProxy": [replace(server, name="haproxy", uri=proxy.uri, tls=whole)],
            # One TLS session is resumed by one connection at a time, and an agent has one a server.
            "the same, resumed": [
                replace(
                    server,
                    name=host,
                    uri=proxy.uri.replace(HOST, host),
                    tls=resumed,
                    server_name=HOST,
                )
                for host in proxy.hosts
            ],
        }
        accounts = Accounts()
        of_client = recorded(server, partial(_as_a_client, accounts=accounts))
        of_round = recorded(
            server, lambda at: probe_server(at, checks, Deadline.after(DEADLINE_SECONDS), accounts)
        )
        for pair in range(PAIRS + 1):
            for name, seconds in _measured(server, by_tls, checks, of_client, of_round).items():
                if pair:  # the first one fills the caches
                    found.setdefault(name, []).append(seconds)
    floor = statistics.median(found["the floor of a round"])
    print(f"{AT_ONCE} rounds at once in one thread, CPU a round; {len(of_round)} flights")
    for name, all_seconds in found.items():
        seconds = statistics.median(all_seconds)
        print(f"  {name:28} {seconds * 1e3:6.3f} ms {seconds / floor:6.2f} times the floor")


def _measured(
    server: Server,
    by_tls: Mapping[str, Sequence[Server]],
    checks: Sequence[ConfiguredCheck],
    of_client: Sequence[Flight],
    of_round: Sequence[Flight],
) -> Mapping[str, float]:
    """Return the seconds of CPU of a round, for each row."""
    plans = SessionPlans()
    plans.replace_servers([server, *itertools.chain.from_iterable(by_tls.values())])
    probe = partial(probe_server, accounts=Accounts(), plans=plans)
    calls = EventLoop("rounds")
    plan = RoundPlan(server, checks, DEADLINE_SECONDS, 1.0)
    pool = Pool(
        Cluster(name=server.cluster, servers=(server,), checks=tuple(checks), min_in_service=0),
        Memory(),
    )

    def decided() -> list[AnyObservation]:
        seen = run_round(plan, probe, calls)
        began, ended = seen[0].started_at, seen[-1].ended_at
        pool.add_round(server.id, seen, RoundPeriod(began=began, ended=ended))
        pool.decide(ended)
        return seen

    def in_turn(servers: Sequence[Server]) -> Callable[[], list[AnyObservation]]:
        plans = itertools.cycle([replace(plan, server=each) for each in servers])
        return lambda: run_round(next(plans), probe, calls)

    def in_loop(run: Callable[[], list[AnyObservation]]) -> float:
        run_rounds(calls, run, AT_ONCE)
        began = process_time()
        run_rounds(calls, run, ROUNDS)
        return (process_time() - began) / ROUNDS

    try:
        return {
            "the floor of a client": raw_seconds(server, of_client),
            "the floor of a round": raw_seconds(server, of_round),
            "the probe": in_loop(lambda: probe(server, checks, Deadline.after(DEADLINE_SECONDS))),
            "the round": in_loop(partial(run_round, plan, probe, calls)),
            "the round and its decision": in_loop(decided),
        } | {name: in_loop(in_turn(servers)) for name, servers in by_tls.items()}
    finally:
        calls.shutdown()


def _tls_proxy(node: Node, directory: Path) -> TlsProxy:
    hosts = [f"127.0.0.{n}" for n in range(1, 2 * AT_ONCE)]
    return TlsProxy(node, directory, Authority(directory), hosts=hosts)


def _as_a_client(server: Server, accounts: Accounts) -> None:
    session = Session(server, Deadline.after(DEADLINE_SECONDS), accounts=accounts)
    session.connect()
    session.bind()
    for _ in range(SEARCHES):
        session.search("", "base", "(objectClass=*)", ("supportedControl",))
    session.unbind()


# The raw floor


def recorded(server: Server, act: Callable[[Server], object]) -> Sequence[Flight]:
    """Return what is sent to a server while something is done with it, through a relay."""
    flights: list[Flight] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = threading.Thread(target=_relay, args=(listener, server, flights))
        relay.start()
        act(replace(server, uri=f"ldap://127.0.0.1:{listener.getsockname()[1]}"))
        relay.join()
    return flights


def _relay(listener: socket.socket, server: Server, flights: list[Flight]) -> None:
    client, _ = listener.accept()
    endpoint = parse_uri(server.uri)
    with client, socket.create_connection((endpoint.host, endpoint.port)) as behind:
        received = bytearray()
        while True:
            ready, _, _ = select.select((client, behind), (), ())
            if client in ready:
                octets = client.recv(CHUNK_BYTES)
                if not octets:
                    return
                behind.sendall(octets)
                flights.append((octets, 0))
            if behind in ready:
                answer = behind.recv(CHUNK_BYTES)
                received += answer
                octets, answers = flights[-1]
                flights[-1] = octets, answers + _take_messages(received)
                client.sendall(answer)


def _take_messages(received: bytearray) -> int:
    """Remove the whole messages at the start; return how many they were."""
    count = at = 0
    while (size := frame_bytes(received[at : at + 8])) is not None and at + size <= len(received):
        at += size
        count += 1
    del received[:at]
    return count


def raw_seconds(server: Server, flights: Sequence[Flight]) -> float:
    """Return the seconds of CPU of a round that only sends and counts."""
    began = process_time()
    endpoint = parse_uri(server.uri)
    with select.epoll() as poll:
        in_progress: dict[int, _RawRound] = {}
        for _ in range(AT_ONCE):
            _RawRound(poll, in_progress, flights, (endpoint.host, endpoint.port)).begin()
        rest = ROUNDS - AT_ONCE
        while in_progress:
            for descriptor, _ in poll.poll():
                one = in_progress[descriptor]
                if not one.go_on() and rest:
                    rest -= 1
                    one.begin()
    return (process_time() - began) / ROUNDS


class _RawRound:
    """The flights on one connection, and then on another one."""

    def __init__(
        self,
        poll: select.epoll,
        in_progress: dict[int, _RawRound],
        flights: Sequence[Flight],
        address: tuple[str, int],
    ) -> None:
        self._poll, self._in_progress = poll, in_progress
        self._flights, self._address = flights, address

    def begin(self) -> None:
        """Connect, which loopback does at once, and send the first flight."""
        self._socket = socket.create_connection(self._address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._in_progress[self._socket.fileno()] = self
        self._poll.register(self._socket, select.EPOLLIN)
        self._received, self._at, self._answers = bytearray(), 0, 0
        self._socket.sendall(self._flights[0][0])

    def go_on(self) -> bool:
        """Receive; after the last answer to a flight send the next one. False: it was the last."""
        self._received += self._socket.recv(CHUNK_BYTES)
        self._answers += _take_messages(self._received)
        while self._answers == self._flights[self._at][1]:
            self._at, self._answers = self._at + 1, 0
            if self._at == len(self._flights):
                del self._in_progress[self._socket.fileno()]
                self._socket.close()
                return False
            self._socket.sendall(self._flights[self._at][0])
        return True


if __name__ == "__main__":
    main()
