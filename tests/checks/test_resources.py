"""What the resources check says of pages, readers, connections and waiting operations."""

from __future__ import annotations

import pytest

from demo.cluster import Cluster
from demo.tree import CHECK_DN, CHECK_PASSWORD, SUFFIX
from ldaphealth.checks.resources import Params, observe
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import Session
from ldaphealth.model import BindMethod, Credentials, Secret, Server
from tests.checks.seen import (
    CRITICAL,
    FINE,
    OURS,
    SOFT,
    UNKNOWN,
    WARNING,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    view,
)

PARAMS = Params()


def facts(
    *, pages: float = 0.1, readers: float = 0.1, connections: float = 0.1, pending: int = 0
) -> dict[str, object]:
    database = {"name": "dc=x", "database_ratio": pages, "readers_ratio": readers}
    return {
        "databases": [database],
        "connections_ratio": connections,
        "pending_operations": pending,
    }


def case(*seen: dict[str, object], expected: tuple[Opinion, ...]) -> Case:
    return Case(view(*(saw("resources", each) for each in seen)), PARAMS, expected)


CASES = {
    "plenty": case(facts(), expected=(FINE,)),
    "a database at its warning": case(facts(pages=0.8), expected=(FINE,)),
    "a database above it": case(facts(pages=0.81), expected=(("database_full", WARNING, SOFT),)),
    "a full database": case(facts(pages=0.96), expected=(("database_full", CRITICAL, SOFT),)),
    "all readers taken": case(facts(readers=1.0), expected=(("readers", CRITICAL, SOFT),)),
    "all descriptors taken": case(
        facts(connections=0.99), expected=(("connections", CRITICAL, SOFT),)
    ),
    "two things at once": case(
        facts(pages=0.9, connections=0.9),
        expected=(("database_full", WARNING, SOFT), ("connections", WARNING, SOFT)),
    ),
    "operations wait for a moment": case(facts(), facts(), facts(pending=500), expected=(FINE,)),
    "operations wait all the time": case(
        *[facts(pending=21)] * 3, expected=(("threads", WARNING, SOFT),)
    ),
    "operations wait, read twice so far": case(*[facts(pending=21)] * 2, expected=(FINE,)),
    "no cn=Monitor": case({}, expected=(("no_access", UNKNOWN, OURS),)),
    "only threads can be read": case({"pending_operations": 0}, expected=(FINE,)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_short_is_told(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


@pytest.mark.slapd
def test_a_real_server_shows_all_of_them(cluster: Cluster) -> None:
    credentials = Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(CHECK_PASSWORD))
    server = Server(
        cluster="c", name="s", uri=cluster.nodes[0].uri, suffix=SUFFIX, credentials=credentials
    )
    session = Session(server, Deadline.after(5.0))
    session.connect()
    session.bind()

    seen = observe(session, PARAMS)
    session.close()

    assert [each.name for each in seen.databases] == [SUFFIX]
    assert 0 < seen.databases[0].database_ratio < 0.1
    assert seen.connections_ratio is not None
    assert 0 < seen.connections_ratio < 0.1
    assert seen.pending_operations is not None
