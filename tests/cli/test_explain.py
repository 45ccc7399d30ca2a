"""The weight and the service state in the output of `explain`."""

from __future__ import annotations

from typing import Any

import pytest

from ldaphealth.control.explanation import GuardedDocument
from ldaphealth.control.explanation_lines import (
    _by_hand_lines,
    _remedy_lines,
    _shadow_lines,
    _share_lines,
    explanation_lines,
    verdict_lines,
    wrapped,
)
from ldaphealth.reason_codes import ROWS


@pytest.mark.parametrize(
    ("share", "leaning", "leaning_to", "lines"),
    [
        (1.0, 0, 1.0, []),
        (1.0, 2, 0.5, ["  has 100% of its weight; 2 rounds in a row call for 50%"]),
        (0.25, 0, 0.25, ["  has 25% of its weight"]),
        (0.5, 1, 1.0, ["  has 50% of its weight; 1 round in a row calls for 100%"]),
    ],
)
def test_a_weight_that_is_not_full_or_changes_soon_is_shown(
    share: float, leaning: int, leaning_to: float, lines: list[str]
) -> None:
    past = GuardedDocument(weight_share=share, leaning_rounds=leaning, leaning_to_share=leaning_to)

    assert _share_lines(past) == lines


@pytest.mark.parametrize(
    ("in_service", "draining", "side"),
    [(True, False, "in service"), (False, True, "draining"), (False, False, "OUT of service")],
)
def test_the_service_state_has_the_same_text_as_in_other_commands(
    in_service: bool, draining: bool, side: str
) -> None:
    verdict = {
        "server": "c/a",
        "in_service": in_service,
        "draining": draining,
        "weight": 7,
        "held_by": "",
        "reasons": [],
    }

    assert verdict_lines(verdict) == [f"VERDICT  c/a {side}, weight 7"]


def test_what_a_shadow_would_have_done_is_a_section_of_its_own() -> None:
    shadow = {
        "would": "would have removed ldap2 (search.slow)",
        "in_service": False,
        "state": "CRITICAL",
        "weight": 0,
        "held_by": "",
        "judged": [{"state": "CRITICAL", "check": "search", "code": "slow", "summary": "1 s"}],
        "settings": ["checks.search.seconds.critical 0.5 instead of 2"],
    }

    assert _shadow_lines(shadow) == [
        "",
        "SHADOW (it decides nothing)",
        "  would have removed ldap2 (search.slow)",
        "  out of service, CRITICAL, weight 0",
        "  CRITICAL  search.slow: 1 s",
        "  has checks.search.seconds.critical 0.5 instead of 2",
    ]
    assert _shadow_lines(shadow | {"would": ""})[2] == "  would have decided the same"
    assert _shadow_lines(None) == []


def test_operations_of_a_workload_are_shown_as_commands() -> None:
    seen = [
        {"check": "connect", "facts": {}},
        {"check": "staff", "facts": {"by_hand": {"b": "ldapcompare ...", "a": "ldapsearch ..."}}},
    ]

    assert _by_hand_lines(seen) == [
        "",
        "OPERATIONS to repeat by hand",
        "  staff a: ldapsearch ...",
        "  staff b: ldapcompare ...",
    ]
    assert _by_hand_lines(seen[:1]) == []


@pytest.mark.parametrize("code", ["bind.timeout", "staff.entries"])
def test_what_to_do_is_below_a_finding(code: str) -> None:
    remedy = ROWS[code.partition(".")[2]].remedy

    assert _remedy_lines(code, {"state": "CRITICAL"}) == [f"            what to do: {remedy}"]


@pytest.mark.parametrize(
    ("code", "state"), [("bind.ok", "OK"), ("monitor.idle", "OK"), ("theirs.broken", "CRITICAL")]
)
def test_nothing_is_below_what_is_well_or_of_another_package(code: str, state: str) -> None:
    assert _remedy_lines(code, {"state": state}) == []


