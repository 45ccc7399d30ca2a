"""What the check says of the numbers of entries, and when they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ldaphealth.check import CheckedCluster
from ldaphealth.checks.entry_count import CHECK, Params, observe
from ldaphealth.csn.server_id import ServerId
from ldaphealth.ldap.codec import Entry
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import AnyObservation, Failure, FailureKind, Role
from tests.checks.seen import (
    CRITICAL,
    FINE,
    OK,
    OURS,
    SOFT,
    TOLD,
    UNKNOWN,
    Case,
    Opinion,
    cluster,
    judged,
    opinions,
    saw,
    server,
    view,
    wants_more,
)

PARAMS = Params()
DIFFERS: Opinion = ("differs", CRITICAL, SOFT)
NAMED: Opinion = ("differs", CRITICAL, TOLD)
COLLECTING: Opinion = ("collecting", OK, SOFT)
NOT_APPLICABLE: Opinion = ("not_applicable", OK, SOFT)

Read = tuple[int | None, int | None, int]  # entries, adds and deletes, the newest change


def csn(change: int) -> str:
    return f"20260101{change:06}.000000Z#000000#001#000000"


def reads(of: str, *shown: Read, every: float = 10.0, phase: float = 0.0) -> list[AnyObservation]:
    """Return one read after the other of one server."""
    return [
        saw("entry_count", facts(*each), of=of, at=phase + every * number, took=0.1)
        for number, each in enumerate(shown)
    ]


def facts(entries: int | None, changes: int | None, change: int) -> dict[str, object]:
    found: dict[str, object] = {} if entries is None else {"entries": {"": entries}}
    found |= {} if changes is None else {"changes": changes}
    return found | ({"contextCSN": {"": [csn(change)]}} if change else {})


def case(
    seen: Mapping[str, Sequence[Read]],
    *expected: Opinion,
    params: Params = PARAMS,
    roles: Mapping[str, Role] | None = None,
    **settings: Any,
) -> Case:
    """Return what is expected of the server s0; the servers are read one after the other."""
    found = [
        each
        for place, (of, shown) in enumerate(seen.items())
        for each in reads(of, *shown, phase=float(place))
    ]
    servers = [server(name, (roles or {}).get(name, Role.PROVIDER)) for name in seen]
    return Case(view(*found, servers=servers, **settings), params, expected)


SAME, FEWER = [(25, 7, 1)] * 3, [(24, 3, 1)] * 3
CASES = {
    "all the same": case({"s0": SAME, "s1": SAME, "s2": SAME}, FINE),
    "it lacks one": case({"s0": FEWER, "s1": SAME, "s2": SAME}, DIFFERS),
    "another lacks one": case({"s0": SAME, "s1": FEWER, "s2": SAME}, FINE),
    "no majority": case({"s0": SAME, "s1": FEWER}, NAMED),
    "half of four": case({"s0": SAME, "s1": SAME, "s2": FEWER, "s3": FEWER}, NAMED),
    "read once": case({"s0": SAME[:1], "s1": FEWER[:1]}, COLLECTING),
    "read once, and the same": case({"s0": SAME[:1], "s1": SAME[:1]}, FINE),
    "an entry was added a moment ago": case(
        {"s0": [*[(24, 6, 1)] * 3, (25, 7, 2)], "s1": [(24, 3, 1)] * 4}, FINE
    ),
    "entries are added between all reads": case(
        {"s0": [(24, 6, 1), (25, 7, 2), (26, 8, 3)], "s1": [(25, 0, 2), (26, 0, 3), (27, 0, 4)]},
        COLLECTING,
    ),
    "one is added and deleted between two reads of it": case(
        {"s0": [(24, 6, 1), (24, 8, 3), (24, 10, 5)], "s1": [(25, 0, 2), (25, 0, 4), (25, 0, 6)]},
        COLLECTING,
    ),
    "the same at a provider whose adds are not shown": case(
        {
            "s0": [(24, None, 1), (24, None, 3), (24, None, 5)],
            "s1": [(25, 0, 2), (25, 0, 4), (25, 0, 6)],
        },
        COLLECTING,
    ),
    "a provider that is not read, and nothing is written": case(
        {"s0": FEWER, "s1": SAME, "s2": SAME, "s3": ()}, DIFFERS
    ),
    "a provider that is not read, and something is written": case(
        {"s0": [(24, 0, 1), (24, 0, 2), (24, 0, 3)], "s1": [(25, 0, 1)] * 3, "s3": ()}, COLLECTING
    ),
    "canaries are written all the time": case(
        {
            "s0": [(24, 0, 1), (24, 0, 3), (24, 0, 5)],
            "s1": [(25, 0, 2), (25, 0, 4), (25, 0, 6)],
            "s2": [(25, 0, 2), (25, 0, 4), (25, 0, 6)],
        },
        DIFFERS,
    ),
    "it has not received what the others had": case(
        {"s0": FEWER, "s1": [(25, 7, 9)] * 3, "s2": [(25, 7, 9)] * 3}, COLLECTING
    ),
    "it received all after the period": case(
        {
            "s0": [(24, 0, 1), (24, 0, 1), (24, 0, 1), (24, 0, 9)],
            "s1": [(25, 7, 8), (25, 7, 8), (25, 7, 8), (24, 8, 9)],
        },
        FINE,
    ),
    "another one has not received it": case(
        {"s0": [(25, 7, 9)] * 3, "s1": FEWER, "s2": [(25, 7, 9)] * 3}, FINE
    ),
    "only a consumer wrote": case(
        {"s0": [(25, 7, 1)] * 3, "s1": [(24, 0, 9)] * 3, "s2": SAME},
        FINE,
        roles={"s1": Role.CONSUMER},
    ),
    "its number was odd before entries were added": case(
        {
            "s0": [*FEWER, (25, 4, 2), (26, 5, 3)],
            "s1": [*SAME, (26, 7, 2), (27, 7, 3)],
            "s2": [*SAME, (26, 7, 2), (27, 7, 3)],
        },
        DIFFERS,
    ),
    "the odd one is repaired": case(
        {"s0": [*FEWER, (25, 3, 2), (25, 3, 2), (25, 3, 2)], "s1": SAME * 2, "s2": SAME * 2}, FINE
    ),
    "no contextCSN": case({"s0": [(25, 7, 0)] * 3, "s1": [(24, 3, 0)] * 3}, COLLECTING),
    "another kind of database": case({"s0": [(None, 7, 1)] * 3, "s1": SAME}, NOT_APPLICABLE),
    "it alone has such a database": case({"s0": SAME, "s1": [(None, 7, 1)] * 3}, NOT_APPLICABLE),
    "alone": case({"s0": SAME}, NOT_APPLICABLE),
    "it holds a part": case(
        {"s0": FEWER, "s1": SAME, "s2": SAME},
        NOT_APPLICABLE,
        params=Params(partial_servers=("s0",)),
    ),
    "a retired server ID": case(
        {"s0": [(24, 0, 1)] * 3, "s1": [(25, 0, 9)] * 3, "s2": [(25, 0, 9)] * 3},
        DIFFERS,
        params=Params(retired_server_ids=(ServerId(1),)),
    ),
    "in a process without memory": Case(
        view(
            *reads("s0", *FEWER[:2], every=1.0),
            *reads("s1", *SAME[:2], every=1.0),
            servers=(server("s0"), server("s1")),
            one_shot=True,
        ),
        PARAMS,
        (NAMED,),
    ),
    "no monitor database": Case(
        view(saw("entry_count", {"access": "none"})), PARAMS, (NOT_APPLICABLE,)
    ),
    "no right to it": Case(
        view(saw("entry_count", {"access": "denied"})), PARAMS, (("no_access", UNKNOWN, OURS),)
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_opinion(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


def test_the_sentence_has_both_numbers_the_age_and_what_to_do() -> None:
    (odd,) = judged(CASES["it lacks one"].view, PARAMS)
    (named,) = judged(CASES["no majority"].view, PARAMS)
    (old,) = judged(CASES["its number was odd before entries were added"].view, PARAMS)

    end = "all have received the same changes: `ldaphealth content diff c` finds them"
    assert odd.summary == f"24 entries, but 25 on most servers, although {end}"
    assert named.summary == f"25 entries, but 24 on s1, although {end}"
    assert "the same changes (seen 20 s ago): " in old.summary


@pytest.mark.parametrize(("name", "more"), [("it lacks one", True), ("all the same", False)])
def test_a_process_without_memory_reads_again_if_numbers_differ(name: str, more: bool) -> None:
    assert wants_more(CASES[name].view, PARAMS) is more


class Showing(Session):
    """A session with a server that shows contextCSN at the suffix, and some entries below."""

    def __init__(self, *below: Entry, failure: Failure | None = None) -> None:
        super().__init__(server(suffix="dc=X, dc=y"), Deadline.after(60.0))
        self._below, self._failure = below, failure
        self.was_read: list[str] = []

    def search(self, base: str, *_: object, **__: object) -> tuple[Entry, ...]:
        """Return what there is."""
        self.was_read.append(base)
        if base.endswith("cn=Monitor"):
            return tuple(each for each in self._below if each[0].endswith(f",{base}"))
        if base == "":
            return (("", {"monitorcontext": ("cn=Monitor",)}),)
        if self._failure:
            raise SessionError(self._failure)
        return ((base, {"contextcsn": (csn(1),)}),)


def database(suffix: str, entries: str) -> Entry:
    dn = f"cn=Database {suffix[3:]},cn=Databases,cn=Monitor"
    return dn, {"namingcontexts": (suffix,), "olmmdbentries": (entries,)}


def operation(name: str, completed: str) -> Entry:
    return f"cn={name},cn=Operations,cn=Monitor", {"monitoropcompleted": (completed,)}


def test_it_reads_the_number_of_its_own_database_after_context_csn() -> None:
    session = Showing(
        database("cn=accesslog", "9000"),
        database("dc=x,dc=Y", "25"),
        operation("Add", "3"),
        operation("Delete", "4"),
    )

    seen = observe(session, PARAMS)

    assert (seen.entries, seen.changes) == ({"dc=X, dc=y": 25}, 7)
    assert seen.context_csn == {"dc=X, dc=y": (csn(1),)}
    assert session.was_read[0] == "dc=X, dc=y"
    assert "cn=Databases,cn=Monitor" in session.was_read[1:]


@pytest.mark.parametrize(
    "below",
    [(database("dc=x,dc=y", "-5"),), (database("dc=x,dc=y", "9" * 21), operation("Add", "3"))],
)
def test_what_is_no_number_is_not_compared(below: tuple[Entry, ...]) -> None:
    seen = observe(Showing(*below), PARAMS)

    assert (seen.entries, seen.changes) == ({}, None)


def test_context_csn_that_is_hidden_is_the_finding_of_another_check() -> None:
    hidden = Failure(FailureKind.RESULT, "no such entry", "noSuchObject")

    assert observe(Showing(database("dc=x,dc=y", "5"), failure=hidden), PARAMS).context_csn == {}
    with pytest.raises(SessionError):
        observe(Showing(failure=Failure(FailureKind.RESULT, "busy", "busy")), PARAMS)


def test_a_server_that_the_cluster_does_not_have_is_a_mistake() -> None:
    few: CheckedCluster = cluster(servers=2)
    assert CHECK.validate is not None

    assert [*CHECK.validate(few, Params(partial_servers=("s1",)))] == []
    assert [*CHECK.validate(few, Params(partial_servers=("s9",)))] == [
        ("partial_servers", "the cluster has no server 's9'; there are s0, s1")
    ]
