"""What `csn watch` shows of servers that stand still: by server and naming context, and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from ldaphealth.checks.replication import Params
from ldaphealth.csn import ATTRIBUTE, CSN
from ldaphealth.csn.server_id import ServerId
from ldaphealth.ldap.names import DN
from ldaphealth.model import AnyObservation, Role, Server
from ldaphealth.settings import Cluster
from ldaphealth.tables.csn_matrix import render_matrix
from ldaphealth.tables.terminal import as_text
from ldaphealth.tasks.csn_watch import CSNWatch
from tests.checks.seen import planned, saw, server

START = datetime(2026, 1, 1, tzinfo=UTC)
Shown = Mapping[str, Mapping[str, tuple[str, ...]]]  # contextCSN by server and naming context


def csn(sid: int, after: float) -> str:
    return str(CSN(START + timedelta(seconds=after), 0, sid, 0))


A, B = (csn(1, 50), csn(2, 30)), (csn(1, 30), csn(2, 50))
OLD = (csn(1, 30), csn(2, 30))


def watched(
    shown: Shown, params: Params | None = None, role: Mapping[str, Role] | None = None
) -> dict[str, Any]:
    """Return the matrix after two probes, a second apart."""
    clock = count()

    def probe(of: Server, *_: object) -> list[AnyObservation]:
        facts = {ATTRIBUTE: shown[of.name]}
        return [saw("replication", facts, of=of.name, at=float(next(clock)))]

    servers = tuple(server(name, (role or {}).get(name, Role.PROVIDER)) for name in shown)
    checks = (planned("replication", params or Params(base=DN("dc=a"))),)
    watch = CSNWatch(Cluster(name="c", servers=servers, checks=checks, min_in_service=0), probe)
    for _ in range(2):
        watch.probe()
    return watch.matrix(START.timestamp() + 60)


def states(matrix: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((row["server"][2:], row["state"]) for row in matrix["servers"])


def text_of(matrix: Mapping[str, Any]) -> str:
    return as_text(render_matrix(matrix), width=200, colour=False)


def test_a_split_is_shown_with_its_sides_and_nothing_is_on_its_way() -> None:
    matrix = watched({name: {"dc=a": of} for name, of in zip("wxyz", (A, A, B, B), strict=True)})
    text = text_of(matrix)

    assert dict(states(matrix)) == dict.fromkeys("wxyz", "split")
    assert matrix["servers"][0]["sides"] == [["w", "x"], ["y", "z"]]
    assert text.count(": w, x | y, z") == 4
    assert "on its way" not in text


def test_what_an_isolated_server_has_is_not_on_its_way_to_the_others() -> None:
    matrix = watched({name: {"dc=a": A if name == "w" else OLD} for name in "wxyz"})

    assert dict(states(matrix)) == {"w": "isolated", "x": "lacking", "y": "lacking", "z": "lacking"}
    assert "on its way" not in text_of(matrix)


def test_each_naming_context_has_its_rows() -> None:
    params = Params(bases=(DN("dc=a"), DN("dc=b")))
    shown = {name: {"dc=a": A, "dc=b": OLD if name == "z" else A} for name in "xyz"}
    matrix = watched(shown, params)

    assert [*states(matrix)] == [
        *((name, "level") for name in "xyz"),
        ("x", "level"),
        ("y", "level"),
        ("z", "behind"),
    ]
    assert [row["base"] for row in matrix["servers"]] == ["dc=a"] * 3 + ["dc=b"] * 3
    assert text_of(matrix).count("dc=b") == 3


def test_a_server_id_that_was_never_received_is_not_level() -> None:
    matrix = watched({name: {"dc=a": A[:1] if name == "z" else A} for name in "xyz"})

    assert dict(states(matrix)) == {"x": "level", "y": "level", "z": "behind"}
    assert matrix["servers"][2]["positions"]["002"]["csn"] is None
    assert "none, behind" in text_of(matrix)


def test_the_settings_of_the_check_are_those_of_the_watch() -> None:
    shown = {name: {"dc=a": A if name == "w" else OLD} for name in "wxyz"}

    retired = watched(shown, Params(base=DN("dc=a"), retired_server_ids=(ServerId(1),)))
    newest = watched(shown, Params(base=DN("dc=a"), reference="newest"))
    consumer = watched(
        {"x": {"dc=a": A}, "y": {"dc=a": (*A, csn(0, 99))}}, role={"y": Role.CONSUMER}
    )

    assert {state for _, state in states(retired)} == {"level"}
    assert dict(states(newest)) == {"w": "level", "x": "behind", "y": "behind", "z": "behind"}
    assert dict(states(consumer)) == {"x": "level", "y": "level"}
