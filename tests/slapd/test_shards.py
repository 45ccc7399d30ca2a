"""Shards of one configuration on one host: real processes, real servers, keepalived's own script.

Whatever the shards are, keepalived finds each verdict in the same place, commands find the agent of
a cluster, and no drain is lost.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.ports import reserve_row
from demo.running_program import RunningProgram
from demo.tree import CHECK_DN, SUFFIX
from ldaphealth.config import load_agent
from ldaphealth.doctor.gathering import local_agent
from ldaphealth.shard import Shard, shard_of, shards_of
from tests.slapd.running_agent import PROGRAM, SCRIPT, environment_of, run_program, run_script

pytestmark = pytest.mark.slapd

SECONDS = 20.0
CLUSTERS = ("example", "people", "c", "cluster-0001", "a.b_c-d")
MOVES = "people"  # of two shards it belongs to the first, of three to the third
FIT = SCRIPT.with_name("ldaphealth-fit")
CONFIG = """\
agent:
  runtime_directory: "{directory}/run"
  state_directory: "{directory}/state"
  http: {{listen: "127.0.0.1:{port}"}}
credentials: {{probe: {{dn: "{dn}", password_file: "{password_file}"}}}}
clusters:
"""
ONE_CLUSTER = """\
  {name}:
    suffix: {suffix}
    credentials: probe
    interval_seconds: 1
    deadline_seconds: 1
    settle: {{min_out_seconds: 0.5, ramp_seconds: 0}}
    servers: {{{servers}}}
"""


class Host:
    """A host with one configuration, on which shards start and end."""

    def __init__(self, cluster: Cluster, directory: Path, port: int) -> None:
        self.directory, self.port = directory, port
        self.config = directory / "ldaphealth.yaml"
        servers = ", ".join(f"{node.name}: '{node.uri}'" for node in cluster.nodes[:2])
        self.config.write_text(
            CONFIG.format(
                directory=directory,
                dn=CHECK_DN,
                password_file=cluster.accounts.check.password_file,
                port=port,
            )
            + "".join(
                ONE_CLUSTER.format(name=each, suffix=SUFFIX, servers=servers) for each in CLUSTERS
            )
        )
        self.environment = environment_of(directory) | {
            "LDAPHEALTH_VERDICTS": str(directory / "run" / "verdicts"),
            "LDAPHEALTH_OVERRIDES": str(directory / "state" / "overrides"),
            "LDAPHEALTH_BALANCER": str(directory / "run" / "balancer"),
            "LDAPHEALTH": "/bin/false",  # the script has only what agents have written
            "LDAPHEALTH_SECONDS": "4",
        }

    def start(self, stack: ExitStack, *shards: Shard) -> list[RunningProgram]:
        """Start agents, and wait until each one has a verdict on all of its clusters."""
        running = []
        for each in shards:
            name = f"log-{each.index}-{each.count}"
            command: list[str | Path] = [PROGRAM, "agent", "--shard", str(each)]
            running.append(
                stack.enter_context(
                    RunningProgram(command, self.directory / name, self.environment)
                )
            )
        for shard, program in zip(shards, running, strict=True):
            names = {each for each in CLUSTERS if shard.holds(each)}
            ready = partial(self._has_verdicts, shard, names)
            program.wait_until_ready(ready, SECONDS, f"no verdicts of shard {shard}")
        return running

    def _has_verdicts(self, shard: Shard, names: set[str]) -> bool:
        socket_path = shard.below(self.directory / "run") / "agent.sock"
        answer = self.run("status", "--socket", str(socket_path), "--format", "json").stdout
        servers = [each["server"] for each in json.loads(answer or "{}").get("verdicts", ())]
        return bool(answer) and len(servers) == 2 * len(names)

    def script(self, server: str) -> int:
        """Return the exit status of keepalived's script."""
        return run_script(self.environment, server)

    def answers(self) -> dict[str, int]:
        """Return the exit statuses of the script for the first server of each cluster."""
        return {each: self.script(f"{each}/ldap1") for each in CLUSTERS}

    def is_fit(self) -> bool:
        """Return what keepalived's vrrp_script says."""
        done = subprocess.run(["/bin/sh", FIT], env=self.environment, timeout=10, check=False)
        return done.returncode == 0

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program as a person does."""
        return run_program(self.environment, *arguments)

    def one_shot(self, server: str, start: str) -> bool:
        """Return whether a check without the agent says so; it may be too late on a busy host."""
        return self.run("check", server, "--format", "keepalived").stdout.startswith(start)

    def plugin(self, *arguments: str) -> str:
        """Return what the plugin for Nagios prints."""
        return subprocess.run(
            [PROGRAM.with_name("check_ldaphealth"), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stdout

    def document(self, *arguments: str) -> Any:
        """Return what a command prints as JSON."""
        done = self.run(*arguments, "--format", "json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def drain(self, cluster: str, action: str = "drain") -> None:
        """Order something for the first server of a cluster."""
        done = self.run(action, f"{cluster}/ldap1", "--for", "1h", "--reason", "new kernel")
        assert done.returncode == 0, done.stderr

    def page(self, shard: Shard, path: str) -> str:
        """Return what a shard answers by HTTP."""
        url = f"http://127.0.0.1:{self.port + shard.index - 1}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Return the first of some ports in a row, one for each shard."""
    row = reserve_row(4, ("127.0.0.1",))
    yield row.ports[0]
    row.release()


