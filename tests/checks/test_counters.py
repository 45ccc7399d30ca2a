"""What a real slapd shows in cn=Monitor, and what the check makes of strange answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time
from typing import Any, cast

import pytest

from demo.cluster import Cluster
from demo.tree import CHECK_DN, CHECK_PASSWORD, SUFFIX
from ldaphealth.checks.counters import (
    MEASURES,
    MOST_DATABASES,
    READS,
    Facts,
    Params,
    ShownDatabase,
    observe,
)
from ldaphealth.ldap.codec import Attributes
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import Session, open_session
from ldaphealth.model import BindMethod, Credentials, Secret, Server
from tests.checks.seen import (
    FINE,
    OK,
    OURS,
    SOFT,
    UNKNOWN,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    view,
)

PARAMS = Params()
ENTRIES = {entry for measure in MEASURES for entry in measure.entries.values()}


class Showing:
    """A session with a server that has these entries below cn=Monitor."""

    known_root_dse = None

    def __init__(self, entries: Mapping[str, Mapping[str, tuple[str, ...]]]) -> None:
        self._entries = entries

    def search_once(self, base: str, scope: str, *_: Any) -> Sequence[tuple[str, Attributes]]:
        """Return the entry, or its children."""
        return [
            (dn, Attributes(each))
            for dn, each in self._entries.items()
            if (dn if scope == "base" else dn.partition(",")[2]) == base
        ]

    def root_dse(self) -> Mapping[str, tuple[str, ...]]:
        """Say that there is a monitor database."""
        return {"monitorcontext": ("cn=Monitor",)}


def seen(entries: Mapping[str, Mapping[str, tuple[str, ...]]]) -> Facts:
    """Return what the check makes of these entries, beside the one that is always there."""
    root = {"cn=Monitor": {"monitoredinfo": ("slapd 2.6",)}}
    return observe(cast(Session, Showing({**root, **entries})), PARAMS)


@pytest.mark.slapd
def test_a_real_server_shows_all_of_them(cluster: Cluster) -> None:
    node = cluster.nodes[0]
    server = Server(
        cluster="c",
        name="s",
        uri=node.uri,
        suffix=SUFFIX,
        credentials=Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(CHECK_PASSWORD)),
    )
    session = open_session(server, Deadline.after(5.0))
    try:
        facts = observe(session, PARAMS)
    finally:
        session.close()

    assert facts.values.keys() == ENTRIES
    assert facts.values["cn=max file descriptors,cn=connections"] == 4096
    assert facts.values["cn=max,cn=threads"] == 16
    assert facts.values["cn=bytes,cn=statistics"] > 1000
    assert facts.version.startswith("OpenLDAP: slapd 2.")
    assert facts.started_epoch_seconds is not None
    assert time() - 600 < facts.started_epoch_seconds <= time()
    assert facts.clock_ahead_seconds in {-1.0, 0.0, 1.0}
    assert ShownDatabase(SUFFIX, False, True, ("syncprov",)) in facts.databases
    assert session.counts["search"] == len(READS)


def test_what_is_no_number_and_no_time_is_left_out() -> None:
    facts = seen(
        {
            "cn=Bytes,cn=Statistics,cn=Monitor": {"monitorcounter": ("many",)},
            "cn=PDU,cn=Statistics,cn=Monitor": {"monitorcounter": ("9" * 400,)},
            "cn=Entries,cn=Statistics,cn=Monitor": {"monitorcounter": ("12",)},
            "cn=Open,cn=Threads,cn=Monitor": {"monitoredinfo": ("3",)},
            "cn=Start,cn=Time,cn=Monitor": {"monitortimestamp": ("yesterday",)},
            "cn=Current,cn=Time,cn=Monitor": {},
        }
    )

    assert facts == Facts(
        values={"cn=entries,cn=statistics": 12, "cn=open,cn=threads": 3}, version="slapd 2.6"
    )


def test_a_server_with_endless_databases_and_overlays_is_cut() -> None:
    overlays = tuple(str(number) for number in range(1000))
    shown = {
        f"cn=Database {number},cn=Databases,cn=Monitor": {
            "namingcontexts": (f"dc={number}",),
            "readonly": ("FALSE",),
            "monitoroverlay": overlays,
        }
        for number in range(1000)
    }

    facts = seen(shown)

    assert len(facts.databases) == MOST_DATABASES
    assert len(facts.databases[0].overlays) == 32


def case(facts: Facts, expected: Opinion) -> Case:
    return Case(view(saw("counters", facts)), PARAMS, (expected,))


CASES = {
    "read": case(Facts(version="slapd 2.6"), FINE),
    "no monitor database": case(Facts(access="none"), ("not_applicable", OK, SOFT)),
    "no right to read it": case(Facts(access="denied"), ("no_access", UNKNOWN, OURS)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_nothing_is_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected
