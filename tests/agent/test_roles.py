"""The role of a server is the configured one, unless cn=Monitor shows that it provides nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.agent.roles import role_of
from ldaphealth.checks.counters import Facts, ShownDatabase
from ldaphealth.model import Role
from tests.checks.seen import cluster, planned, saw

(SERVER,) = cluster(planned("connect")).servers[:1]


@pytest.mark.parametrize(
    ("configured", "name", "is_copy", "overlays", "shown"),
    [
        (Role.PROVIDER, "dc=example", True, (), Role.CONSUMER),
        (Role.PROVIDER, "DC=example", True, ("ppolicy",), Role.CONSUMER),
        (Role.PROVIDER, "dc=example", True, ("syncprov",), Role.PROVIDER),
        (Role.PROVIDER, "dc=example", False, (), Role.PROVIDER),
        (Role.PROVIDER, "dc=other", True, (), Role.PROVIDER),
        (Role.BALANCER, "dc=example", True, (), Role.BALANCER),
        (Role.CONSUMER, "dc=example", False, (), Role.CONSUMER),
    ],
)
def test_a_copy_that_provides_nothing_is_a_consumer(
    configured: Role, name: str, is_copy: bool, overlays: tuple[str, ...], shown: Role
) -> None:
    server = replace(SERVER, role=configured, suffix="dc=example")
    database = ShownDatabase(name, is_read_only=False, is_copy=is_copy, overlays=overlays)

    assert role_of(server, [saw("connect"), saw("counters", Facts(databases=(database,)))]) is shown
    assert role_of(server, []) is configured
