"""Draws at several servers: the same operations, whatever a server does; values of two servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from ldaphealth.checks.workload import Facts, Params
from ldaphealth.checks.workload_others import (
    Done,
    beside_others,
    confirmed,
    has_other_entries,
)
from ldaphealth.checks.workload_survey import Kept, do_one_draw
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.read_only import Outcome
from ldaphealth.ldap.session import Session
from ldaphealth.model import Failure, FailureKind, Server
from ldaphealth.survey import SurveyContext, SurveyResult
from ldaphealth.workload.shape import OperationShape, ValueSource, Workload
from ldaphealth.workload.workload_file import WorkloadFile
from tests.checks.seen import cluster

SHAPE = OperationShape(
    name="search-uid",
    operation="search",
    base="dc=x",
    scope="sub",
    filter="(uid={uid})",
    count=3,
    share=0.75,
    results={0: 3},
)
OTHER = replace(SHAPE, name="search-mail", filter="(mail={mail})", count=1, share=0.25)
WORKLOAD = Workload(
    form=1,
    operations=4,
    sources={
        "uid": ValueSource(attribute="uid", base="dc=x"),  # type: ignore[arg-type]
        "mail": ValueSource(attribute="mail", base="dc=x"),  # type: ignore[arg-type]
    },
    shapes=(SHAPE, OTHER),
)
PARAMS = Params(file=WORKLOAD.in_file(Path("/w.yaml")), operations=8)
SERVERS = cluster(servers=4).servers
FAILED = SessionError(Failure(FailureKind.CONNECT, "no connection"))


class Directory:
    """Sessions with servers that have these values, and what was sent on them."""

    def __init__(self, values: Mapping[str, Sequence[str]], down: Sequence[str] = ()) -> None:
        self.values, self.down = values, down
        self.sent: dict[str, list[str]] = {}
        self.read: list[str] = []
        self.seconds: Callable[[str, int], float] = lambda *_: 0.001

    def open(self, server: Server, deadline: Deadline, budget_bytes: int | None) -> Session:
        """Return a session; SessionError of a server that is down."""
        assert budget_bytes
        if server.name in self.down:
            raise FAILED
        return Opened(self, server, deadline)  # type: ignore[return-value]


class Opened:
    """One session: as much of it as a survey uses."""

    def __init__(self, directory: Directory, server: Server, deadline: Deadline) -> None:
        self._directory, self.server, self.deadline, self.alive = directory, server, deadline, True

    def pages(self, *search: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the values of an attribute."""
        (name,), most, reduced = search[3:]
        self._directory.read.append(f"{self.server.name} {name}")
        if name == "uid":
            values = self._directory.values[self.server.name][:most]
            yield tuple(reduced((f"uid={each}", {"uid": (each.encode(),)})) for each in values)

    def read_only(self) -> Opened:
        """Return what can search."""
        return self

    def search(self, *given: Any) -> Outcome:
        """Answer, or let the time pass."""
        where: str = given[2]
        sent = self._directory.sent.setdefault(self.server.name, [])
        seconds = self._directory.seconds(self.server.name, len(sent))
        if seconds > 1:
            self.alive = False
            time.sleep(0.06)
            raise SessionError(Failure(FailureKind.TIMEOUT, "no answer"))
        sent.append(where)
        return Outcome(code=0, name="success", entries=1, seconds=seconds)

    def unbind(self) -> None:
        """End it."""
        self.alive = False

    def close(self) -> None:
        """End it."""
        self.alive = False


VALUES = {each.name: ("anna", "ben") for each in SERVERS}


def drawn(
    directory: Directory, params: Params = PARAMS, kept: Kept | None = None, second: float = 100.0
) -> SurveyResult[Facts, Kept]:
    return do_one_draw(
        SurveyContext(
            servers=SERVERS,
            params=params,
            deadline=Deadline.after(5.0),
            kept=kept,
            open_session=directory.open,
            wait=lambda _: False,
        ),
        lambda: second,
    )


def test_all_servers_get_the_same_operations() -> None:
    directory = Directory(VALUES)
    first = drawn(directory)
    sent = directory.sent["s0"]

    assert directory.sent == {each.name: sent for each in SERVERS}
    assert len(sent) == PARAMS.operations
    assert set(sent) == {"(uid=anna)", "(uid=ben)"}
    assert len({found.facts.draw for found in first.found.values()}) == 1


def test_another_interval_is_another_draw_and_two_agents_draw_the_same() -> None:
    one, same, later = Directory(VALUES), Directory(VALUES), Directory(VALUES)

    names = [
        next(iter(drawn(each, second=second).found.values())).facts.draw
        for each, second in ((one, 100.0), (same, 104.9), (later, 105.0))
    ]

    assert one.sent == same.sent != later.sent
    assert names[0] == names[1] != names[2]


