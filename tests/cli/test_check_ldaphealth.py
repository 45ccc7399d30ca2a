"""The plugin as a monitoring system runs it: one process, one answer, exit status 0 to 3."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from ldaphealth.cli.check_ldaphealth import check_ldaphealth_command
from ldaphealth.control.requests import ControlRequest, ControlResponse
from ldaphealth.control.server import ControlServer
from ldaphealth.model import Snapshot
from ldaphealth.sinks.json_document import snapshot_document
from tests.hostile import servers
from tests.lateness import LATE_SECONDS, Stopwatch, repeated_when_late
from tests.sinks.snapshots import DRAINED, HEALTHY, ONE_OUT

PLUGIN = Path(sys.executable).with_name("check_ldaphealth")
CHECK_LDAP = Path("/usr/lib/nagios/plugins/check_ldap")
BASE = "dc=example,dc=com"
PASSWORD = "geheim und lang"


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [PLUGIN, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


HOST = ("-H", "127.0.0.1", "-p", "1", "-b", BASE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param([], "nothing to check: use -H", id="nothing"),
        pytest.param(["-H", "h"], "-b is missing", id="no base"),
        pytest.param(["-H", "a b", "-b", BASE], "has no host", id="no host"),
        pytest.param([*HOST, "-S", "-T"], "exclude each other", id="two kinds of TLS"),
        pytest.param([*HOST, "-D", "cn=x"], "-D needs a password", id="a DN without password"),
        pytest.param([*HOST, "-P", "x"], "a password needs a bind DN", id="a password without DN"),
        pytest.param([*HOST, "-D", "cn=x", "-P", "x", "--password-file", "f"], "exclude", id="two"),
        pytest.param([*HOST, "-D", "cn=x", "--password-file", "/none"], "cannot read", id="file"),
        pytest.param([*HOST, "--ca-file", "/none"], "no such file", id="no authorities"),
        pytest.param([*HOST, "-a", "uid"], "-a: 'uid' is not a filter", id="no filter"),
        pytest.param([*HOST, "-a", "(uid=x"], "the end is where ')' must be", id="half a filter"),
        pytest.param(["-H", "h", "-b", "example"], "-b: 'example' is not a DN", id="no DN"),
        pytest.param([*HOST, "-D", "x", "-P", "x"], "-D: 'x' is not a DN", id="no name to bind as"),
        pytest.param([*HOST, "-w", "x"], "is not a range", id="no range"),
        pytest.param([*HOST, "-t", "0"], "not in the range", id="no time"),
        pytest.param([*HOST, "-p", "0"], "not in the range", id="no port"),
        pytest.param([*HOST, "--agent"], "-H excludes --cluster", id="a server and the agent"),
        pytest.param([*HOST, "--cluster", "c"], "-H excludes --cluster", id="two targets"),
        pytest.param(["--cluster", "c", "-D", "cn=x"], "need -H", id="a DN and a cluster"),
        pytest.param(["--agent", "-W", "1"], "need -H", id="entries of the agent"),
        pytest.param(["--agent", "--config", "f"], "has its own configuration", id="its file"),
        pytest.param(["--cluster", "c", "--config", "/none"], "cannot read it", id="no file"),
        pytest.param(["--agent", "--socket", "/none"], "no agent runs here", id="no agent"),
        pytest.param([*HOST, "--extra-opts=ldap@file"], "is not supported", id="--extra-opts"),
        pytest.param([*HOST, "--nosuch"], "No such option", id="no option"),
        pytest.param([*HOST, "more"], "unexpected extra argument", id="too many arguments"),
    ],
)
def test_bad_input_is_unknown_and_one_short_line_says_why(arguments: list[str], words: str) -> None:
    status, out, err = run(*arguments)
    first = out.partition("\n")[0]

    assert (status, err) == (3, "")
    assert words in out
    assert first.startswith("LDAP UNKNOWN - ")
    assert len(first.partition(" | ")[0]) < 80
    assert all(line.isascii() and line.isprintable() for line in out.split("\n"))


@pytest.mark.parametrize(
    ("option", "words"), [("-h", "--password-file"), ("--help", "Exit status"), ("-V", "0.")]
)
def test_help_and_version_exit_as_the_guidelines_want(option: str, words: str) -> None:
    status, out, err = run(option)

    assert (status, err) == (3, "")
    assert words in out


def test_every_option_of_check_ldap_is_taken() -> None:
    """Each option of check_ldap exists here, and takes a value if it does there."""
    done = subprocess.run([CHECK_LDAP, "--help"], capture_output=True, text=True, check=False)
    theirs = re.findall(r"^ (-\w)(?:,)? \[?(--[\w-]+)(=\w+)?", done.stdout, re.MULTILINE)
    ours = {
        name: each
        for each in check_ldaphealth_command.params
        if isinstance(each, click.Option)
        for name in each.opts
    }
    takes_a_value = {"-a", "-b", "-D", "-P", "-W", "-C"}  # their help does not show it

    assert len(theirs) >= 20, done.stdout
    for letter, word, argument in theirs:
        option = ours[letter]
        assert word in option.opts, letter
        takes = bool(argument) or letter in takes_a_value
        assert takes == (not option.is_flag and not option.count), letter


@pytest.mark.parametrize("page", ["README.md", "docs/nagios.md", "docs/agent.md"])
def test_the_documents_show_options_that_there_are(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text()
    commands = re.findall(r"check_ldaphealth (-[^#`\n]*)", text)
    known = {name for each in check_ldaphealth_command.params for name in each.opts}

    assert commands
    assert {w for c in commands for w in c.split() if re.match(r"-{1,2}[A-Za-z]", w)} <= known


def test_an_empty_word_is_a_macro_that_is_not_set() -> None:
    status, out, _ = run(
        *HOST, "-p", "", "-w", "", "-c", "", "-D", "", "-P", "", "-a", "", "-t", "5"
    )

    assert status == 2
    assert "127.0.0.1 port 389" in out or "cannot connect" in out


def test_a_dead_server_is_critical_and_a_name_that_is_none_is_bad_input() -> None:
    dead, out, _ = run(*HOST)
    nowhere, words, _ = run("-H", "ldap.invalid", "-b", BASE)

    assert (dead, nowhere) == (2, 3)
    assert out.startswith("LDAP CRITICAL - 127.0.0.1 out: connect.connect; cannot connect to ")
    assert words.startswith("LDAP UNKNOWN - cannot resolve ldap.invalid: ")
    assert words.count("\n") == 1


def test_a_cluster_of_the_configuration_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text("clusters: {c: {suffix: 'dc=x', servers: {a: 'ldap://127.0.0.1:1'}}}")
    whole = run("--config", str(path))
    named = run("--cluster", "c/a", LDAPHEALTH_CONFIG=str(path))
    typo = run("--cluster", "c/b", "--config", str(path))

    assert (whole[0], named[0], typo[0]) == (2, 2, 3)
    assert whole[1].startswith("LDAP CRITICAL - a out: connect.connect; ")
    assert "did you mean c/a" in typo[1]


# The deadline


TIMEOUT_SECONDS = 2.0


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        pytest.param(servers.silent, "bind.timeout", id="a silent server"),
        pytest.param(servers.drip, "bind.timeout", id="a byte every half second"),
        pytest.param(servers.endless, "search.too_large", id="entries without end"),
        pytest.param(servers.garbage, "bind.protocol", id="another protocol"),
    ],
)
@repeated_when_late
def test_the_timeout_holds_against_any_server(behave: servers.Behaviour, words: str) -> None:
    with servers.listening(behave) as port, Stopwatch() as watch:
        status, out, _ = run(
            "-H", "127.0.0.1", "-p", str(port), "-b", BASE, "-t", f"{TIMEOUT_SECONDS:g}"
        )

    # Where Python itself had not started in time, this is all that the plugin can know.
    starved = watch.late_seconds > LATE_SECONDS and out.endswith("- no answer within 2 s\n")
    assert status == 2
    assert words in out or starved, out
    assert watch.seconds < TIMEOUT_SECONDS + 0.2


@pytest.mark.parametrize(
    ("closed", "status", "words"),
    [
        ("2>&-", 2, "LDAP CRITICAL"),
        ("<&-", 2, "LDAP CRITICAL"),
        (">&-", 3, ""),
        ("<&- >&- 2>&-", 3, ""),
    ],
)
def test_streams_that_the_caller_closed(closed: str, status: int, words: str) -> None:
    arguments = ["-H", "127.0.0.1", "-p", "1", "-b", BASE]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", str(PLUGIN), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == status
    assert done.stdout.startswith(words)
    assert "Traceback" not in done.stdout + done.stderr


# The password


@repeated_when_late
def test_a_password_on_the_command_line_is_soon_gone_from_it() -> None:
    with servers.listening(servers.silent) as port:
        command = [
            str(PLUGIN),
            "-H",
            "127.0.0.1",
            "-p",
            str(port),
            "-b",
            BASE,
            "-D",
            "cn=x",
            "-P",
            PASSWORD,
            "-t",
            "8",
        ]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
            Stopwatch() as watch,
        ):
            shown = Path(f"/proc/{process.pid}/cmdline")
            while PASSWORD.encode() in (now := shown.read_bytes()) or b"check_ldap" not in now:
                assert watch.seconds < 6.0  # Python starts slowly elsewhere
                time.sleep(0.01)
            out, _ = process.communicate(timeout=20)

    assert b"x" * len(PASSWORD) in now
    assert PASSWORD not in out
    assert "the password was on the command line" in out


# The agent


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Callable[[Any], str]]:
    """Return what makes a socket on which an agent answers everything with this document."""
    made: list[ControlServer] = []

    def answering(document: Any) -> str:
        def answer(_: ControlRequest) -> ControlResponse:
            return ControlResponse(document)

        path = tmp_path / f"{len(made)}.sock"
        made.append(ControlServer(path, "", answer))
        return str(path)

    yield answering
    for each in made:
        each.close()


def status_document(snapshot: Snapshot, valid_seconds: float = 9.0) -> Any:
    valid = {verdict.server: valid_seconds for verdict in snapshot.verdicts}
    return snapshot_document(snapshot) | {"valid_seconds": valid, "overrides": {}, "agent": {}}


@pytest.mark.parametrize(
    ("document", "options", "status", "start"),
    [
        pytest.param(status_document(HEALTHY), [], 0, "OK - 4 of 4 in service", id="well"),
        pytest.param(status_document(ONE_OUT), [], 2, "CRITICAL - ldap3 out: bind.t", id="out"),
        pytest.param(status_document(DRAINED), [], 1, "WARNING - ldap2 draining; 1", id="drained"),
        pytest.param(
            status_document(ONE_OUT), ["--cluster", "main/ldap1"], 0, "OK - 1 of 1", id="a server"
        ),
        pytest.param(
            status_document(ONE_OUT), ["--cluster", "main"], 2, "CRITICAL - ldap3", id="a cluster"
        ),
        pytest.param(
            status_document(ONE_OUT), ["--check", "search"], 0, "OK - 3 of 3", id="a check"
        ),
        pytest.param(status_document(HEALTHY, -20), [], 3, "UNKNOWN - ldap1, ldap2,", id="stale"),
        pytest.param(
            status_document(HEALTHY),
            ["--cluster", "man"],
            3,
            "UNKNOWN - the agent has no verdict on man; it checks",
            id="a typo",
        ),
        pytest.param(
            status_document(Snapshot(0.0, ())),
            [],
            3,
            "UNKNOWN - the agent has no verdict yet",
            id="it has just begun",
        ),
        pytest.param({"fine": True}, [], 3, "UNKNOWN - ", id="what answers is none"),
        pytest.param([1], [], 3, "UNKNOWN - ", id="nor is this"),
    ],
)
def test_the_agent_is_asked(
    agent: Callable[[Any], str], document: Any, options: list[str], status: int, start: str
) -> None:
    found, out, err = run("--agent", "--socket", agent(document), *options)

    assert out.startswith(f"LDAP {start}"), out
    assert (found, err) == (status, "")


@repeated_when_late
def test_an_agent_that_does_not_answer_is_unknown_in_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        (tmp_path / "agent.sock").unlink(missing_ok=True)
        silent.bind(str(tmp_path / "agent.sock"))
        silent.listen()
        with Stopwatch() as watch:
            status, out, _ = run("--agent", "--socket", str(tmp_path / "agent.sock"), "-t", "1")

    assert status == 3
    assert "no answer in time" in out or "the agent gave no answer within 1 s" in out, out
    assert watch.seconds < 1.2


@pytest.mark.parametrize(
    "arguments", [["--agent", "--socket", "/none"], ["--help"], ["-H", "h"]], ids=" ".join
)
def test_what_needs_no_session_loads_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import os, sys\nfrom ldaphealth.cli.check_ldaphealth import main\n"
        "heavy = {'ldap3', 'starlette', 'prometheus_client', 'rich', 'yaml', 'uvicorn', 'jinja2'}\n"
        "os._exit = lambda _: sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
        f"sys.argv = ['check_ldaphealth', *{arguments}]\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_answer_of_an_agent_loads_nothing_heavy_either(agent: Callable[[Any], str]) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            PLUGIN,
            "--agent",
            "--socket",
            agent(status_document(HEALTHY)),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0
    loaded = {
        line.rpartition("|")[2].split()[0].partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "nagiosplugin" in loaded
    assert loaded & {"ldap3", "starlette", "prometheus_client", "yaml", "rich", "jinja2"} == set()


def test_a_defect_of_ours_is_unknown_and_no_warning() -> None:
    script = (
        "import sys\nfrom ldaphealth.cli import check_ldaphealth as plugin, evaluation\n"
        "sys.argv = ['check_ldaphealth', '-H', 'h', '-b', '']\n"
        "evaluation.evaluate_selection = 3\nplugin.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 3
    assert done.stdout.startswith("LDAP UNKNOWN - this is a defect, report it: TypeError: ")


@pytest.mark.parametrize(
    ("arguments", "module", "function", "status"),
    [
        (["-H", "h", "-b", ""], "evaluation", "evaluate_selection", 2),
        (
            ["-H", "h", "-b", "", "-D", "cn=x", "-P", "secret"],
            "evaluation",
            "evaluate_selection",
            2,
        ),
        (["--agent"], "agent_snapshot", "query_status", 3),
    ],
    ids=["a check", "a check with a password", "the agent"],
)
@repeated_when_late
def test_a_hang_of_ours_ends_with_an_answer_too(
    arguments: list[str], module: str, function: str, status: int
) -> None:
    script = (
        f"import sys, time\nfrom ldaphealth.cli import check_ldaphealth as plugin, {module}\n"
        f"sys.argv = ['check_ldaphealth', '-t', '1', *{arguments}]\n"
        f"{module}.{function} = lambda *_, **__: time.sleep(20)\nplugin.main()"
    )
    with Stopwatch() as watch:
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
        )

    assert done.returncode == status
    first, *notes = done.stdout.splitlines()
    assert first.endswith("no answer within 1 s")
    assert bool(notes) is ("-P" in arguments)
    assert all(each.startswith("the password was on the command line") for each in notes)
    assert watch.seconds < 1.2


def test_the_shell_completes_its_options_and_servers(tmp_path: Path) -> None:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text("clusters: {c: {suffix: 'dc=x', servers: {a: 'ldap://127.0.0.1:1'}}}")
    _, out, _ = run(
        _CHECK_LDAPHEALTH_COMPLETE="bash_complete",
        COMP_WORDS="check_ldaphealth --cluster c",
        COMP_CWORD="2",
        LDAPHEALTH_CONFIG=str(path),
    )

    assert {line.partition(",")[2] for line in out.splitlines()} == {"c", "c/a"}


def test_a_reload_that_failed_is_in_the_long_output(agent: Callable[[Any], str]) -> None:
    document = status_document(HEALTHY) | {"agent": {"reload_failure": "The last reload failed"}}

    status, out, _ = run("--agent", "--socket", agent(document))

    assert (status, "The last reload failed" in out.splitlines()) == (0, True)


def test_what_is_wrong_leads_to_the_commands_of_the_agent(agent: Callable[[Any], str]) -> None:
    _, out, _ = run("--agent", "--socket", agent(status_document(ONE_OUT)))

    assert "more: ldaphealth explain main/ldap3; ldaphealth doctor" in out.splitlines()
