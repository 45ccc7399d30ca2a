"""`ldaphealth doctor` finds each fault of a real cluster, and what it prints mends it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from demo.certificates import Authority
from demo.cluster import Cluster
from demo.node import DATABASE, Node
from demo.tree import CANARIES, PEOPLE, SUFFIX
from tests.slapd.doctor_run import SEARCH, WRITE, Doctor, configure, doctor, run
from tests.slapd.policies import PASSWORD, cluster_with_policies, dn_of
from tests.slapd.running_agent import PROGRAM
from tests.slapd.watched import make_canaries, watched

pytestmark = pytest.mark.slapd

MONITOR = "olcDatabase={2}monitor,cn=config"
NO_AGENT = "agent.not_running"
LONG_WORD = 60  # such as a path; it is not broken
ALL = ["c/ldap1", "c/ldap2", "c/ldap3", "c/ldap4"]


def only(found: Doctor) -> set[str]:
    """Return the codes of the problems beside that no agent runs."""
    return set(found.problems) - {NO_AGENT}


def remove_canaries(cluster: Cluster) -> None:
    """Remove the canaries of all agents, also those that other tests have left in the cluster."""
    root = cluster.nodes[0].root
    for entry in root.search(CANARIES, scope="one"):
        root.delete(entry["dn"][0])
    cluster.wait_until_level()


@pytest.fixture
def canaries(cluster: Cluster) -> Iterator[None]:
    """Make the canaries of the agent `doctor`, the only ones, and remove all afterwards."""
    remove_canaries(cluster)
    make_canaries(cluster, "doctor")
    yield
    cluster.heal()
    remove_canaries(cluster)


def test_a_server_that_is_down_is_named_with_the_commands_on_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.nodes[1].kill()

    found = doctor(configure(tmp_path, cluster))

    assert found.exit_status == 2
    assert found.where("connect.connect") == ["c/ldap2"]
    assert found.problems["connect.connect"]["steps"][0] == {
        "kind": "command",
        "text": "systemctl status slapd",
        "on": ["ldap2"],
        "starts_tls": False,
    }
    assert found.covered["reach"] == "4 of 4 servers"
    assert found.covered["rights"] == "3 of 4 servers"


def test_a_server_that_hangs_is_named(cluster: Cluster, tmp_path: Path) -> None:
    cluster.nodes[2].freeze()
    try:
        found = doctor(configure(tmp_path, cluster, more="second_look_seconds: 0.5"))
    finally:
        cluster.heal()

    assert found.where("bind.timeout") == ["c/ldap3"]
    assert "systemctl restart slapd" in found.steps("bind.timeout")


def test_a_base_that_the_account_may_not_see_is_a_missing_right(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.nodes[3].hide_base(PEOPLE)

    found = doctor(configure(tmp_path, cluster))

    assert (found.exit_status, only(found)) == (2, {"search.noSuchObject"})
    assert found.where("search.noSuchObject") == ["c/ldap4"]
    assert found.problems["search.noSuchObject"]["examination"] == "rights"


@pytest.fixture
def strict(cluster: Cluster) -> Iterator[Cluster]:
    """Let the account bind at all nodes, and see nothing; their rules come back afterwards."""
    places = [(node, name) for node in cluster.nodes for name in (DATABASE, MONITOR)]
    before = [(node, name, node.root.read(name, "olcAccess")) for node, name in places]
    for node in cluster.nodes:
        set_rules(node, DATABASE, ["to attrs=userPassword by anonymous auth", "to * by * none"])
        set_rules(node, MONITOR, ["to * by * none"])
    yield cluster
    for node, name, rules in before:
        set_rules(node, name, rules)


def set_rules(node: Node, database: str, rules: Sequence[str]) -> None:
    lines = "\n".join(f"olcAccess: {each}" for each in rules)
    node.root.modify(database, f"replace: olcAccess\n{lines}")


def test_the_rights_that_are_missing_are_those_of_the_ldif(strict: Cluster, tmp_path: Path) -> None:
    remove_canaries(strict)
    make_canaries(strict, "doctor")
    config = configure(tmp_path, strict, checks=(SEARCH, WRITE))
    found = doctor(config)
    for problem in found.problems.values():
        for step in problem["steps"]:
            if step["kind"] == "ldif":
                assert step["on"] == [each.uri for each in strict.nodes]
                for node in strict.nodes:
                    node.root.change(step["text"])
    after = doctor(config)
    remove_canaries(strict)

    assert only(found) == {
        "search.noSuchObject",
        "canaries.no_canary",
        "replication.noSuchObject",
        "monitor.no_access",
    }
    assert found.where("replication.noSuchObject") == ALL
    assert only(after) == set()
    assert after.covered["balancers"].startswith("agents with canaries: ")  # it may list them
    assert "doctor" in after.covered["balancers"]
    assert strict.nodes[0].check.read(PEOPLE, "description") == ()


def test_a_hidden_monitor_is_mended_by_the_ldif(cluster: Cluster, tmp_path: Path) -> None:
    node, config = cluster.nodes[0], configure(tmp_path, cluster)
    before = node.root.read(MONITOR, "olcAccess")
    node.root.modify(MONITOR, "replace: olcAccess\nolcAccess: to * by * none")
    try:
        found = doctor(config)
        (ldif,) = set(found.steps("monitor.no_access", "ldif"))
        node.root.change(ldif)
        after = doctor(config)
    finally:
        rules = "\n".join(f"olcAccess: {each}" for each in before)
        node.root.modify(MONITOR, f"replace: olcAccess\n{rules}")

    assert found.exit_status == 2
    assert found.where("monitor.no_access") == ["c/ldap1"]
    assert only(after) == set()


def test_a_certificate_of_another_authority_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    uris = [each.ldaps_uri for each in cluster.nodes if each.ldaps_uri]
    other = Authority(tmp_path).file

    refused = doctor(configure(tmp_path, cluster, uris=uris, more=f"tls: {{ca_file: {other}}}"))
    fine = doctor(
        configure(tmp_path, cluster, uris=uris, more=f"tls: {{ca_file: {cluster.ca_file}}}")
    )

    assert refused.exit_status == 2
    assert refused.where("connect.certificate") == ALL
    assert f"-CAfile {other}" in refused.steps("connect.certificate")[0]
    assert only(fine) == set()
    assert fine.covered["tls"] == "4 of 4 servers"


def test_a_password_that_expired_is_named_and_no_account_is_locked(tmp_path: Path) -> None:
    password_file = tmp_path / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(PASSWORD)
    with cluster_with_policies() as policed:
        expired, expires = (
            doctor(configure(tmp_path, policed, dn=dn_of(name), password_file=password_file))
            for name in ("expired", "expires")
        )

    assert expired.exit_status == 2
    assert sorted(expired.where("bind.invalidCredentials")) == ALL
    assert "has expired" in expired.problems["bind.invalidCredentials"]["what"]
    assert expires.problems["bind.password_expires"]["importance"] == "mend"
    (change, *_) = expires.steps("bind.password_expires")
    assert shlex.split(change)[:2] == ["ldappasswd", "-x"]


def test_missing_canaries_are_made_by_the_command(cluster: Cluster, tmp_path: Path) -> None:
    remove_canaries(cluster)
    config = configure(tmp_path, cluster, checks=(SEARCH, WRITE))
    found = doctor(config)
    (command,) = found.steps("canaries.no_canary")
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    try:
        subprocess.run(
            ["/bin/sh", "-c", command], env=os.environ | {"PATH": path}, check=True, timeout=30
        )
        cluster.wait_until_level()
        after = doctor(config)
    finally:
        remove_canaries(cluster)

    assert (found.exit_status, found.where("canaries.no_canary")) == (2, ALL)
    assert found.steps("canaries.no_canary", "ldif") == []
    assert only(after) == set()
    # By the entryCSN of the writes: monitor is not configured.
    assert after.covered["clocks"].startswith("4 of 4 servers, to within ")


@pytest.mark.usefixtures("canaries")
def test_missing_canaries_of_propagation_are_found(cluster: Cluster, tmp_path: Path) -> None:
    propagation = f'propagation: {{container: "{CANARIES}", agent: doctor}}'

    found = doctor(configure(tmp_path, cluster, checks=(WRITE, propagation)))

    assert only(found) == {"canaries.no_canary"}
    assert found.exit_status == 2


@pytest.mark.usefixtures("canaries")
@pytest.mark.parametrize("missing", [1, 0])
def test_another_balancer_without_canaries_is_named(
    cluster: Cluster, tmp_path: Path, missing: int
) -> None:
    servers = watched(cluster).servers[missing:]
    make_canaries(cluster, "lb2", servers)

    found = doctor(configure(tmp_path, cluster, checks=(WRITE,)))

    assert only(found) == ({"balancers.incomplete"} if missing else set())
    assert found.covered["balancers"] == "agents with canaries: doctor, lb2"
    assert found.exit_status == 1


@pytest.mark.usefixtures("canaries")
def test_a_pair_of_balancers_with_canaries_of_one_is_named(
    cluster: Cluster, tmp_path: Path
) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text("vrrp_instance ldap {\n  interface eth0\n}\n")

    found = doctor(configure(tmp_path, cluster, checks=(WRITE,)), "--keepalived", str(conf))

    assert only(found) == {"balancers.alone"}


def test_slow_searches_are_shown_with_a_threshold_for_them(
    cluster: Cluster, tmp_path: Path
) -> None:
    config = configure(tmp_path, cluster, deadline_seconds=8)
    cluster.nodes[0].slow_searches(0.7)

    found = doctor(config)

    assert found.where("search.slow") == ["c/ldap1"]
    assert found.steps("search.slow", "setting")[0].startswith("checks: {search: {seconds: ")
    assert found.problems["search.slow"]["importance"] == "mend"


def test_a_clock_that_is_ahead_is_found_with_its_certainty(tmp_path: Path) -> None:
    with Cluster(size=3, ahead_seconds={3: 30.0}) as ahead:
        found = doctor(configure(tmp_path, ahead))

    assert found.where("clocks.server") == ["c/ldap3"]
    what = re.fullmatch(
        r"the clock of ldap3 is (?P<ahead>\S+) s ahead of that of this host \(give or take "
        r"\d+ ms, by cn=Time,cn=Monitor, in whole seconds\)",
        found.problems["clocks.server"]["what"],
    )
    assert what is not None
    assert float(what["ahead"]) == pytest.approx(30.0, abs=1.0)
    assert found.problems["clocks.server"]["importance"] == "mend"


def test_the_script_of_all_steps_is_valid_and_runs_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    remove_canaries(cluster)
    cluster.nodes[0].kill()
    cluster.nodes[1].refuse_password()
    config = configure(tmp_path, cluster, checks=(SEARCH, WRITE))

    status, script = run(config, "--fix")

    parsed = subprocess.run(["/bin/sh", "-n"], input=script, text=True, check=False)
    assert (status, parsed.returncode) == (2, 0)
    assert script.startswith("#!/bin/sh\n")
    assert f"\nldaphealth canary apply c --config {config} || " in script
    assert cluster.nodes[2].root.search(CANARIES, scope="one") == []
    assert cluster.nodes[2].root.read(DATABASE, "olcSuffix") == (SUFFIX,)


def test_everything_can_be_read_at_80_columns(cluster: Cluster, tmp_path: Path) -> None:
    cluster.nodes[0].kill()
    cluster.nodes[1].refuse_password()

    _, text = run(configure(tmp_path, cluster, checks=(SEARCH, WRITE)))

    long = [line for line in text.splitlines() if len(line) > 80]
    assert [line for line in long if max(map(len, line.split())) < LONG_WORD] == []
    assert "TLS: not used\n" in text
    assert "Clear text: 4 of 4 servers: fine\n" in text
