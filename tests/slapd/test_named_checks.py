"""Several searches by name on real servers: as another account, on some servers, in some rounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
from msgspec.structs import replace

from demo import ports, wait
from demo.cluster import Cluster
from demo.tree import PEOPLE, SERVICES
from ldaphealth.checks.monitor import OPERATIONS, _done
from ldaphealth.checks.search import Params
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import BindMethod, Credentials, Secret, State
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.checks.seen import planned
from tests.prometheus.server import get
from tests.slapd.recorded import Recorded
from tests.slapd.running_agent import RunningAgent
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

WEB_DN, WEB_PASSWORD = f"cn=web,{SERVICES}", "web"
WEB = Credentials(BindMethod.SIMPLE, WEB_DN, Secret(WEB_PASSWORD))
TEN = Thresholds(critical=Range(start=10))
STAFF = replace(
    planned("search", Params(base=PEOPLE, scope="one", entries=TEN)), alias="staff", credentials=WEB
)
ROUNDS_SECONDS = 2.0
HOST = "127.0.0.1"


@pytest.fixture
def site(cluster: Cluster) -> Iterator[Cluster]:
    """Return the cluster with the account of an application, which reads the people only."""
    root = cluster.nodes[0].root
    root.add(
        WEB_DN,
        "objectClass: applicationProcess\nobjectClass: simpleSecurityObject\n"
        f"cn: web\nuserPassword: {WEB_PASSWORD}",
    )
    cluster.wait_until_level()
    for node in cluster.nodes:
        node.forbid(f'to dn.subtree="{PEOPLE}" by dn.exact="{WEB_DN}" read by * break')
    yield cluster
    cluster.heal()
    root.delete(WEB_DN)


def hide_from_web(site: Cluster, number: int) -> None:
    """Hide the people of one node from the application, and from nothing else."""
    site.nodes[number].forbid(f'to dn.subtree="{PEOPLE}" by dn.exact="{WEB_DN}" none by * break')


def test_a_subtree_that_one_server_hides_from_one_application_takes_that_server_out(
    site: Cluster,
) -> None:
    with Recorded(site, ("search", "monitor"), named=[STAFF]) as seen:
        sleep(ROUNDS_SECONDS)
        assert seen.wrong() == {}
        hide_from_web(site, 1)
        seen.until_out({"ldap2"}, 5.0)
        assert seen.wrong() == {"ldap2": {("staff.noSuchObject", State.CRITICAL)}}
        sleep(ROUNDS_SECONDS)

    assert seen.ever_out() == {"ldap2"}
    assert seen.ever_wrong() == {"ldap2": {"staff.noSuchObject"}}


def test_a_password_of_the_application_that_all_servers_refuse_removes_none(site: Cluster) -> None:
    with Recorded(site, ("search",), named=[STAFF]) as seen:
        site.nodes[0].root.modify(WEB_DN, "replace: userPassword\nuserPassword: another")
        wait.until(lambda: len(seen.wrong()) == 4, 5.0, "the password is accepted")
        wait.until(lambda: not seen.out(), 5.0, "a server is out")
        before = len(seen.decided)  # the first to refuse it was alone for a moment
        sleep(ROUNDS_SECONDS)

    assert all(each.in_service for _, found in seen.decided[before:] for each in found.values())
    assert {code for of in seen.wrong().values() for code, _ in of} == {"staff.invalidCredentials"}


def test_a_check_of_two_servers_compares_these_and_says_nothing_of_the_others(
    site: Cluster,
) -> None:
    two = replace(STAFF, servers=frozenset({"ldap1", "ldap2"}))
    with Recorded(site, ("search",), named=[two]) as seen:
        hide_from_web(site, 1)
        hide_from_web(site, 2)
        seen.until_out({"ldap2"}, 5.0)
        sleep(ROUNDS_SECONDS)
        checks = {
            node.name: {each.check for each in seen.findings(node.name)} for node in site.nodes
        }

    assert seen.ever_out() == {"ldap2"}
    assert ["staff" in checks[name] for name in ("ldap1", "ldap2", "ldap3", "ldap4")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("every", [1, 7])
def test_a_server_is_removed_and_comes_back_by_a_check_of_some_rounds(
    site: Cluster, every: int
) -> None:
    with Recorded(site, ("search",), named=[replace(STAFF, every=every)]) as seen:
        hide_from_web(site, 1)
        seen.until_out({"ldap2"}, 10.0)
        site.nodes[1].permit()
        seen.until_out(set(), 5.0)


def test_operations_of_the_second_session_are_left_out_of_the_counters(site: Cluster) -> None:
    asked = watched(site, checks=("connect", "bind", "search", "monitor", "unbind"))
    connect, bind, search, *rest = asked.checks
    refused = replace(
        STAFF, alias="hr", credentials=Credentials(BindMethod.SIMPLE, WEB_DN, Secret("wrong"))
    )
    checks: list[ConfiguredCheck] = [connect, bind, search, STAFF, refused, *rest]

    seen = [
        each
        for _ in range(5)
        for each in probe_server(asked.servers[0], checks, Deadline.after(5.0))
        if each.check == "monitor"
    ]
    reads = [each.facts for each in seen if each.facts]

    assert len(reads) == 5
    assert {name: _done(reads, name) for name in OPERATIONS} == dict.fromkeys(OPERATIONS, 0)


CHECKS = f"""\
staff: {{check: search, base: "{PEOPLE}", scope: one, credentials: web}}
      hosts: {{check: search, base: "{SERVICES}", scope: one, every: 5, effect: watch}}
      pages: {{check: search, base: "{PEOPLE}", filter: "(uid=user1)", scope: sub, only: [ldap1]}}