def test_a_verdict_of_the_past_has_what_to_do_below_each_reason() -> None:
    reason = {"state": "CRITICAL", "code": "bind.timeout", "summary": "no answer"}
    verdict = {
        "server": "c/a",
        "in_service": True,
        "draining": False,
        "weight": 7,
        "held_by": "",
        "reasons": [reason],
    }

    assert len(verdict_lines(verdict)) == 2
    assert verdict_lines(verdict, has_remedies=True)[1:] == [
        "  CRITICAL  bind.timeout: no answer",
        f"            what to do: {ROWS['timeout'].remedy}",
    ]


def finding(check: str, code: str, state: str = "OK", remedy: str = "") -> dict[str, Any]:
    return {
        "check": check,
        "code": code,
        "state": state,
        "summary": f"the sentence of {check}",
        "trust": "soft",
        "remedy": remedy,
    }


def explained(**changed: Any) -> dict[str, Any]:
    link = finding("consumer", "not_connected", "WARNING", "see `the log`")
    behind = finding("replication", "behind", "CRITICAL", "run `ldaphealth csn watch c`")
    checks = ("connect", "bind", "replication", "consumer")
    return {
        "server": "c/a",
        "uri": "ldap://a.example",
        "judged": [finding("connect", "ok"), link, finding("bind", "ok"), behind, link, link],
        "seen": [
            {
                "check": each,
                "age_seconds": 3.0,
                "timings": {"search": 0.001},
                "facts": {"tokens": [f"a fact of {each}"] * 20},
                "failure": None,
            }
            for each in checks
        ],
        "guarded": {},
        "verdict": {
            "server": "c/a",
            "state": "CRITICAL",
            "in_service": False,
            "draining": False,
            "weight": 0,
            "held_by": "",
            "reasons": [
                {"state": "CRITICAL", "code": "replication.behind", "summary": "x"},
                {"state": "WARNING", "code": "consumer.not_connected", "summary": "x"},
            ],
        },
        **changed,
    }


def test_the_verdict_and_what_to_do_are_on_the_last_screen() -> None:
    lines = explanation_lines(explained())

    assert len(lines) < 24
    start = next(at for at, line in enumerate(lines) if line.startswith("VERDICT  c/a OUT"))
    assert [line.split(":")[0].strip() for line in lines[start + 1 :]] == [
        "OK        connect, bind",
        "CRITICAL  replication.behind",
        "what to do",
        "WARNING   consumer.not_connected",
        "WARNING   consumer.not_connected",
        "WARNING   consumer.not_connected",
        "what to do",
        "",
        "`ldaphealth doctor` tries everything once, and says what mends it",
    ]


def test_the_facts_and_each_finding_that_is_ok_are_shown_if_wanted() -> None:
    short, whole = explanation_lines(explained()), explanation_lines(explained(), everything=True)

    assert not any("a fact of" in line for line in short)
    assert any("`ldaphealth explain c/a --all`" in line for line in short)
    assert sum("a fact of" in line for line in whole) >= 4
    assert "  OK        bind.ok: the sentence of bind" in whole


def test_a_reason_that_is_no_finding_is_shown_as_well() -> None:
    reason = {"state": "UNKNOWN", "code": "agent.stale", "summary": "expired"}
    document = explained()
    document["verdict"]["reasons"].append(reason)

    assert "  UNKNOWN   agent.stale: expired" in explanation_lines(document)


def test_nothing_is_to_do_about_a_healthy_server() -> None:
    document = explained(judged=[finding("connect", "ok")])
    document["verdict"]["reasons"] = []

    lines = explanation_lines(document)

    assert not any("doctor" in line or "what to do" in line for line in lines)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_command_is_not_broken_where_it_would_be_copied(columns: int) -> None:
    command = "`ldapsearch -x -D cn=admin,dc=example,dc=com -b dc=example,dc=com '(uid=a b)'`"
    line = f"            what to do: repeat it by hand and look: {command}, then see what is there"

    shown = wrapped([line], columns)

    assert sum(command in each for each in shown) == 1
    assert " ".join(" ".join(shown).split()) == " ".join(line.split())
