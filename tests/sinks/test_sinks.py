"""Every sink in the table: its output is harmless and bounded, and it is imported when used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from ldaphealth.model import Snapshot
from ldaphealth.sinks import SINKS, SinkOptions, exit_status
from tests.sinks.nasty import NASTY, nasty_snapshot
from tests.sinks.snapshots import SNAPSHOTS

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ldaphealth" / "sinks"
README = ROOT / "README.md"
MAX_CHARACTERS = 64 * 1024
SEPARATORS: dict[str, str] = {}  # by sink: what its lines have that is not printable, such as a tab
LIBRARIES = {"text": {"rich"}, "nagios": {"nagiosplugin"}}  # all others: none


def rendered(sink: str, snapshot: Snapshot, options: SinkOptions) -> str:
    if sink == "keepalived":  # it takes one verdict
        snapshot = replace(snapshot, verdicts=snapshot.verdicts[:1])
    return SINKS[sink].render(snapshot, options).text


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(SinkOptions(), id="plain"),
        pytest.param(SinkOptions(width=60, verbose=True), id="narrow and verbose"),
        pytest.param(SinkOptions(colour=True, width=160, verbose=True), id="wide and coloured"),
    ],
)
def test_nothing_that_a_server_says_can_harm_the_reader(
    sink: str, text: str, options: SinkOptions
) -> None:
    answer = rendered(sink, nasty_snapshot(text), options)
    plain = COLOUR.sub("", answer) if options.colour else answer
    lines = plain.replace(SEPARATORS.get(sink, ""), "").split("\n")

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


def assert_harmless_json(document: object) -> None:
    found = list(strings(document))
    assert found
    assert [each for each in found if not each.isprintable() or len(each) > 400] == []


def is_json(answer: str) -> None:
    """Parse it back: its strings are harmless, too."""
    assert_harmless_json(json.loads(answer))


def is_json_lines(answer: str) -> None:
    """Parse each line by itself (RFC 8259): one a server."""
    documents = [json.loads(line) for line in answer.split("\n")]

    assert [each["in_service"] for each in documents] == [False, False]
    assert_harmless_json(documents)


def is_misc_check(answer: str) -> None:
    """See one ASCII line that begins with the status."""
    assert answer.startswith("1 main/")
    assert answer.isascii()
    assert answer.isprintable()


def is_table(answer: str) -> None:
    """Find one block a server, and the last line."""
    assert answer.count("OUT of service") == 2
    assert sum(line.startswith("0 of 2 servers in service;") for line in answer.split("\n")) == 1


def is_plugin_output(answer: str) -> None:
    """See text, perfdata after one pipe, a line a server, and less than Nagios reads."""
    first, *rest = answer.split("\n")
    status_line, _, perfdata = first.partition(" | ")

    assert answer.isascii()
    assert len(answer) < 4096
    assert len(status_line) < 80
    servers = [each for each in rest if each != "0 of 2 in service"]  # without room above
    assert (answer.count("|"), len(servers)) == (bool(perfdata), 2)


# As cmk/base/plugins/agent_based/local.py reads it: status, item, metrics between pipes, text.
CHECKMK_METRIC = r"[A-Za-z]\w*=-?[0-9.]+(?:;(?:-?[0-9.]*:)?-?[0-9.]*){0,2}"
CHECKMK_LINE = re.compile(
    rf"2 (?P<item>LDAP_[\w.:/-]+) (?:-|{CHECKMK_METRIC}(?:\|{CHECKMK_METRIC})*) [^|\\]+", re.ASCII
)


def is_local_check(answer: str) -> None:
    """Match each line with the grammar, and find as many services as servers."""
    found = [CHECKMK_LINE.fullmatch(line) for line in answer.split("\n")]

    assert all(found), answer
    assert len({match["item"] for match in found if match}) == 2
    assert max(map(len, answer.split("\n"))) < 3000


GRAMMARS = {
    "text": is_table,
    "json": is_json,
    "keepalived": is_misc_check,
    "nagios": is_plugin_output,
    "checkmk": is_local_check,
    "jsonl": is_json_lines,
}


def test_every_sink_has_a_row_and_a_grammar() -> None:
    """A module in sinks/ with a function `render` is a sink; check_ldap is a program's own."""
    modules = {
        f"ldaphealth.sinks.{path.stem}"
        for path in PACKAGE.glob("*.py")
        if re.search(r"^def render\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert {sink.module for sink in SINKS.values()} == modules - {"ldaphealth.sinks.check_ldap"}
    assert {*GRAMMARS} == {*SINKS}


def test_the_readme_has_a_row_for_each_format() -> None:
    text = README.read_text(encoding="utf-8")
    table = text.partition("| `--format` | prints |")[2].partition("\n\n")[0]

    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*SINKS]


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_whatever_a_server_says_the_answer_keeps_its_grammar(sink: str, text: str) -> None:
    GRAMMARS[sink](rendered(sink, nasty_snapshot(text), SinkOptions(width=60)))


@pytest.mark.parametrize("sink", SINKS)
def test_a_sink_loads_no_library_of_another(sink: str) -> None:
    code = (
        "import sys; from importlib import import_module; from ldaphealth.sinks import SINKS;"
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
        pytest.param("healthy", 0, id="all in service"),
        pytest.param("warned", 0, id="a warning removes no server"),
        pytest.param("unknown", 0, id="nor does a local failure"),
        pytest.param("one_out", 1, id="one out"),
        pytest.param("drained", 1, id="one drained"),
    ],
)
def test_the_exit_status_is_0_if_every_server_is_in_service(name: str, expected: int) -> None:
    assert exit_status(SNAPSHOTS[name]) == expected
