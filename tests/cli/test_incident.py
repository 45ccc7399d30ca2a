"""`ldaphealth incident`, with and without an agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ldaphealth.files.lock_file import LockFile, lock_path
from tests.cli.started_agent import CONFIGURATION, started
from tests.cli.test_past_changes import USER, run

FROM = ("--from", "2026-11-23T03:12Z")


def test_incidents_are_marked_with_and_without_an_agent(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
        none = run(tmp_path, "incident", "list")
        to = ("--to", "2026-11-23T03:40Z")
        added = run(tmp_path, "incident", "add", "c/s", *FROM, *to, "--note", "logins hung")
        run(tmp_path, "incident", "add", "c", *FROM, "--note", "all down")
        ended = run(tmp_path, "incident", "end", "2", "--format", "json")
        unknown = run(tmp_path, "incident", "add", "c/t", *FROM, "--note", "x")
        alive = run(tmp_path, "incident", "list")
        log = agent.log
    dead = run(tmp_path, "incident", "list")
    later = run(tmp_path, "incident", "add", "c/s", *FROM, "--note", "again")
    other = run(tmp_path, "incident", "add", "c/t", *FROM, "--note", "x")
    removed = run(tmp_path, "incident", "remove", "1")
    left = json.loads(run(tmp_path, "incident", "list", "--format", "json").stdout)

    line = f"1    2026-11-23T03:12:00Z  28 min     c/s  logins hung (by {USER})\n"
    assert none.stdout == "no incident is marked\n"
    assert added.stdout == f"marked: {line}"
    assert json.loads(ended.stdout)["to"] is not None
    assert (unknown.returncode, "did you mean c/s?" in unknown.stderr) == (3, True)
    assert line in alive.stdout
    assert dead.stdout == alive.stdout
    assert later.returncode == 0
    assert (other.returncode, "did you mean c/s?" in other.stderr) == (3, True)
    assert removed.stdout == f"removed: {line}"
    assert [(each["id"], each["target"], each["by"]) for each in left] == [
        (2, "c", USER),
        (3, "c/s", USER),
    ]
    assert log.count('event="incident marked"') == 2
    assert 'note="all down"' in log


def test_a_process_that_has_the_state_directory_is_not_disturbed(tmp_path: Path) -> None:
    (tmp_path / "ldaphealth.yaml").write_text(CONFIGURATION.format(directory=tmp_path))
    add = ("incident", "add", "c", *FROM, "--note", "x")
    before = run(tmp_path, *add)
    (tmp_path / "state").mkdir()
    lock = LockFile(lock_path(tmp_path / "state"))
    locked = run(tmp_path, *add)
    lock.close()
    after = run(tmp_path, *add)

    assert (before.returncode, "state: No such file or directory" in before.stderr) == (3, True)
    assert (locked.returncode, "agent.lock: another process uses it" in locked.stderr) == (3, True)
    assert after.returncode == 0


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--from", "2099-01-01", "--note", "x"), "--from 2099-01-01T00:00:00Z is in the future"),
        ((*FROM, "--to", "2026-11-23T03:12Z", "--note", "x"), "is not after --from"),
        ((*FROM, "--note", " "), "is empty"),
        ((*FROM, "--note", "x" * 201), "at most 200 characters"),
    ],
)
def test_what_makes_no_incident_is_refused(options: tuple[str, ...], problem: str) -> None:
    done = run(Path("/nowhere"), "incident", "add", "c", *options)

    assert done.returncode == 3
    assert problem in done.stderr


def test_a_file_of_a_person_is_listed_without_an_agent(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("incidents:\n- {target: c/s, from: 2026-11-23T03:12Z, note: 'a\\x1bb'}\n")
    found = run(tmp_path, "incident", "list", "c", "--incidents", str(path))
    other = run(tmp_path, "incident", "list", "d", "--incidents", str(path))

    assert found.stdout.startswith("1    2026-11-23T03:12:00Z  no end     c/s  ")
    assert other.stdout == "no incident is marked\n"
