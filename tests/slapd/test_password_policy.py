"""The account that checks use sees its end coming, and no check locks it (slapo-ppolicy(5))."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from demo.cluster import Cluster
from demo.tree import CHECK_DN, CHECK_PASSWORD, SUFFIX
from ldaphealth.checks import bind
from ldaphealth.judging.judge import judge
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import Session
from ldaphealth.model import BindMethod, Credentials, Finding, Secret, State
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster as CheckedCluster
from ldaphealth.tasks.csn_watch import CSNWatch
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.policies import (
    DAY_SECONDS,
    PASSWORD,
    POLICIES,
    cluster_with_policies,
    dn_of,
    failures,
    is_locked,
)
from tests.slapd.running_agent import PROGRAM, RunningAgent
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

FILE = "/etc/ldaphealth/password"
CHECKS = ("connect", "bind", "search", "unbind")


@pytest.fixture(scope="module")
def policed() -> Iterator[Cluster]:
    """Return four nodes with password policies, and an account for each of them."""
    with cluster_with_policies() as cluster:
        yield cluster


def site_of(
    cluster: Cluster, dn: str, password: str = PASSWORD, servers: int = 4
) -> CheckedCluster:
    credentials = Credentials(BindMethod.SIMPLE, dn, Secret(password), password_file=FILE)
    site = watched(cluster, checks=CHECKS)
    return replace(
        site,
        servers=tuple(replace(each, credentials=credentials) for each in site.servers[:servers]),
    )


def findings(site: CheckedCluster) -> list[Finding]:
    """Return what one session with the first server shows of the account."""
    recent = RecentObservations()
    for seen in probe_server(site.servers[0], site.checks, Deadline.after(5.0)):
        recent.add(seen)
    return [each for each in judge(site, recent, one_shot=True) if each.state is not State.OK]


def of_bind(site: CheckedCluster) -> list[Finding]:
    """Return what the bind shows; these accounts may not read the entries of the search."""
    return [each for each in findings(site) if each.check == "bind"]


def names_account_and_file(finding: Finding, dn: str) -> bool:
    return dn in finding.summary and FILE in finding.summary


def test_a_password_that_expires_in_ten_days_is_a_warning(policed: Cluster) -> None:
    (found,) = of_bind(site_of(policed, dn_of("expires")))

    assert (found.reason, found.state) == ("bind.password_expires", State.WARNING)
    assert not found.trust.can_remove
    assert "expires in 9 d 23 h" in found.summary
    assert names_account_and_file(found, dn_of("expires"))


def test_grace_logins_are_counted_and_kept_for_the_operator(policed: Cluster) -> None:
    dn, accounts = dn_of("grace"), Accounts()
    site = site_of(policed, dn)
    used = [
        probe_server(server, site.checks, Deadline.after(5.0), accounts)
        for server in (*site.servers, *site.servers)
    ]
    recent = RecentObservations()
    for seen in used[0]:
        recent.add(seen)
    found = next(each for each in judge(site, recent, one_shot=True) if each.code == "grace_logins")

    assert (found.reason, found.state) == ("bind.grace_logins", State.WARNING)
    assert "2 grace logins left" in found.summary
    assert names_account_and_file(found, dn)
    policed.wait_until_level()
    assert max(len(node.root.read(dn, "pwdGraceUseTime")) for node in policed.nodes) == 1
    for probe in used[1:]:
        failure = probe[-1].failure
        assert failure is not None
        assert "2 grace logins left" in failure.detail


def test_a_password_that_has_expired_is_refused_with_that_cause(policed: Cluster) -> None:
    (found,) = of_bind(site_of(policed, dn_of("expired")))

    assert found.reason == "bind.invalidCredentials"
    assert "has expired" in found.summary
    assert names_account_and_file(found, dn_of("expired"))


def test_a_locked_account_is_refused_with_that_cause(policed: Cluster) -> None:
    dn = dn_of("default")
    policed.nodes[0].root.modify(
        dn, "add: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z"
    )
    (found,) = of_bind(site_of(policed, dn))

    assert found.reason == "bind.invalidCredentials"
    assert "is locked" in found.summary
    assert "pwdAccountLockedTime" in found.summary
    assert names_account_and_file(found, dn)


def test_a_password_that_was_reset_is_the_cause_of_what_follows(policed: Cluster) -> None:
    dn = dn_of("reset")
    policed.nodes[0].root.modify(dn, "replace: pwdReset\npwdReset: TRUE")
    found = {each.check: each for each in findings(site_of(policed, dn))}

    assert found["bind"].code == "must_change"
    assert found["search"].code == "insufficientAccessRights"
    for each in found.values():
        assert "must be changed" in each.summary
        assert names_account_and_file(each, dn)


def test_the_one_shot_check_tries_a_wrong_password_at_two_servers(policed: Cluster) -> None:
    site = site_of(policed, dn_of("expires"), "wrong")
    accounts = Accounts()
    snapshot = evaluate(
        [site],
        probe=lambda server, checks, deadline: probe_server(server, checks, deadline, accounts),
    )

    assert all(each.in_service for each in snapshot.verdicts)
    assert [each.reasons[0].code for each in snapshot.verdicts] == ["bind.invalidCredentials"] * 4
    policed.wait_until_level()
    assert failures(policed, dn_of("expires")) <= 2


def test_while_no_password_is_tried_a_frozen_server_is_still_found(policed: Cluster) -> None:
    site, accounts = site_of(policed, dn_of("grace"), "wrong"), Accounts()
    for server in site.servers[:2]:
        probe_server(server, site.checks, Deadline.after(5.0), accounts)
    frozen = policed.nodes[3]
    frozen.freeze()
    try:
        found = probe_server(site.servers[3], site.checks, Deadline.after(1.0), accounts)
    finally:
        frozen.thaw()

    assert found[-1].failure is not None
    assert found[-1].failure.kind == "timeout"
    assert not found[-1].failure.answered


def test_the_agent_reads_once_an_hour_when_a_password_expires(policed: Cluster) -> None:
    root, policy = policed.nodes[0].root, f"cn=aged,{POLICIES}"
    root.add(
        policy,
        "objectClass: device\nobjectClass: pwdPolicy\npwdAttribute: userPassword\n"
        f"cn: aged\npwdMaxAge: {12 * DAY_SECONDS}",  # without pwdExpireWarning
    )
    root.modify(CHECK_DN, f"replace: pwdPolicySubentry\npwdPolicySubentry: {policy}")
    good = CHECK_PASSWORD + " and well"
    root.modify(CHECK_DN, f"replace: userPassword\nuserPassword: {good}")
    (server,) = site_of(policed, CHECK_DN, good, servers=1).servers
    found, searches = [], []
    accounts = Accounts(lasts=True)
    for _ in range(2):
        session = Session(server, Deadline.after(5.0), accounts=accounts)
        session.connect()
        found.append(bind.observe(session, bind.Params()))
        searches.append(session.counts.get("search", 0))
        session.unbind()
    root.modify(CHECK_DN, "delete: pwdPolicySubentry")
    root.modify(CHECK_DN, f"replace: userPassword\nuserPassword: {CHECK_PASSWORD}")

    assert searches == [2, 0]
    for facts in found:
        assert facts.expires_epoch_seconds is not None
        assert facts.observed_epoch_seconds is not None
        left = facts.expires_epoch_seconds - facts.observed_epoch_seconds
        assert 11.9 < left / DAY_SECONDS <= 12


def test_a_session_goes_on_after_a_bind_with_the_control(policed: Cluster) -> None:
    (server,) = site_of(policed, CHECK_DN, CHECK_PASSWORD, servers=1).servers
    session = Session(server, Deadline.after(5.0))
    session.connect()
    session.bind()

    assert session.read(SUFFIX, ["o"])["o"] == ("Example",)
    session.unbind()


@pytest.fixture
def fresh_account(policed: Cluster) -> Iterator[str]:
    """Return the account of the tests below, of which no server has counted a wrong password."""
    dn = dn_of("repeated")
    policed.nodes[0].root.add(
        dn,
        "objectClass: applicationProcess\nobjectClass: simpleSecurityObject\n"
        f"cn: repeated\nuserPassword: {PASSWORD}",
    )
    policed.wait_until_level()
    yield dn
    policed.nodes[0].root.delete(dn)


def test_a_plugin_that_is_repeated_locks_no_account(
    policed: Cluster, fresh_account: str, tmp_path: Path
) -> None:
    program = PROGRAM.with_name("check_ldaphealth")
    host, _, port = policed.nodes[0].uri.removeprefix("ldap://").partition(":")
    options = ["-H", host, "-p", port, "-b", SUFFIX, "-D", fresh_account, "-P", "wrong"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    for times in range(8):
        done = subprocess.run(
            [program, *options], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == State.CRITICAL.value
        assert "bind.invalidCredentials" in done.stdout
        assert ("next attempt in" in done.stdout) is (times > 0), done.stdout

    assert failures(policed, fresh_account) == 1


def test_keepaliveds_checks_without_an_agent_lock_no_account(
    policed: Cluster, fresh_account: str, tmp_path: Path
) -> None:
    agent = RunningAgent(policed, tmp_path)
    agent.configure()
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    wrong.chmod(0o600)
    text = agent.config.read_text().replace(CHECK_DN, fresh_account)
    good = str(policed.accounts.check.password_file)
    agent.config.write_text(text.replace(good, str(wrong)))
    for _ in range(3):
        assert agent.script_answers() == {node.name: 0 for node in policed.nodes}

    assert failures(policed, fresh_account) <= 2


def test_a_watch_of_csns_with_a_wrong_password_locks_no_account(
    policed: Cluster, fresh_account: str
) -> None:
    site = site_of(policed, fresh_account, "wrong")
    watch = CSNWatch(replace(site, checks=watched(policed).checks))
    for _ in range(5):
        watch.probe()

    assert failures(policed, fresh_account) <= 2


@pytest.fixture
def agent(policed: Cluster, tmp_path: Path) -> Iterator[RunningAgent]:
    """Return an agent, which uses the account that a good password opens."""
    file = policed.accounts.check.password_file
    good = file.read_text()
    with RunningAgent(policed, tmp_path) as agent:
        yield agent
    file.write_text(good)
    policed.heal()


def eventually(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def test_a_wrong_password_after_a_reload_locks_no_account(
    policed: Cluster, agent: RunningAgent
) -> None:
    policed.accounts.check.password_file.write_text("wrong")
    agent.reload()
    time.sleep(55.0)

    assert failures(policed, CHECK_DN) <= 2
    assert not is_locked(policed, CHECK_DN)
    for verdict in agent.status()["verdicts"]:
        assert verdict["in_service"], verdict
        (reason,) = [each for each in verdict["reasons"] if each["code"].startswith("bind.")]
        assert CHECK_DN in reason["summary"]
        assert "next attempt in" in reason["summary"]
    policed.accounts.check.password_file.write_text(CHECK_PASSWORD)
    agent.reload()
    assert eventually(
        lambda: all(each["state"] == "OK" for each in agent.status()["verdicts"]), 10.0
    )


def test_a_server_that_alone_refuses_a_good_password_goes_out(
    policed: Cluster, agent: RunningAgent
) -> None:
    policed.nodes[2].refuse_password()

    agent.wait_for("ldap3", 1, 10.0)
    time.sleep(3.0)
    assert agent.script_answers() == {"ldap1": 0, "ldap2": 0, "ldap3": 1, "ldap4": 0}
    assert failures(policed, CHECK_DN) <= 2