def test_values_are_of_two_servers_and_are_read_seldom() -> None:
    directory = Directory(VALUES | {"s0": ("anna",), "s1": ("ben",)})
    kept = drawn(directory).kept
    drawn(directory, kept=kept)

    assert set(directory.sent["s3"]) == {"(uid=anna)", "(uid=ben)"}
    assert [each.partition(" ")[0] for each in directory.read] == ["s0", "s0", "s1", "s1"]
    assert kept is not None
    kept.due_at = 0.0
    drawn(directory, kept=kept)
    assert directory.read[4:] == ["s1 uid", "s1 mail", "s2 uid", "s2 mail"], "others, next time"


def test_a_share_of_the_workload_without_values_is_known() -> None:
    found = drawn(Directory(VALUES)).found

    assert {each.facts.without_values for each in found.values()} == {0.25}


def test_without_any_value_nothing_is_done_and_the_reason_is_known() -> None:
    directory = Directory({each.name: () for each in SERVERS})
    surveyed = drawn(directory)

    assert directory.sent == {}
    (why,) = {each.facts.not_done for each in surveyed.found.values()}
    assert why.startswith("no values could be read for the sources uid, mail: the account needs")


def test_values_stay_while_none_can_be_read() -> None:
    kept = drawn(Directory(VALUES)).kept
    assert kept is not None
    kept.due_at = 0.0
    directory = Directory({each.name: () for each in SERVERS})
    drawn(directory, kept=kept)

    assert len(directory.sent["s0"]) == PARAMS.operations


def test_a_server_that_is_down_keeps_no_other_from_being_asked() -> None:
    directory = Directory(VALUES, down=("s0", "s2"))
    found = drawn(directory).found

    assert found["c/s0"].facts.not_done == found["c/s2"].facts.not_done == "no connection"
    assert len(found["c/s1"].facts.done) == len(found["c/s3"].facts.done) == PARAMS.operations


def test_a_search_without_an_answer_is_the_last_one_of_its_server() -> None:
    directory = Directory(VALUES)
    directory.seconds = lambda server, number: 2.0 if (server, number) == ("s1", 3) else 0.001
    params = replace(PARAMS, most_seconds=0.1)
    found = drawn(directory, params).found

    assert [each.name for each in found["c/s1"].facts.done] == ["success"] * 3 + ["timeout"]
    assert len(found["c/s0"].facts.done) == PARAMS.operations


def test_a_server_gets_the_operations_below_what_it_holds() -> None:
    part = tuple(replace(each, bases=("dc=y",)) if each.name == "s1" else each for each in SERVERS)
    directory = Directory(VALUES)
    surveyed = do_one_draw(
        SurveyContext(
            servers=part,
            params=PARAMS,
            deadline=Deadline.after(5.0),
            kept=None,
            open_session=directory.open,
            wait=lambda _: False,
        ),
        lambda: 100.0,
    )

    assert surveyed.found["c/s1"].facts.done == ()
    assert surveyed.found["c/s1"].facts.not_done == ""


def test_the_operation_to_repeat_is_a_text_only_when_it_is_shown() -> None:
    facts = drawn(Directory(VALUES)).found["c/s0"].facts

    assert "anna" not in repr(facts)
    shown = msgspec.to_builtins(facts, enc_hook=str)["by_hand"]["search-uid"]
    assert shown.startswith("ldapsearch -x -H ldap://127.0.0.1 -b dc=x -s sub '(uid=")


def test_what_is_shown_of_a_value_is_safe_to_print() -> None:
    values = {each.name: ("an\x1b[2Jna\nx",) for each in SERVERS}
    facts = drawn(Directory(values)).found["c/s0"].facts
    shown = msgspec.to_builtins(facts, enc_hook=str)["by_hand"]["search-uid"]

    assert shown.isprintable()


def test_entries_that_differ_count_if_a_second_read_finds_the_same() -> None:
    def read(own: int, other: int) -> Done:
        answers = {
            server: [Done(number=0, shape="a", code=0, name="success", entries=entries)]
            for server, entries in (("s0", own), ("s1", other), ("s2", other))
        }
        return beside_others(answers)["s0"][0]

    missing = read(0, 1)

    assert has_other_entries(missing)
    assert confirmed(missing, {0: missing}) == missing
    for again in ({}, {0: read(1, 1)}, {0: read(0, 0)}, {0: read(1, 2)}):
        assert not has_other_entries(confirmed(missing, again))
    assert confirmed(read(1, 1), {}) == read(1, 1)


def test_a_file_that_was_not_read_is_an_error_of_the_program() -> None:
    with pytest.raises(ValueError, match="was not read"):
        drawn(Directory(VALUES), replace(PARAMS, file=WorkloadFile(Path("/w.yaml"))))
