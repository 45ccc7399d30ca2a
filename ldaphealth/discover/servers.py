"""From one server to the others that it names, breadth first, each once.

A server is named by replication (olcSyncrepl, cn=Monitor) or by DNS. Addresses that a server names
of itself only, such as a loopback of another host, are not followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.discover.server_facts import ServerFacts
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.workers import Workers

MOST_SERVERS = 64
MOST_NAMED = 512  # URLs that were named in all
THREADS = 16
STANDARD_PORTS = {"389": "636", "636": "389"}


class Named(Struct, frozen=True):
    """A URL of a server, and who named it where."""

    uri: str
    evidence: str


class FoundServer(Struct, frozen=True, kw_only=True):
    """A server that was read, with all URLs that lead to it, the first one first.

    `also` has a sentence on each of the others.
    """

    facts: ServerFacts
    evidence: str
    uris: tuple[str, ...]
    also: tuple[str, ...] = ()


class Unread(Struct, frozen=True):
    """A URL that was not read, and why."""

    uri: str
    evidence: str
    why: str


class Found(Struct, kw_only=True):
    """The servers found, and the URLs that led to none."""

    servers: list[FoundServer] = []
    unread: list[Unread] = []


Read = Callable[[str], ServerFacts]  # `read_server`; SessionError
MoreNamed = Callable[[ServerFacts], Iterable[Named]]


def find_servers(
    start: Sequence[Named],
    read: Read,
    also: MoreNamed,
    most_seconds: float,
    now: Callable[[], MonotonicSeconds] = monotonic,
) -> Found:
    """Read the servers, and those that they name, until there are no more or the time is over.

    `also` returns what else names servers, such as DNS.
    """
    found, ends = Found(), now() + most_seconds
    level, seen = [*start], {each.uri for each in start}
    pool = Workers("discover", THREADS)
    try:
        while level:
            room = max(0, MOST_SERVERS - len(found.servers))
            for each in level[room:]:
                found.unread.append(Unread(each.uri, each.evidence, f"over {MOST_SERVERS} servers"))
            reads = [(each, pool.submit(read, each.uri)) for each in level[:room]]
            wait([running for _, running in reads], max(0.0, ends - now()))
            level = []
            for server in _added(found, reads):
                for more in (*_named_by(server), *also(server.facts)):
                    if more.uri not in seen and len(seen) < MOST_NAMED:
                        seen.add(more.uri)
                        level.append(more)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return found


def _added(
    found: Found, reads: Iterable[tuple[Named, Future[ServerFacts]]]
) -> Iterator[FoundServer]:
    """Add the results to those found, and yield the servers that are new."""
    for named, running in reads:
        facts = _result(running)
        if isinstance(facts, str):
            found.unread.append(Unread(named.uri, named.evidence, facts))
            continue
        place, why = _same(found.servers, facts)
        if place is None:
            server = FoundServer(facts=facts, evidence=named.evidence, uris=(named.uri,))
            found.servers.append(server)
            yield server
        else:
            known = found.servers[place]
            also = f"{named.uri} ({named.evidence}) is the same server: {why}"
            found.servers[place] = replace(
                known, uris=(*known.uris, named.uri), also=(*known.also, also)
            )


def _result(running: Future[ServerFacts]) -> ServerFacts | str:
    """Return what was read, or why it was not; errors of the program are raised."""
    if not running.done():
        running.cancel()
        return "the time for finding servers was over"
    try:
        return running.result()
    except SessionError as error:
        return error.failure.detail


def _same(servers: Sequence[FoundServer], facts: ServerFacts) -> tuple[int | None, str]:
    """Return the place of the same server among those known, and what shows that."""
    for place, each in enumerate(servers):
        known = each.facts
        if {*known.addresses} & {*facts.addresses}:
            return place, "the same address"
        if facts.identity and facts.identity == known.identity:
            return place, "the same start, listeners, and server ID or entryUUID of cn=config"
        if {*known.addresses} & {*_other_port(facts.addresses)} and not facts.identity:
            return place, "the same address, ports 389 and 636"
    return None, ""


def _other_port(addresses: Iterable[str]) -> Iterator[str]:
    for each in addresses:
        host, _, port = each.rpartition(":")
        if port in STANDARD_PORTS:
            yield f"{host}:{STANDARD_PORTS[port]}"


def _named_by(server: FoundServer) -> Iterator[Named]:
    """Yield the providers that a server names, except a loopback of its own."""
    facts = server.facts
    is_here = parse_uri(facts.uri).is_loopback
    links = [link for database in facts.config.databases for link in database.links]
    named = [(uri, "olcSyncrepl") for link in links for uri in link.providers]
    named += [(uri, "cn=Monitor") for link in facts.monitor.links for uri in link.providers]
    for uri, where in named:
        if is_here or not parse_uri(uri).is_loopback:
            yield Named(uri, f"{where} of {facts.uri}")
