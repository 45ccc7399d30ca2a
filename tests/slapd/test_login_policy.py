"""A login locks no account, and shows what the password policy says of the user (ppolicy)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from demo import wait
from demo.cluster import Cluster
from demo.tree import SERVICES, SUFFIX
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.login import Params
from ldaphealth.judging.judge import judge
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.names import DN
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.model import BindMethod, Credentials, Finding, Secret, State
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.slapd.policies import PASSWORD, cluster_with_policies, dn_of, failures, is_locked
from tests.slapd.recorded import Recorded
from tests.slapd.running_agent import RunningAgent
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

FILE = "/etc/ldaphealth/monitor"
A_MINUTE_SECONDS = 61.0  # longer than `retry_after_seconds`
PART_SECONDS = 40.0


@pytest.fixture(scope="module")
def policed() -> Iterator[Cluster]:
    """Return four nodes with password policies, on which a user is found by its name."""
    with cluster_with_policies() as cluster:
        for node in cluster.nodes:
            node.forbid(f'to dn.subtree="{SERVICES}" attrs=entry,cn by users read by * break')
        yield cluster


@pytest.fixture
def user(policed: Cluster) -> Iterator[str]:
    """Return the name of a user of whom no server has counted a wrong password."""
    dn, root = dn_of("user"), policed.nodes[0].root
    kinds = "objectClass: applicationProcess\nobjectClass: simpleSecurityObject"
    root.add(dn, f"{kinds}\ncn: user\nuserPassword: {PASSWORD}")
    policed.wait_until_level()
    yield "user"
    root.delete(dn)
    policed.wait_until_level()


def login(name: str, password: str = PASSWORD) -> ConfiguredCheck:
    params = Params(filter=Filter(f"(cn={name})"), base=DN(SERVICES))
    credentials = Credentials(BindMethod.SIMPLE, "", Secret(password), password_file=FILE)
    kind = BUILT_IN["login"]
    return ConfiguredCheck(kind, params, kind.effect, alias="webmail", credentials=credentials)


def findings(cluster: Cluster, name: str) -> list[Finding]:
    """Return what one login at the first server shows."""
    site = watched(cluster, checks=("connect", "bind", "unbind"))
    *first, last = site.checks
    site = replace(site, checks=(*first, login(name), last))
    recent = RecentObservations()
    for seen in probe_server(site.servers[0], site.checks, Deadline.after(5.0)):
        recent.add(seen)
    found = judge(site, recent, one_shot=True)
    return [each for each in found if each.check == "webmail" and each.state is not State.OK]


@pytest.mark.parametrize(
    ("name", "code", "state", "words"),
    [
        ("expires", "password_expires", State.WARNING, "expires in 9 d 23 h"),
        ("grace", "grace_logins", State.WARNING, "2 grace logins left"),
        ("expired", "invalidCredentials", State.CRITICAL, "has expired"),
    ],
)
def test_what_the_policy_says_of_the_user_names_account_file_and_step(
    policed: Cluster, name: str, code: str, state: State, words: str
) -> None:
    (found,) = findings(policed, name)

    assert (found.reason, found.state) == (f"webmail.{code}", state)
    for each in (words, dn_of(name), FILE, "ldappasswd"):
        assert each in found.summary


def test_a_password_that_must_be_changed_is_a_finding_and_nothing_else_is_tried(
    policed: Cluster, user: str
) -> None:
    policed.nodes[0].root.modify(
        dn_of(user), f"replace: pwdPolicySubentry\npwdPolicySubentry: cn=reset,ou=policies,{SUFFIX}"
    )
    policed.nodes[0].root.modify(dn_of(user), "replace: pwdReset\npwdReset: TRUE")
    (found,) = findings(policed, user)

    assert found.reason == "webmail.must_change"
    assert not found.trust.can_remove
    assert dn_of(user) in found.summary
    assert FILE in found.summary


def test_a_user_who_is_locked_everywhere_takes_no_server_out(policed: Cluster, user: str) -> None:
    policed.nodes[0].root.modify(
        dn_of(user), "add: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z"
    )
    policed.wait_until_level()
    with Recorded(policed, (), named=[login(user)]) as seen:
        wait.until(lambda: len(seen.wrong()) == 4, 5.0, "the login succeeds")
        wait.until(lambda: not seen.out(), 5.0, "a server is out")
        before = len(seen.decided)  # the first to refuse it was alone for a moment
        time.sleep(2.0)

    assert all(each.in_service for _, found in seen.decided[before:] for each in found.values())
    for node in policed.nodes:
        (found,) = [each for each in seen.findings(node.name) if each.check == "webmail"]
        assert found.code == "invalidCredentials"
        assert "is locked" in found.summary
        assert "next attempt in" in found.summary


CHECKS = (
    f'webmail: {{check: login, base: "{SERVICES}", filter: "(cn=user)", credentials: user}}\n'
    f'      mail: {{check: login, base: "{SERVICES}", filter: "(cn=user)", credentials: user}}'
)


@pytest.fixture
def agent(policed: Cluster, user: str, tmp_path: Path) -> RunningAgent:
    """Return an agent with two logins of the user, and a wrong password."""
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    wrong.chmod(0o600)
    assert user in CHECKS
    return RunningAgent(
        policed,
        tmp_path,
        more_checks=CHECKS,
        more_credentials=f', user: {{password_file: "{wrong}"}}',
    )


def test_a_wrong_password_for_a_minute_at_four_servers_locks_no_user(
    policed: Cluster, user: str, agent: RunningAgent
) -> None:
    with agent:
        time.sleep(PART_SECONDS)
        verdicts = agent.status()["verdicts"]
        time.sleep(A_MINUTE_SECONDS - PART_SECONDS)

    assert 1 <= failures(policed, dn_of(user)) <= 3
    assert not is_locked(policed, dn_of(user))
    for verdict in verdicts:
        assert verdict["in_service"], verdict
        reasons = [each for each in verdict["reasons"] if each["code"].startswith("webmail.")]
        assert [each["code"] for each in reasons] == ["webmail.invalidCredentials"]
        assert dn_of(user) in reasons[0]["summary"]
        assert "next attempt in" in reasons[0]["summary"]


def test_keepaliveds_checks_without_an_agent_lock_no_user(
    policed: Cluster, user: str, agent: RunningAgent
) -> None:
    agent.configure()
    for _ in range(3):
        assert agent.script_answers() == {node.name: 0 for node in policed.nodes}

    assert 1 <= failures(policed, dn_of(user)) <= 2


def test_one_shot_checks_for_a_monitoring_system_lock_no_user(
    policed: Cluster, user: str, agent: RunningAgent
) -> None:
    agent.configure()
    for _ in range(8):
        agent.run("check", "c", "--format", "nagios")

    assert 1 <= failures(policed, dn_of(user)) <= 2
