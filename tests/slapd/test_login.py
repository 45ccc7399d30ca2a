"""A login as users do it, on real servers: what only users see takes that server out."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep

import pytest

from demo.cluster import Cluster
from demo.tree import PEOPLE, SERVICES, person
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.login import Params
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.model import BindMethod, Credentials, Secret, State
from ldaphealth.settings import ConfiguredCheck
from tests.slapd.recorded import Recorded

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


def forbid(site: Cluster, number: int, rule: str) -> None:
    """Forbid something to users on one node, and not to the account of the agent."""
    site.nodes[number].forbid(rule)


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
        forbid(site, 1, rule)
        seen.until_out({"ldap2"}, 5.0)
        assert seen.wrong() == {"ldap2": {(f"webmail.{code}", State.CRITICAL)}}
        sleep(ROUNDS_SECONDS)

    assert seen.ever_out() == {"ldap2"}
