"""From one server to others: breadth first, each once, bounded in number and time."""

from __future__ import annotations

import time
from collections.abc import Mapping

from msgspec.structs import replace

from ldaphealth.discover.server_config import ServerConfig
from ldaphealth.discover.server_facts import ServerFacts
from ldaphealth.discover.server_monitor import ServerMonitor
from ldaphealth.discover.servers import MOST_SERVERS, Found, Named, find_servers
from ldaphealth.discover.syncrepl import Syncrepl
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import Failure, FailureKind
from tests.discover.found import config, facts, monitor


def find(
    site: Mapping[str, ServerFacts], *start: str, dns: tuple[str, ...] = (), seconds: float = 5.0
) -> Found:
    def read(uri: str) -> ServerFacts:
        if uri not in site:
            raise SessionError(Failure(FailureKind.CONNECT, "connection refused"))
        return site[uri]

    named = [Named(uri, "DNS") for uri in dns]
    return find_servers([Named(uri, "given") for uri in start], read, lambda _: named, seconds)


def uris(found: Found) -> list[str]:
    return [each.facts.uri for each in found.servers]


def chain(length: int) -> dict[str, ServerFacts]:
    """Return servers of which each names the next one."""
    return {
        f"ldap://s{n}": facts(f"ldap://s{n}", monitor=monitor(f"ldap://s{n + 1}"))
        for n in range(length)
    }


def test_servers_are_found_by_replication_and_by_dns() -> None:
    site = {
        "ldap://a": facts("ldap://a", config=config(Syncrepl(providers=("ldap://b",)))),
        "ldap://b": facts("ldap://b", monitor=monitor("ldap://a", "ldap://gone")),
        "ldap://c": facts("ldap://c"),
    }

    found = find(site, "ldap://a", dns=("ldap://c",))

    assert [(each.facts.uri, each.evidence) for each in found.servers] == [
        ("ldap://a", "given"),
        ("ldap://b", "olcSyncrepl of ldap://a"),
        ("ldap://c", "DNS"),
    ]
    assert [(each.uri, each.why) for each in found.unread] == [
        ("ldap://gone", "connection refused")
    ]


def test_one_server_by_two_names_is_one() -> None:
    site = {
        "ldap://a": facts("ldap://a", address="192.0.2.1:389", monitor=monitor("ldap://b")),
        "ldap://b": facts("ldap://b", address="192.0.2.1:389"),
        "ldaps://a": facts("ldaps://a", address="192.0.2.1:636"),
    }

    found = find(site, "ldap://a", "ldaps://a")

    assert uris(found) == ["ldap://a"]
    assert found.servers[0].uris == ("ldap://a", "ldaps://a", "ldap://b")
    assert [each.rpartition(": ")[2] for each in found.servers[0].also] == [
        "the same address, ports 389 and 636",
        "the same address",
    ]


def test_one_server_at_two_addresses_is_one_if_it_shows_what_only_it_has() -> None:
    watched = ServerMonitor(access="read", started="20260101000000Z", listeners=("ldap:///",))
    own = ServerConfig(access="read", entry_uuid="u", server_ids=("1",))
    other = replace(own, server_ids=("2",))
    site = {
        "ldap://vip": facts("ldap://vip", monitor=watched, config=own),
        "ldap://a": facts("ldap://a", monitor=watched, config=own),
        "ldap://b": facts("ldap://b", monitor=watched, config=other),
        "ldap://c": facts("ldap://c", monitor=watched),
        "ldap://d": facts("ldap://d", monitor=watched),
    }

    assert uris(find(site, *site)) == ["ldap://vip", "ldap://b", "ldap://c", "ldap://d"]


def test_a_loopback_that_another_host_names_is_not_followed() -> None:
    links = monitor("ldap://127.0.0.1:1389", "ldap://localhost")
    site = {
        "ldap://192.0.2.1": facts("ldap://192.0.2.1", monitor=links),
        "ldap://127.0.0.1:1389": facts("ldap://127.0.0.1:1389"),
    }

    assert uris(find(site, "ldap://192.0.2.1")) == ["ldap://192.0.2.1"]


def test_the_number_of_servers_is_bounded() -> None:
    found = find(chain(3 * MOST_SERVERS), "ldap://s0")

    assert len(found.servers) == MOST_SERVERS
    assert [each.why for each in found.unread] == [f"over {MOST_SERVERS} servers"]


def test_a_server_that_names_thousands_is_bounded_too() -> None:
    links = monitor(*(f"ldap://x{n}" for n in range(5000)))

    found = find({"ldap://a": facts("ldap://a", monitor=links)}, "ldap://a")

    assert len(found.unread) < 600


def test_the_time_is_bounded() -> None:
    def read(uri: str) -> ServerFacts:
        if uri != "ldap://a":
            time.sleep(3.0)
        return facts(uri, monitor=monitor("ldap://slow"))

    began = time.monotonic()
    found = find_servers([Named("ldap://a", "given")], read, lambda _: (), 0.3)

    assert time.monotonic() - began < 2.0
    assert uris(found) == ["ldap://a"]
    assert [each.why for each in found.unread] == ["the time for finding servers was over"]