@pytest.fixture
def host(cluster: Cluster, tmp_path: Path, port: int) -> Host:
    return Host(cluster, tmp_path, port)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_two_shards_are_one_agent_for_keepalived_and_for_people(
    host: Host, stack: ExitStack
) -> None:
    programs = host.start(stack, *shards_of(2))

    assert host.answers() == dict.fromkeys(CLUSTERS, 0)
    assert host.is_fit()
    written = (host.directory / "run" / "verdicts").glob("*/*")
    assert len({*written}) == 2 * len(CLUSTERS)

    for each in CLUSTERS:  # each order finds the agent of its cluster
        host.drain(each)
        assert host.script(f"{each}/ldap1") == 1
        assert host.document("explain", f"{each}/ldap1")["verdict"]["draining"]
        assert host.document("history", f"{each}/ldap1", "--limit", "1")[0]["verdict"]["draining"]

    assert host.answers() == dict.fromkeys(CLUSTERS, 1)
    newest = host.document("history", "--limit", str(len(CLUSTERS)))
    assert [each["verdict"]["server"] for each in newest] == [
        f"{each}/ldap1" for each in reversed(CLUSTERS)
    ]
    periods = host.document("history", "--availability", "--since", "1h")["clusters"]
    assert {each["cluster"] for each in periods} == {*CLUSTERS}
    assert host.run("undrain", f"{MOVES}/ldap1").returncode == 0
    assert host.script(f"{MOVES}/ldap1") == 0
    assert host.run("reload").stdout.startswith(f"reloaded: {host.config}: ")
    assert [each.log().count("event=reloaded") for each in programs] == [1, 1]

    for each in CLUSTERS[:3]:
        assert host.run("incident", "add", each, "--from", "1h", "--note", "x").returncode == 0
    marked = host.document("incident", "list")
    assert [(each["id"], each["target"]) for each in marked] == [
        (number, each) for number, each in enumerate(CLUSTERS[:3], 1)
    ]


def test_status_and_pages_show_the_shards(host: Host, stack: ExitStack) -> None:
    programs = host.start(stack, *shards_of(2))
    assert host.plugin("--agent").startswith("LDAP OK - 10 of 10 in service")

    status = host.document("status")
    assert {each["server"] for each in status["verdicts"]} == {
        f"{cluster}/{of}" for cluster in CLUSTERS for of in ("ldap1", "ldap2")
    }
    assert [(each["shard"], each["agent"]["shard"]) for each in status["shards"]] == [
        ("1/2", 1),
        ("2/2", 2),
    ]
    shown = host.run("status")
    assert shown.returncode == 0
    assert "shard 1/2: agent " in shown.stdout
    assert "10 of 10 servers in service" in shown.stdout
    for each in shards_of(2):
        assert f"shard {each.index} of 2, as of " in host.page(each, "/")
        info = f'ldaphealth_agent_shard_info{{shard="{each.index}",shards="2"}} 1'
        assert info in host.page(each, "/metrics")
        mine = {name for name in CLUSTERS if each.holds(name)}
        shown_here = json.loads(host.page(each, "/api/v1/status"))["verdicts"]
        assert {each["server"].partition("/")[0] for each in shown_here} == mine

    found = local_agent(load_agent(host.config))  # for the doctor
    assert (found.state, len(found.servers), found.shards) == ("answers", 10, shards_of(2))

    assert programs[1].stop() == 0
    assert local_agent(load_agent(host.config)).state == "none"
    assert host.plugin("--agent").startswith("LDAP UNKNOWN - shard 2/2 does not run here")
    assert host.plugin("--agent", "--cluster", MOVES).startswith("LDAP OK - 2 of 2 in service")
    partly = host.run("status")
    assert partly.returncode == 3
    assert "shard 2/2: no answer, and none of its servers is shown" in partly.stdout
    assert partly.stderr.startswith("ldaphealth: shard 2/2 does not run here: `systemctl start")
    refused = host.run("drain", "example/ldap1", "--for", "1h", "--reason", "x")
    assert refused.returncode == 3
    assert "`systemctl start ldaphealth-shard@2-2`" in refused.stderr
    assert host.is_fit()  # the other shard reaches servers


