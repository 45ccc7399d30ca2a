"""What holds for every sink in the table: harmless, bounded, and loaded only when chosen."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from ldaphealth.model import Snapshot
from ldaphealth.publish import SINKS, Options, exit_status
from tests.publish.nasty import NASTY, nasty_snapshot
from tests.publish.snapshots import SNAPSHOTS

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
MAX_CHARACTERS = 64 * 1024
LIBRARIES = {"text": {"rich"}, "nagios": {"nagiosplugin"}}  # all others: none


def told(sink: str, snapshot: Snapshot, options: Options) -> str:
    if sink == "keepalived":  # it takes one verdict
        snapshot = replace(snapshot, verdicts=snapshot.verdicts[:1])
    return SINKS[sink].tell(snapshot, options).text


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(Options(), id="plain"),
        pytest.param(Options(width=60, verbose=True), id="narrow and verbose"),
        pytest.param(Options(colour=True, width=160, verbose=True), id="wide and coloured"),
    ],
)
def test_nothing_that_a_server_says_can_harm_the_reader(
    sink: str, text: str, options: Options
) -> None:
    answer = told(sink, nasty_snapshot(text), options)
    lines = COLOUR.sub("", answer).split("\n") if options.colour else answer.split("\n")

    assert [line for line in lines if not line.isprintable()] == []
    assert len(answer) < MAX_CHARACTERS
    answer.encode()  # a lone surrogate would raise


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_json_parses_back_and_its_strings_are_harmless_too(text: str) -> None:
    found = list(strings(json.loads(told("json", nasty_snapshot(text), Options()))))

    assert found
    assert [each for each in found if not each.isprintable() or len(each) > 200] == []


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_keepalived_gets_one_ascii_line_that_begins_with_the_status(text: str) -> None:
    line = told("keepalived", nasty_snapshot(text), Options())

    assert line.startswith("1 main/")
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_the_table_keeps_one_block_a_server_and_its_last_line(text: str) -> None:
    lines = told("text", nasty_snapshot(text), Options(width=60)).split("\n")

    assert sum("OUT of service  CRITICAL  weight 0" in line for line in lines) == 2
    assert sum(line.startswith("0 of 2 servers in service;") for line in lines) == 1


@pytest.mark.parametrize("sink", SINKS)
def test_a_sink_loads_no_library_of_another(sink: str) -> None:
    code = (
        "import sys; from importlib import import_module; from ldaphealth.publish import SINKS;"
        f"import_module(SINKS[{sink!r}].module);"
        "print(*({'rich', 'nagiosplugin', 'ldap3', 'pydantic', 'yaml'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()

    assert set(loaded) == LIBRARIES.get(sink, set())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("healthy", 0, id="everybody in service"),
        pytest.param("warned", 0, id="a warning removes nobody"),
        pytest.param("unknown", 0, id="nor does our own trouble"),
        pytest.param("one_out", 1, id="one out"),
        pytest.param("drained", 1, id="one drained"),
    ],
)
def test_the_exit_status_tells_whether_every_server_is_in_service(name: str, expected: int) -> None:
    assert exit_status(SNAPSHOTS[name]) == expected
