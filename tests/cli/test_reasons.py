"""`ldaphealth reasons` shows every row of the table of reason codes, and knows what was meant."""

from __future__ import annotations

import json

import click
import pytest
from ldap3.core.results import RESULT_CODES

from ldaphealth.cli.reasons import complete_code, reasons_command
from ldaphealth.reason_codes import REASON_CODES, RESULT_CODE, ROWS, remedy_of, row_of
from tests.cli.test_main import run

EVERY = (*REASON_CODES, RESULT_CODE)


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("code", ["timeout", "bind.timeout", "a.check.timeout"])
def test_a_code_is_shown_with_or_without_its_check(code: str) -> None:
    status, out, err = run("reasons", code)

    assert (status, err) == (0, "")
    assert out.splitlines()[0] == code
    for fact in (
        "CRITICAL",
        ROWS["timeout"].removes,
        ROWS["timeout"].means,
        ROWS["timeout"].remedy,
    ):
        assert fact in squeezed(out)


def test_all_codes_fit_in_80_columns() -> None:
    status, out, err = run("reasons")

    assert (status, err) == (0, "")
    listed = [line.partition("  ")[0] for line in out.splitlines()]
    assert [each for each in listed if each in ROWS] == [*ROWS]
    assert max(map(len, out.splitlines())) <= 80


def test_json_has_every_row_with_its_remedy() -> None:
    _, out, _ = run("reasons", "--format", "json")

    rows = json.loads(out)
    assert [each["code"] for each in rows] == [each.code for each in EVERY]
    assert all(each["means"] and each["remedy"] for each in rows)
    assert json.loads(run("reasons", "bind.timeout", "--format", "json")[1]) == next(
        each for each in rows if each["code"] == "timeout"
    )


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("bind.timeuot", "'timeuot'; did you mean timeout?"),
        ("qqqq", "'qqqq'; `ldaphealth reasons` lists the codes"),
        ("two\nlines", "'two\\\\nlines'; `ldaphealth reasons` lists the codes"),
    ],
)
def test_an_unknown_code_is_one_line_with_a_hint(code: str, hint: str) -> None:
    status, out, err = run("reasons", code)

    assert (status, out) == (3, "")
    assert err.strip() == f"ldaphealth: there is no reason code {hint}".replace("\\\\", "\\")


@pytest.mark.parametrize("name", sorted({*RESULT_CODES.values()} - {"success", "reserved"}))
def test_every_result_code_of_ldap_has_a_remedy(name: str) -> None:
    assert row_of(f"search.{name}") in (ROWS.get(name), RESULT_CODE)
    assert remedy_of(f"search.{name}")


def test_a_code_of_another_package_has_none() -> None:
    assert remedy_of("theirs.broken") == ""
    assert row_of("bind.123") is None
    assert row_of("resultCode4097") is RESULT_CODE


def test_codes_are_completed_behind_the_check() -> None:
    context = click.Context(reasons_command)

    assert complete_code(context, reasons_command.params[0], "bind.time") == [
        "bind.timeout",
        "bind.timeLimitExceeded",
    ]
    assert complete_code(context, reasons_command.params[0], "discon") == ["disconnected"]
