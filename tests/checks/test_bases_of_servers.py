"""Servers that hold only some of the naming contexts of a cluster."""

from __future__ import annotations

import pytest

from ldaphealth.checks.replication import CHECK, Params
from ldaphealth.ldap.names import DN
from ldaphealth.model import Server
from tests.checks.seen import cluster, planned


def server(*bases: str) -> Server:
    return Server(cluster="c", name="s0", uri="ldap://x", suffix="dc=x", bases=bases)


HELD = {
    "all, unless some are named": ((), "dc=y", True),
    "the one that is named": (("dc=x",), "dc=x", True),
    "an entry below it": (("dc=x",), "ou=a,dc=x", True),
    "another": (("dc=x",), "dc=y", False),
    "a superior": (("ou=a,dc=x",), "dc=x", False),
    "one whose text ends alike": (("dc=x",), "dc=wdc=x", False),
    "case and spaces": (("DC=Example, DC=com",), "dc=example,dc=COM", True),
    "the suffix of the cluster": (("dc=x",), "", True),
    "not the suffix of the cluster": (("dc=y",), "", False),
}


@pytest.mark.parametrize(("bases", "dn", "expected"), HELD.values(), ids=HELD)
def test_what_a_server_holds(bases: tuple[str, ...], dn: str, expected: bool) -> None:
    assert server(*bases).holds(dn) is expected


def test_a_server_is_judged_in_what_it_holds() -> None:
    params = Params(bases=(DN("dc=x"), DN("dc=y")))

    assert params.contexts(server()) == ("dc=x", "dc=y")
    assert params.contexts(server("DC=X")) == ("dc=x",)


def test_a_server_that_holds_nothing_of_a_check_is_a_mistake() -> None:
    assert CHECK.validate is not None
    one = cluster(planned("replication"))
    for bases, params, mistakes in (
        (("dc=x",), Params(), 0),
        (("dc=y",), Params(), 1),
        (("dc=y",), Params(base=DN("dc=y")), 0),
        (("dc=z",), Params(bases=(DN("dc=x"), DN("dc=y"))), 1),
    ):
        configured = type(one)(
            name="c", servers=(server(*bases),), checks=one.checks, min_in_service=0
        )
        assert len([*CHECK.validate(configured, params)]) == mistakes
