"""Many servers and no agent: the scripts of keepalived share one probe of the real servers."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from bench.crowd import listen_everywhere
from bench.dead_agent import (
    DRAINED,
    PROGRAM,
    STATUS_DRAINED,
    STATUS_IN,
    connections,
    prepare,
    run_cycle,
    start,
)
from demo.cluster import Cluster
from demo.node import Node
from demo.tree import PEOPLE
from ldaphealth.cli.shared_check import WITNESSES
from ldaphealth.publishers.shared_verdicts import OUT_SECONDS
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

SERVERS = 40
MISC_TIMEOUT_SECONDS = 12.0  # of keepalived.conf.example
OTHER = "c/other"  # on a slapd of its own


class Balancer:
    """A host without an agent, with `SERVERS` servers that one slapd stands for, and another."""

    def __init__(self, directory: Path, cluster: Cluster, port: int) -> None:
        self.node, self.other = cluster.nodes
        self.settings = prepare(directory, SERVERS, port, cluster.accounts.check.password_file)
        self.config = Path(self.settings["LDAPHEALTH_CONFIG"])
        self.change(servers={"other": self.other.uri}, checks={"replication": False})

    def change(self, **more: Mapping[str, Any] | int) -> None:
        """Set keys of the cluster; a mapping is added to the one that is there."""
        document = json.loads(self.config.read_text())
        for key, value in more.items():
            before = document["clusters"]["c"].get(key)
            both = {**before, **value} if isinstance(value, Mapping) and before else value
            document["clusters"]["c"][key] = both
        self.config.write_text(json.dumps(document))

    def check(self, server: str) -> int:
        """Return the exit status of one script."""
        return start(self.settings, server).wait(30)

    def share_nothing(self) -> None:
        """Make the directories of the agent unusable, for root too."""
        for name in ("run", "state"):
            shutil.rmtree(self.config.parent / name)
            (self.config.parent / name).write_text("")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Cluster, int]]:
    with Cluster(2) as cluster:
        yield cluster, listen_everywhere(cluster.nodes[0])


@pytest.fixture
def balancer(running: tuple[Cluster, int], tmp_path: Path) -> Iterator[Balancer]:
    cluster, port = running
    yield Balancer(tmp_path, cluster, port)
    cluster.nodes[1].heal()


def test_scripts_at_once_make_one_probe_of_each_server(balancer: Balancer) -> None:
    for _ in range(2):
        cycle = run_cycle(balancer.node, balancer.settings, SERVERS)

        others = {status for server, status in cycle.statuses.items() if server != DRAINED}
        assert others == {STATUS_IN}
        assert cycle.statuses[DRAINED] == STATUS_DRAINED
        assert cycle.connections <= 2 * SERVERS
        assert cycle.longest_seconds < MISC_TIMEOUT_SECONDS


def test_programs_at_once_make_one_probe_of_each_server(balancer: Balancer) -> None:
    """As where keepalived runs the program itself, without the script."""
    before = connections(balancer.node)
    programs = {
        server: subprocess.Popen(
            [PROGRAM, "check", server, *("--format", "keepalived", "--dynamic")],
            env=balancer.settings,
            stdout=subprocess.DEVNULL,
        )
        for server in [f"c/ldap{number}" for number in range(8)]
    }

    statuses = {server: program.wait(30) for server, program in programs.items()}

    assert statuses.pop(DRAINED) == STATUS_DRAINED
    assert set(statuses.values()) == {STATUS_IN}
    assert connections(balancer.node) - before <= 3 * SERVERS


def test_a_server_that_hangs_is_out_and_all_scripts_end_in_time(balancer: Balancer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        balancer.change(servers={"ldap7": f"ldap://127.0.0.1:{silent.getsockname()[1]}"})
        cycle = run_cycle(balancer.node, balancer.settings, SERVERS)

    statuses = dict(cycle.statuses)
    assert (statuses.pop("c/ldap7"), statuses.pop(DRAINED)) == (1, STATUS_DRAINED)
    assert set(statuses.values()) == {STATUS_IN}
    assert cycle.connections <= 2 * SERVERS
    assert cycle.longest_seconds < MISC_TIMEOUT_SECONDS


def test_a_drained_server_stays_drained_when_the_program_has_no_time(balancer: Balancer) -> None:
    """A drained server came back at its full weight when its check had no result in time."""
    slow = Path(balancer.config.parent, "slow")
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    settings = balancer.settings | {"LDAPHEALTH": str(slow), "LDAPHEALTH_SECONDS": "4"}

    assert start(settings, DRAINED).wait(30) == STATUS_DRAINED
    assert start(settings, "c/ldap1").wait(30) == 0


def test_what_an_agent_drained_stays_drained_after_its_death(
    running: tuple[Cluster, int], tmp_path: Path
) -> None:
    cluster, _ = running
    drained, lifted = (f"c/{node.name}" for node in cluster.nodes)
    with RunningAgent(cluster, tmp_path) as agent:
        order = ("--for", "1h", "--reason", "new kernel")
        assert agent.run("drain", lifted, *order).returncode == 0
        assert agent.run("undrain", lifted).returncode == 0
        agent.wait_for(cluster.nodes[1].name, 0, 10.0)
        assert agent.run("drain", drained, *order).returncode == 0
        agent.kill()
    (tmp_path / "state" / "state.json").unlink()
    shutil.rmtree(tmp_path / "run")
    settings = {**agent.environment, "LDAPHEALTH": "/bin/false"}

    assert start(settings, drained).wait(30) == STATUS_DRAINED
    assert start(settings, lifted).wait(30) == 0


def test_overrides_are_known_although_the_state_cannot_be_read(balancer: Balancer) -> None:
    Path(balancer.config.parent, "state", "state.json").write_bytes(b"\0" * 100)

    done = subprocess.run(
        [PROGRAM, "check", DRAINED, "--format", "keepalived", "--dynamic"],
        env=balancer.settings,
        capture_output=True,
        check=False,
    )

    assert done.returncode == STATUS_DRAINED
    assert b"cannot read all overrides" in done.stderr


def soft_failure(node: Node) -> None:
    node.hide_base(PEOPLE)


def test_a_soft_failure_removes_a_server_but_not_below_the_floor(balancer: Balancer) -> None:
    soft_failure(balancer.other)
    assert balancer.check(OTHER) == 1

    balancer.change(min_in_service=SERVERS + 1)
    sleep(OUT_SECONDS)  # until then the script reads the verdict from before

    assert balancer.check(OTHER) == STATUS_IN


def test_without_a_directory_a_few_servers_are_probed_and_soft_failures_remove_none(
    balancer: Balancer,
) -> None:
    soft_failure(balancer.other)
    balancer.share_nothing()
    before = connections(balancer.node)

    assert balancer.check(OTHER) == STATUS_IN
    assert connections(balancer.node) - before <= WITNESSES + 1

    balancer.other.stop()
    try:
        assert balancer.check(OTHER) == 1
    finally:
        balancer.other.start()
