"""How the daemon is put together: what its directories are, and what a reload does."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from ldaphealth.agent.agent import Agent
from ldaphealth.agent.assembly import StartError, claim_directories, make_track_directories
from ldaphealth.agent.reload import SettingsFile, reload_settings
from ldaphealth.config import ConfigError
from ldaphealth.model import Server
from ldaphealth.settings import AgentSettings, Cluster, Settings
from tests.checks.seen import planned


def renew_nothing() -> None:
    """Stand for an agent without a web server."""


def settings(directory: Path, *names: str, track_files: bool = False) -> Settings:
    """Return settings with clusters of these names, one server each."""
    clusters = {
        name: Cluster(
            name=name,
            servers=(Server(cluster=name, name="a", uri="ldap://a"),),
            checks=(planned("connect"),),
            min_in_service=0,
        )
        for name in names
    }
    mine = AgentSettings(
        runtime_directory=directory / "run",
        state_directory=directory / "state",
        track_files=track_files,
    )
    return Settings(clusters, mine)


def refuse(*problems: str) -> Callable[[Path], Settings]:
    """Return a function that finds these problems in every file."""

    def read(_: Path) -> Settings:
        raise ConfigError(list(problems))

    return read


def test_an_agent_without_any_thread_says_in_one_line_what_to_raise(tmp_path: Path) -> None:
    config = tmp_path / "ldaphealth.yaml"
    config.write_text(
        f"agent: {{runtime_directory: {tmp_path}/run, state_directory: {tmp_path}/state}}\n"
        "clusters: {c: {suffix: 'o=x', servers: {a: 'ldap://127.0.0.1:9'}}}\n"
    )
    no_stack_is_as_large = "import threading; threading.stack_size(1 << 46)\n"
    program = no_stack_is_as_large + "from ldaphealth.__main__ import main; main()"

    ended = subprocess.run(
        [sys.executable, "-c", program, "agent", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 3
    assert re.fullmatch(
        r"ldaphealth: the system refuses another thread: raise TasksMax= .*\n", ended.stderr
    )


def test_a_second_agent_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    mine = settings(tmp_path).agent
    with ExitStack() as first:
        claim_directories(mine, first)
        with ExitStack() as second, pytest.raises(StartError, match=r"another agent uses .*/run"):
            claim_directories(mine, second)

    with ExitStack() as third:
        claim_directories(mine, third)


def test_agents_that_share_only_a_state_directory_are_two_agents_of_one(tmp_path: Path) -> None:
    first, second = (
        AgentSettings(runtime_directory=tmp_path / name, state_directory=tmp_path / "state")
        for name in "ab"
    )
    with ExitStack() as stack:
        claim_directories(first, stack)
        with pytest.raises(StartError, match=r"another agent uses .*/state"):
            claim_directories(second, stack)


@pytest.mark.parametrize(("track_files", "made"), [(True, ["c", "d"]), (False, [])])
def test_each_cluster_has_a_track_directory_where_they_are_wanted(
    tmp_path: Path, track_files: bool, made: list[str]
) -> None:
    make_track_directories(settings(tmp_path, "c", "d", track_files=track_files))

    assert sorted(each.name for each in tmp_path.glob("run/track/*")) == made


def test_a_track_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")

    with pytest.raises(StartError, match=r"/run: Not a directory"):
        make_track_directories(settings(tmp_path, "c", track_files=True))


def test_a_reload_takes_the_new_clusters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(settings(tmp_path, "c"), [])
    with caplog.at_level(logging.INFO):
        reload_settings(
            agent, SettingsFile(tmp_path, lambda _: settings(tmp_path, "d")), renew_nothing
        )

    assert list(agent.pools) == ["d"]
    assert [each.message for each in caplog.records] == ["reloaded"]


def test_a_reload_says_that_settings_of_the_agent_need_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent(settings(tmp_path, "c"), [])
    other = settings(tmp_path, "c", track_files=True)
    found = iter((other, other, agent.settings))
    file = SettingsFile(tmp_path, lambda _: next(found))

    assert [reload_settings(agent, file, renew_nothing) for _ in range(3)] == [True, True, False]
    assert [each.message for each in caplog.records] == 2 * ["changes of `agent` need a restart"]


def test_a_configuration_with_problems_is_not_taken_and_each_problem_is_a_line_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = settings(tmp_path, "c")
    agent = Agent(before, [])
    reload_settings(agent, SettingsFile(tmp_path, refuse("f: one", "f: two\nthree")), renew_nothing)

    assert agent.settings is before
    *lines, last = caplog.records
    kept = "the old configuration is kept"
    assert [(each.message, each.__dict__["error"]) for each in lines] == [
        (kept, "f: one"),
        (kept, "f: two"),
        (kept, "three"),
    ]
    assert (last.levelname, last.message) == ("ERROR", "not reloaded; a restart would fail")
    assert last.__dict__["what_to_do"] == f"ldaphealth config check {tmp_path}"
    assert agent.reload_failure == (
        "The last reload failed, and the configuration from before is in use: f: one "
        "(and 1 more mistake); a restart would fail; "
        f"`ldaphealth config check {tmp_path}` lists all"
    )


def test_a_defect_while_reading_keeps_the_old_configuration(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = settings(tmp_path, "c")
    agent = Agent(before, [])

    def read(_: Path) -> Settings:
        raise ZeroDivisionError

    reload_settings(agent, SettingsFile(tmp_path, read), renew_nothing)

    assert agent.settings is before
    assert [each.message for each in caplog.records] == ["the old configuration is kept"]
    assert caplog.records[0].exc_info


def test_the_files_of_the_web_server_are_read_again_even_when_the_configuration_has_problems(
    tmp_path: Path,
) -> None:
    agent, renewed = Agent(settings(tmp_path, "c"), []), []

    for read in (lambda _: settings(tmp_path, "d"), refuse("f: one")):
        reload_settings(agent, SettingsFile(tmp_path, read), lambda: renewed.append("web"))

    assert renewed == ["web", "web"]
