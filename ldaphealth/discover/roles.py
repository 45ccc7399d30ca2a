"""The role of each server in replication, and what shows it. Pure; nothing is guessed silently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ldaphealth.discover.servers import FoundServer
from ldaphealth.discover.syncrepl import uri_of
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.model import Role

INFERRED = "inferred: "


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
        database = facts.config.database_of(base)
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
    facts = server.facts
    monitored = facts.monitor.links_of(base)
    polled = max((each.poll_interval_seconds for each in monitored), default=0.0)
    database = facts.config.database_of(base)
    if database is not None:
        intervals = [each.poll_interval_seconds for each in database.links]
        polls = bool(intervals) and all(intervals)  # a link that lasts brings changes at once
        if not database.links and not database.unreadable_links:
            return FoundRole(evidence="cn=config has no olcSyncrepl")
        many = database.is_multi_provider
        return FoundRole(
            role=Role.PROVIDER if many else Role.CONSUMER,
            evidence=f"cn=config has olcSyncrepl {'and' if many else 'without'} olcMultiProvider",
            poll_interval_seconds=max(intervals) if polls else 0.0,
            polls_by="type=refreshOnly in olcSyncrepl" if polls else "",
        )
    found = _role_by_monitor(server, place, base, links, names)
    if not polled:
        return found
    return FoundRole(
        role=found.role,
        evidence=found.evidence,
        is_known=found.is_known,
        poll_interval_seconds=float(round(polled)),
        polls_by="the times of its polls in cn=Monitor",
    )


def _role_by_monitor(
    server: FoundServer, place: int, base: str, links: Links, names: Sequence[str]
) -> FoundRole:
    """Return the first role of the table that something shows."""
    database = server.facts.monitor.database_of(base)
    providers, receivers = links.receives_from[place], links.receivers(place)
    from_them = _listed(sorted(names[each] for each in providers))
    to_them = _listed(sorted(names[each] for each in receivers))
    is_shadow = database.is_shadow if database else None
    consumer, provider = Role.CONSUMER, Role.PROVIDER
    table: tuple[tuple[object, Role | None, str], ...] = (
        (is_shadow is False, provider, "cn=Monitor shows that it copies from no other server"),
        (database and database.has_update_ref, consumer, "cn=Monitor has its monitorUpdateRef"),
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
        (is_shadow, None, "cn=Monitor shows that it copies, but not from where"),
        (True, None, "nothing that the account can read shows it"),
    )
    role, evidence = next((role, evidence) for holds, role, evidence in table if holds)
    return FoundRole(role=role or provider, evidence=evidence, is_known=role is not None)


def _listed(names: Sequence[str]) -> str:
    most = 3
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
