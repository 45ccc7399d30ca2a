"""The log of the agent is one line an event, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ldaphealth.agent.log_format import configure
from tests.sinks.nasty import NASTY

log = logging.getLogger("ldaphealth.tests")
FORMS = ("logfmt", "json")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines as a program reads them that splits at line feeds, such as journald."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    return err.removesuffix("\n").split("\n")


def fail() -> None:
    try:
        int("first line\nsecond line")
    except ValueError:
        log.exception("a round failed", extra={"server": "c/s"}, stack_info=True)


def test_logfmt_has_the_keys_in_a_fixed_order(capsys: pytest.CaptureFixture[str]) -> None:
    configure("logfmt", logging.INFO)

    log.warning("verdict", extra={"weight": 50, "server": "c/s", "in_service": True})

    (line,) = lines(capsys)
    stamp, _, rest = line.partition(" ")
    assert stamp.startswith("timestamp=20")
    assert stamp.endswith("Z")
    assert rest == "level=warning event=verdict server=c/s weight=50 in_service=true"


def test_json_has_every_key_with_its_type(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", logging.INFO)

    log.warning("verdict", extra={"weight": 50, "server": "c/s", "was_in_service": None})

    (line,) = lines(capsys)
    document = json.loads(line)
    assert document.pop("timestamp").endswith("Z")
    assert document == {
        "level": "warning",
        "event": "verdict",
        "server": "c/s",
        "weight": 50,
        "was_in_service": None,
    }


def test_arguments_of_a_message_are_filled_in(capsys: pytest.CaptureFixture[str]) -> None:
    configure("logfmt", logging.INFO)

    log.error("check %s failed on %s", "search", "c/s")

    assert 'event="check search failed on c/s"' in lines(capsys)[0]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_below_the_level_is_not_told(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("json" if form == "json" else "logfmt", logging.INFO)

    log.debug("quiet")
    log.info("loud")

    assert len(lines(capsys)) == 1


def test_the_form_can_be_changed_and_no_line_comes_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("json", logging.INFO)
    configure("logfmt", logging.DEBUG)

    log.debug("one")

    (line,) = lines(capsys)
    assert "event=one" in line


@pytest.mark.parametrize("form", FORMS)
def test_an_exception_is_one_line_with_its_traceback(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("json" if form == "json" else "logfmt", logging.INFO)

    fail()

    (line,) = lines(capsys)
    assert "ValueError" in line
    assert "Traceback" in line
    assert "c/s" in line


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in NASTY.items()])
def test_every_event_and_value_stays_on_one_line(
    form: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(sys.stderr, io.TextIOWrapper)
    sys.stderr.reconfigure(errors="backslashreplace")  # as the program does when it starts
    configure("json" if form == "json" else "logfmt", logging.INFO)

    log.error("trouble", extra={"error": text})
    log.error(text.replace("%", "%%"))

    assert len(lines(capsys)) == 2


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(
            "logfmt",
        ),
        "json",
    ],
)
def test_no_control_character_reaches_the_terminal(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("json" if form == "json" else "logfmt", logging.INFO)

    log.error(
        "trouble", extra={"error": "down\rOK \x1b[2J\x1b]0;title\x07\x9b31m\t\x0b\x0c\x85\u2028"}
    )

    (line,) = lines(capsys)
    assert line.isprintable()


def test_rich_is_not_loaded_for_it_and_can_be_later() -> None:
    """It takes 5 MiB of memory."""
    program = (
        "import logging, sys; from ldaphealth.agent.log_format import configure;"
        "configure('json', logging.INFO); print('structlog' in sys.modules, 'rich' in sys.modules);"
        "import rich.console"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "True False\n"


def test_a_logfmt_value_ends_where_it_should(capsys: pytest.CaptureFixture[str]) -> None:
    configure("logfmt", logging.INFO)

    log.error("trouble", extra={"error": 'says "no" \\', "path": "a=b"})

    assert lines(capsys)[0].endswith(r'error="says \"no\" \\" path="a=b"')
