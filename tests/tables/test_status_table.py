"""The status table: a verdict that is no longer fresh is shown as such."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from ldaphealth.model import (
    CheckEffect,
    Finding,
    Metric,
    OverrideNote,
    Reason,
    State,
    Verdict,
)
from ldaphealth.sinks.json_document import snapshot_document
from ldaphealth.tables.status_table import render_status
from ldaphealth.tables.terminal import as_text
from tests.page.views import HEALTH
from tests.sinks.snapshots import HEALTHY, ONE_OUT, serving, silent


def text(shown: Any, valid_seconds: dict[str, float]) -> str:
    whole = shown | {
        "valid_seconds": valid_seconds,
        "overrides": {},
        "agent": to_builtins(HEALTH),
        "listens": {},
    }
    return as_text(render_status(whole), width=160, colour=False)


def test_fresh_verdicts_are_counted() -> None:
    valid = {each.server: 9.0 for each in ONE_OUT.verdicts}

    assert "3 of 4 servers in service" in text(snapshot_document(ONE_OUT), valid)
    assert "no fresh verdict" not in text(snapshot_document(ONE_OUT), valid)


def test_a_stale_verdict_is_no_verdict() -> None:
    shown = text(
        snapshot_document(HEALTHY), {"main/ldap1": 9.0, "main/ldap2": -3.0, "main/ldap3": 0.0}
    )

    assert "1 of 4 servers in service" in shown
    assert shown.count("no fresh verdict") == 3  # also where the agent does not say that it holds


def test_a_broken_floor_has_a_line() -> None:
    line = "main: 1 of 4 servers in service, fewer than min_in_service (2); out by override: ldap2"
    whole = snapshot_document(ONE_OUT)

    assert line not in text(whole, {})
    assert line in text(whole | {"below_floor": [{"summary": line}]}, {}).splitlines()


def test_what_a_shadow_would_have_done_has_a_line_where_it_differs() -> None:
    whole = snapshot_document(HEALTHY)
    shadow = {"main/ldap1": {"would": "would have removed ldap1"}, "main/ldap2": {"would": ""}}
    fresh = text(whole | {"shadow": shadow}, {"main/ldap1": 9.0, "main/ldap2": 9.0})

    assert fresh.count("shadow:") == 1
    assert "    shadow: would have removed ldap1" in fresh
    assert "shadow:" not in text(whole | {"shadow": shadow}, {"main/ldap1": -1.0})


def test_a_drained_server_is_no_failure_of_its_own() -> None:
    drained = replace(serving("main/ldap4"), in_service=False, weight=0, draining=True)
    whole = snapshot_document(replace(HEALTHY, verdicts=(drained,)))

    assert "draining" in text(whole, {"main/ldap4": 9.0})


def test_an_operators_order_stands_beside_the_rule_that_does_it() -> None:
    note = OverrideNote(action="in", by="alice", reason="because", until_epoch=1_800_000_000.0)
    forced = replace(serving("main/ldap4"), held_by="override", override=note)
    whole = snapshot_document(replace(HEALTHY, verdicts=(forced,)))
    order = {"will": "in", "left_seconds": 90.0, "reason": "because"}
    shown = whole | {
        "valid_seconds": {"main/ldap4": 9.0},
        "overrides": {"main/ldap4": order},
        "agent": to_builtins(HEALTH),
    }

    drawn = as_text(render_status(shown), width=160, colour=False)

    words = "forced in by alice until 2027-01-15T08:00:00Z: because"
    assert f"    held by override, 1 min 30 s left: {words}" in drawn.splitlines()


ALL = {each.server: 9.0 for each in ONE_OUT.verdicts}


def test_the_worst_server_is_the_first_and_the_last_line_says_what_is_wrong() -> None:
    lines = text(snapshot_document(ONE_OUT), ALL).splitlines()

    assert lines[0].split() == ["SERVER", "STATE", "SERVICE", "FOR", "WEIGHT", "ROLE", "LAG"]
    assert lines[1].split()[:3] == ["main/ldap3", "CRITICAL", "OUT"]
    assert lines[-3] == "what to do: ldaphealth explain main/ldap3"
    assert "ldaphealth doctor" in lines[-2]
    assert lines[-1].startswith("3 of 4 servers in service, 1 critical: bind.timeout")


def test_a_drained_server_that_is_well_stands_below_one_that_is_not() -> None:
    note = OverrideNote(action="drain")
    drained = replace(serving("c/a"), in_service=False, draining=True, override=note)
    back = replace(serving("c/b"), in_service=False, held_by="settle")
    warned = replace(serving("c/c"), state=State.WARNING)
    whole = snapshot_document(replace(HEALTHY, verdicts=(drained, warned, back)))

    shown = text(whole, {"c/a": 9.0, "c/b": 9.0, "c/c": 9.0})

    assert [line.split()[0] for line in shown.splitlines()[1:5] if "c/" in line.split()[0]] == [
        "c/b",
        "c/c",
        "c/a",
    ]


@pytest.mark.parametrize(
    ("name", "seconds", "lag"),
    [
        ("behind_seconds", 0.0, "0 s"),
        ("split_seconds", 4.6, "split 4.6 s"),
        ("behind_seconds", 67.0, "behind 67 s"),
        ("isolated_seconds", 1101.0, "isolated 18 min"),
        ("other", 9.0, "-"),
    ],
)
def test_the_lag_of_a_server_is_what_its_replication_lacks(
    name: str, seconds: float, lag: str
) -> None:
    metric = Metric(name, seconds, label="001")
    finding = Finding(
        server="c/a", check="replication", state=State.OK, code="ok", summary="", metrics=(metric,)
    )
    verdict = replace(serving("c/a"), findings=(finding,))
    whole = snapshot_document(replace(HEALTHY, verdicts=(verdict,)))

    row = text(whole | {"roles": {"c/a": "consumer"}}, {"c/a": 9.0}).splitlines()[1]

    assert row.endswith(f"consumer  {lag}")


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_name_is_broken_whatever_the_width(width: int) -> None:
    name = "example/a-server-with-a-rather-long-name"
    whole = snapshot_document(replace(HEALTHY, verdicts=(silent(name),)))
    shown = whole | {
        "valid_seconds": {name: 9.0},
        "overrides": {},
        "agent": to_builtins(HEALTH),
    }

    lines = as_text(render_status(shown), width=width, colour=False).splitlines()

    is_table = width >= 80
    assert lines[1 if is_table else 0].startswith(name)
    assert lines[0].startswith("SERVER") == is_table
    assert any("CRITICAL bind.timeout" in line for line in lines)


def test_a_full_history_says_how_far_it_reaches_back() -> None:
    full = replace(
        HEALTH,
        history_cuts={"minute": 3, "hour": 0, "day": 0, "change": 1},
        history_oldest_age_seconds={"minute": 7200.0, "hour": 86400.0},
    )
    document = snapshot_document(HEALTHY) | {
        "valid_seconds": {},
        "overrides": {},
        "agent": to_builtins(full),
    }

    shown = as_text(render_status(document), width=160, colour=False)

    assert (
        "the history is full: its oldest minutes and changes were deleted; it has minutes for 2 h, "
        "hours for 1 d; raise agent.history.megabytes to keep more" in shown
    )
    assert "history" not in text(snapshot_document(HEALTHY), {})


def test_each_shard_has_its_lines_and_one_without_an_answer_says_so() -> None:
    document = snapshot_document(HEALTHY)
    of_agent = to_builtins(HEALTH)
    whole = {key: each for key, each in document.items() if key not in ("agent", "listens")} | {
        "valid_seconds": ALL,
        "overrides": {},
        "shards": [
            {"shard": "1/4", "agent": {**of_agent, "shard": 1, "shards": 4}, "listens": {}},
            {
                "shard": "2/4",
                "agent": {**of_agent, "shard": 2, "shards": 4, "reload_failure": "wrong"},
                "listens": {"http": "http://127.0.0.1:8390"},
            },
            {"shard": "4/4", "error": "it does not run"},
        ],
    }
    lines = as_text(render_status(whole), width=160, colour=False).splitlines()

    assert [each.partition(", up")[0] for each in lines if each.startswith("shard ")] == [
        f"shard 1/4: agent {HEALTH.version}",
        f"shard 2/4: agent {HEALTH.version}",
        "shard 4/4: no answer, and none of its servers is shown",
    ]
    assert "listens on http://127.0.0.1:8390 (http)" in lines
    assert "shards on this host: 3 of 4; ask the others on theirs" in lines
    assert "wrong" in lines
    assert lines[-1].endswith("in service; those of shard 4/4 are unknown")


def test_an_agent_that_cannot_begin_its_rounds_says_why() -> None:
    def lines(waiting: int) -> list[str]:
        document = snapshot_document(HEALTHY) | {
            "valid_seconds": ALL,
            "overrides": {},
            "agent": to_builtins(replace(HEALTH, waiting=waiting)),
        }
        return as_text(render_status(document), width=160, colour=False).splitlines()

    late = "3 rounds due and not begun: this host has too little CPU, and servers may seem slow for"
    assert any(each.startswith(late) for each in lines(3))
    assert not any("not begun" in each for each in lines(0))


def drawn(verdicts: list[Verdict], width: int) -> list[str]:
    document = snapshot_document(replace(HEALTHY, verdicts=tuple(verdicts))) | {
        "valid_seconds": {each.server: 9.0 for each in verdicts},
        "roles": {each.server: "provider" for each in verdicts},
        "overrides": {},
        "agent": to_builtins(HEALTH),
    }
    return as_text(render_status(document), width=width, colour=False).splitlines()


def behind(server: str, seconds: float) -> Verdict:
    metric = Metric("behind_seconds", seconds)
    finding = Finding(
        server=server,
        check="replication",
        state=State.CRITICAL,
        code="behind",
        summary=f"has not received changes for {seconds:.1f} s",
        metrics=(metric,),
    )
    reason = Reason(finding.reason, finding.summary, finding.state, CheckEffect.OUT, removes=True)
    bad = replace(silent(server), findings=(finding,), reasons=(reason,))
    return replace(bad, lasted_seconds=seconds)


@pytest.mark.parametrize("seconds", [5.0, 67.0, 119.0, 1101.0, 7199.0, 90_000.0, 9_999_999.0])
def test_trouble_of_any_length_leaves_the_table_whole_in_80_columns(seconds: float) -> None:
    healthy = [replace(serving(f"example/ldap{n}"), lasted_seconds=seconds) for n in (1, 2, 3)]

    lines = drawn([behind("example/ldap4", seconds), *healthy], 80)

    assert lines[0].startswith("SERVER")
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:6] if line.startswith("example/")] == [
        f"example/ldap{n}" for n in (4, 1, 2, 3)
    ]


def test_a_table_that_is_too_wide_does_without_the_roles() -> None:
    name = "production/ldap-west-01.example.com"

    assert drawn([serving(name)], 100)[0].split()[-2:] == ["ROLE", "LAG"]
    assert drawn([serving(name)], 80)[0].split()[-2:] == ["WEIGHT", "LAG"]


@pytest.mark.parametrize("width", [40, 50, 60])
def test_in_the_list_a_server_that_is_well_has_one_line(width: int) -> None:
    healthy = [serving(f"example/the-name-of-ldap{n}") for n in (1, 2, 3)]

    lines = drawn([behind("example/ldap4", 67.0), *healthy], width)

    assert lines[0] == "example/ldap4"
    assert all(each.split()[1:2] == ["OK"] for each in lines if each.startswith("example/the"))


def test_the_same_sentence_stands_once_and_then_names_its_first_server() -> None:
    lines = drawn([behind("c/a", 72.5), behind("c/b", 73.7), behind("c/d", 73.7)], 80)

    assert "    CRITICAL replication.behind: has not received changes for 72.5 s" in lines
    assert lines.count("    CRITICAL replication.behind: the same as c/a") == 2