"""


def test_the_name_of_a_check_is_in_status_metrics_page_and_history(
    site: Cluster, tmp_path: Path
) -> None:
    password_file = tmp_path / "web-password"
    password_file.write_text(WEB_PASSWORD)
    password_file.chmod(0o600)
    reserved = ports.reserve(1, (HOST,))
    url = f"http://{HOST}:{reserved.ports[0]}"
    with RunningAgent(
        site,
        tmp_path,
        more=f', http: {{listen: "{HOST}:{reserved.ports[0]}"}}',
        more_checks=CHECKS,
        more_credentials=f', web: {{dn: "{WEB_DN}", password_file: "{password_file}"}}',
    ) as agent:
        checks = {
            node.name: {each["check"] for each in agent.verdict(node.name)["findings"]}
            for node in site.nodes
        }
        assert all({"staff", "hosts", "search"} <= each for each in checks.values())
        assert [name for name, each in checks.items() if "pages" in each] == ["ldap1"]
        hide_from_web(site, 1)
        agent.wait_for("ldap2", 1, 10.0)
        [reason] = agent.verdict("ldap2")["reasons"]
        assert reason["code"] == "staff.noSuchObject"
        metrics = get(f"{url}/metrics")[2].decode()
        page = get(f"{url}/")[2].decode()
        checked = agent.run("check", "c", "--format", "json")
        once = agent.run("check", "c", "--format", "nagios").stdout
        history = agent.run("history", "c/ldap2").stdout
        explained = agent.run("explain", "c/ldap2").stdout
        config = agent.run("config", "check").stdout
    reserved.release()

    severities = [line for line in metrics.splitlines() if "ldaphealth_check_severity{" in line]
    [staff] = [line for line in severities if "ldap2" in line and '"staff"' in line]
    assert staff.endswith(" 3.0")
    assert sum('"pages"' in line for line in severities) == 1
    assert "staff.noSuchObject" in metrics
    assert "staff.noSuchObject" in page
    assert "staff.noSuchObject" in history
    assert "staff.noSuchObject" in explained
    assert "staff (search)" in config
    found = {
        each["server"]: {of["check"] for of in each["findings"]}
        for each in json.loads(checked.stdout)["verdicts"]
    }
    assert all({"staff", "hosts"} <= each for each in found.values())
    assert "hosts_seconds" in once
    assert "pages_entries" in once
