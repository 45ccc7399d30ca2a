"""`history` and `explain --at` keep the words of operators, and work without an agent."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo import wait
from tests.cli.started_agent import START_SECONDS, Started, started

USER = pwd.getpwuid(os.getuid()).pw_name


def run(
    directory: Path, *arguments: str, more: Mapping[str, str] = {}
) -> subprocess.CompletedProcess[str]:
    config = {"LDAPHEALTH_CONFIG": f"{directory}/ldaphealth.yaml"}
    inherited = {key: each for key, each in os.environ.items() if not key.startswith("LDAPHEALTH")}
    return subprocess.run(
        [sys.executable, "-m", "ldaphealth", *arguments],
        env={**inherited, **config, **more},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def has_history(directory: Path, text: str) -> bool:
    return text in run(directory, "history", "c/s").stdout


def orders(agent: Started, directory: Path) -> None:
    """Drain the server and take that back; both are in the history then."""
    agent.wait_for("verdict")
    drain = ("drain", "c/s", "--for", "2h", "--reason", "kernel 4711", "--force")
    assert run(directory, *drain).returncode == 0
    wait.until(lambda: has_history(directory, "held by override"), START_SECONDS, "no drain")
    assert run(directory, "undrain", "c/s").returncode == 0
    wait.until(lambda: has_history(directory, "taken back"), START_SECONDS, "no end")


def test_an_override_stays_in_history_and_log_also_without_an_agent(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        orders(agent, tmp_path)
        alive = run(tmp_path, "history")
        log = agent.log
    dead = run(tmp_path, "history")
    moment = datetime.now(UTC) + timedelta(seconds=2)
    past = run(tmp_path, "explain", "c/s", "--at", moment.isoformat(timespec="seconds"))

    assert f"held by override (drained by {USER} until " in alive.stdout
    assert f"override taken back by {USER}: drained by {USER} until " in alive.stdout
    assert "kernel 4711" in alive.stdout
    assert log.count("kernel 4711") >= 3  # set, the verdict, and the verdict after it
    assert f"by={USER}" in log
    assert (dead.returncode, dead.stdout) == (0, alive.stdout)
    assert "no agent runs here" in dead.stderr
    assert f"this is its history on disk, {tmp_path}/state/history.sqlite3" in dead.stderr
    assert f"taken back by {USER}" in past.stdout
    assert "this is its history on disk" in past.stderr


def test_availability_is_the_same_with_and_without_an_agent(tmp_path: Path) -> None:
    arguments = ("history", "c", "--availability", "--since", "1h")
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
        wait.until(lambda: has_history(tmp_path, "OUT"), START_SECONDS, "no change")
        alive = json.loads(run(tmp_path, *arguments, "--format", "json").stdout)
        unknown = run(tmp_path, "history", "c/none", "--availability")
    dead = run(tmp_path, *arguments, "--format", "json")
    text = run(tmp_path, *arguments).stdout

    (server,), (cluster,) = alive["servers"], alive["clusters"]
    assert (server["server"], server["in_service_ratio"], server["outages"]) == ("c/s", 0.0, 1)
    assert server["removals"] == {"connect.connect": 1}
    assert (cluster["cluster"], cluster["min_in_service"]) == ("c", 1)
    assert json.loads(dead.stdout)["servers"][0]["removals"] == server["removals"]
    assert "this is its history on disk" in dead.stderr
    assert "c/s" in text
    assert "removed by: connect.connect 1" in text
    assert unknown.returncode == 3
    assert "c/none" in unknown.stderr


def test_times_need_an_agent_or_its_history(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
        found = json.loads(
            run(tmp_path, "history", "--times", "search.search", "--format", "json").stdout
        )
        unknown = run(tmp_path, "history", "c/none", "--times", "search")
    dead = run(tmp_path, "history", "c", "--times", "search", "--since", "1h")

    assert (found["check"], found["operation"], found["by_seconds"]) == ("search", "search", 86400)
    assert unknown.returncode == 3
    assert "c/none" in unknown.stderr
    assert dead.stdout.startswith("times of search by 1 min, ")


def test_numbers_need_an_agent_or_its_history(tmp_path: Path) -> None:
    arguments = ("history", "c", "--replication", "--since", "1h")
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
        alive = json.loads(run(tmp_path, *arguments, "--format", "json").stdout)
        unknown = run(tmp_path, "history", "c/none", "--replication")
    dead = run(tmp_path, *arguments)

    assert (alive["number"], alive["by_seconds"]) == ("replication.behind_seconds", 60)
    assert unknown.returncode == 3
    assert "c/none" in unknown.stderr
    assert dead.stdout.startswith("replication.behind_seconds by 1 min, ")
    assert "the history does not have this number in this period" in dead.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--replication", "--times", "search"), "--times and --replication exclude each other"),
        (("--number", "resources.conections"), "did you mean resources.connections?"),
        (("--number", "x"), "there are replication.behind_seconds, resources.database_pages, "),
        (("--replication", "--by", "minute"), "more than 1000 periods"),
        (("--availability", "--since", "1h", "--until", "2h"), "is not before"),
        (("--availability", "--times", "search"), "exclude each other"),
        (("--format", "csv"), "--format csv needs --times"),
        (("--times", "search", "--by", "minute"), "more than 1000 periods"),
        (("--times", "search", "--quantile", "99"), "0.0 to 1.0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: tuple[str, ...], words: str) -> None:
    done = run(Path("/nowhere"), "history", *options)

    assert done.returncode == 3
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "more", "problem"),
    [
        (("--socket", "/nowhere/agent.sock"), {}, "has another socket"),
        ((), {}, "no history"),
        (
            (),
            {"LDAPHEALTH_CONFIG": "/nowhere/x.yaml"},
            "/nowhere/x.yaml: cannot read it: No such file or directory",
        ),
    ],
)
def test_without_agent_and_history_there_is_one_line_with_the_reason(
    tmp_path: Path, arguments: tuple[str, ...], more: Mapping[str, str], problem: str
) -> None:
    (tmp_path / "ldaphealth.yaml").write_text(
        f"clusters: {{c: {{servers: {{s: 'ldap://127.0.0.1:1'}}}}}}\n"
        f"agent: {{runtime_directory: {tmp_path}/run, state_directory: {tmp_path}/state}}\n"
    )

    done = run(tmp_path, "history", *arguments, more=more)

    assert (done.returncode, done.stdout) == (3, "")
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("duration", ["2", "90", "007", "1.5"])
def test_a_duration_without_a_unit_is_refused_with_the_units(duration: str) -> None:
    done = run(Path("/nowhere"), "drain", "c/s", "--for", duration, "--reason", "r")

    assert done.returncode == 3
    assert f"{duration} has no unit; write {duration}s, {duration}m, {duration}h" in done.stderr