def test_no_drain_is_lost_when_the_shards_are_others(host: Host, stack: ExitStack) -> None:
    orders = {"example": 1, MOVES: 1, "c": 0, "cluster-0001": 0, "a.b_c-d": 0}
    with ExitStack() as first:
        host.start(first, *shards_of(2))
        host.drain("example")
        host.drain(MOVES)
        host.drain("c", "force-in")
        assert host.answers() == orders
    shutil.rmtree(host.directory / "run")  # as a boot does
    assert host.answers() == orders  # without any agent
    for server, order in ((f"{MOVES}/ldap1", "1 "), ("c/ldap1", "0 ")):
        wait.until(partial(host.one_shot, server, order), SECONDS, f"not {order}: {server}")
    assert "draining" in host.run("history", f"{MOVES}/ldap1").stdout

    assert shard_of(MOVES, 3) != shard_of(MOVES, 2)
    with ExitStack() as second:
        host.start(second, *shards_of(3))
        assert host.answers() == orders
        held = {each["server"]: each["held_by"] for each in host.document("status")["verdicts"]}
        assert [held[f"{each}/ldap1"] for each in ("example", MOVES, "c")] == ["override"] * 3
        assert "new kernel" in host.run("explain", f"{MOVES}/ldap1").stdout
        assert host.run("undrain", "example/ldap1").returncode == 0

    host.start(stack, Shard())
    assert host.answers() == orders | {"example": 0}
    found = host.document("status")["overrides"]
    assert {server: each["will"] for server, each in found.items()} == {
        f"{MOVES}/ldap1": "drain",
        "c/ldap1": "in",
    }
    assert host.run("undrain", f"{MOVES}/ldap1").returncode == 0
    assert host.answers() == dict.fromkeys(CLUSTERS, 0)


def test_a_shard_that_is_killed_comes_back_with_its_orders_and_the_other_goes_on(
    host: Host, stack: ExitStack
) -> None:
    first, second = host.start(stack, *shards_of(2))
    host.drain(MOVES)
    host.drain("example")
    second.kill()
    files = host.directory / "state" / "overrides"

    host.start(stack, Shard(2, 2))

    assert first.pid is not None
    assert {str(each.relative_to(files)) for each in files.glob("*/*")} == {
        "example/ldap1",
        f"{MOVES}/ldap1",
    }
    assert host.script(f"{MOVES}/ldap1") == 1
    assert host.script("example/ldap1") == 1
    assert "ERROR" not in first.log()
    assert "level=error" not in first.log()


def test_other_agents_are_refused_in_one_line_that_names_what_runs(
    host: Host, stack: ExitStack
) -> None:
    program, *_ = host.start(stack, Shard(1, 2))

    for arguments, reason in (
        ((), f"/run is used by shard 1/2 (process {program.pid}): an agent of all clusters"),
        (("--shard", "1/3"), f"/run is used by shard 1/2 (process {program.pid}): shard 1/3 can"),
        (("--shard", "1/2"), f"another agent uses {host.directory}/run/shard-1 (process "),
    ):
        done = host.run("agent", *arguments)
        assert (done.returncode, done.stdout) == (3, "")
        assert len(done.stderr.splitlines()) == 1
        assert reason in done.stderr
    assert host.document("status")["agent"]["shards"] == 2
    assert "shards on this host: 1 of 2" in host.run("status").stdout


def test_a_taken_port_is_said_with_the_shard(host: Host) -> None:
    with socket.create_server(("127.0.0.1", host.port + 1)):
        done = host.run("agent", "--shard", "2/2")

    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == (
        f"ldaphealth: agent.http.listen: cannot listen on 127.0.0.1 port {host.port + 1}: Address "
        "already in use (shard 2/2: docs/how-to/shards.md has which ports)"
    )


def test_a_shard_without_a_cluster_runs_and_is_healthy(host: Host, stack: ExitStack) -> None:
    empty = next(each for each in shards_of(8) if not any(map(each.holds, CLUSTERS)))
    (program,) = host.start(stack, empty)
    wait.until(lambda: "event=started" in program.log(), SECONDS, "it has not started")

    assert program.log().count("no cluster belongs to this shard") == 1
    assert host.page(empty, "/live").startswith("alive")
    assert host.page(empty, "/ready").startswith("ready")
    assert "No cluster belongs to this shard" in host.page(empty, "/")
    assert host.run("status").returncode == 0
    program.send(signal.SIGHUP)
    wait.until(lambda: "event=reloaded" in program.log(), SECONDS, "it was not reloaded")
    assert program.stop() == 0
    assert "level=error" not in program.log()
