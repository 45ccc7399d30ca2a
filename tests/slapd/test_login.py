"""A login as users do it, on real servers: what only users see takes that server out."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep

import pytest
from msgspec.structs import replace

from demo import wait
from demo.cluster import Cluster
from demo.tree import PEOPLE, SERVICES, person
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.login import Facts, Params
from ldaphealth.checks.monitor import OPERATIONS, _done
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.model import BindMethod, Credentials, Secret, State
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.lateness import repeated_when_late
from tests.slapd.recorded import Recorded
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

USER, PASSWORD = person(1), "only for tests"
GROUP = f"cn=staff,{SERVICES}"
ACCOUNT = Credentials(BindMethod.SIMPLE, "", Secret(PASSWORD))
PARAMS = Params(
    filter=Filter("(uid=user1)"),
    base=DN(PEOPLE),
    attributes=(AttributeName("cn"), AttributeName("description")),
    group=DN(GROUP),
)
LOGIN = ConfiguredCheck(
    BUILT_IN["login"], PARAMS, BUILT_IN["login"].effect, alias="webmail", credentials=ACCOUNT
)
ROUNDS_SECONDS = 2.0


@pytest.fixture
def site(cluster: Cluster) -> Iterator[Cluster]:
    """Return the cluster with a user who has a password, and a group of which the user is one."""
    root = cluster.nodes[0].root
    root.modify(USER, f"replace: userPassword\nuserPassword: {PASSWORD}")
    root.add(GROUP, f"objectClass: groupOfNames\ncn: staff\nmember: {USER}")
    cluster.wait_until_level()
    for node in cluster.nodes:
        node.forbid(f'to * by dn.subtree="{PEOPLE}" read by * break')
    yield cluster
    cluster.heal()
    root.modify(USER, "replace: userPassword")
    root.delete(GROUP)
    cluster.wait_until_level()


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        pytest.param(
            f'to dn.subtree="{PEOPLE}" attrs=userPassword by * none',
            "invalidCredentials",
            id="users cannot bind",
        ),
        pytest.param(f'to dn.exact="{USER}" by * none', "no_user", id="the user is missing"),
        pytest.param(f'to dn.exact="{GROUP}" by * none', "no_group", id="the group is missing"),
        pytest.param(
            f'to dn.exact="{GROUP}" attrs=member by * none',
            "insufficientAccessRights",
            id="the members are hidden from users",
        ),
        pytest.param(
            f'to dn.subtree="{PEOPLE}" attrs=description by dn.subtree="{SERVICES}" read by * none',
            "unreadable",
            id="an attribute is hidden from users",
        ),
    ],
)
def test_a_server_on_which_users_cannot_do_it_goes_out_and_no_other(
    site: Cluster, rule: str, code: str
) -> None:
    with Recorded(site, ("search",), named=[LOGIN]) as seen:
        sleep(ROUNDS_SECONDS)
        assert seen.wrong() == {}
        site.nodes[1].forbid(rule)
        seen.until_out({"ldap2"}, 5.0)
        # The rule may have come in the middle of a round, which found something else.
        expected = {"ldap2": {(f"webmail.{code}", State.CRITICAL)}}
        wait.until(lambda: seen.wrong() == expected, 5.0, f"{seen.wrong()}")
        sleep(ROUNDS_SECONDS)

    assert seen.ever_out() == {"ldap2"}


@pytest.mark.parametrize("every", [1, 7])
def test_a_server_comes_back_when_users_see_the_group_again(site: Cluster, every: int) -> None:
    with Recorded(site, ("search",), named=[replace(LOGIN, every=every)]) as seen:
        site.nodes[1].forbid(f'to dn.exact="{GROUP}" by * none')
        seen.until_out({"ldap2"}, 10.0)
        site.nodes[1].permit()
        seen.until_out(set(), 5.0)


def test_a_server_on_which_two_users_have_the_name_goes_out(site: Cluster) -> None:
    two = replace(PARAMS, filter=Filter("(|(uid=user1)(uid=user2))"))
    for node in site.nodes:
        node.forbid(f'to dn.exact="{person(2)}" by * none')
    with Recorded(site, ("search",), named=[replace(LOGIN, params=two)]) as seen:
        sleep(ROUNDS_SECONDS)
        assert seen.wrong() == {}
        site.nodes[1].permit()
        seen.until_out({"ldap2"}, 5.0)
        assert seen.wrong() == {"ldap2": {("webmail.several_users", State.CRITICAL)}}


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        pytest.param(replace(ACCOUNT, password=Secret("x")), "invalidCredentials", id="password"),
        pytest.param(replace(ACCOUNT, dn=person(2)), "other_user", id="DN"),
    ],
)
def test_credentials_that_are_wrong_at_all_servers_remove_none(
    site: Cluster, credentials: Credentials, code: str
) -> None:
    with Recorded(site, ("search",), named=[replace(LOGIN, credentials=credentials)]) as seen:
        wait.until(lambda: len(seen.wrong()) == 4, 5.0, "the login succeeds")
        wait.until(lambda: not seen.out(), 5.0, "a server is out")
        before = len(seen.decided)  # the first to refuse it was alone for a moment
        sleep(ROUNDS_SECONDS)

    assert all(each.in_service for _, found in seen.decided[before:] for each in found.values())
    assert {found for of in seen.wrong().values() for found, _ in of} == {f"webmail.{code}"}


def test_a_login_has_each_step_with_its_time(site: Cluster) -> None:
    asked = watched(site, checks=("connect", "bind", "search", "unbind"))
    *first, last = asked.checks
    same = replace(LOGIN, credentials=replace(ACCOUNT, dn=person(1).upper()))
    seen = probe_server(asked.servers[0], [*first, same, last], Deadline.after(5.0))
    (found,) = [each for each in seen if each.check == "webmail"]

    assert found.facts == Facts(found=1, dn=USER, membership="member")
    assert [*found.timings] == [
        *("find", "resolve", "connect", "bind", "whoami", "search", "compare", "unbind")
    ]
    assert [each.check for each in seen][-1] == "unbind"


@repeated_when_late  # a consumer that got no CPU connects, and binds, again
def test_operations_of_a_login_are_left_out_of_the_counters(site: Cluster) -> None:
    asked = watched(site, checks=("connect", "bind", "search", "monitor", "unbind"))
    connect, bind, search, *rest = asked.checks
    wrong = replace(LOGIN, alias="wrong", credentials=replace(ACCOUNT, password=Secret("x")))
    checks = [connect, bind, search, LOGIN, wrong, *rest]
    seen = [
        each.facts
        for _ in range(5)
        for each in probe_server(asked.servers[0], checks, Deadline.after(5.0))
        if each.check == "monitor" and each.facts is not None
    ]

    assert {name: _done(seen, name) for name in OPERATIONS} == dict.fromkeys(OPERATIONS, 0)
