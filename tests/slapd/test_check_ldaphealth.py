"""The plugin beside check_ldap on the same real server, and beside a real agent."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.tree import CHECK_DN, CHECK_PASSWORD, PEOPLE, SUFFIX
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

PLUGIN = Path(sys.executable).with_name("check_ldaphealth")
CHECK_LDAP = Path("/usr/lib/nagios/plugins/check_ldap")


def run(program: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [program, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout


def address(cluster: Cluster, *, tls: bool = False) -> list[str]:
    uri = cluster.nodes[0].ldaps_uri if tls else cluster.nodes[0].uri
    assert uri
    return ["-H", "127.0.0.1", "-p", uri.rpartition(":")[2]]


AS = ["-3", "-D", CHECK_DN, "-P", CHECK_PASSWORD]
SAME = [
    pytest.param([*AS, "-b", SUFFIX], 0, id="a bind and a search"),
    pytest.param([*AS, "-b", SUFFIX, "-w", "5", "-c", "9"], 0, id="thresholds that it keeps"),
    pytest.param([*AS, "-b", SUFFIX, "-w", "0.000001"], 1, id="slower than -w"),
    pytest.param([*AS, "-b", SUFFIX, "-w", "0.0000001", "-c", "0.000001"], 2, id="than -c"),
    pytest.param([*AS, "-b", PEOPLE, "-a", "uid=*", "-W", "10:", "-C", "5:"], 0, id="entries"),
    pytest.param([*AS, "-b", SUFFIX, "-a", "(&)"], 0, id="the filter that is always true"),
    pytest.param([*AS, "-b", SUFFIX, "-a", "(&)", "-C", "10:"], 0, id="and entries"),
    pytest.param([*AS, "-b", PEOPLE, "-a", "(uid=*)", "-W", "10"], 1, id="more than -W"),
    pytest.param([*AS, "-b", PEOPLE, "-C", "1000:"], 2, id="fewer than -C"),
    pytest.param([*AS, "-b", SUFFIX, "-a", "uid=nobody"], 0, id="no entry, none asked for"),
    pytest.param([*AS, "-b", "dc=nowhere"], 2, id="no such base"),
    pytest.param([*AS[:-1], "wrong", "-b", SUFFIX], 2, id="a wrong password"),
    pytest.param(["-3", "-b", SUFFIX], 2, id="anonymous, without the right"),
    pytest.param(["-3", "-b", ""], 0, id="the root DSE"),
    pytest.param([*AS, "-4", "-b", SUFFIX], 0, id="-4"),
    pytest.param([*AS, "-6", "-b", SUFFIX], 0, id="-6, which check_ldap does not follow"),
    pytest.param([*AS, "-T", "-b", SUFFIX], 2, id="StartTLS, without its authority"),
    pytest.param([*AS, "-v", "-b", SUFFIX, "-t", "5"], 0, id="verbose"),
]


@pytest.mark.parametrize(("arguments", "status"), SAME)
def test_a_service_goes_on_with_another_program_name(
    cluster: Cluster, arguments: list[str], status: int
) -> None:
    command = [*address(cluster), *arguments]
    theirs, before = run(CHECK_LDAP, *command)
    ours, after = run(PLUGIN, *command)

    assert (theirs, ours) == (status, status), before + after
    expected, found = table(before), table(after)
    assert found.keys() >= expected.keys()  # ours has a time of an answer that is an error, too
    for label, shown in expected.items():
        # check_ldap leaves out a time limit below a second, which is a mistake of its own.
        assert [
            ours if theirs else "" for ours, theirs in zip(found[label], shown, strict=True)
        ] == shown


def table(answer: str) -> dict[str, list[str]]:
    """Return by label what a graph is made by: unit, thresholds and minimum, without zeros."""
    items = re.findall(r"\b(time|entries)=([-.0-9]+)([a-z]*);([^;\s]*);([^;\s]*);([^;\s]*)", answer)
    return {
        label: [unit, *(re.sub(r"\.?0*$", "", each) if "." in each else each for each in limits)]
        for label, _, unit, *limits in items
    }


def test_ldaps_start_tls_and_a_unix_socket(cluster: Cluster) -> None:
    authority = {"LDAPTLS_CACERT": str(cluster.ca_file)}
    by_option = ["--ca-file", str(cluster.ca_file)]
    base = [*AS, "-b", SUFFIX]
    socket = str(cluster.nodes[0].directory / "s")

    assert run(CHECK_LDAP, *address(cluster, tls=True), "-S", *base, **authority)[0] == 0
    assert run(PLUGIN, *address(cluster, tls=True), "-S", *base, **authority)[0] == 0
    assert run(PLUGIN, *address(cluster), "-T", *base, *by_option)[0] == 0
    assert run(PLUGIN, *address(cluster, tls=True), "-S", *base)[1].startswith(
        "LDAP CRITICAL - 127.0.0.1 out: connect.certificate; "
    )
    assert run(PLUGIN, "-H", socket, *base)[0] == 0


def test_a_link_named_check_ldaps_starts_tls_as_the_other_program_does(
    cluster: Cluster, tmp_path: Path
) -> None:
    link = tmp_path / "check_ldaps"
    link.symlink_to(PLUGIN)
    command = [*address(cluster), *AS, "-b", SUFFIX]

    for program in (CHECK_LDAP.with_name("check_ldaps"), link):
        assert run(program, *command, LDAPTLS_CACERT=str(cluster.ca_file))[0] == 0
        assert run(program, *command)[0] == 2  # the authority is not known


def test_the_password_may_be_in_a_file_or_in_the_environment(cluster: Cluster) -> None:
    who = [*address(cluster), "-b", SUFFIX, "-D", CHECK_DN]
    file = ["--password-file", str(cluster.accounts.check.password_file)]

    assert run(PLUGIN, *who, *file)[0] == 0
    assert run(PLUGIN, *who, LDAP_PASSWORD=CHECK_PASSWORD)[0] == 0
    assert run(CHECK_LDAP, "-3", *who, LDAP_PASSWORD=CHECK_PASSWORD)[0] == 0


def test_a_filter_that_is_none_is_our_trouble(cluster: Cluster) -> None:
    status, out = run(PLUGIN, *address(cluster), *AS, "-b", SUFFIX, "-a", "(uid=\x1b|\n`$(x)")

    assert (status, out.count("|")) == (3, 0)
    assert out.startswith("LDAP UNKNOWN - -a: ")


@pytest.fixture
def agent(cluster: Cluster, tmp_path: Path) -> Iterator[RunningAgent]:
    with RunningAgent(cluster, tmp_path) as running:
        yield running


def asked(agent: RunningAgent, *options: str) -> tuple[int, str]:
    return run(PLUGIN, "--agent", *options, **agent.environment)


def test_the_plugin_tells_what_the_agent_decides(cluster: Cluster, agent: RunningAgent) -> None:
    well = asked(agent)
    assert well[1].startswith("LDAP OK - 4 of 4 in service | time=0.0")
    assert well[0] == 0
    assert asked(agent, "--cluster", "c/ldap1", "--check", "search")[0] == 0

    assert agent.run("drain", "c/ldap2", "--for", "1m", "--reason", "x").returncode == 0
    assert asked(agent)[1].startswith("LDAP WARNING - ldap2 draining; 3 of 4 in service | ")
    agent.run("undrain", "c/ldap2")

    cluster.nodes[2].terminate()
    dead = "LDAP CRITICAL - ldap3 out: connect."
    wait.until(
        lambda: asked(agent, "--cluster", "c/ldap3")[1].startswith(dead),
        10.0,
        "the plugin does not tell of a dead server",
    )
    assert asked(agent)[0] == 2
    assert asked(agent, "--cluster", "c/ldap1")[0] == 0


def test_an_agent_that_is_frozen_or_dead_is_unknown_in_time(agent: RunningAgent) -> None:
    agent.program.send(signal.SIGSTOP)
    started = time.monotonic()
    frozen = asked(agent, "-t", "2")
    took = time.monotonic() - started
    agent.program.send(signal.SIGCONT)
    agent.kill()
    dead = asked(agent)

    assert (frozen[0], "no answer in time" in frozen[1]) == (3, True)
    assert took < 2.2
    assert (dead[0], "no agent runs here" in dead[1]) == (3, True)
