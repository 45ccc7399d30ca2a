"""The output of `ldaphealth csn`, and its errors for values that are not CSNs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

from ldaphealth.cli.csn import csn_command, description_text
from ldaphealth.csn import parse

A = "20261123101500.123456Z#00000a#01f#000002"
A_DAY_LATER = "20261124101500.123457Z#000000#01f#000000"
OF_ANOTHER_SERVER_ID = "20261123101500.123456Z#00000a#002#000002"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(csn_command, arguments)


@pytest.mark.parametrize(
    ("now", "age"),
    [
        pytest.param(datetime(2026, 11, 23, 13, 27, 59, tzinfo=UTC), "3 h 12 min ago", id="past"),
        pytest.param(datetime(2026, 11, 23, 10, 15, 1, tzinfo=UTC), "0 s ago", id="just now"),
        pytest.param(
            datetime(2026, 11, 23, 10, 13, tzinfo=UTC),
            "in 2 min, by the clock of this host",
            id="future",
        ),
    ],
)
def test_a_csn_tells_when_how_long_ago_and_of_whom(now: datetime, age: str) -> None:
    assert description_text(parse(A), now).splitlines() == [
        f"CSN       {A}",
        f"time      2026-11-23T10:15:00.123456Z ({age})",
        "count     10",
        "server ID 01f hexadecimal, 31 decimal",
        "mod       2",
    ]


def test_parse_measures_the_age_by_the_clock_of_this_machine() -> None:
    text = datetime.now(UTC).strftime("%Y%m%d%H%M%S.%fZ#000000#001#000000")

    (document,) = json.loads(run("parse", text, "--format", "json").stdout)

    assert 0 <= document["age_seconds"] < 60


def test_parse_prints_the_form_that_servers_write_today() -> None:
    result = run("parse", "20070101120000Z#0000FF#0a#000000", A)

    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if line.startswith("CSN")] == [
        "CSN       20070101120000.000000Z#0000ff#00a#000000",
        f"CSN       {A}",
    ]


def test_parse_as_json_is_a_list_of_objects() -> None:
    result = run("parse", A, A_DAY_LATER, "--format", "json")

    first, second = json.loads(result.stdout)
    assert first.pop("age_seconds") - second.pop("age_seconds") == pytest.approx(86_400.000001)
    assert first == {
        "normalized": A,
        "time": "2026-11-23T10:15:00.123456Z",
        "count": 10,
        "sid": 31,
        "sid_hex": "01f",
        "mod": 2,
    }


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param(A, A_DAY_LATER, ("b", 86_400.000001, True), id="the second is newer"),
        pytest.param(A_DAY_LATER, A, ("a", 86_400.000001, True), id="the first is newer"),
        pytest.param(A, A, (None, 0.0, True), id="the same"),
        pytest.param(A, OF_ANOTHER_SERVER_ID, ("a", 0.0, False), id="other server IDs, same time"),
    ],
)
def test_compare_tells_which_is_newer_and_the_time_between_the_writes(
    a: str, b: str, expected: tuple[str | None, float, bool]
) -> None:
    document = json.loads(run("compare", a, b, "--format", "json").stdout)

    assert (document["newer"], document["gap_seconds"], document["same_sid"]) == expected


def test_compare_says_that_the_gap_is_not_lateness() -> None:
    text = run("compare", A, A_DAY_LATER).stdout

    assert f"B is newer: {A_DAY_LATER}\nThe two writes are 1 d apart (86400.000001 s)" in text
    assert "not the delay of a server" in text
    assert "different server IDs" not in text


def test_compare_warns_of_different_server_ids() -> None:
    assert "different server IDs" in run("compare", A, OF_ANOTHER_SERVER_ID).stdout


@pytest.mark.parametrize("arguments", [("parse", A), ("compare", A)], ids=["parse", "compare"])
@pytest.mark.parametrize(
    ("bad", "quoted"),
    [
        pytest.param("yesterday", "'yesterday'", id="a text"),
        pytest.param("\x1b[2J\n", r"'\x1b[2J\n'", id="control characters"),
        pytest.param("20260230000000Z#000000#001#000000", "'20260230", id="an impossible date"),
        pytest.param("", "''", id="nothing"),
    ],
)
def test_what_is_no_csn_is_quoted_in_one_line_on_standard_error(
    arguments: tuple[str, ...], bad: str, quoted: str
) -> None:
    result = run(*arguments, bad)

    assert (result.exit_code, result.stdout) == (3, "")
    (line,) = result.stderr.splitlines()
    assert line.isprintable()
    assert quoted in line
    assert "#000000#001#000000" in line  # the right form


def test_the_command_loads_no_library_of_other_commands() -> None:
    program = "import sys, ldaphealth.cli.csn; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()

    assert "ldaphealth.csn" in loaded
    assert not {"ldap3", "pydantic", "rich", "prometheus_client", "yaml"} & set(loaded)


@pytest.mark.parametrize(
    "text",
    [
        f"contextCSN: {A}",
        f"entryCSN: {A}\r\n",
        f"csn={A}",
        f'"{A}"',
        f"{A} ",
        f"dn: dc=example,dc=com\ncontextCSN: {A}\n",
    ],
)
def test_a_csn_is_found_in_what_is_pasted(text: str) -> None:
    parsed, compared = run("parse", text, "--format", "json"), run("compare", text, A_DAY_LATER)

    assert [each["normalized"] for each in json.loads(parsed.stdout)] == [A]
    assert compared.exit_code == 0


def test_all_csns_of_a_cookie_are_printed_and_not_compared() -> None:
    cookie = f"rid=001,sid=002,csn={A};{OF_ANOTHER_SERVER_ID}"

    parsed = json.loads(run("parse", cookie, "--format", "json").stdout)
    assert [each["normalized"] for each in parsed] == [A, OF_ANOTHER_SERVER_ID]
    refused = run("compare", cookie, A)
    assert refused.exit_code != 0
    assert "2 CSNs in one argument" in refused.output
