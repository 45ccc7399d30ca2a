"""The role of a server: what shows it, and that it is never guessed silently."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from ldaphealth.discover.roles import INFERRED, FoundRole, find_roles
from ldaphealth.discover.server_monitor import Waiting
from ldaphealth.discover.servers import FoundServer
from ldaphealth.discover.syncrepl import Syncrepl
from ldaphealth.model import Role
from tests.discover.found import BASE, config, monitor, server

A, B, C = "ldap://a", "ldap://b", "ldap://c"
FROM_A = Syncrepl(providers=(A,))
POLLS_A = Syncrepl(providers=(A,), poll_interval_seconds=300)
CASES: dict[str, tuple[Sequence[FoundServer], Sequence[tuple[Role, bool, float]]]] = {
    "cn=config shows all": (
        [
            server(A, config=config()),
            server(B, config=config(FROM_A, is_multi_provider=True)),
            server(C, config=config(POLLS_A)),
        ],
        [(Role.PROVIDER, True, 0), (Role.PROVIDER, True, 0), (Role.CONSUMER, True, 300)],
    ),
    "one of two links lasts": (
        [server(A), server(B, config=config(FROM_A, POLLS_A))],
        [(Role.PROVIDER, True, 0), (Role.CONSUMER, True, 0)],
    ),
    "cn=Monitor: no copy, a copy with updateref": (
        [
            server(A, monitor=monitor(is_shadow=False)),
            server(B, monitor=monitor(A, is_shadow=True, update_ref=True, polls=60.4)),
        ],
        [(Role.PROVIDER, True, 0), (Role.CONSUMER, True, 60)],
    ),
    "cn=Monitor: in a circle, and one beside it": (
        [
            server(A, monitor=monitor(B, is_shadow=True)),
            server(B, monitor=monitor(A, is_shadow=True)),
            server(C, monitor=monitor(A, is_shadow=True)),
        ],
        [(Role.PROVIDER, True, 0), (Role.PROVIDER, True, 0), (Role.CONSUMER, True, 0)],
    ),
    "a consumer between two is not known": (
        [
            server(A),
            server(B, monitor=monitor(A, is_shadow=True)),
            server(C, monitor=monitor(B, is_shadow=True)),
        ],
        [(Role.PROVIDER, True, 0), (Role.PROVIDER, False, 0), (Role.CONSUMER, True, 0)],
    ),
    "olcSyncrepl is hidden": (
        [
            server(A, config=config(is_multi_provider=None)),
            server(B, config=config(), monitor=monitor(is_shadow=True)),
            server(C, config=config(is_multi_provider=True)),
        ],
        [(Role.PROVIDER, False, 0), (Role.CONSUMER, True, 0), (Role.PROVIDER, True, 0)],
    ),
    "olcMultiProvider is hidden": (
        [server(B, config=config(Syncrepl(providers=("ldap://gone",)), is_multi_provider=None))],
        [(Role.PROVIDER, False, 0)],
    ),
    "nothing can be read": ([server(A), server(B)], [(Role.PROVIDER, False, 0)] * 2),
    "a copy of a server that was not found": (
        [server(A, monitor=monitor("ldap://gone", is_shadow=True))],
        [(Role.PROVIDER, False, 0)],
    ),
}


def shown(found: FoundRole) -> tuple[Role, bool, float]:
    return found.role, found.is_known, found.poll_interval_seconds


@pytest.mark.parametrize("case", CASES)
def test_the_role_of_each_server(case: str) -> None:
    servers, expected = CASES[case]

    assert [shown(each) for each in find_roles(servers, BASE)] == list(expected)


def test_what_is_inferred_says_so_and_from_what() -> None:
    servers, _ = CASES["cn=Monitor: in a circle, and one beside it"]

    assert [each.evidence for each in find_roles(servers, BASE)] == [
        f"{INFERRED}its changes come back to it by way of ldap://b",
        f"{INFERRED}its changes come back to it by way of ldap://a",
        f"{INFERRED}it receives from ldap://a, and none found receives from it",
    ]


def test_a_connection_that_both_ends_show_proves_a_link() -> None:
    """The provider is known to the consumer by a name that leads to no server found."""
    consumer = server(B, monitor=monitor("ldap://alias"))
    link = replace(consumer.facts.monitor.links[0], connection="192.0.2.2:50120")
    watched = replace(consumer.facts.monitor, links=(link,))
    consumer = replace(consumer, facts=replace(consumer.facts, monitor=watched))
    waiting = Waiting(peer="192.0.2.2:50120", account="cn=replicator")
    provider = server(A, monitor=replace(monitor(), waiting=(waiting,)))

    assert [each.role for each in find_roles([provider, consumer], BASE)] == [
        Role.PROVIDER,
        Role.CONSUMER,
    ]
