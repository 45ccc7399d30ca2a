"""The unit of examples/ under a real systemd: its restrictions hold, and the agent works."""

from __future__ import annotations

import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.cluster import Cluster
from demo.ports import reserve_row
from demo.tree import CHECK_DN, SUFFIX
from demo.wait import until
from ldaphealth.generate.systemd import systemd
from tests.generate.sites import USUAL, site
from tests.systemd.machine import UNIT, USER_ID, Machine, machine, missing

MOST_EXPOSURE = 2.0
SECONDS = 20.0
CONFIG = """\
agent: {{http: {{listen: "127.0.0.1:{port}"}}, socket_group: ldaphealth, track_files: true}}
credentials: {{probe: {{dn: "{dn}", password_file: /etc/ldaphealth/password}}}}
clusters:
  c:
    suffix: {suffix}
    credentials: probe
    interval_seconds: 1
    deadline_seconds: 1
    tls: {{ca_file: /etc/ldaphealth/ca.pem}}
    servers: {{{servers}}}
"""
DROP_IN = """\
[Service]
LoadCredential=etc-ldaphealth-password:/etc/ldaphealth/password
StandardError=append:/run/agent.log
"""


def exposure(unit: Path) -> float:
    shown = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", shown)
    assert found, shown
    return float(found[1])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_little_to_restrict() -> None:
    assert exposure(UNIT) < MOST_EXPOSURE


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_no_more_to_restrict_in_the_unit_of_shards(tmp_path: Path) -> None:
    unit = tmp_path / "ldaphealth-shard@2-4.service"
    unit.write_text(systemd(site(tmp_path, USUAL, shards=4)))

    assert exposure(unit) == exposure(UNIT)


