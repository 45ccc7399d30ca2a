"""With a real slapd, a session has few flights, and finds what it finds without them."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from statistics import median
from urllib.parse import urlsplit

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from demo import ports
from demo.cluster import Cluster
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.counters import Facts as CountersFacts
from ldaphealth.checks.monitor import OPERATIONS, _done
from ldaphealth.checks.monitor import Facts as MonitorFacts
from ldaphealth.checks.resources import Facts as ResourcesFacts
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, F, Server, Tls
from ldaphealth.rounds.probe import probe_server
from tests.checks.seen import planned
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

NAMES = [
    name
    for name, check in BUILT_IN.items()
    if check.is_in_rounds and name not in {"compare", "write", "login"}
]
ROUNDS = 20
SENT = (
    "bind",
    "search",
    "contextCSN",
    "links, gauges and counters",
    "waiting operations",
    "threads",
    "the clock",
    "counters of operations",
    "unbind",
)
SEARCHES = 18


@contextlib.contextmanager
def counting(uri: str) -> Iterator[tuple[str, list[bytes]]]:
    """Forward one connection; give the URI to connect to, and what the client sent at once."""
    reservation = ports.reserve(1, ("127.0.0.1",))
    target, sent = urlsplit(uri), list[bytes]()
    listener = socket.create_server(("127.0.0.1", *reservation.ports))

    def forward() -> None:
        client, _ = listener.accept()
        with client, socket.create_connection((target.hostname, target.port), 5.0) as server:
            other = {client: server, server: client}
            while True:
                for readable in select.select([*other], [], [], 5.0)[0]:
                    received = readable.recv(1 << 16)
                    if not received:
                        return
                    if readable is client:
                        sent.append(received)
                    other[readable].sendall(received)

    thread = threading.Thread(target=forward, daemon=True)
    thread.start()
    try:
        yield f"ldap://127.0.0.1:{reservation.ports[0]}", sent
        thread.join(10.0)
    finally:
        listener.close()
        reservation.release()


class Probes:
    """Probes of one server with all checks; the expiry of the password is read before."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._accounts = Accounts()
        self.seen(pipeline=True)

    def seen(self, uri: str = "", *, pipeline: bool) -> dict[str, AnyObservation]:
        """Return what the checks observe, by their names; none fails."""
        server = replace(self.server, uri=uri or self.server.uri, pipeline=pipeline)
        checks = [planned(name) for name in NAMES]
        seen = probe_server(server, checks, Deadline.after(10.0), self._accounts)
        assert [each.failure for each in seen] == [None] * len(NAMES)
        return {each.check: each for each in seen}


@pytest.fixture
def probes(cluster: Cluster) -> Probes:
    """Return probes of a server whose replication is quiet."""
    cluster.wait_until_linked()
    cluster.wait_until_level()
    assert cluster.authority is not None
    tls = Tls(ca_file=str(cluster.authority.file))
    return Probes(replace(watched(cluster).servers[0], tls=tls))


@pytest.mark.parametrize(("pipeline", "sends"), [(True, len(SENT)), (False, SEARCHES + 2)])
def test_a_session_of_the_built_in_checks_has_few_flights(
    probes: Probes, pipeline: bool, sends: int
) -> None:
    with counting(probes.server.uri) as (uri, sent):
        seen = probes.seen(uri, pipeline=pipeline)

    assert len(sent) == sends
    assert facts_of(seen, "monitor", MonitorFacts).own["search"] == SEARCHES - 1


@pytest.mark.parametrize("scheme", ["ldap", "ldaps", "ldapi"])
def test_what_is_found_is_the_same(probes: Probes, cluster: Cluster, scheme: str) -> None:
    node = cluster.nodes[0]
    uri = {"ldap": node.uri, "ldaps": node.ldaps_uri, "ldapi": node.ldapi_uri}[scheme] or ""
    names = {"search", "replication", "consumer", "entry_count", "resources"}
    alone, together = (probes.seen(uri, pipeline=each) for each in (False, True))

    for name in names:
        one, other = (comparable(seen[name].facts) for seen in (alone, together))
        assert one == other


def comparable(facts: object) -> object:
    """Return facts as plain data, without times, and what connections and threads change."""
    found = to_builtins(facts)
    for key in ("observed_epoch_seconds", "connections", "connections_ratio"):
        found.pop(key, None)
    for database in found.get("databases", ()):
        del database["readers_ratio"]  # a slot for each thread that has ever read
    return found


def test_requests_that_travel_together_are_not_among_what_they_count(probes: Probes) -> None:
    """If they were, eight of the probe's own would wait at the median, and four be in progress.

    slapd counts a search as completed a moment after it has sent the answer, and so long its thread
    as active: on a machine that is busy, the last one of the flight before may be among them.
    """
    rounds = [[probes.seen(pipeline=each) for each in (False, True)] for _ in range(ROUNDS)]
    alone, together = ([seen[n] for seen in rounds] for n in (0, 1))

    assert median(waiting(each) for each in together) == 0
    assert median(map(busy, together)) <= median(map(busy, alone)) + 1
    reads = [facts_of(each, "monitor", MonitorFacts) for seen in rounds for each in seen]
    assert sum(_done(reads, name) for name in OPERATIONS) <= 1
    assert median(sum(each.in_flight.values()) for each in reads) == 0


def waiting(seen: Mapping[str, AnyObservation]) -> int:
    """Return the operations that wait for a thread of slapd, by the check resources."""
    return facts_of(seen, "resources", ResourcesFacts).pending_operations or 0


def busy(seen: Mapping[str, AnyObservation]) -> int:
    """Return the operations that are in progress or wait, by the check counters."""
    return facts_of(seen, "counters", CountersFacts).values["cn=backload,cn=threads"]


def facts_of(seen: Mapping[str, AnyObservation], name: str, kind: type[F]) -> F:
    """Return the facts of a check."""
    facts = seen[name].facts
    assert isinstance(facts, kind)
    return facts
