"""`ldaphealth report` of a real agent, with and without it."""

from __future__ import annotations

import json
from pathlib import Path

from demo import wait
from tests.cli.started_agent import START_SECONDS, started
from tests.cli.test_past_changes import USER, has_history, run


def has_start(directory: Path) -> bool:
    """Return whether the journal, which is written twice a second, has the start of the agent."""
    return "the agent (ldaphealth " in run(directory, "report", "c").stdout


def test_a_report_has_what_happened_with_and_without_an_agent(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
        wait.until(lambda: has_history(tmp_path, "OUT"), START_SECONDS, "no change")
        drain = ("drain", "c/s", "--for", "2h", "--reason", "*kernel*", "--force")
        assert run(tmp_path, *drain).returncode == 0
        wait.until(lambda: has_history(tmp_path, "held by override"), START_SECONDS, "no drain")
        run(tmp_path, "incident", "add", "c", "--from", "1h", "--note", "<b>all</b> down")
        wait.until(lambda: has_start(tmp_path), START_SECONDS, "no journal")
        alive = run(tmp_path, "report", "c")
        unknown = run(tmp_path, "report", "c/none")
        agent.end()
    dead = run(tmp_path, "report", "c")
    short = run(tmp_path, "report", "--no-observations", "--format", "json")

    assert alive.returncode == 0, alive.stderr
    assert "### `c/s` out of service for " in alive.stdout
    assert "- Found: `connect.connect`: " in alive.stdout
    assert f"`c/s` drained by {USER} until 2" in alive.stdout
    assert f"marked by {USER}: `<b>all</b>` down" in alive.stdout
    assert "the agent (ldaphealth " in alive.stdout
    assert "- `connect.connect`: no connection: " in alive.stdout
    knew = "--all`):\n\n```text\nc/s  ldap://127.0.0.1:1\n"
    assert knew in dead.stdout  # the journal is on the disk 30 s later, or when the agent ends
    assert dead.stderr.count("this is its history on disk") == 1
    assert (unknown.returncode, "c/none" in unknown.stderr) == (3, True)
    (outage,) = json.loads(short.stdout)["outages"]
    assert (outage["causes"], outage["seen"]) == (["connect.connect"], None)


def test_a_report_is_written_to_a_new_file_only(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
        output = tmp_path / "report.md"
        first = run(tmp_path, "report", "--output", str(output))
        again = run(tmp_path, "report", "--output", str(output))

    assert (first.returncode, first.stdout) == (0, "")
    assert output.read_text().startswith("# LDAP report: ")
    assert (again.returncode, "File exists" in again.stderr) == (3, True)


def test_a_period_must_not_be_empty() -> None:
    done = run(Path("/nowhere"), "report", "--since", "1h", "--until", "2h")

    assert done.returncode == 3
    assert "is not before" in done.stderr