@pytest.fixture(scope="module")
def running(
    running_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """Return systemd with the agent, whose password file only root can read."""
    if reason := missing():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("systemd")
    etc = directory / "etc"
    etc.mkdir(mode=0o755)
    nodes = ", ".join(f"{node.name}: '{node.ldaps_uri}'" for node in running_cluster.nodes)
    web = reserve_row(2, ("127.0.0.1",))
    (etc / "ldaphealth.yaml").write_text(
        CONFIG.format(dn=CHECK_DN, suffix=SUFFIX, servers=nodes, port=web.ports[0])
    )
    shutil.copy(running_cluster.accounts.check.password_file, etc / "password")
    (etc / "password").chmod(0o600)
    assert running_cluster.ca_file is not None
    shutil.copy(running_cluster.ca_file, etc / "ca.pem")
    with machine(directory, etc, DROP_IN) as made:
        yield made
    web.release()


@pytest.fixture
def agent(running: Machine) -> Machine:
    """Return the machine while the agent is active, with a verdict on each server."""
    until(
        lambda: running.run("sh", "-c", "ls /run/ldaphealth/verdicts/c").stdout.split() == NAMES,
        SECONDS,
        f"not all verdicts are there: {running.log.read_text()} {log_of(running)}",
    )
    return running


NAMES = ["ldap1", "ldap2", "ldap3", "ldap4"]
PROGRAM = "/opt/ldaphealth/bin/ldaphealth"
ETC_CONFIG = "/etc/ldaphealth/ldaphealth.yaml"
SCRIPT = "/opt/ldaphealth/source/keepalived/ldaphealth-check"


def log_of(machine: Machine) -> str:
    return machine.run("cat", "/run/agent.log").stdout


@pytest.mark.slapd
def test_the_agent_checks_servers_with_a_password_that_only_root_can_read(agent: Machine) -> None:
    shown = agent.run(PROGRAM, "status").stdout

    assert shown.count("in service") >= len(NAMES), shown + log_of(agent)
    assert "level=error" not in log_of(agent)


@pytest.mark.slapd
def test_it_answers_by_http(agent: Machine) -> None:
    listen = re.search(r"listen: \"(.+?)\"", agent.run("cat", ETC_CONFIG).stdout)
    assert listen is not None

    with urllib.request.urlopen(f"http://{listen[1]}/ready", timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.slapd
def test_root_checks_without_the_agent_with_the_same_configuration(agent: Machine) -> None:
    shown = agent.run(PROGRAM, "check", "c/ldap1", "--format", "keepalived").stdout

    assert shown.startswith("0 "), shown


@pytest.mark.slapd
def test_the_user_of_keepalived_reads_the_verdicts(agent: Machine) -> None:
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    assert agent.run(*other, "sh", SCRIPT, "c/ldap1").returncode == 0
    assert agent.run(*other, "cat", "/run/ldaphealth/track/c/ldap1.weight").returncode == 0
    assert agent.run(*other, "ls", "/var/lib/ldaphealth").returncode != 0


@pytest.mark.slapd
def test_overrides_history_and_reload_work(agent: Machine) -> None:
    assert agent.run(PROGRAM, "drain", "c/ldap2", "--for", "1h", "--reason", "x").returncode == 0
    until(
        lambda: agent.run("sh", SCRIPT, "c/ldap2").returncode == 1, SECONDS, "ldap2 is not drained"
    )
    assert agent.run("systemctl", "reload", "ldaphealth-agent").returncode == 0
    assert agent.run(PROGRAM, "undrain", "c/ldap2").returncode == 0
    until(lambda: agent.run("sh", SCRIPT, "c/ldap2").returncode == 0, SECONDS, "it stays drained")
    until(lambda: "ldap2" in agent.run(PROGRAM, "history", "c/ldap2").stdout, SECONDS, "no history")
    assert agent.property("ActiveState") == "active"
    assert "level=error" not in log_of(agent)


@pytest.mark.slapd
def test_the_restrictions_hold(agent: Machine) -> None:
    process = agent.property("MainPID")
    status = dict(
        line.split(":\t", 1)
        for line in agent.run("cat", f"/proc/{process}/status").stdout.splitlines()
        if ":\t" in line
    )
    limits = agent.run("cat", f"/proc/{process}/limits").stdout
    owner = agent.run("stat", "--format=%u", f"/proc/{process}/mem").stdout.strip()
    socket = agent.run("stat", "--format=%a %u %g", "/run/ldaphealth/agent.sock").stdout.strip()

    assert status["Uid"].split() == [str(USER_ID)] * 4
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert {int(status[key], 16) for key in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert re.search(r"Max core file size +0 +0 ", limits)
    assert owner == "0"
    assert socket == f"660 {USER_ID} {USER_ID}"


@pytest.mark.slapd
def test_an_abort_as_by_the_watchdog_leaves_no_core_and_the_agent_comes_back(
    agent: Machine,
) -> None:
    process, restarts = agent.property("MainPID"), int(agent.property("NRestarts"))
    agent.run("kill", "-ABRT", process)

    until(lambda: int(agent.property("NRestarts")) > restarts, SECONDS, "it was not started again")
    until(lambda: agent.property("ActiveState") == "active", SECONDS, "it is not ready again")
    assert agent.property("MainPID") != process
    assert "code=killed, status=6/ABRT" in agent.log.read_text()  # else code=dumped


@pytest.mark.slapd
def test_shards_are_instances_of_one_unit_and_take_over_from_the_agent(agent: Machine) -> None:
    shards = ("ldaphealth-shard@1-2", "ldaphealth-shard@2-2")
    units, script = "/run/units/ldaphealth-shard@.service", ["sh", SCRIPT, "c/ldap2"]
    agent.run(PROGRAM, "generate", "systemd", "--shards", "2", "--output", units)
    agent.run("sh", "-c", f"mkdir {units}.d; cat >{units}.d/test.conf <<'END'\n{DROP_IN}END")
    assert agent.run("systemctl", "daemon-reload").returncode == 0
    assert agent.run(PROGRAM, "drain", "c/ldap2", "--for", "1h", "--reason", "x").returncode == 0

    agent.run("systemctl", "stop", "ldaphealth-agent")
    started = agent.run("systemctl", "start", *shards)
    assert started.returncode == 0, started.stderr + log_of(agent)
    shown = agent.run(PROGRAM, "status").stdout
    assert "shard 1/2: agent " in shown
    assert "shard 2/2: agent " in shown
    until(lambda: agent.run(*script).returncode == 1, SECONDS, "it is not drained")

    assert agent.run(PROGRAM, "undrain", "c/ldap2").returncode == 0
    agent.run("systemctl", "stop", *shards)
    assert agent.run("systemctl", "start", "ldaphealth-agent").returncode == 0
    until(lambda: agent.run(*script).returncode == 0, SECONDS, "it stays drained")
    assert "level=error" not in log_of(agent)
