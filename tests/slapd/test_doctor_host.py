"""`ldaphealth doctor` beside a real agent: no problem on a healthy site, and one for each fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.cluster import Cluster
from demo.tree import CANARIES
from tests.slapd.doctor_run import doctor, run
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd


EXAMPLE = Path(__file__).parents[2] / "keepalived" / "keepalived.conf.example"


def keepalived(directory: Path) -> Path:
    """Write the example with the servers of the demo cluster, and return its path."""
    path = directory / "keepalived.conf"
    path.write_text(EXAMPLE.read_text().replace("example/ldap", "c/ldap"))
    return path


@pytest.fixture
def agent(cluster: Cluster, tmp_path: Path) -> Iterator[RunningAgent]:
    """Return an agent that runs, with its canaries, on a healthy cluster."""
    with RunningAgent(cluster, tmp_path, deadline_seconds=4.0) as started:
        yield started
    for node in cluster.nodes:
        cluster.nodes[0].root.delete(f"cn=agent c/{node.name},{CANARIES}")


def test_nothing_is_wrong_with_a_healthy_site(agent: RunningAgent, tmp_path: Path) -> None:
    conf = keepalived(tmp_path)

    found = doctor(agent.config, "--keepalived", str(conf))
    status, text = run(agent.config, "--keepalived", str(conf))

    assert (found.problems, found.exit_status, status) == ({}, 0, 0)
    assert text.splitlines()[0] == "Reach: 4 of 4 servers: fine"
    assert f"Agent: it answers on {tmp_path}/run/agent.sock: fine" in text.replace("\n  ", " ")
    assert text.endswith("\nNothing is wrong.\n")
    assert all(each["state"] == "OK" for each in agent.status()["verdicts"])


def test_an_agent_that_does_not_run_is_started_by_the_command(agent: RunningAgent) -> None:
    agent.stop()

    found = doctor(agent.config)

    assert (found.exit_status, set(found.problems)) == (1, {"agent.not_running"})
    assert found.steps("agent.not_running")[0] == "systemctl status ldaphealth-agent"


def test_two_agents_on_one_directory_are_found(agent: RunningAgent, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(agent.config.read_text().replace(f"{tmp_path}/run", f"{tmp_path}/run2"))

    found = doctor(other)

    assert found.exit_status == 2
    assert found.where("agent.two") == [f"{tmp_path}/state"]
    assert found.steps("agent.two") == [f"ps -o pid,user,args -p {agent.program.pid}"]


def test_an_agent_that_has_not_read_its_file_again_is_found(agent: RunningAgent) -> None:
    agent.configure(servers=3)

    found = doctor(agent.config)

    assert (found.exit_status, set(found.problems)) == (1, {"agent.other_configuration"})
    assert "it still checks c/ldap4" in found.problems["agent.other_configuration"]["what"]


def test_directories_that_others_can_write_to_are_found(
    agent: RunningAgent, tmp_path: Path
) -> None:
    agent.stop()
    (tmp_path / "state").chmod(0o777)
    (tmp_path / "state" / "state.json.broken-1").touch()

    found = doctor(agent.config)

    assert found.where("files.writable") == [f"{tmp_path}/state"]
    assert found.steps("files.writable") == [f"chmod go-w {tmp_path}/state"]
    assert found.where("files.damaged") == [f"{tmp_path}/state/state.json.broken-1"]
    assert found.exit_status == 2


def test_a_misc_timeout_that_is_too_short_is_mended_by_the_command(
    agent: RunningAgent, tmp_path: Path
) -> None:
    conf = keepalived(tmp_path)
    conf.write_text(conf.read_text().replace("misc_timeout 12", "misc_timeout 3", 1))

    found = doctor(agent.config, "--keepalived", str(conf))

    assert (found.exit_status, set(found.problems)) == (2, {"keepalived.timeout"})
    line = 1 + next(n for n, each in enumerate(conf.read_text().splitlines()) if "out 3" in each)
    assert found.where("keepalived.timeout") == [f"{conf}:{line}"]
    assert found.steps("keepalived.timeout")[0] == (
        f"sed -i '{line}s/misc_timeout.*/misc_timeout 12/' {conf}"
    )


def test_a_password_that_others_can_read_makes_the_file_unusable(
    agent: RunningAgent, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("check me")
    password.chmod(0o644)
    config = tmp_path / "other.yaml"
    before = str(agent.cluster.accounts.check.password_file)
    config.write_text(agent.config.read_text().replace(before, str(password)))

    found = doctor(config)

    assert (found.exit_status, set(found.problems)) == (3, {"configuration.mistake"})
    assert found.steps("configuration.mistake") == [f"chmod 0600 {password}"]
