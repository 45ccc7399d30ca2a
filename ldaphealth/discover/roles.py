"""The role of each server in replication, and what shows it. Pure; nothing is guessed silently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ldaphealth.discover.databases import database_of
from ldaphealth.discover.servers import FoundServer
from ldaphealth.discover.syncrepl import uri_of
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.model import Role
from ldaphealth.text.listed import listed

INFERRED = "inferred: "
MOST_NAMES = 3  # of servers in a comment


class FoundRole(Struct, frozen=True, kw_only=True):
    """The role of a server, with its evidence. `is_known` is False if nothing shows the role.

    `poll_interval_seconds` is 0 if it does not poll, as far as can be seen.
    """

    role: Role = Role.PROVIDER
    evidence: str
    is_known: bool = True
    poll_interval_seconds: float = 0.0
    polls_by: str = ""


class Links(Struct, frozen=True):
    """From which servers each one receives, by their places."""

    receives_from: Mapping[int, frozenset[int]]

    def receivers(self, place: int) -> list[int]:
        """Return those that receive from a server."""
        return [other for other, of in self.receives_from.items() if place in of]

    def is_in_cycle(self, place: int) -> bool:
        """Return whether changes of a server come back to it."""
        reached: set[int] = set()
        pending = [*self.receives_from[place]]
        while pending:
            each = pending.pop()
            if each not in reached:
                reached.add(each)
                pending += self.receives_from[each]
        return place in reached


def find_roles(servers: Sequence[FoundServer], base: str) -> list[FoundRole]:
    """Return the role of each server in the replication of a naming context."""
    links = _links(servers, base)
    names = [each.facts.uri for each in servers]
    return [_role(server, n, base, links, names) for n, server in enumerate(servers)]


def _links(servers: Sequence[FoundServer], base: str) -> Links:
    """Return who receives from whom: by URLs, and by connections that both ends show."""
    place_of = {
        uri: n
        for n, each in enumerate(servers)
        for uri in (each.facts.uri, *each.uris, *_uris(each))
    }
    waiting_at = {
        each.peer: n for n, server in enumerate(servers) for each in server.facts.monitor.waiting
    }
    found: dict[int, frozenset[int]] = {}
    for n, server in enumerate(servers):
        facts = server.facts
        database = database_of(facts.config.databases, base)
        monitored = facts.monitor.links_of(base)
        uris = [uri for each in database.links for uri in each.providers] if database else []
        uris += [uri for each in monitored for uri in each.providers]
        connected = [waiting_at.get(each.connection) for each in monitored]
        places = [place_of.get(uri) for uri in uris] + connected
        found[n] = frozenset(each for each in places if each is not None and each != n)
    return Links(found)


def _uris(server: FoundServer) -> Iterable[str]:
    """Yield the URLs of a server with its addresses in place of names."""
    scheme = server.facts.uri.partition("://")[0]
    for each in server.facts.addresses:
        host, _, port = each.rpartition(":")
        if port.isdigit():  # and no Unix socket
            yield uri_of(Endpoint(scheme, host, int(port)))


def _role(
    server: FoundServer, place: int, base: str, links: Links, names: Sequence[str]
) -> FoundRole:
    """Return the first role of the table that something shows, and how often it polls."""
    config = database_of(server.facts.config.databases, base)
    monitor = database_of(server.facts.monitor.databases, base)
    providers, receivers = links.receives_from[place], links.receivers(place)
    from_them = listed(sorted(names[each] for each in providers), MOST_NAMES)
    to_them = listed(sorted(names[each] for each in receivers), MOST_NAMES)
    has_syncrepl = config is not None and bool(config.links or config.unreadable_links)
    is_shadow = monitor.is_shadow if monitor else None
    is_multi = config.is_multi_provider if config else None
    consumer, provider = Role.CONSUMER, Role.PROVIDER
    copies = "olcSyncrepl" if has_syncrepl else "cn=Monitor shows that it copies"
    table: tuple[tuple[object, Role | None, str], ...] = (
        (is_multi, provider, "cn=config has olcMultiProvider TRUE"),
        (
            is_shadow is False and not has_syncrepl,
            provider,
            "cn=Monitor shows that it copies from no other server",
        ),
        (config and config.has_update_ref, consumer, "cn=config has its olcUpdateRef"),
        (monitor and monitor.has_update_ref, consumer, "cn=Monitor has its monitorUpdateRef"),
        (
            is_multi is False and (has_syncrepl or is_shadow),
            consumer,
            f"{copies}, and cn=config has olcMultiProvider FALSE",
        ),
        (
            links.is_in_cycle(place),
            provider,
            f"{INFERRED}its changes come back to it by way of {from_them}",
        ),
        (
            providers and not receivers,
            consumer,
            f"{INFERRED}it receives from {from_them}, and none found receives from it",
        ),
        (receivers and not providers, provider, f"{INFERRED}{to_them} receives from it"),
        (receivers, None, "it receives from others, and others from it, but nothing comes back"),
        (has_syncrepl or is_shadow, None, f"{copies}, but not whether it takes writes"),
        (True, None, "nothing that the account can read shows it"),
    )
    role, evidence = next((role, evidence) for holds, role, evidence in table if holds)
    seconds, polls_by = _polls(server, base)
    return FoundRole(
        role=role or provider,
        evidence=evidence,
        is_known=role is not None,
        poll_interval_seconds=seconds,
        polls_by=polls_by,
    )


def _polls(server: FoundServer, base: str) -> tuple[float, str]:
    """Return the seconds between two polls, and what shows that; 0 if a link lasts."""
    config = database_of(server.facts.config.databases, base)
    if config and config.links:
        intervals = [each.poll_interval_seconds for each in config.links]
        is_polling = all(intervals)  # a link that lasts brings all changes at once
        return (max(intervals), "type=refreshOnly in olcSyncrepl") if is_polling else (0.0, "")
    links = server.facts.monitor.links_of(base)
    if links and all(each.poll_interval_seconds for each in links):
        longest = max(each.poll_interval_seconds for each in links)
        return float(round(longest)), "the times of its polls in cn=Monitor"
    return 0.0, ""
